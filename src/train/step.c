/* train/step.c -- see step.h. */
#include "train/step.h"

#include <math.h>

#include "base/clock.h"

/* ---- planning --------------------------------------------------------------------------------------------- */

/* Makes a size the present one. False: it is none of the step's. */
static bool take_size(struct step *step, int size)
{
    for (int i = 0; i < step->size_count; i++) {
        const struct step_size *of = &step->sizes[i];
        if (of->size != size) continue;
        step->size = size;
        step->network = of->network;
        step->tensors = of->tensors;
        step->of_numbers = of->of_numbers;
        step->of_update = of->of_update;
        return true;
    }
    return false;
}

void step_choose_size(struct step *step, int size)
{
    if (size == step->size || !take_size(step, size)) return;
    network_set_weights(step->network); /* the others have had updates meanwhile */
}

/* The sizes from the largest on. */
static int sort_sizes(const struct step_config *config, int own, int sizes[STEP_SIZES_MAX])
{
    if (config->size_count == 0) {
        sizes[0] = own;
        return 1;
    }
    for (int i = 0; i < config->size_count; i++) {
        int at = i;
        for (; at > 0 && sizes[at - 1] < config->sizes[i]; at--) sizes[at] = sizes[at - 1];
        sizes[at] = config->sizes[i];
    }
    return config->size_count;
}

struct shares step_shares(const struct step_config *config)
{
    const int planned = config->ranks > 1 ? config->ranks : 1;
    return (struct shares){.images = config->images,
                           .group = config->group > 0 ? config->group : config->images,
                           .ranks = config->communicator ? communicator_size(config->communicator) : planned};
}

int step_rank(const struct step_config *config)
{
    return config->communicator ? communicator_rank(config->communicator) : step_shares(config).ranks - 1;
}

int step_open_network(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
                      struct error *error)
{
    int sizes[STEP_SIZES_MAX] = {0};
    const struct shares shares = step_shares(config);
    *step = (struct step){.backend = backend,
                          .model = model,
                          .loss = config->loss,
                          .schedule = config->schedule,
                          .seed = config->seed,
                          .communicator = config->communicator};
    int status = shares_check(&shares, error);
    if (!status) status = overlapped_sum_create(&step->sum, config->communicator, error);
    if (!status) status = step_groups_share(step, config, error);
    if (status) return status;
    struct model_plan_args args = {
        .backend = backend, .mode = NETWORK_TRAINING, .dtype = config->dtype, .options = config->planning};
    step_groups_plan(step, config, &args);
    const int count = sort_sizes(config, model->config.image_size, sizes);
    for (; step->size_count < count; step->size_count++) {
        struct step_size *of = &step->sizes[step->size_count];
        of->size = args.image_size = sizes[step->size_count];
        status = model_plan(model, &args, &of->network, &of->tensors, error);
        if (status) return status;
        if (!args.options.dry) args.options.arena_of = step->sizes[0].network;
    }
    if (!take_size(step, model->config.image_size)) take_size(step, sizes[0]);
    return SIMCLR_OK;
}

int step_open_optimizer(struct step *step, const struct step_config *config, struct error *error)
{
    return optimizer_create(&step->optimizer, &config->optimizer, step->backend, &step->model->parameters, error);
}

int step_open_loss(struct step *step, const struct step_config *config, struct error *error)
{
    step->numbers = step->backend->ops->allocate(step->backend, sizeof *step->numbers, error);
    if (!step->numbers) return SIMCLR_NO_MEMORY;
    const int status = step_groups_open(step, error);
    return status ? status : config->loss->open(step, config, error);
}

static int open_average(struct step *step, const struct step_config *config, struct error *error)
{
    if (!config->average) return SIMCLR_OK;
    const int status = ema_open(&step->ema, step->backend, &step->model->parameters, &config->average->parameters,
                                config->average_decay, error);
    if (!status) ema_start(&step->ema);
    return status;
}

/* Two of each size (backend.h): from the images to the numbers, and the update. */
static int open_recordings(struct step *step, struct error *error)
{
    struct backend *backend = step->backend;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < step->size_count; i++) {
        status = backend->ops->recording_create(backend, &step->sizes[i].of_numbers, error);
        if (!status) status = backend->ops->recording_create(backend, &step->sizes[i].of_update, error);
    }
    if (status) return status;
    take_size(step, step->size);
    if (step->of_numbers && step->communicator)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "the %s backend records steps, and messages between ranks cannot be recorded: start one rank",
                         backend->ops->name);
    if (!step->of_numbers || !backend->ops->reads_host(backend)) return SIMCLR_OK;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "the %s backend records steps and reads images where the host keeps them: a repeated step would "
                     "read those of the first one. A backend that records needs uploads (reads_host: false)",
                     backend->ops->name);
}

