/* train/supervised.c -- training with labels, one loop: views, logits, cross entropy, update. */
#include "train/supervised.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loader/loader.h"
#include "train/record.h"
#include "train/step.h"

struct training {
    const struct supervised *job;
    struct loader *loader;
    struct step step;
    int64_t steps, steps_per_epoch;
    int64_t first; /* steps that were taken before it went on */
    double started;
    struct step_report report; /* of the last step */
    int64_t saved_step;        /* of the newest checkpoint; -1: none */
};

static struct training_record record_of(const struct training *training)
{
    const struct supervised *job = training->job;
    return (struct training_record){.config = job->session->config,
                                    .dataset = job->dataset,
                                    .policy = job->policy,
                                    .folder = job->folder->path,
                                    .origin = job->origin};
}

int64_t supervised_batch(int64_t wanted, int64_t images)
{
    const int64_t batches = (images + wanted - 1) / wanted;
    const int64_t batch = images / batches;
    if (batch % 2 == 0) return batch;
    if (batch < wanted && batch < images && images % (batch + 1) * 100 <= images) return batch + 1;
    return batch > 1 && images % (batch - 1) * 100 <= images ? batch - 1 : batch;
}

float supervised_statistics_share(int64_t steps_per_epoch)
{
    return steps_per_epoch > 100 ? (float)(10.0 / (double)steps_per_epoch) : 0.1f;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

static struct view_policy views_of(const struct supervised *job)
{
    struct view_policy policy =
        job->as_policy ? *job->policy : view_policy_as(view_policy_supervised(job->policy->size), job->policy);
    policy.type = session_view_type(job->session);
    return policy;
}

/* The step continues where the checkpoint was written. */
static int restore(struct training *training, struct error *error)
{
    const struct checkpoint *from = training->job->from;
    if (!from) return SIMCLR_OK;
    const struct checkpoint_state *state = checkpoint_state(from);
    const int status = checkpoint_restore(from, training->job->model, training->step.optimizer, false, error);
    if (status) return status;
    network_set_weights(training->step.network);
    training->step.number = training->first = training->saved_step = state->step;
    training->step.skipped = state->skipped_steps;
    if (!training->job->file) run_folder_note_whole(training->job->folder, state->step);
    log_info(&training->job->session->log, "resuming at step %lld of %lld (epoch %.2f of %lld)", (long long)state->step,
             (long long)training->steps, (double)state->step / (double)training->steps_per_epoch,
             (long long)training->job->epochs);
    return SIMCLR_OK;
}

static int open_training(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const struct config *config = job->session->config;
    const int64_t batch = supervised_batch(job->batch, job->subset_count);
    log_info(&job->session->log, "%s: %lld batches of %lld images an epoch", job->phase,
             (long long)(job->subset_count / batch), (long long)batch);
    const struct loader_config loader = {.policy = views_of(job),
                                         .purpose = RNG_FINETUNE,
                                         .seed = (uint64_t)config->seed,
                                         .batch = (int)batch,
                                         .views = 1,
                                         .shuffle = true,
                                         .subset = job->subset,
                                         .subset_count = job->subset_count,
                                         .workers = session_workers(job->session),
                                         .pin = session_pin(job->session),
                                         .scaled_decoding = config->scaled_decoding,
                                         .memory = session_batch_memory(job->session)};
    int status = loader_open(&training->loader, &loader, job->dataset, job->session->pool, error);
    if (status != SIMCLR_OK) return status;
    training->steps_per_epoch = loader_steps_per_epoch(training->loader);
    training->steps = training->steps_per_epoch * job->epochs;
    struct network_options planning = job->session->planning;
    planning.statistics_share = job->statistics_share;
    const struct step_config step = {
        .loss = &step_cross_entropy,
        .seed = (uint64_t)config->seed,
        .images = (int)batch,
        .dtype = job->session->dtype,
        .planning = planning,
        .optimizer = step_optimizer(config),
        .schedule = step_schedule(config, batch, training->steps_per_epoch, (double)job->epochs),
    };
    log_info(&job->session->log, "%s: %s, peak rate %g, %g of %lld epochs of warm-up", job->phase, config->optimizer,
             schedule_peak(&step.schedule), config->warmup_epochs, (long long)job->epochs);
    status = step_open(&training->step, &step, job->session->backend, job->model, error);
    return status ? status : restore(training, error);
}

static void close_training(struct training *training)
{
    loader_close(&training->loader);
    step_close(&training->step);
}

/* ---- what it says --------------------------------------------------------------------------------------------- */

static int tell_skipped(const struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const char *what = step_what_is_not_finite(&training->step);
    log_warning(&job->session->log, "%s, step %lld: %s: the step is skipped", job->phase,
                (long long)training->step.number, what);
    if (!step_diverged(&training->step)) return SIMCLR_OK;
    return error_set(error, SIMCLR_DIVERGED,
                     "%s diverged: %d steps in a row were skipped, and in the last one %s: try a lower --learning-rate",
                     job->phase, STEP_SKIPPED_MAX, what);
}

static void tell_progress(const struct training *training)
{
    const double seconds = clock_seconds() - training->started;
    const double per_step = seconds / (double)(training->step.number - training->first);
    session_tell(
        training->job->session,
        &(struct progress){.phase = training->job->phase,
                           .step = training->step.number,
                           .steps = training->steps,
                           .epoch = (double)training->step.number / (double)training->step.schedule.steps_per_epoch,
                           .epochs = training->step.schedule.epochs,
                           .views_per_second = (double)training->step.schedule.batch / per_step,
                           .wait_share = loader_wait_seconds(training->loader) / seconds,
                           .eta_seconds = per_step * (double)(training->steps - training->step.number),
                           .loss = training->report.loss,
                           .chance_loss = log((double)training->job->model->config.classes),
                           .top1 = training->report.top1,
                           .learning_rate = training->report.learning_rate});
}

static int write_metrics(const struct training *training, struct error *error)
{
    struct metrics *metrics = training->job->metrics;
    char name[64];
    if (!metrics) return SIMCLR_OK;
    if (training->step.number % training->job->session->config->log_every != 0 &&
        training->step.number != training->steps)
        return SIMCLR_OK;
    metrics_begin(metrics, training->step.number,
                  (double)training->step.number / (double)training->step.schedule.steps_per_epoch);
    snprintf(name, sizeof name, "%s/loss", training->job->phase);
    metrics_number(metrics, name, training->report.loss);
    snprintf(name, sizeof name, "%s/top1", training->job->phase);
    metrics_number(metrics, name, training->report.top1);
    snprintf(name, sizeof name, "%s/learning_rate", training->job->phase);
    metrics_number(metrics, name, training->report.learning_rate);
    return metrics_end(metrics, error);
}

/* ---- checkpoints ---------------------------------------------------------------------------------------------- */

/* A checkpoint is only ever made of a state that training can go on from. */
static int save(struct training *training, struct error *error)
{
    const struct step *step = &training->step;
    struct run_folder *folder = training->job->folder;
    if (!folder || training->saved_step == step->number) return SIMCLR_OK;
    if (step->skipped_in_a_row > 0 || !step_weights_are_finite(step)) {
        log_warning(&training->job->session->log,
                    "step %lld: no checkpoint is written, since the last step was not finite", (long long)step->number);
        return SIMCLR_OK;
    }
    const struct training_record record = record_of(training);
    const struct checkpoint_state state = {.step = step->number,
                                           .epoch = step->number / training->steps_per_epoch,
                                           .best_knn = -1,
                                           .skipped_steps = step->skipped,
                                           .images_seen = step->number * step->schedule.batch};
    const char *file = training->job->file;
    char *path = file ? memory_string(file) : run_folder_checkpoint_path(folder, step->number);
    const int status = record_write(&record, path, training->job->model, step->optimizer, &state, error);
    memory_free(path);
    if (status) return status;
    training->saved_step = step->number;
    if (file) return SIMCLR_OK;
    run_folder_note_whole(folder, step->number);
    run_folder_prune(folder, training->job->session->config->keep);
    return SIMCLR_OK;
}

static int save_when_due(struct training *training, struct error *error)
{
    const int64_t number = training->step.number, every = training->job->session->config->save_every;
    const bool due = number % training->steps_per_epoch == 0 && number / training->steps_per_epoch % every == 0;
    return due || number == training->steps ? save(training, error) : SIMCLR_OK;
}

static int stop(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const long long number = (long long)training->step.number, steps = (long long)training->steps;
    const int status = save(training, error);
    if (status) return status;
    if (!job->folder)
        return error_set(
            error, SIMCLR_INTERRUPTED,
            "%s: stopped by request at step %lld of %lld; nothing of it was kept, the same command begins it anew",
            job->phase, number, steps);
    if (training->saved_step < 0)
        return error_set(error, SIMCLR_INTERRUPTED, "stopped by request at step %lld of %lld, before any checkpoint",
                         number, steps);
    return error_set(error, SIMCLR_INTERRUPTED,
                     "stopped by request at step %lld of %lld; the same command goes on from the checkpoint of step "
                     "%lld in %s",
                     number, steps, (long long)training->saved_step, job->folder->path);
}

/* ---- the loop ------------------------------------------------------------------------------------------------- */

static int learn(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    struct step *step = &training->step;
    training->started = clock_seconds();
    while (step->number < training->steps) {
        const struct batch *batch;
        int status = loader_next(training->loader, step->number, &batch, error);
        if (status == SIMCLR_INTERRUPTED) return stop(training, error);
        if (status != SIMCLR_OK) return status;

        step_forward(step, batch);
        step_loss(step);
        step_backward(step);
        status = step_update(step, &training->report, error);
        if (status == SIMCLR_INTERRUPTED) return stop(training, error);
        if (status == SIMCLR_OK && training->report.skipped) status = tell_skipped(training, error);
        if (status != SIMCLR_OK) return status;

        tell_progress(training);
        status = write_metrics(training, error);
        if (status == SIMCLR_OK) status = save_when_due(training, error);
        if (status != SIMCLR_OK) return status;
        if (session_is_interrupted(job->session)) return stop(training, error);
    }
    return SIMCLR_OK;
}

int supervised_train(const struct supervised *job, struct supervised_result *result, struct error *error)
{
    struct training training = {.job = job, .saved_step = -1};
    int status = open_training(&training, error);
    if (status == SIMCLR_OK) status = learn(&training, error);
    if (status == SIMCLR_OK && training.first < training.steps)
        log_info(&job->session->log, "%s: %lld epochs, last loss %.3f, top-1 on the batch %.1f %%", job->phase,
                 (long long)job->epochs, training.report.loss, 100 * training.report.top1);
    *result = (struct supervised_result){training.step.number, training.step.skipped};
    close_training(&training);
    return status;
}
