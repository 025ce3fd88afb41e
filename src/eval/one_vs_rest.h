/* eval/one_vs_rest.h -- a linear classifier of images that may be of several classes.
 *
 * It is a logistic regression of each class against the rest, with one penalty for all. For VOC 2007 see Kornblith,
 * Shlens & Le 2019, "Do Better ImageNet Models Transfer Better?", whom the paper follows (appendix B.8). */
#ifndef EVAL_ONE_VS_REST_H
#define EVAL_ONE_VS_REST_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

/* Borrowed. The penalty is l2 / 2 times the sum of squares of both classes' weights in a regression of two, "it" and
 * "not it", whose weights are each other's negatives: l2 / 4 |w|^2 for the difference w that is kept. */
struct one_vs_rest_args {
    const float *x;        /* [rows][dim], finite */
    const uint8_t *member; /* [rows][classes] of MEMBER_NO, MEMBER_YES and MEMBER_UNKNOWN (average_precision.h) */
    int64_t rows;          /* at most 2^32 */
    int dim, classes;
    int max_iterations;
    double l2;          /* below 0: chosen from the grid */
    const double *grid; /* [grid_count] strongest first; NULL: the usual six of logistic_sweep */
    int grid_count;
};

struct one_vs_rest {
    int dim, classes;
    double l2;
    double held_out_map; /* 11-point mAP of what was held out, at that l2; NaN: nothing was */
    int folds;           /* 1: a tenth; 0: nothing was held out */
    int64_t held_out;    /* rows that were held out, in all folds */
    int fitted;          /* classes that have rows of both kinds; the scores of all others are 0 */
    int cut;             /* last fits that ended at max_iterations, short of their optimum */
    double *weight;      /* [classes][dim] of standardised features */
    double *bias;        /* [classes] */
    double *mean, *scale;
};

/* Standardises the features, holds out a seeded tenth (held_out.h, by the first class of each row), fits every class
 * for each l2, takes the one with the best 11-point mAP (of equal ones the strongest), and fits all rows. A row whose
 * class is unknown takes no part in the fit of that class. SIMCLR_DATA: no class has rows of both kinds, or nothing can
 * be held out to choose the penalty. The result does not depend on the number of threads. */
int one_vs_rest_fit(struct backend *backend, const struct one_vs_rest_args *args, uint64_t seed,
                    struct one_vs_rest *out, struct error *error);
void one_vs_rest_free(struct one_vs_rest *fit);

/* score [rows][classes] of x [rows][dim] as they are: log odds. SIMCLR_NO_MEMORY. */
int one_vs_rest_score(struct backend *backend, const struct one_vs_rest *fit, const float *x, int64_t rows,
                      float *score, struct error *error);

#endif
