/* eval/calibration.h -- does a probability of 0.8 come true eight times in ten? (Guo et al. 2017, "On Calibration of
 * Modern Neural Networks".) */
#ifndef EVAL_CALIBRATION_H
#define EVAL_CALIBRATION_H

#include <stdint.h>

#include "base/error.h"
#include "eval/statistics.h"

enum { CALIBRATION_BINS = 15 };

/* logits: [rows][classes], finite; -INFINITY of a class that was never taught, which is never right. labels: [rows] in
 * [0, classes). The probabilities are softmax(logits / temperature), in double. */
struct calibration_args {
    const float *logits;
    const int32_t *labels;
    int64_t rows;
    int classes;
    double temperature; /* 1: as they are */
};

struct calibration_bin {
    int64_t rows;
    double confidence, accuracy; /* means over its rows; 0 where it has none */
};

/* The confidence of a row is its largest probability; it is right if that class (of equal ones the lowest) is its
 * label. ece: over bins of EQUAL MASS, not of equal width. Rows stand in the order of confidence, and bin b of 15 has
 * those from floor(b rows / 15) on. ece = sum of rows_b / rows |accuracy_b - confidence_b|. Where rows of one
 * confidence fall into two bins, each counts with the mean accuracy of them all, so that the order of rows decides
 * nothing. brier = mean of sum over classes of (p - y)^2, from 0 to 2 (Brier 1950). nll = mean of -log p of the label,
 * over the rows whose label was taught; NaN where there is none. */
struct calibration {
    double ece, brier, nll, top1;
    struct interval ece_interval;                  /* calibration_interval */
    struct calibration_bin bins[CALIBRATION_BINS]; /* from the least confident rows on */
};

/* SIMCLR_DATA, with the row, for a label that is no class, a logit that is neither finite nor -INFINITY, or a row of
 * these alone. */
int calibration_measure(struct calibration *out, const struct calibration_args *args, struct error *error);

/* The 95 % interval of the ece that the bins would have without noise: the mean over bins of |d|, where d is what
 * accuracy and confidence truly differ by. What a bin shows is d and a noise of deviation s, s^2 = q (1 - q) / rows
 * with q = (right + 1) / (rows + 2). So an ece is too high, most where probabilities are right, and that of a resample
 * has the noise twice: percentiles of resamples held the truth in none of 200 trials there.
 *
 *  - low: bins that show less than 2.5 s are taken to be noise, and the mean size of noise, s sqrt(2 / pi), is taken
 *    from the ece for each, then 1.96 deviations.
 *  - high: the largest e at which an ece as low as this one has a chance of 2.5 %, were every bin's accuracy q off by
 *    d = t s, all to one side, with s of that q (Wilson's limit of the confidence).
 *
 * Of all differences of one mean these add least to an ece. Where rows q (1 - q) is below 5, a bin is taken to show d
 * itself: the mean of what it shows is never less, and too few rows are wrong there for a normal noise.
 *
 * Neighbouring bins of one confidence and one accuracy (rows of one confidence) share their noise, and count as one. It
 * holds the ece itself. Both ends are NaN where a bin has fewer than 20 rows. */
struct interval calibration_interval(const struct calibration_bin bins[CALIBRATION_BINS]);

/* The one temperature that has the least nll, by golden section on log T between 1/100 and 100 (Kiefer 1953; nll is
 * convex in 1/T). It is 1 where these rows tell none:
 *
 *  - No row is wrong: the lower the temperature, the less the nll, and no row says where to stop.
 *  - The labels' logits are at most the mean of their rows' logits: the higher the temperature, the less the nll.
 *  - The least nll lies at a bound (to a thousandth) or outside of the bounds, or is not below that of 1.
 *
 * args->temperature is not read. */
int calibration_fit(double *temperature, const struct calibration_args *args, struct error *error);

#endif
