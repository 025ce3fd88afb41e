/* eval/lbfgs.h -- limited-memory BFGS (Nocedal 1980) with a weak-Wolfe line search by bisection (Lewis & Overton 2013).
 */
#ifndef EVAL_LBFGS_H
#define EVAL_LBFGS_H

#include <stdbool.h>

#include "base/error.h"

/* Returns the objective at `point` [count] and fills `gradient` [count]. */
typedef double lbfgs_function(void *context, const double *point, double *gradient);
/* vector [count] becomes H0 vector, H0 positive definite: a guess of the inverse Hessian up to a factor. */
typedef void lbfgs_precondition(void *context, double *vector);

struct lbfgs_problem {
    lbfgs_function *function;
    lbfgs_precondition *precondition; /* NULL: none, H0 = 1 */
    bool (*stopped)(void *context);   /* NULL: never. Once true, the function may return what it likes */
    void *context;                    /* of all three */
    int count, max_iterations;
    double tolerance;
    double goal; /* of the gradient norm; 0: by the tolerance */
};

struct lbfgs_result {
    double objective, gradient_norm, goal;
    int iterations;
    bool cut; /* max_iterations ended it, above the tolerance */
};

/* Minimises from `point` (overwritten by the best point found) until the gradient norm falls below `goal`, or without
 * one below `tolerance` times max(1, its first value), the line search can make no more progress in floating point, or
 * max_iterations. SIMCLR_INTERRUPTED once `stopped`. */
int lbfgs_minimize(const struct lbfgs_problem *problem, double *point, struct lbfgs_result *result,
                   struct error *error);

#endif