int step_open(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
              struct error *error)
{
    int status = step_open_network(step, config, backend, model, error);
    if (!status) status = step_open_loss(step, config, error);
    if (!status) status = step_open_optimizer(step, config, error);
    if (!status) status = open_average(step, config, error);
    if (!status) status = open_recordings(step, error);
    if (status) step_close(step);
    /* Half a step must not be recorded, and a rank must not leave one in which others wait for it. */
    const bool stops = (!step->of_numbers || step->groups.all > 1) && !step->communicator;
    for (int i = 0; i < step->size_count; i++) network_let_stop(step->sizes[i].network, stops);
    return status;
}

void step_close(struct step *step)
{
    for (int i = 0; i < step->size_count; i++) {
        struct step_size *of = &step->sizes[i];
        if (of->of_numbers) step->backend->ops->recording_destroy(step->backend, &of->of_numbers);
        if (of->of_update) step->backend->ops->recording_destroy(step->backend, &of->of_update);
    }
    if (step->loss) step->loss->close(step);
    step_groups_close(step);
    overlapped_sum_destroy(&step->sum);
    ema_close(&step->ema);
    optimizer_destroy(&step->optimizer);
    while (step->size_count > 0) network_destroy(&step->sizes[--step->size_count].network);
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

/* ---- two recordings (backend.h): from the images to the numbers, and the update. Between them the host decides. ----
 */
/* The recording up to the numbers: none with groups, between which the host uploads images and reads outputs. */
static bool records_numbers(const struct step *step)
{
    return !step->timed && step->groups.all == 1;
}

/* False: the backend repeats what it has taken down, and there is nothing to ask for. True: what is asked for from here
 * to `end_recording` is to be done. */
static bool begin_recording(struct step *step, struct recording *recording)
{
    const struct backend_ops *ops = step->backend->ops;
    if (ops->replay(step->backend, recording)) return false;
    const int status = ops->record_begin(step->backend, recording, step->status ? NULL : &step->error);
    if (!step->status) step->status = status;
    return true;
}

static void end_recording(struct step *step)
{
    const int status = step->backend->ops->record_end(step->backend, step->status ? NULL : &step->error);
    if (!step->status) step->status = status;
}

/* ---- forward, loss, backward -------------------------------------------------------------------------------- */

void step_forward(struct step *step, const struct batch *batch)
{
    const double start = now(step);
    step->status = SIMCLR_OK;
    step_passes_take(step, batch);
    if (step->loss->set_labels) step->loss->set_labels(step, batch);
    step->asked = !records_numbers(step) || begin_recording(step, step->of_numbers);
    if (step->asked) step_passes_forward(step);
    step->seconds.forward = now(step) - start;
}

/* Has a request to stop, or a fault of a group, ended the step under way? What it has made so far is thrown away by
 * step_update. */
static bool is_dropped(const struct step *step)
{
    return network_is_cut(step->network) || step->groups.failed;
}

void step_loss(struct step *step)
{
    const double start = now(step);
    if (step->asked && !is_dropped(step)) step->loss->run(step);
    step->seconds.loss = now(step) - start;
}

/* Each rank's gradient is that of the whole loss by way of its own images: they add up, and nothing is averaged. Those
 * of the last layers are summed while the layers before are still under way. */
void step_backward(struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    const double start = now(step);
    if (step->asked && !is_dropped(step)) {
        overlapped_sum_begin(step->sum, parameters->gradients, parameters->weight_count);
        step_passes_backward(step);
    }
    if (step->asked && !is_dropped(step)) overlapped_sum_await(step->sum);
    step->seconds.backward = now(step) - start;
}

/* ---- judging ------------------------------------------------------------------------------------------------ */

static void sum_squares(const struct step *step, double *out, const float *values, size_t count)
{
    step->backend->ops->sum_squares(step->backend, out, values, count);
}

/* The numbers of the step: the one look of the host at what the backend has made. */
static void read_numbers(struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    if (step->asked) {
        sum_squares(step, &step->numbers->gradient_squares, parameters->gradients, parameters->weight_count);
        sum_squares(step, &step->numbers->statistics_squares, parameters->buffers_next, parameters->buffer_count);
        if (records_numbers(step)) end_recording(step);
    }
    step->backend->ops->download(step->backend, &step->read, step->numbers, sizeof step->read);
    (void)step->backend->ops->sync(step->backend, NULL); /* a fault stays for the end of the step */
    step->report = (struct step_report){
        .gradient_norm = sqrt(step->read.gradient_squares),
        .learning_rate = schedule_rate(&step->schedule, step->number),
    };
    step->loss->report(&step->report, &step->read);
}

/* Activations can overflow in batch norm's variance and yet give a finite loss, so its statistics are looked at too.
 * A bit for each of the three: 1 the loss, 2 the gradient, 4 the statistics. */
static int what_is_not_finite(const struct step *step)
{
    return (isfinite(step->report.loss) ? 0 : 1) + (isfinite(step->report.gradient_norm) ? 0 : 2) +
           (isfinite(step->read.statistics_squares) ? 0 : 4);
}

const char *step_what_is_not_finite(const struct step *step)
{
    static const char *const words[] = {
        "all is finite",
        "the loss is not finite",
        "the gradient is not finite",
        "the loss and the gradient are not finite",
        "batch norm's statistics are not finite",
        "the loss and batch norm's statistics are not finite",
        "the gradient and batch norm's statistics are not finite",
        "the loss, the gradient and batch norm's statistics are not finite",
    };
    return words[what_is_not_finite(step)];
}

bool step_weights_are_finite(const struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    double squares = NAN;
    sum_squares(step, &step->numbers->gradient_squares, parameters->weights, parameters->weight_count);
    step->backend->ops->download(step->backend, &squares, &step->numbers->gradient_squares, sizeof squares);
    return !step->backend->ops->sync(step->backend, NULL) && isfinite(squares);
}

/* ---- update or skip ----------------------------------------------------------------------------------------- */

/* The only change of the model. The network runs all batch norms of the model, so all next statistics are there.
 * Returns when the weights were new and were still to be packed. */
static double update(struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    double updated = 0;
    optimizer_set(step->optimizer, step->report.learning_rate);
    if (step->ema.backend) ema_set(&step->ema, step->optimizer->steps - 1);
    if (step->timed || begin_recording(step, step->of_update)) { /* timed: a part at a time */
        step->backend->ops->copy(step->backend, parameters->buffers, parameters->buffers_next,
                                 parameters->buffer_count * sizeof *parameters->buffers);
        optimizer_run(step->optimizer);
        if (step->ema.backend) ema_run(&step->ema);
        updated = now(step);
        network_set_weights(step->network);
        if (!step->timed) end_recording(step);
    }
    step->skipped_in_a_row = 0;
    return updated;
}

/* Nothing to undo: neither the forward nor the backward pass has changed the model. */
static void skip(struct step *step)
{
    step->report.skipped = true;
    step->skipped += 1;
    step->skipped_in_a_row += 1;
}

/* Nothing to undo here either. */
static int drop(struct step *step, struct error *error)
{
    if (step->asked && records_numbers(step)) end_recording(step);
    (void)step->backend->ops->sync(step->backend, NULL);
    if (step->groups.failed) {
        if (error) *error = step->error;
        return step->status;
    }
    return error_set(error, SIMCLR_INTERRUPTED, "step %lld: dropped by a request to stop", (long long)step->number + 1);
}

int step_update(struct step *step, struct step_report *report, struct error *error)
{
    const double start = now(step);
    double updated = 0;
    if (is_dropped(step)) return drop(step, error);
    read_numbers(step);
    if (what_is_not_finite(step) == 0)
        updated = update(step);
    else
        skip(step);
    int status = step->backend->ops->sync(step->backend, error);
    if (!status && step->status) {
        status = step->status;
        if (error) *error = step->error;
    }
    const double end = clock_seconds();
    if (updated == 0) updated = end;
    step->seconds.update = updated - start;
    step->seconds.packing = end - updated;
    *report = step->report;
    if (!status) step->number += 1;
    return status;
}

int step_run(struct step *step, const struct batch *batch, struct step_report *report, struct error *error)
{
    step_forward(step, batch);
    step_loss(step);
    step_backward(step);
    return step_update(step, report, error);
}

bool step_diverged(const struct step *step)
{
    return step->skipped_in_a_row >= STEP_SKIPPED_MAX;
}
