/* eval/calibration.c -- see calibration.h. */
#include "eval/calibration.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "eval/interval.h"

static const double PI = 3.14159265358979323846;
enum {
    LEAST_ROWS = 20, /* of a bin, for an interval */
    LEAST_EVENTS = 5 /* rows x q (1 - q), from which on the number of right ones is taken to be normal */
};

/* The largest logit's class, the lowest of equal ones. */
static int best_class(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* log of the sum of exp((logit - the best one) / temperature). The best one adds 1, so that it is never below 0. */
static double log_sum(const float *logits, int classes, int best, double temperature)
{
    double others = 0;
    for (int c = 0; c < classes; c++)
        if (c != best) others += exp(((double)logits[c] - (double)logits[best]) / temperature);
    return log1p(others);
}

static double mean_nll(const struct calibration_args *args, double temperature)
{
    double sum = 0;
    int64_t taught = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *logits = args->logits + i * args->classes;
        const int best = best_class(logits, args->classes);
        if (!isfinite(logits[args->labels[i]])) continue;
        taught++;
        sum += log_sum(logits, args->classes, best, temperature) -
               ((double)logits[args->labels[i]] - (double)logits[best]) / temperature;
    }
    return taught > 0 ? sum / (double)taught : NAN;
}

static int check(const struct calibration_args *args, struct error *error)
{
    if (args->rows < 1 || args->classes < 1)
        return error_set(error, SIMCLR_INVALID, "calibration needs at least one row and one class");
    for (int64_t i = 0; i < args->rows; i++) {
        if (args->labels[i] < 0 || args->labels[i] >= args->classes)
            return error_set(error, SIMCLR_DATA, "calibration: row %lld has no label below %d", (long long)i,
                             args->classes);
        const float *logits = args->logits + i * args->classes;
        bool broken = !isfinite(logits[best_class(logits, args->classes)]);
        for (int c = 0; c < args->classes; c++) broken |= !(logits[c] < INFINITY);
        if (broken)
            return error_set(error, SIMCLR_DATA, "calibration: row %lld has a logit that is not finite", (long long)i);
    }
    return SIMCLR_OK;
}

struct answer {
    double confidence, right; /* right: 0 or 1, later the mean of those that are as confident */
};

static int compare_answers(const void *a, const void *b)
{
    const double x = ((const struct answer *)a)->confidence, y = ((const struct answer *)b)->confidence;
    return (x > y) - (x < y);
}

/* answers: sorted. */
static void share_ties(struct answer *answers, int64_t rows)
{
    for (int64_t first = 0, end; first < rows; first = end) {
        double right = 0;
        for (end = first; end < rows && answers[end].confidence == answers[first].confidence; end++)
            right += answers[end].right;
        for (int64_t i = first; i < end; i++) answers[i].right = right / (double)(end - first);
    }
}

static void fill_bins(struct calibration *out, const struct answer *answers, int64_t rows)
{
    out->ece = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const int64_t begin = rows * b / CALIBRATION_BINS, end = rows * (b + 1) / CALIBRATION_BINS;
        struct calibration_bin *bin = &out->bins[b];
        *bin = (struct calibration_bin){.rows = end - begin};
        if (begin == end) continue;
        for (int64_t i = begin; i < end; i++) {
            bin->confidence += answers[i].confidence;
            bin->accuracy += answers[i].right;
        }
        bin->confidence /= (double)bin->rows;
        bin->accuracy /= (double)bin->rows;
        out->ece += (double)bin->rows / (double)rows * fabs(bin->accuracy - bin->confidence);
    }
}

/* The size of a normal value of mean d and deviation s: what a bin that is off by d shows. */
struct folded {
    double mean, variance;
};

static struct folded fold(double d, double s)
{
    const double mean = s * sqrt(2 / PI) * exp(-d * d / (2 * s * s)) + d * erf(d / (s * sqrt(2)));
    return (struct folded){mean, d * d + s * s - mean * mean};
}

/* Neighbours of one confidence and one accuracy share their noise: they are one bin. */
static int merge_bins(struct calibration_bin out[CALIBRATION_BINS], const struct calibration_bin *bins)
{
    const double equal = 1e-9;
    int count = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const struct calibration_bin *last = &out[count > 0 ? count - 1 : 0];
        if (count > 0 && fabs(last->confidence - bins[b].confidence) < equal &&
            fabs(last->accuracy - bins[b].accuracy) < equal)
            out[count - 1].rows += bins[b].rows;
        else
            out[count++] = bins[b];
    }
    return count;
}

struct merged {
    struct calibration_bin bins[CALIBRATION_BINS];
    int count;
    double rows, ece;
};

/* The accuracy above (side 1) or below (-1) the confidence that the confidence is t of its deviations from: Wilson's
 * limit. */
static double accuracy_at(const struct calibration_bin *bin, double t, int side)
{
    const double n = (double)bin->rows, c = bin->confidence, square = t * t / n;
    const double half = t * sqrt(c * (1 - c) / n + square / (4 * n));
    return fmin(1, fmax(0, (c + square / 2 + side * half) / (1 + square)));
}

