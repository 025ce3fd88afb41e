/* train/step_losses.c -- the losses that a step can have, each a row of the same table (train/step.h). */
#include "loss/cross_entropy.h"
#include "loss/nt_xent.h"
#include "train/step.h"

/* ---- NT-Xent: which of all other views is the other view of the same image? -------------------------------- */

static int open_nt_xent(struct step *step, const struct step_config *config, struct error *error)
{
    struct nt_xent *loss = NULL;
    const int dim = model_output_dim(&step->model->config);
    const struct nt_xent_config own = {.shares = step_shares(config),
                                       .dim = dim,
                                       .temperature = (float)config->temperature,
                                       .communicator = config->communicator,
                                       .rank = step_rank(config)};
    const int status = nt_xent_create(&loss, step->backend, &own, error);
    step->loss_plan = loss;
    return status;
}

static void run_nt_xent(struct step *step)
{
    nt_xent_run(step->loss_plan, &step->numbers->nt_xent, step_output_gradients(step), step_outputs(step));
}

static void report_nt_xent(struct step_report *report, const struct step_numbers *numbers)
{
    const struct nt_xent_result *result = &numbers->nt_xent;
    report->loss = result->loss;
    report->top1 = result->top1;
    report->entropy = result->entropy;
    report->positive_similarity = result->positive_similarity;
    report->negative_similarity = result->negative_similarity;
}

static void close_nt_xent(struct step *step)
{
    struct nt_xent *loss = step->loss_plan;
    nt_xent_destroy(&loss);
    step->loss_plan = NULL;
}

const struct step_loss step_nt_xent = {.name = "NT-Xent",
                                       .views = 2,
                                       .open = open_nt_xent,
                                       .run = run_nt_xent,
                                       .report = report_nt_xent,
                                       .close = close_nt_xent};

/* ---- cross entropy: which class? --------------------------------------------------------------------------- */

static int open_cross_entropy(struct step *step, const struct step_config *config, struct error *error)
{
    struct cross_entropy *loss = NULL;
    const int classes = step->model->config.classes;
    if (config->communicator)
        return error_set(error, SIMCLR_UNSUPPORTED, "cross entropy runs on one rank; this run has %d",
                         communicator_size(config->communicator));
    if (classes > 0) {
        const int status = cross_entropy_create(&loss, step->backend, config->images, classes, error);
        step->loss_plan = loss;
        return status;
    }
    return error_set(error, SIMCLR_INVALID, "cross entropy needs a model with a classifier; this one has a head");
}

static void set_labels(struct step *step, const struct batch *batch)
{
    cross_entropy_set_labels(step->loss_plan, batch->labels, batch->count);
}

static void run_cross_entropy(struct step *step)
{
    cross_entropy_run(step->loss_plan, &step->numbers->cross_entropy, step_output_gradients(step), step_outputs(step));
}

static void report_cross_entropy(struct step_report *report, const struct step_numbers *numbers)
{
    report->loss = numbers->cross_entropy.loss;
    report->top1 = numbers->cross_entropy.top1;
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
                                             .set_labels = set_labels,
                                             .run = run_cross_entropy,
                                             .report = report_cross_entropy,
                                             .close = close_cross_entropy};
