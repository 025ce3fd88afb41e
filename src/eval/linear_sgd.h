/* eval/linear_sgd.h -- linear classifiers on frozen features by stochastic gradient descent (the paper's appendix B.6;
 * method.md section 6): a bank of classifiers that differ in their rate and see the same rows. */
#ifndef EVAL_LINEAR_SGD_H
#define EVAL_LINEAR_SGD_H

#include <stdint.h>

#include "backend/backend.h"

/* With g the gradient of the mean cross entropy plus weight decay times w (the bias is left out), and lr the rate:
 *   Nesterov: v = m v + g;     w -= lr (g + m v)
 *   LARS:     v = m v + lr g;  w -= v            (a classifier has trust 1: method.md section 5) */
enum linear_sgd_rule { LINEAR_SGD_NESTEROV, LINEAR_SGD_LARS };

struct linear_sgd_config {
    int dim, classes;
    int bank; /* classifiers */
    int rows; /* most rows of a step, and of linear_sgd_logits */
    enum linear_sgd_rule rule;
    double momentum;     /* 0.9 */
    double weight_decay; /* 0 */
};

/* Plain memory of the host. Weights start at 0, and may be overwritten before the first step. */
struct linear_sgd {
    struct linear_sgd_config config;
    struct backend *backend;           /* borrowed, for its products */
    float *weight, *bias;              /* [bank][classes][dim], [bank][classes] */
    float *weight_velocity, *velocity; /* the same: of the weights, of the biases */
    float *logits;                     /* [rows][bank][classes], then the softmax error */
    float *gradient;                   /* [bank][classes][dim] */
    double *row_loss;                  /* [rows][bank] */
};

/* SIMCLR_INVALID for an impossible setting, SIMCLR_NO_MEMORY; nothing is open then. */
int linear_sgd_open(struct linear_sgd *sgd, const struct linear_sgd_config *config, struct backend *backend,
                    struct error *error);
void linear_sgd_close(struct linear_sgd *sgd);

/* A step of every classifier. x: [rows][dim]; labels: [rows], negative: the row is left out; rates: [bank]. losses:
 * [bank] out, the mean cross entropy before the step, or NULL. Nothing happens where no row is left. What a classifier
 * becomes depends neither on the others of the bank nor on the number of threads. */
void linear_sgd_step(struct linear_sgd *sgd, const float *x, const int32_t *labels, int rows, const double *rates,
                     double *losses);

/* logits: [rows][bank][classes] of x [rows][dim]; the bank's own block, valid until the next call. */
const float *linear_sgd_logits(struct linear_sgd *sgd, const float *x, int rows);

#endif
