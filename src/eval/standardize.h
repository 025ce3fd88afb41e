/* eval/standardize.h -- features with mean 0 and variance 1, each by itself. */
#ifndef EVAL_STANDARDIZE_H
#define EVAL_STANDARDIZE_H

#include "base/pool.h"

/* Borrowed. A constant feature has scale 0: it says nothing. */
struct standardization {
    const float *x; /* [rows][dim] */
    int64_t rows;
    int dim;
    double *mean, *scale; /* [dim] */
};

/* Fills mean and scale, which are zeros on entry. Sums are in the order of the rows, whatever the number of threads.
 * What the pool leaves undone once it was asked to stop is not used. */
void standardization_measure(const struct standardization *standardization, struct pool *pool);
/* out [rows][dim] = (x - mean) scale. place: [rows], which row of out a row goes to; NULL: that of its own number. */
void standardization_apply(const struct standardization *standardization, struct pool *pool, const int64_t *place,
                           float *out);

#endif
