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
/* Each row of x [count][size] becomes A^-1 times it, by inverse = L^-1. space: [count][size]. */
void cholesky_solve(struct backend *backend, const float *inverse, int size, float *x, int count, float *space);

#endif
