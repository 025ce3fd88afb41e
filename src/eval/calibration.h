/* eval/calibration.h -- does a probability of 0.8 come true eight times in ten? (Guo et al. 2017, "On Calibration of
 * Modern Neural Networks".) */
#ifndef EVAL_CALIBRATION_H
#define EVAL_CALIBRATION_H

#include <stdint.h>

#include "base/error.h"

enum { CALIBRATION_BINS = 15 };

/* logits: [rows][classes], finite. labels: [rows] in [0, classes). The probabilities are softmax(logits / temperature),
 * in double. */
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
 * nothing. brier = mean of sum over classes of (p - y)^2, from 0 to 2 (Brier 1950). nll = mean of -log p of the label.
 */
struct calibration {
    double ece, brier, nll, top1;
    struct calibration_bin bins[CALIBRATION_BINS]; /* from the least confident rows on */
};

/* SIMCLR_DATA, with the row, for a label that is no class or a logit that is not finite. */
int calibration_measure(struct calibration *out, const struct calibration_args *args, struct error *error);

/* What each row's confidence was and whether it came true, for intervals: the ece of a resample of the rows
 * (statistics_metric of statistics.h; context: struct calibration_answers, of `count` rows). Its bins have equal mass
 * in the resample, so a row that was drawn several times may fall into two. Each drawn once, it is the ece above. */
struct calibration_answers;
int calibration_answers_open(struct calibration_answers **out, const struct calibration_args *args,
                             struct error *error); /* memory_free */
double calibration_resampled_ece(void *context, const uint32_t *times, int64_t count);

/* The one temperature that has the least nll, by golden section on log T between 1/100 and 100 (Kiefer 1953; nll is
 * convex in 1/T). Where every row is right there is no least one, and the result is 1/100; where the temperature
 * changes nothing it is 1. args->temperature is not read. */
int calibration_fit(double *temperature, const struct calibration_args *args, struct error *error);

#endif
