/* eval/hessian.h -- the inverse Hessian of multinomial logistic regression at a point, as a product with a matrix.
 *
 * The preconditioner (precondition.h) has one number for the curvature between classes, which is exact at the start
 * alone. Where features nearly separate the classes and the penalty is small, L-BFGS needs thousands of iterations with
 * it. With the Hessian of where it has come to it needs some ten:
 *
 *     H[c,e] = sum over rows of p_c ((c == e) - p_e) [x 1]^T [x 1] / rows, plus l2 on the weights of each class
 *
 * (Boehning, "Multinomial logistic regression algorithm", Ann. Inst. Statist. Math. 44, 1992). It changes only the path
 * to the optimum, so everything here is float32. */
#ifndef EVAL_HESSIAN_H
#define EVAL_HESSIAN_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

/* Two matrices of that many rows, 32 MiB at this limit. A larger one costs as much as hundreds of iterations. */
enum { HESSIAN_SIZE_MAX = 2048 };

static inline bool hessian_fits(int dim, int classes)
{
    return ((int64_t)dim + 1) * classes <= HESSIAN_SIZE_MAX;
}

struct hessian;

/* Of dim features and `classes` classes. NULL: it does not fit, or memory is short. rows_at_once:
 * the most that hessian_add is given. */
struct hessian *hessian_create(struct backend *backend, int dim, int classes, int rows_at_once);
void hessian_destroy(struct hessian **hessian); /* nulls; NULL is fine */

/* A sum over rows begins anew. */
void hessian_clear(struct hessian *hessian);
/* x: [rows][dim]; error: [rows][classes], the softmax's p less 1 for the label; share: of a row in the sum, 1 / all. */
void hessian_add(struct hessian *hessian, const float *x, const float *error, const int32_t *labels, int rows,
                 double share);
/* Factors it with this penalty. The diagonal is raised by a share that grows tenfold, from 1e-7, while a pivot fails in
 * float32. False: it never succeeded (values that are not finite). */
bool hessian_factor(struct hessian *hessian, double l2);
/* vector becomes H^-1 vector: [classes][dim] weights, then [classes] biases. Adding a number to all biases changes no
 * probability: H has no inverse there, and is taken to have a curvature. Gradients have nothing of it. */
void hessian_apply(const struct hessian *hessian, double *vector);

#endif
