/* optim/optimizer.h -- LARS, SGD with Nesterov momentum, AdamW over a parameter table (method.md section 5). */
#ifndef OPTIM_OPTIMIZER_H
#define OPTIM_OPTIMIZER_H

#include "backend/backend.h"
#include "tensor/parameters.h"

struct optimizer_config {
    enum optimizer_kind kind;
    float momentum; /* 0.9; AdamW: beta1 */
    float weight_decay;
    float trust;          /* LARS eta, 0.001 */
    float beta2, epsilon; /* AdamW 0.999, 1e-8 */
};

/* Owns the state slabs, parallel to the weight slab: state1 (momentum; Adam's m), state2 (Adam's v; else NULL). They
 * and `inputs` are the backend's memory. */
struct optimizer {
    struct optimizer_config config;
    struct backend *backend;
    float *state1, *state2;
    size_t state_count; /* floats in each */
    struct optimizer_plan *plan;
    struct step_inputs *inputs; /* of the update under way */
    struct step_inputs given;   /* the same on the host */
    int64_t steps;              /* taken so far */
};

/* parameters: borrowed, with their memory. SIMCLR_INVALID for an impossible setting, SIMCLR_NO_MEMORY. */
int optimizer_create(struct optimizer **out, const struct optimizer_config *config, struct backend *backend,
                     struct parameters *parameters, struct error *error);
void optimizer_destroy(struct optimizer **optimizer);
/* An update has two parts. optimizer_set counts the step and uploads its rate; optimizer_run does the arithmetic and
 * may be part of a recording. optimizer_update: both. */
void optimizer_set(struct optimizer *optimizer, double learning_rate);
void optimizer_run(struct optimizer *optimizer);
void optimizer_update(struct optimizer *optimizer, double learning_rate);

#endif
