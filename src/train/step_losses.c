/* train/step_losses.c -- the losses that a step can have, each a row of the same table (train/step.h). */
#include "loss/cross_entropy.h"
#include "loss/nt_xent.h"
#include "train/step.h"

/* ---- NT-Xent: which of all other views is the other view of the same image? -------------------------------- */

static int open_nt_xent(struct step *step, const struct step_config *config, struct error *error)
{
    struct nt_xent *loss = NULL;
    const int dim = model_output_dim(&step->model->config);
    const int status = nt_xent_create(&loss, step->backend, config->images, dim, (float)config->temperature, error);
    step->loss_plan = loss;
    return status;
}

static void run_nt_xent(struct step *step, const struct batch *batch)
{
    struct nt_xent_result result;
    (void)batch;
    nt_xent_run(step->loss_plan, &result, step->d_z, step->z);
    step->report.loss = result.loss;
    step->report.top1 = result.top1;
    step->report.entropy = result.entropy;
    step->report.positive_similarity = result.positive_similarity;
    step->report.negative_similarity = result.negative_similarity;
}

static void close_nt_xent(struct step *step)
{
    struct nt_xent *loss = step->loss_plan;
    nt_xent_destroy(&loss);
    step->loss_plan = NULL;
}

const struct step_loss step_nt_xent = {
    .name = "NT-Xent", .views = 2, .open = open_nt_xent, .run = run_nt_xent, .close = close_nt_xent};

/* ---- cross entropy: which class? --------------------------------------------------------------------------- */

static int open_cross_entropy(struct step *step, const struct step_config *config, struct error *error)
{
    (void)config;
    if (step->model->config.classes > 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "cross entropy needs a model with a classifier; this one has a head");
}

static void run_cross_entropy(struct step *step, const struct batch *batch)
{
    struct cross_entropy_result result;
    cross_entropy_run(&result, step->d_z, step->z, batch->labels, batch->count, step->model->config.classes);
    step->report.loss = result.loss;
    step->report.top1 = result.top1;
}

static void close_cross_entropy(struct step *step)
{
    (void)step;
}

const struct step_loss step_cross_entropy = {.name = "cross entropy",
                                             .views = 1,
                                             .open = open_cross_entropy,
                                             .run = run_cross_entropy,
                                             .close = close_cross_entropy};
