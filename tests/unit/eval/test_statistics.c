/* Intervals and tests: against values of SciPy and of Python's whole numbers (tools/make_golden_scores.py), the share
 * of synthetic repetitions whose interval holds the truth, and the same bits for any number of threads. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/interval.h"
#include "eval/statistics.h"
#include "support/reference.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3]; /* of 1, 2 and 3 threads */

static double number(const char *name, int64_t index)
{
    return reference_number(reference_get(&file, "%s", name), index);
}

static void t_matches_scipy(void **state)
{
    (void)state;
    const int64_t count = reference_get(&file, "t").count;
    assert_true(count > 50);
    for (int64_t i = 0; i < count; i++)
        assert_close(statistics_t_quantile(number("t_p", i), number("t_degrees", i)), number("t", i));
    assert_true(isnan(statistics_t_quantile(1, 3)) && isnan(statistics_t_quantile(0.5, 0)));

    double mean, runs[5];
    struct interval interval;
    for (int i = 0; i < 5; i++) runs[i] = number("runs", i);
    statistics_over_seeds(&mean, &interval, runs, 5);
    assert_close(mean, number("over_seeds", 0));
    assert_close(interval.low, number("over_seeds", 1));
    assert_close(interval.high, number("over_seeds", 2));
}

static void one_run_has_no_interval(void **state)
{
    (void)state;
    double mean;
    struct interval interval;
    statistics_over_seeds(&mean, &interval, (const double[]){0.5}, 1);
    assert_true(mean == 0.5 && isnan(interval.low) && isnan(interval.high));
    statistics_over_seeds(&mean, &interval, NULL, 0);
    assert_true(isnan(mean) && isnan(interval.low));
    statistics_over_seeds(&mean, &interval, (const double[]){0.5, 0.5}, 2);
    assert_true(interval.low == 0.5 && interval.high == 0.5);
}

static void equal_is_equal_but_for_rounding(void **state)
{
    (void)state;
    const double third = 1.0 / 3;
    assert_true(statistics_all_equal((const double[]){third, 1 - 2 * third, nextafter(third, 1)}, 3));
    assert_true(statistics_all_equal((const double[]){-5e8, -5e8 - 1e-7}, 2));
    assert_false(statistics_all_equal((const double[]){third, third + 1e-9}, 2));
    assert_false(statistics_all_equal((const double[]){0, 1e-300}, 2)); /* beside 0 nothing is small */
    assert_true(statistics_all_equal((const double[]){0, 0}, 2));
    assert_true(statistics_all_equal((const double[]){7}, 1));
    assert_true(statistics_all_equal(NULL, 0));
}

static void mcnemar_matches_whole_numbers(void **state)
{
    (void)state;
    const struct reference_tensor want = reference_get(&file, "mcnemar");
    for (int64_t i = 0; i < want.count; i++) {
        const int64_t b = (int64_t)number("pairs", 2 * i), c = (int64_t)number("pairs", 2 * i + 1);
        const double p = statistics_mcnemar(b, c), expected = reference_number(want, i);
        if (fabs(p - expected) > 1e-6 * expected)
            fail_msg("%lld, %lld: %.12g, not %.12g", (long long)b, (long long)c, p, expected);
        assert_true(p == statistics_mcnemar(c, b));
    }
    assert_true(statistics_mcnemar(1000000000000, 1000000000000) == 1);
    assert_close(statistics_mcnemar(1000000000000, 1000000000001), 1); /* P = 1/2 exactly */
}

static void bootstrap_matches_python(void **state)
{
    (void)state;
    double values[60], differences[60];
    for (int i = 0; i < 60; i++) {
        values[i] = number("values", i);
        differences[i] = values[i] - number("other", i);
    }
    const struct reference_tensor seed = reference_get(&file, "seed");
    struct bootstrap_args args = {
        .metric = statistics_mean, .context = values, .count = 60, .resamples = STATISTICS_RESAMPLES};
    memcpy(&args.seed, seed.data, sizeof args.seed);
    for (int t = 0; t < 3; t++) {
        struct interval got;
        args.context = values;
        assert_int_equal(statistics_bootstrap(&got, pools[t], &args, NULL), SIMCLR_OK);
        assert_close(got.low, number("bootstrap", 0));
        assert_close(got.high, number("bootstrap", 1));
        args.context = differences;
        assert_int_equal(statistics_bootstrap(&got, pools[t], &args, NULL), SIMCLR_OK);
        assert_close(got.low, number("paired", 0));
        assert_close(got.high, number("paired", 1));

        const struct permutation_args permutation = {.difference = statistics_mean_difference,
                                                     .context = differences,
                                                     .count = 60,
                                                     .permutations = 4000,
                                                     .seed = args.seed};
        double p;
        assert_int_equal(statistics_permutation(&p, pools[t], &permutation, NULL), SIMCLR_OK);
        assert_true(p == number("permutation", 0)); /* a count: exact */
    }
}