/* The ece that has a chance of 2.5 % to be seen or less, were accuracy t deviations to that side in every bin.
 * true_ece: the one without noise then. */
static double least_seen(const struct merged *merged, double t, int side, double *true_ece)
{
    double mean = 0, variance = 0;
    *true_ece = 0;
    for (int b = 0; b < merged->count; b++) {
        const struct calibration_bin *bin = &merged->bins[b];
        const double count = (double)bin->rows, share = count / merged->rows, q = accuracy_at(bin, t, side);
        const double d = fabs(q - bin->confidence), events = count * q * (1 - q);
        const struct folded folded =
            events < LEAST_EVENTS ? (struct folded){d, events / (count * count)} : fold(d, sqrt(events) / count);
        *true_ece += share * d;
        mean += share * folded.mean;
        variance += share * share * folded.variance;
    }
    return mean - INTERVAL_DEVIATIONS * sqrt(variance);
}

static double highest_ece(const struct merged *merged, int side)
{
    double low = 0, high = 1e6, found;
    for (int round = 0; round < 80; round++) { /* least_seen grows with t */
        const double middle = (low + high) / 2;
        if (least_seen(merged, middle, side, &found) < merged->ece)
            low = middle;
        else
            high = middle;
    }
    least_seen(merged, high, side, &found);
    return found;
}

struct interval calibration_interval(const struct calibration_bin bins[CALIBRATION_BINS])
{
    struct merged merged = {.count = 0};
    double taken = 0, variance = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        if (bins[b].rows < LEAST_ROWS) return (struct interval){NAN, NAN};
        merged.rows += (double)bins[b].rows;
    }
    merged.count = merge_bins(merged.bins, bins);
    for (int b = 0; b < merged.count; b++) {
        const struct calibration_bin *bin = &merged.bins[b];
        const double count = (double)bin->rows, q = (bin->accuracy * count + 1) / (count + 2);
        const double s = sqrt(q * (1 - q) / count), share = count / merged.rows;
        const double shown = fabs(bin->accuracy - bin->confidence);
        const struct folded folded = fold(0, s);
        const bool is_noise = shown < 2.5 * s;
        merged.ece += share * shown;
        taken += is_noise ? share * folded.mean : 0;
        variance += share * share * (is_noise ? folded.variance : s * s);
    }
    const double high = fmax(highest_ece(&merged, -1), highest_ece(&merged, 1));
    return (struct interval){fmax(0, merged.ece - taken - INTERVAL_DEVIATIONS * sqrt(variance)),
                             fmax(high, merged.ece)};
}

int calibration_measure(struct calibration *out, const struct calibration_args *args, struct error *error)
{
    const int status = check(args, error);
    if (status) return status;
    if (!(args->temperature > 0 && args->temperature < INFINITY))
        return error_set(error, SIMCLR_INVALID, "a temperature of %g is impossible: give one above 0",
                         args->temperature);
    struct answer *answers = memory_array((size_t)args->rows, sizeof *answers);
    if (!answers) return error_no_memory(error, "calibration", (size_t)args->rows * sizeof *answers);
    double brier = 0, right = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *logits = args->logits + i * args->classes;
        const int best = best_class(logits, args->classes);
        const double log_total = log_sum(logits, args->classes, best, args->temperature);
        for (int c = 0; c < args->classes; c++) {
            const double p = exp(((double)logits[c] - (double)logits[best]) / args->temperature - log_total);
            const double off = c == args->labels[i] ? 1 - p : p;
            brier += off * off;
        }
        answers[i] = (struct answer){.confidence = exp(-log_total), .right = best == args->labels[i]};
        right += answers[i].right;
    }
    qsort(answers, (size_t)args->rows, sizeof *answers, compare_answers);
    share_ties(answers, args->rows);
    fill_bins(out, answers, args->rows);
    out->ece_interval = calibration_interval(out->bins);
    out->brier = brier / (double)args->rows;
    out->top1 = right / (double)args->rows;
    out->nll = mean_nll(args, args->temperature);
    memory_free(answers);
    return SIMCLR_OK;
}

int calibration_fit(double *temperature, const struct calibration_args *args, struct error *error)
{
    const int status = check(args, error);
    if (status) return status;
    const double golden = 0.61803398874989484820, bound = log(100), near = 1e-3;
    double low = -bound, high = bound;
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = mean_nll(args, exp(left)), at_right = mean_nll(args, exp(right));
    while (high - low > 1e-9) {
        if (at_left <= at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = mean_nll(args, exp(left));
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = mean_nll(args, exp(right));
        }
    }
    /* Without a least nll the search ends at a bound, or where nll stops to change before it. */
    const double found = (low + high) / 2;
    const bool told = fabs(found) < bound - near && mean_nll(args, exp(found)) < mean_nll(args, 1);
    *temperature = told ? exp(found) : 1;
    return SIMCLR_OK;
}
