/* eval/statistics.h -- how sure a figure is, and whether two encoders differ: intervals, McNemar's test, permutations.
 *
 * Shares of right answers have Wilson's interval (interval.h). All random draws are Philox streams that depend on seed
 * and number only, so no result depends on the number of threads. What draws returns SIMCLR_INTERRUPTED when the pool
 * is asked to stop. */
#ifndef EVAL_STATISTICS_H
#define EVAL_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

struct interval {
    double low, high;
};

/* The quantile of Student's t distribution: P(T <= result) = p for 0 < p < 1, degrees of freedom >= 1. */
double statistics_t_quantile(double p, double degrees);

/* Mean of `count` runs and its 95 % interval, mean +- t(0.975, count - 1) s / sqrt(count), where s^2 is the unbiased
 * variance (Student 1908). One run has a mean and no interval: both ends are NaN. count 0: the mean is NaN too. */
void statistics_over_seeds(double *mean, struct interval *interval, const double *values, int count);

/* Are they equal but for rounding: within 1e-12 of the largest size among them? */
bool statistics_all_equal(const double *values, int64_t count);

/* Exact McNemar test of two encoders on the same images. b images are right for the first only, c for the second only:
 * p = min(1, 2 P(Bin(b + c, 1/2) <= min(b, c))) (McNemar 1947 in its exact, binomial form). Relative error below 1e-9
 * for all counts up to 2^40. 1 where b + c = 0. */
double statistics_mcnemar(int64_t b, int64_t c);

/* ---- what is drawn again: images, with replacement ---- */

enum { STATISTICS_RESAMPLES = 2000, STATISTICS_PERMUTATIONS = 100000 };

/* A figure of `count` test images, of which image i counts times[i] times. Called from several threads at once. */
typedef double statistics_metric(void *context, const uint32_t *times, int64_t count);

struct bootstrap_args {
    statistics_metric *metric;
    void *context;
    int64_t count; /* of images: 1 to 2^31 - 1 */
    int resamples; /* STATISTICS_RESAMPLES */
    uint64_t seed;
};

/* 95 % percentile bootstrap (Efron 1979): the 2.5 % and 97.5 % quantiles of the metric over resamples of the images, by
 * linear interpolation between order statistics. Resample r is stream r of RNG_RESAMPLE. A resample whose metric is NaN
 * (no image of a class was drawn, say) is left out; where all are, both ends are NaN. For two encoders on the same
 * images the metric is the difference of theirs, on the same resample: a paired interval. */
int statistics_bootstrap(struct interval *out, struct pool *pool, const struct bootstrap_args *args,
                         struct error *error);

/* The metric that is the mean of one value per image. context: const double [count]. Of differences between two
 * encoders it gives the paired interval of the difference of their means. */
double statistics_mean(void *context, const uint32_t *times, int64_t count);

/* The difference of a figure between two encoders, with the answers for the images where exchanged[i] is 1 changed
 * over. Called from several threads at once. */
typedef double statistics_difference(void *context, const uint8_t *exchanged, int64_t count);

struct permutation_args {
    statistics_difference *difference;
    void *context;
    int64_t count;    /* of images: 1 to 2^31 - 1 */
    int permutations; /* STATISTICS_PERMUTATIONS */
    uint64_t seed;
};

/* Paired permutation test, two-sided: p = (1 + m) / (1 + permutations), where m counts the draws whose difference is at
 * least as far from 0 as the one that was seen (Phipson & Smyth 2010: never 0). Each image is exchanged with
 * probability 1/2: bit i % 32 of word i / 32 of draw r's stream, r of RNG_PERMUTATION. Differences within 1e-12 of the
 * largest that was met count as equal, so that the order of rounding decides nothing. NaN where the difference that was
 * seen is NaN. */
int statistics_permutation(double *p, struct pool *pool, const struct permutation_args *args, struct error *error);

/* The difference that is a mean of one per image. context: const double [count], the first encoder's value minus the
 * second's. */
double statistics_mean_difference(void *context, const uint8_t *exchanged, int64_t count);

#endif
