/* eval/statistics.c -- see statistics.h. */
#include "eval/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"

static const double PI = 3.14159265358979323846, EQUAL = 1e-12; /* of the largest: a difference that is rounding */

/* ---- Student's t ---- */

static double log_gamma(double x)
{
    int sign; /* lgamma itself would write a global */
    return lgamma_r(x, &sign);
}

/* The continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8) by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m <= 10000; m++) {
        double change = 1;
        for (int odd = 0; odd < 2; odd++) {
            const double factor = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                                      : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + factor * d;
            c = 1 + factor / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            if (fabs(c) < tiny) c = tiny;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1) < 1e-16) break;
    }
    return value;
}

/* I_x(a, b) */
static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double statistics_t_quantile(double p, double degrees)
{
    if (!(p > 0 && p < 1 && degrees >= 1)) return NAN;
    if (p < 0.5) return -statistics_t_quantile(1 - p, degrees);
    const double tail = 2 * (1 - p); /* P(|T| > t) = I_(v / (v + t^2))(v / 2, 1 / 2) */
    double low = 0, high = 1;
    while (incomplete_beta(degrees / 2, 0.5, degrees / (degrees + high * high)) > tail) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (incomplete_beta(degrees / 2, 0.5, degrees / (degrees + middle * middle)) > tail)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

bool statistics_all_equal(const double *values, int64_t count)
{
    double lowest = INFINITY, highest = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        lowest = fmin(lowest, values[i]);
        highest = fmax(highest, values[i]);
    }
    return count < 1 || highest - lowest <= EQUAL * fmax(fabs(lowest), fabs(highest));
}

void statistics_over_seeds(double *mean, struct interval *interval, const double *values, int count)
{
    *mean = NAN;
    *interval = (struct interval){NAN, NAN};
    if (count < 1) return;
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) sum += values[i];
    *mean = sum / count;
    if (count < 2) return;
    for (int i = 0; i < count; i++) squares += (values[i] - *mean) * (values[i] - *mean);
    const double half = statistics_t_quantile(0.975, count - 1) * sqrt(squares / (count - 1) / count);
    *interval = (struct interval){*mean - half, *mean + half};
}

/* ---- McNemar ---- */

/* log(n!) - log(sqrt(2 pi n) (n / e)^n): what Stirling's formula lacks. */
static double stirling_error(double n)
{
    if (n < 16) return log_gamma(n + 1) - ((n + 0.5) * log(n) - n + 0.5 * log(2 * PI));
    const double square = n * n;
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / square) / square) / square) / n;
}

/* x log(x / m) + m - x, without cancellation where x is near m. */
static double deviance(double x, double m)
{
    if (fabs(x - m) >= 0.1 * (x + m)) return x * log(x / m) + m - x;
    const double v = (x - m) / (x + m);
    double sum = (x - m) * v, power = 2 * x * v;
    for (int j = 1; j < 1000; j++) {
        power *= v * v;
        const double next = sum + power / (2 * j + 1);
        if (next == sum) break;
        sum = next;
    }
    return sum;
}

/* P(Bin(n, 1/2) = k) by the saddle point expansion (Loader 2000): log factorials would cancel for large n. */
static double binomial_half(double n, double k)
{
    if (k == 0 || k == n) return exp(-n * log(2));
    const double exponent =
        stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance(k, n / 2) - deviance(n - k, n / 2);
    return exp(exponent) * sqrt(n / (2 * PI * k * (n - k)));
}

double statistics_mcnemar(int64_t b, int64_t c)
{
    const double n = (double)b + (double)c, least = (double)(b < c ? b : c);
    if (b == c) return 1;
    double term = binomial_half(n, least), sum = term;
    for (double k = least; k > 0 && term > sum * 1e-17; k--) {
        term *= k / (n - k + 1);
        sum += term;
    }
    return fmin(1, 2 * sum);
}