static double nan_without_the_first(void *context, const uint32_t *times, int64_t count)
{
    return times[0] > 0 ? statistics_mean(context, times, count) : NAN;
}

static void draws_without_an_answer_are_left_out(void **state)
{
    (void)state;
    double values[] = {1, 1, 1};
    struct bootstrap_args args = {.metric = nan_without_the_first, .context = values, .count = 3, .resamples = 100};
    struct interval got;
    assert_int_equal(statistics_bootstrap(&got, pools[1], &args, NULL), SIMCLR_OK);
    assert_true(got.low == 1 && got.high == 1);
    values[0] = values[1] = values[2] = NAN;
    assert_int_equal(statistics_bootstrap(&got, pools[1], &args, NULL), SIMCLR_OK);
    assert_true(isnan(got.low) && isnan(got.high));
    struct permutation_args permutation = {
        .difference = statistics_mean_difference, .context = values, .count = 3, .permutations = 100};
    double p;
    assert_int_equal(statistics_permutation(&p, pools[1], &permutation, NULL), SIMCLR_OK);
    assert_true(isnan(p));
    struct error error = {0};
    args.count = permutation.count = 0;
    assert_int_equal(statistics_bootstrap(&got, pools[1], &args, &error), SIMCLR_INVALID);
    assert_int_equal(statistics_permutation(&p, pools[1], &permutation, &error), SIMCLR_INVALID);
}

/* Equal encoders differ in no draw by more than in the one that was seen; with one image every draw is as far. */
static void no_difference_has_p_of_one(void **state)
{
    (void)state;
    double same[40] = {0}, one[] = {0.3};
    double p;
    struct permutation_args args = {
        .difference = statistics_mean_difference, .context = same, .count = 40, .permutations = 200};
    assert_int_equal(statistics_permutation(&p, pools[0], &args, NULL), SIMCLR_OK);
    assert_true(p == 1);
    args.context = one;
    args.count = 1;
    assert_int_equal(statistics_permutation(&p, pools[0], &args, NULL), SIMCLR_OK);
    assert_true(p == 1);
}

/* Each difference that McNemar's test counts is 1 or -1: the permutation test has to come to the same p. */
static void permutation_agrees_with_mcnemar(void **state)
{
    (void)state;
    double differences[200] = {0};
    for (int i = 0; i < 50; i++) differences[i] = i < 33 ? 1 : -1;
    const struct permutation_args args = {.difference = statistics_mean_difference,
                                          .context = differences,
                                          .count = 200,
                                          .permutations = STATISTICS_PERMUTATIONS,
                                          .seed = 3};
    double p;
    assert_int_equal(statistics_permutation(&p, pools[1], &args, NULL), SIMCLR_OK);
    const double exact = statistics_mcnemar(33, 17), deviation = sqrt(exact * (1 - exact) / STATISTICS_PERMUTATIONS);
    assert_true(fabs(p - exact) < 4 * deviation);
}

enum { REPETITIONS = 200 };

static void assert_coverage(int held)
{
    if (held < REPETITIONS * 90 / 100 || held > REPETITIONS * 99 / 100)
        fail_msg("%d of %d intervals hold the truth", held, REPETITIONS);
}

static bool holds(struct interval interval, double truth)
{
    return interval.low <= truth && truth <= interval.high;
}

