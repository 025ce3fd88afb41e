/* train/step.c -- see step.h. */
#include "train/step.h"

#include <math.h>

#include "base/clock.h"

/* ---- planning --------------------------------------------------------------------------------------------- */

int step_open_network(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
                      struct error *error)
{
    *step = (struct step){.backend = backend, .model = model, .loss = config->loss, .schedule = config->schedule};
    const struct model_plan_args args = {.backend = backend,
                                         .mode = NETWORK_TRAINING,
                                         .dtype = config->dtype,
                                         .batch = config->loss->views * config->images,
                                         .options = config->planning};
    return model_plan(model, &args, &step->network, &step->tensors, error);
}

int step_open_optimizer(struct step *step, const struct step_config *config, struct error *error)
{
    return optimizer_create(&step->optimizer, &config->optimizer, step->backend, &step->model->parameters, error);
}

int step_open_loss(struct step *step, const struct step_config *config, struct error *error)
{
    step->numbers = step->backend->ops->allocate(step->backend, sizeof *step->numbers, error);
    if (!step->numbers) return SIMCLR_NO_MEMORY;
    return config->loss->open(step, config, error);
}

int step_open(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
              struct error *error)
{
    int status = step_open_network(step, config, backend, model, error);
    if (!status) status = step_open_loss(step, config, error);
    if (!status) status = step_open_optimizer(step, config, error);
    if (status) step_close(step);
    return status;
}

void step_close(struct step *step)
{
    if (step->loss) step->loss->close(step);
    optimizer_destroy(&step->optimizer);
    network_destroy(&step->network);
    if (step->numbers) step->backend->ops->release(step->backend, step->numbers);
    *step = (struct step){0};
}

/* ---- the step --------------------------------------------------------------------------------------------- */

/* Time now; if the step is timed, once everything issued so far is done. A fault of the device stays for step_update.
 */
static double now(const struct step *step)
{
    if (step->timed) (void)step->backend->ops->sync(step->backend, NULL);
    return clock_seconds();
}

void step_forward(struct step *step, const struct batch *batch)
{
    const double start = now(step);
    network_forward(step->network, batch->views);
    step->seconds.forward = now(step) - start;
}

void step_loss(struct step *step, const struct batch *batch)
{
    const double start = now(step);
    step->report = (struct step_report){0};
    step->loss->run(step, batch);
    step->seconds.loss = now(step) - start;
}

void step_backward(struct step *step)
{
    const double start = now(step);
    network_backward(step->network, step->tensors.z, NULL);
    step->seconds.backward = now(step) - start;
}

static double norm(const struct step *step, const float *values, size_t count)
{
    const struct backend_ops *ops = step->backend->ops;
    double squares;
    ops->sum_squares(step->backend, &step->numbers->gradient_squares, values, count);
    ops->download(step->backend, &squares, &step->numbers->gradient_squares, sizeof squares);
    (void)ops->sync(step->backend, NULL); /* a fault stays for step_update */
    return sqrt(squares);
}

/* Activations can overflow in batch norm's variance and yet give a finite loss, so its statistics are looked at too. */
static bool is_finite(struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    step->report.gradient_norm = norm(step, parameters->gradients, parameters->weight_count);
    return isfinite(step->report.loss) && isfinite(step->report.gradient_norm) &&
           isfinite(norm(step, parameters->buffers_next, parameters->buffer_count));
}

bool step_weights_are_finite(const struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    return isfinite(norm(step, parameters->weights, parameters->weight_count));
}

/* The only change of the model. The network runs all batch norms of the model, so all next statistics are there. */
static void update(struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    step->backend->ops->copy(step->backend, parameters->buffers, parameters->buffers_next,
                             parameters->buffer_count * sizeof *parameters->buffers);
    optimizer_update(step->optimizer, step->report.learning_rate);
    step->skipped_in_a_row = 0;
}

/* Nothing to undo: neither the forward nor the backward pass has changed the model. */
static void skip(struct step *step)
{
    step->report.skipped = true;
    step->skipped += 1;
    step->skipped_in_a_row += 1;
}

int step_update(struct step *step, struct step_report *report, struct error *error)
{
    const double start = now(step);
    step->report.learning_rate = schedule_rate(&step->schedule, step->number);
    if (is_finite(step))
        update(step);
    else
        skip(step);
    const double updated = now(step);
    if (!step->report.skipped) network_set_weights(step->network);
    const int status = step->backend->ops->sync(step->backend, error);
    step->seconds.update = updated - start;
    step->seconds.packing = clock_seconds() - updated;
    *report = step->report;
    if (!status) step->number += 1;
    return status;
}

int step_run(struct step *step, const struct batch *batch, struct step_report *report, struct error *error)
{
    step_forward(step, batch);
    step_loss(step, batch);
    step_backward(step);
    return step_update(step, report, error);
}

bool step_diverged(const struct step *step)
{
    return step->skipped_in_a_row >= STEP_SKIPPED_MAX;
}
