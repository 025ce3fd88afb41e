/* eval/linear.h -- the logits of a linear classifier: one function for whoever scores by one. */
#ifndef EVAL_LINEAR_H
#define EVAL_LINEAR_H

#include <stdint.h>

#include "backend/backend.h"

/* Borrowed: weight [classes][dim], bias [classes]. */
struct linear {
    const float *weight, *bias;
    int dim, classes;
};

/* logits [rows][classes] = x [rows][dim] weight^T + bias, by the backend's product in float32. The logits of a row have
 * the same bits whatever other rows stand beside it, and with any number of threads: each is one sum in the order of
 * the features. */
void linear_logits(struct backend *backend, const struct linear *linear, const float *x, int64_t rows, float *logits);

#endif