/* In 200 synthetic repetitions the 95 % intervals hold the truth in 90 to 99 %. */
static void intervals_hold_the_truth(void **state)
{
    (void)state;
    int wilson = 0, seeds = 0, means = 0, paired = 0;
    for (int r = 0; r < REPETITIONS; r++) {
        struct rng rng = rng_open(71, RNG_TEST, 0, (uint32_t)r, 0);
        int64_t correct = 0;
        double values[150], differences[150], runs[5], mean;
        struct interval got;
        for (int i = 0; i < 400; i++) correct += rng_uniform(&rng) < 0.83;
        interval_wilson(correct, 400, &got.low, &got.high);
        wilson += holds(got, 0.83);
        for (int i = 0; i < 5; i++) runs[i] = 0.7 + 0.02 * rng_normal(&rng);
        statistics_over_seeds(&mean, &got, runs, 5);
        seeds += holds(got, 0.7);
        for (int i = 0; i < 150; i++) {
            const double hard = rng_uniform(&rng); /* what both encoders find hard */
            values[i] = hard * hard;               /* mean 1/3, skewed as average precisions are */
            differences[i] = 0.1 + 0.2 * (hard - 0.5) * rng_normal(&rng);
        }
        struct bootstrap_args args = {.metric = statistics_mean,
                                      .context = values,
                                      .count = 150,
                                      .resamples = STATISTICS_RESAMPLES,
                                      .seed = (uint64_t)r};
        assert_int_equal(statistics_bootstrap(&got, pools[1], &args, NULL), SIMCLR_OK);
        means += holds(got, 1.0 / 3);
        args.context = differences;
        assert_int_equal(statistics_bootstrap(&got, pools[1], &args, NULL), SIMCLR_OK);
        paired += holds(got, 0.1);
    }
    assert_coverage(wilson);
    assert_coverage(seeds);
    assert_coverage(means);
    assert_coverage(paired);
}

/* Encoders that are equally good: a test at 5 % calls at most 5 % of the pairs different (10 of 200; 20 is 3.3 standard
 * deviations more). One that is truly better is found. */
static void equal_encoders_are_seldom_called_different(void **state)
{
    (void)state;
    int mcnemar = 0, permutation = 0, found = 0;
    for (int r = 0; r < REPETITIONS; r++) {
        struct rng rng = rng_open(73, RNG_TEST, 0, (uint32_t)r, 0);
        int64_t first = 0, second = 0;
        double differences[100], better[100];
        for (int i = 0; i < 1000; i++) {
            const bool a = rng_uniform(&rng) < 0.8, b = rng_uniform(&rng) < 0.8;
            first += a && !b;
            second += b && !a;
        }
        mcnemar += statistics_mcnemar(first, second) < 0.05;
        for (int i = 0; i < 100; i++) {
            differences[i] = rng_normal(&rng);
            better[i] = differences[i] + 0.5;
        }
        double p;
        struct permutation_args args = {.difference = statistics_mean_difference,
                                        .context = differences,
                                        .count = 100,
                                        .permutations = 1000,
                                        .seed = (uint64_t)r};
        assert_int_equal(statistics_permutation(&p, pools[1], &args, NULL), SIMCLR_OK);
        permutation += p < 0.05;
        args.context = better;
        assert_int_equal(statistics_permutation(&p, pools[1], &args, NULL), SIMCLR_OK);
        found += p < 0.05;
    }
    if (mcnemar > 20 || permutation > 20) fail_msg("%d and %d of %d", mcnemar, permutation, REPETITIONS);
    assert_true(permutation > 0 && found > REPETITIONS * 9 / 10);
}

static void it_may_have_to_end_early(void **state)
{
    (void)state;
    double values[] = {1, 2}, p;
    struct interval got;
    const struct bootstrap_args args = {.metric = statistics_mean, .context = values, .count = 2, .resamples = 10};
    const struct permutation_args permutation = {
        .difference = statistics_mean_difference, .context = values, .count = 2, .permutations = 10};
    for (long n = 1; n <= 2; n++) {
        memory_fail_after(n);
        assert_int_equal(statistics_bootstrap(&got, pools[0], &args, NULL), SIMCLR_NO_MEMORY);
        memory_fail_after(n);
        assert_int_equal(statistics_permutation(&p, pools[0], &permutation, NULL), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
    assert_stops(pools[0], statistics_bootstrap(&got, pools[0], &args, NULL));
    assert_stops(pools[0], statistics_permutation(&p, pools[0], &permutation, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_matches_scipy),
        cmocka_unit_test(one_run_has_no_interval),
        cmocka_unit_test(equal_is_equal_but_for_rounding),
        cmocka_unit_test(mcnemar_matches_whole_numbers),
        cmocka_unit_test(bootstrap_matches_python),
        cmocka_unit_test(draws_without_an_answer_are_left_out),
        cmocka_unit_test(no_difference_has_p_of_one),
        cmocka_unit_test(permutation_agrees_with_mcnemar),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(equal_encoders_are_seldom_called_different),
        cmocka_unit_test(it_may_have_to_end_early),
    };
    return scores_run(tests, "statistics", &file, pools);
}
