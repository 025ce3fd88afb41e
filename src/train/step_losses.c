/* train/step_losses.c -- the losses that a step can have, each a row of the same table (train/step.h). */
#include "loss/cross_entropy.h"
#include "loss/nt_xent.h"
#include "train/step.h"

/* Numbers from the backend's memory; a fault of the device stays for step_update. */
static void fetch(struct step *step, void *to, const void *from, size_t bytes)
{
    step->backend->ops->download(step->backend, to, from, bytes);
    (void)step->backend->ops->sync(step->backend, NULL);
}

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
    nt_xent_run(step->loss_plan, &step->numbers->nt_xent, network_gradient(step->network, step->tensors.z),
                network_value(step->network, step->tensors.z));
    fetch(step, &result, &step->numbers->nt_xent, sizeof result);
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
    struct cross_entropy *loss = NULL;
    const int classes = step->model->config.classes;
    if (classes > 0) {
        const int status = cross_entropy_create(&loss, step->backend, config->images, classes, error);
        step->loss_plan = loss;
        return status;
    }
    return error_set(error, SIMCLR_INVALID, "cross entropy needs a model with a classifier; this one has a head");
}

static void run_cross_entropy(struct step *step, const struct batch *batch)
{
    struct cross_entropy_result result;
    cross_entropy_set_labels(step->loss_plan, batch->labels, batch->count);
    cross_entropy_run(step->loss_plan, &step->numbers->cross_entropy, network_gradient(step->network, step->tensors.z),
                      network_value(step->network, step->tensors.z));
    fetch(step, &result, &step->numbers->cross_entropy, sizeof result);
    step->report.loss = result.loss;
    step->report.top1 = result.top1;
}

static void close_cross_entropy(struct step *step)
{
    struct cross_entropy *loss = step->loss_plan;
    cross_entropy_destroy(&loss);
    step->loss_plan = NULL;
}

const struct step_loss step_cross_entropy = {.name = "cross entropy",
                                             .views = 1,
                                             .open = open_cross_entropy,
                                             .run = run_cross_entropy,
                                             .close = close_cross_entropy};
