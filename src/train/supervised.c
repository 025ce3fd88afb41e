/* train/supervised.c -- the method's second phase, one loop: views, logits, cross entropy, update. */
#include "train/supervised.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "loader/loader.h"
#include "train/step.h"

struct training {
    const struct supervised *job;
    struct loader *loader;
    struct step step;
    int64_t steps;
    double started;
    struct step_report report; /* of the last step */
};

int64_t supervised_batch(int64_t wanted, int64_t images)
{
    const int64_t batches = (images + wanted - 1) / wanted;
    return images / batches;
}

static int open_training(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const struct config *config = job->session->config;
    const int64_t batch = supervised_batch(job->batch, job->subset_count);
    log_info(&job->session->log, "%s: %lld batches of %lld images an epoch", job->phase,
             (long long)(job->subset_count / batch), (long long)batch);
    struct view_policy policy = view_policy_supervised(job->policy->size);
    policy.type = session_view_type(job->session);
    policy.simd = job->policy->simd;
    policy.filter = job->policy->filter;
    policy.normalize = job->policy->normalize;
    memcpy(policy.mean, job->policy->mean, sizeof policy.mean);
    memcpy(policy.std, job->policy->std, sizeof policy.std);
    const struct loader_config loader = {.policy = policy,
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
    const int status = loader_open(&training->loader, &loader, job->dataset, job->session->pool, error);
    if (status != SIMCLR_OK) return status;
    training->steps = loader_steps_per_epoch(training->loader) * job->epochs;
    const struct step_config step = {
        .loss = &step_cross_entropy,
        .images = (int)batch,
        .dtype = job->session->dtype,
        .planning = job->session->planning,
        .optimizer = step_optimizer(config),
        .schedule = step_schedule(config, batch, loader_steps_per_epoch(training->loader), job->epochs),
    };
    return step_open(&training->step, &step, job->session->backend, job->model, error);
}

static void close_training(struct training *training)
{
    loader_close(&training->loader);
    step_close(&training->step);
}

static int tell_skipped(const struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    log_warning(&job->session->log, "%s, step %lld: the loss or the gradient is not finite: the step is skipped",
                job->phase, (long long)training->step.number);
    if (!step_diverged(&training->step)) return SIMCLR_OK;
    return error_set(error, SIMCLR_DIVERGED,
                     "%s diverged: %d steps in a row were not finite: try a lower --learning-rate", job->phase,
                     STEP_SKIPPED_MAX);
}

static void tell_progress(const struct training *training)
{
    const double seconds = clock_seconds() - training->started, per_step = seconds / (double)training->step.number;
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

static int tell_stopped(const struct training *training, struct error *error)
{
    return error_set(error, SIMCLR_INTERRUPTED,
                     "%s: stopped by request at step %lld of %lld; nothing was kept, start again with --overwrite",
                     training->job->phase, (long long)training->step.number, (long long)training->steps);
}

static int learn(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    struct step *step = &training->step;
    training->started = clock_seconds();
    while (step->number < training->steps) {
        const struct batch *batch;
        int status = loader_next(training->loader, step->number, &batch, error);
        if (status == SIMCLR_INTERRUPTED) return tell_stopped(training, error);
        if (status != SIMCLR_OK) return status;

        step_forward(step, batch);
        step_loss(step);
        step_backward(step);
        status = step_update(step, &training->report, error);
        if (status == SIMCLR_INTERRUPTED) return tell_stopped(training, error);
        if (status == SIMCLR_OK && training->report.skipped) status = tell_skipped(training, error);
        if (status != SIMCLR_OK) return status;

        tell_progress(training);
        status = write_metrics(training, error);
        if (status != SIMCLR_OK) return status;
        if (session_is_interrupted(job->session)) return tell_stopped(training, error);
    }
    return SIMCLR_OK;
}

int supervised_train(const struct supervised *job, struct error *error)
{
    struct training training = {.job = job};
    int status = open_training(&training, error);
    if (status == SIMCLR_OK) status = learn(&training, error);
    if (status == SIMCLR_OK)
        log_info(&job->session->log, "%s: %lld epochs, last loss %.3f, top-1 on the batch %.1f %%", job->phase,
                 (long long)job->epochs, training.report.loss, 100 * training.report.top1);
    close_training(&training);
    return status;
}
