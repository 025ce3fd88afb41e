/* eval/principal.h -- the two principal components of unit rows: where a map begins, and the plane to compare it with.
 */
#ifndef EVAL_PRINCIPAL_H
#define EVAL_PRINCIPAL_H

#include <stdint.h>

#include "base/pool.h"

/* Rows that the components are found on: all where there are fewer, else so many, spread evenly. */
enum { PRINCIPAL_ROWS = 20000 };

/* plane: [count][2] out, the coordinates of each row of rows [count][dim] (finite) along the two directions in which
 * rows scaled to length 1 (a row of zeros stays one) vary most around their mean, the first one more than the second.
 * Found by orthogonal iteration (Golub & Van Loan, "Matrix Computations", section 8.2.4), from the seed. The value of a
 * direction that is largest in magnitude is positive. Where rows don't vary in a second direction, or at all, its
 * coordinates are 0. The result does not depend on the number of threads. SIMCLR_INVALID without a row or a value,
 * SIMCLR_NO_MEMORY, SIMCLR_INTERRUPTED when the pool is asked to stop. */
struct principal_args {
    const float *rows;
    int64_t count;
    int dim;
    uint64_t seed;
};
int principal_plane(double *plane, struct pool *pool, const struct principal_args *args, struct error *error);

#endif