/* ---- draws ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The q quantile of sorted values, by linear interpolation between order statistics. */
static double quantile(const double *sorted, int count, double q)
{
    const double at = q * (count - 1);
    const int below = (int)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

struct resampling {
    const struct bootstrap_args *args;
    struct stop stop;
    uint32_t *times; /* [threads][count] */
    double *values;  /* [resamples] */
};

static void resample(void *context, int64_t index, int thread)
{
    const struct resampling *all = context;
    const int64_t count = all->args->count;
    uint32_t *times = all->times + thread * count;
    if (stop_is_asked(all->stop)) return;
    struct rng rng = rng_open(all->args->seed, RNG_RESAMPLE, 0, (uint32_t)index, 0);
    for (int64_t i = 0; i < count; i++) times[i] = 0;
    for (int64_t i = 0; i < count; i++) times[rng_below(&rng, (uint32_t)count)]++;
    all->values[index] = all->args->metric(all->args->context, times, count);
}

int statistics_bootstrap(struct interval *out, struct pool *pool, const struct bootstrap_args *args,
                         struct error *error)
{
    if (args->count < 1 || args->count > INT32_MAX || args->resamples < 1)
        return error_set(error, SIMCLR_INVALID, "a bootstrap needs 1 to %d images and at least one resample",
                         INT32_MAX);
    const size_t threads = (size_t)pool_threads(pool);
    struct resampling all = {.args = args,
                             .stop = pool_stop(pool),
                             .times = memory_array((size_t)args->count * threads, sizeof *all.times),
                             .values = memory_array((size_t)args->resamples, sizeof *all.values)};
    if (!all.times || !all.values) {
        memory_free(all.times);
        memory_free(all.values);
        return error_no_memory(error, "a bootstrap", (size_t)args->count * threads * sizeof *all.times);
    }
    pool_run(pool, args->resamples, resample, &all);
    int kept = 0;
    for (int r = 0; r < args->resamples; r++)
        if (!isnan(all.values[r])) all.values[kept++] = all.values[r];
    qsort(all.values, (size_t)kept, sizeof *all.values, compare_doubles);
    *out = (struct interval){NAN, NAN};
    if (kept > 0) *out = (struct interval){quantile(all.values, kept, 0.025), quantile(all.values, kept, 0.975)};
    memory_free(all.times);
    memory_free(all.values);
    return stop_is_asked(all.stop) ? stop_error(error, "bootstrap") : SIMCLR_OK;
}

double statistics_mean(void *context, const uint32_t *times, int64_t count)
{
    const double *values = context;
    double sum = 0, all = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += times[i] * values[i];
        all += times[i];
    }
    return sum / all;
}

struct permuting {
    const struct permutation_args *args;
    struct stop stop;
    uint8_t *exchanged; /* [threads][count] */
    double *distance;   /* [permutations]: |difference| */
};

static void permute(void *context, int64_t index, int thread)
{
    const struct permuting *all = context;
    const int64_t count = all->args->count;
    uint8_t *exchanged = all->exchanged + thread * count;
    if (stop_is_asked(all->stop)) return;
    struct rng rng = rng_open(all->args->seed, RNG_PERMUTATION, 0, (uint32_t)index, 0);
    for (int64_t i = 0; i < count; i += 32) {
        uint32_t word = rng_word(&rng);
        for (int64_t j = i; j < i + 32 && j < count; j++, word >>= 1) exchanged[j] = word & 1;
    }
    all->distance[index] = fabs(all->args->difference(all->args->context, exchanged, count));
}

/* The share of distances that are not below `seen`, with the seen one among them. */
static double share_as_far(const double *distance, int count, double seen)
{
    double largest = seen;
    int64_t as_far = 1;
    for (int r = 0; r < count; r++) largest = fmax(largest, distance[r]);
    for (int r = 0; r < count; r++) as_far += !(distance[r] < seen - EQUAL * largest); /* NaN: as far */
    return (double)as_far / (1.0 + count);
}

int statistics_permutation(double *p, struct pool *pool, const struct permutation_args *args, struct error *error)
{
    if (args->count < 1 || args->count > INT32_MAX || args->permutations < 1)
        return error_set(error, SIMCLR_INVALID, "a permutation test needs 1 to %d images and at least one draw",
                         INT32_MAX);
    const size_t threads = (size_t)pool_threads(pool);
    struct permuting all = {.args = args,
                            .stop = pool_stop(pool),
                            .exchanged = memory_array((size_t)args->count * threads, sizeof *all.exchanged),
                            .distance = memory_array((size_t)args->permutations, sizeof *all.distance)};
    if (!all.exchanged || !all.distance) {
        memory_free(all.exchanged);
        memory_free(all.distance);
        return error_no_memory(error, "a permutation test", (size_t)args->count * threads);
    }
    const double seen = fabs(args->difference(args->context, all.exchanged, args->count)); /* zeroed: none exchanged */
    *p = NAN;
    if (!isnan(seen)) {
        pool_run(pool, args->permutations, permute, &all);
        *p = share_as_far(all.distance, args->permutations, seen);
    }
    memory_free(all.exchanged);
    memory_free(all.distance);
    return stop_is_asked(all.stop) ? stop_error(error, "permutation test") : SIMCLR_OK;
}

double statistics_mean_difference(void *context, const uint8_t *exchanged, int64_t count)
{
    const double *values = context;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += exchanged[i] ? -values[i] : values[i];
    return sum / (double)count;
}
