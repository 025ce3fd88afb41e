/* eval/symmetric.h -- symmetric matrices in double: sums of products of rows, and eigenvalues. */
#ifndef EVAL_SYMMETRIC_H
#define EVAL_SYMMETRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"

/* Eigenvalues of matrix [n][n] (overwritten) in no particular order: Householder's reduction to tridiagonal form, then
 * implicit QL (Golub & Van Loan, "Matrix Computations", section 8.3). Only the lower triangle is read. scratch: [n].
 * False if one does not settle, as with values that are not finite. */
bool symmetric_eigenvalues(double *eigenvalues, double *matrix, double *scratch, int n);

/* The lower triangle of matrix [n][n] gains the sum over SYMMETRIC_ROWS rows of row row^T. rows: [SYMMETRIC_ROWS][n];
 * zeros add nothing. The result does not depend on the number of threads. */
enum { SYMMETRIC_ROWS = 64 };
void symmetric_add_products(struct pool *pool, double *matrix, const double *rows, int n);

#endif
