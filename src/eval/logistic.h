/* eval/logistic.h -- multinomial logistic regression by L-BFGS on cached features (method.md section 6). */
#ifndef EVAL_LOGISTIC_H
#define EVAL_LOGISTIC_H

#include <stdint.h>

#include "backend/backend.h"
#include "eval/lbfgs.h"
#include "eval/precondition.h"

/* Minimises mean cross entropy + l2 / 2 |W|^2 (bias unpenalised, everything starts at 0) to a gradient norm of 1e-6
 * relative or max_iterations. x: [rows][dim]; labels: [rows] in [0, classes). weight: [classes][dim], bias: [classes]:
 * start values on entry (zeros, or a neighbour's solution), solution on return. result: how it ended, or NULL. columns:
 * NULL, or the same numbers transposed in tiles of LOGISTIC_TILE rows, [tile][dim][LOGISTIC_TILE]: with few classes a
 * product with x reads them as they lie, which x it would have to transpose every time.
 * preconditioner: of these rows or of others like them; the fit factors it for its l2. NULL: L-BFGS without one. */
enum { LOGISTIC_TILE = 512 };
struct logistic_args {
    const float *x;
    const int32_t *labels;
    int64_t rows;
    int dim, classes, max_iterations;
    double l2;
    const float *columns;
    struct preconditioner *preconditioner;
    /* Of the sweep: another grid than the usual one, strongest first; and whether to find the temperature. */
    const double *grid;
    int grid_count;
    bool calibrate;
};
int logistic_fit(struct backend *backend, const struct logistic_args *args, double *weight, double *bias,
                 struct lbfgs_result *result, struct error *error);

/* The same optimum from a start of zeros, in the space of the rows, where it lies (eval/row_space.h): for few rows of
 * many features, of which row_space_helps says that it is sooner done. weight and bias are outputs alone; columns and
 * preconditioner are not read. */
int logistic_fit_few_rows(struct backend *backend, const struct logistic_args *args, double *weight, double *bias,
                          struct lbfgs_result *result, struct error *error);

/* SIMCLR_DATA: no rows, one class, or a row without a label. */
int logistic_check(const struct logistic_args *args, struct error *error);

/* Columns of logistic_args from x, a new block; NULL where memory is short or there are too many classes for it to
 * help: up to LOGISTIC_FEW_CLASSES a product's time is that of reading x. */
enum { LOGISTIC_FEW_CLASSES = 16 };
float *logistic_columns(struct backend *backend, const float *x, int64_t rows, int dim, int classes);

/* The sweep: holds out a seeded, class-balanced tenth of the TRAINING rows, fits the rest for each l2 in a log-spaced
 * grid, picks the best held-out top-1, refits on everything. Of equal ones the strongest l2 is taken. Where a tenth is
 * too few (fewer than 50 rows, or nothing of classes that have more than a tenth of the rows), every row is held out
 * once, in as many folds as the largest class has rows, at most ten. A class of one row is never held out.
 * A class without rows takes no part in the fit: its weight is 0 and its bias -INFINITY (eval/taught.h).
 * args->l2 >= 0 is taken as it is (no grid). SIMCLR_DATA where it is not given and no class has two rows. Features are
 * standardised by training mean and std inside. Few rows of many features are fitted in the rows' own space, where the
 * optimum lies (eval/row_space.h). args->preconditioner and args->columns are not used: the sweep makes
 * its own. */
enum { LOGISTIC_PAPERS_GRID = 45, LOGISTIC_GRID_MAX = 64 };
void logistic_papers_grid(double grid[LOGISTIC_PAPERS_GRID]); /* appendix B.8: from 1e5 to 1e-6, log-spaced */
const double *logistic_usual_grid(int *count);                /* from 0.1 to 1e-6, by tens */
struct logistic_sweep {
    int dim, classes;
    double l2, held_out_top1; /* -1: nothing was held out */
    int folds;                /* 1: the tenth; 0: nothing was held out */
    int64_t held_out;         /* rows that were held out, in all folds */
    double temperature;    /* of args->calibrate: the logits of the held-out rows, which the fit for the chosen l2 did
                              not see, have the least nll divided by it (calibration_fit); 1: none was found */
    bool cut;              /* the last fit ended at max_iterations, short of its optimum */
    double *weight, *bias; /* new blocks */
    double *mean, *scale;
};
int logistic_sweep(struct backend *backend, const struct logistic_args *args, uint64_t seed, struct logistic_sweep *out,
                   struct error *error);
void logistic_sweep_free(struct logistic_sweep *sweep);
/* The classifier for features as they are, with standardisation folded in: weight [classes][dim], bias [classes]. */
void logistic_fold(const struct logistic_sweep *sweep, float *weight, float *bias);
/* logits [rows][classes] of x [rows][dim], as they are, by that classifier. SIMCLR_NO_MEMORY. */
int logistic_predict(struct backend *backend, const struct logistic_sweep *sweep, const float *x, int64_t rows,
                     float *logits, struct error *error);

#endif
