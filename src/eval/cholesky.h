/* eval/cholesky.h -- the Cholesky factor of a symmetric matrix in float32, its inverse, and products with that: all
 * that costs is the backend's product.
 *
 * A^-1 = P^T P with P = L^-1. Two products with a triangle never lose definiteness, as A^-1 in float32 would. */
#ifndef EVAL_CHOLESKY_H
#define EVAL_CHOLESKY_H

#include <stdbool.h>

#include "backend/backend.h"

/* Sizes are multiples of CHOLESKY_BLOCK. A product covers CHOLESKY_STRIP columns of a triangle, a compromise between
 * wasted work above the diagonal and products large enough to be fast. */
enum { CHOLESKY_BLOCK = 64, CHOLESKY_STRIP = 512 };

/* L with L L^T = matrix [size][size], in place, whose lower triangle counts; zeros above. False, and the matrix spoilt,
 * where a pivot is not above a few roundings of the diagonal it came from. space: (1 + CHOLESKY_BLOCK) x size floats.
 */
bool cholesky_factor(struct backend *backend, float *matrix, int size, float *space);
/* L^-1 of a lower triangular matrix with zeros above, in place; row: CHOLESKY_BLOCK x size floats. */
void cholesky_invert(struct backend *backend, float *matrix, int size, float *row);
/* The inverse of a matrix with a row for each unknown, as L^-1, for vectors of a linear classifier. */
struct inverse {
    struct backend *backend;
    int size;      /* unknowns, rounded up to whole blocks */
    float *factor; /* [size][size], lower triangle: L^-1 */
    float *row;    /* [CHOLESKY_BLOCK][size] */
    float *space;  /* [1 + CHOLESKY_BLOCK][size] */
};

/* False: memory is short. Released by inverse_close either way; zeroed is closed. */
bool inverse_open(struct inverse *inverse, struct backend *backend, int unknowns);
void inverse_close(struct inverse *inverse);

/* Writes the lower triangle of [size][size], its diagonal raised by the share `ridge`; 1 for what fills up blocks. */
typedef void inverse_fill(const void *context, float *matrix, double ridge);
/* Inverts what `fill` writes. ridge grows tenfold, from 1e-7, while a pivot fails in float32. False: it never succeeded
 * (values that are not finite). */
bool inverse_make(struct inverse *inverse, inverse_fill *fill, const void *context);

/* out = inverse of `in`, both [classes][dim] weights, then [classes] biases; they may be the same. Class c has the
 * unknowns from c x stride on, its bias last. stride == size: each class is a vector of its own, with the same matrix;
 * else all are one vector. space: inverse_space floats. */
size_t inverse_space(const struct inverse *inverse, int classes, int stride);
void inverse_apply(const struct inverse *inverse, double *out, const double *in, int dim, int classes, int stride,
                   float *space);

#endif
