/* eval/row_space.h -- few rows of many features, as rows of few coordinates.
 *
 * The optimum of a classifier with a penalty on |W|^2 is a combination of the rows it is fitted on (the representer
 * theorem: Schoelkopf, Herbrich & Smola 2001). So n rows of D > n features can be fitted in n coordinates. With an
 * orthonormal basis Q of the rows' span X = Z Q. The objective of V over Z is that of W = V Q over X, since |V| = |W|.
 * Pixels of 50 photographs are 50 coordinates, not 150,000. */
#ifndef EVAL_ROW_SPACE_H
#define EVAL_ROW_SPACE_H

#include <stdint.h>

#include "backend/backend.h"

struct row_space {
    int dim, rank;      /* rank <= rows: dependent rows add nothing */
    float *basis;       /* [rank][dim], orthonormal to float32's rounding */
    float *coordinates; /* [rows][rank], of the rows it was found of */
};

/* Whether it is worth its time: at most half as many rows as features, and a basis no larger than that of a
 * preconditioner's limit. */
bool row_space_helps(int64_t rows, int dim);

/* By blocks of rows, each made orthogonal to those before and within itself, twice (block Gram-Schmidt with
 * reorthogonalisation: Barlow & Smoktunowicz 2013). x: [rows][dim], finite. The result does not depend on the number
 * of threads. SIMCLR_NO_MEMORY, SIMCLR_INTERRUPTED; nothing is left to free then. */
int row_space_find(struct row_space *out, struct backend *backend, const float *x, int64_t rows, int dim,
                   struct error *error);
void row_space_free(struct row_space *space);

/* out [rows][rank] = x Q^T, the coordinates of what of x [rows][dim] lies in the space. */
void row_space_project(const struct row_space *space, struct backend *backend, float *out, const float *x, int rows);

/* out [vectors][dim] = in [vectors][rank] Q: weights over the coordinates become weights over the features. */
void row_space_expand(const struct row_space *space, struct pool *pool, double *out, const double *in, int vectors);

#endif
