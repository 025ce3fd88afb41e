/* eval/precondition.h -- an approximate inverse Hessian of multinomial logistic regression, as a product with a matrix.
 *
 * The Hessian is the mean over rows of (diag(p) - p p^T) (x) x x^T, plus l2 on the weights (Boehning, "Multinomial
 * logistic regression algorithm", Ann. Inst. Statist. Math. 44, 1992). We replace the first factor by one number, c = 1
 * / classes. At the start, where all classes are equally likely, this is exact for vectors that sum to 0 over the
 * classes, and gradients do. What is left is the same matrix for every class:
 *
 *     A = c [X 1]^T [X 1] / rows + l2 diag(1, ..., 1, 0)
 *
 * Its inverse removes the correlations between the features. Those of pixels have a condition number of 1e6 and more,
 * and L-BFGS needs hundreds of iterations for what a few tens do on A^-1. It changes only the path to the optimum, so
 * everything here is float32. */
#ifndef EVAL_PRECONDITION_H
#define EVAL_PRECONDITION_H

#include <stdint.h>

#include "backend/backend.h"

/* Wider features are fitted without it: it holds two matrices of (dim + 1)^2 floats, 2 GiB at this limit. */
enum { PRECONDITIONER_DIM_MAX = 16384 };

struct preconditioner;

/* Sums the Gram matrix of [x 1] once, x: [rows][dim]. NULL where dim is above the limit, and where memory is
 * short: the penalty that a sweep chooses must not depend on it. */
struct preconditioner *preconditioner_create(struct backend *backend, const float *x, int64_t rows, int dim);
void preconditioner_destroy(struct preconditioner **preconditioner); /* nulls; NULL is fine */

/* Factors A for these numbers; may be called again with others. The diagonal is raised by a share that grows tenfold,
 * from 1e-7, while a pivot fails in float32. False: it never succeeded (values that are not finite). */
bool preconditioner_factor(struct preconditioner *preconditioner, double curvature, double l2);

/* out = A^-1 in for each class. in, out: [classes][dim] weights, then [classes] biases; they may be the same.
 * space: preconditioner_space floats. */
size_t preconditioner_space(const struct preconditioner *preconditioner, int classes);
void preconditioner_apply(const struct preconditioner *preconditioner, double *out, const double *in, int classes,
                          float *space);

#endif
