/* train/supervised.c -- the method's second phase, one loop: views, logits, cross entropy, update. */
#include "train/supervised.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loader/loader.h"
#include "loss/cross_entropy.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

enum { SKIPPED_IN_A_ROW_MAX = 10 };

struct training {
    const struct supervised *job;
    struct loader *loader;
    struct network *network;
    struct model_tensors tensors;
    struct optimizer *optimizer;
    struct schedule schedule;
    float *logits, *d_logits; /* [batch][classes] */
    float *buffers_before;
    int64_t step, steps;
    int skipped_in_a_row;
    double learning_rate, started;
    struct cross_entropy_result result;
};

int64_t supervised_batch(int64_t wanted, int64_t images)
{
    const int64_t batches = (images + wanted - 1) / wanted;
    return images / batches;
}

static int open_loader(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const struct config *config = job->session->config;
    const int64_t batch = supervised_batch(job->batch, job->subset_count);
    log_info(&job->session->log, "%s: %lld batches of %lld images an epoch", job->phase,
             (long long)(job->subset_count / batch), (long long)batch);
    struct view_policy policy = view_policy_supervised(job->policy->size);
    policy.type = session_view_type(job->session);
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
                                         .scaled_decoding = config->scaled_decoding};
    const int status = loader_open(&training->loader, &loader, job->dataset, job->session->pool, error);
    if (status != SIMCLR_OK) return status;
    training->steps = loader_steps_per_epoch(training->loader) * job->epochs;
    training->schedule = (struct schedule){.base = config->learning_rate,
                                           .square_root = strcmp(config->scaling, "sqrt") == 0,
                                           .batch = batch,
                                           .steps_per_epoch = loader_steps_per_epoch(training->loader),
                                           .epochs = (double)job->epochs,
                                           .warmup_epochs = config->warmup_epochs};
    return model_plan(job->model, job->session->backend, NETWORK_TRAINING, job->session->dtype, (int)batch, false,
                      &training->network, &training->tensors, error);
}

static int open_training(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const struct config *config = job->session->config;
    const struct parameters *parameters = &job->model->parameters;
    int status = open_loader(training, error);
    if (status != SIMCLR_OK) return status;
    const size_t outputs = (size_t)training->schedule.batch * (size_t)job->model->config.classes;
    training->logits = memory_array(outputs, sizeof *training->logits);
    training->d_logits = memory_array(outputs, sizeof *training->d_logits);
    training->buffers_before = memory_array(parameters->buffer_count, sizeof *training->buffers_before);
    if (training->logits == NULL || training->d_logits == NULL || training->buffers_before == NULL)
        return error_no_memory(error, "the classifier's outputs", outputs * sizeof *training->logits);
    const bool lars = strcmp(config->optimizer, "lars") == 0, adamw = strcmp(config->optimizer, "adamw") == 0;
    const struct optimizer_config optimizer = {.kind = lars    ? OPTIMIZER_LARS
                                                       : adamw ? OPTIMIZER_ADAMW
                                                               : OPTIMIZER_SGD,
                                               .momentum = (float)config->momentum,
                                               .weight_decay = (float)config->weight_decay,
                                               .trust = (float)config->trust,
                                               .beta2 = 0.999f,
                                               .epsilon = 1e-8f};
    return optimizer_create(&training->optimizer, &optimizer, job->session->backend, &job->model->parameters, error);
}

static void close_training(struct training *training)
{
    loader_close(&training->loader);
    network_destroy(&training->network);
    optimizer_destroy(&training->optimizer);
    memory_free(training->logits);
    memory_free(training->d_logits);
    memory_free(training->buffers_before);
}

/* The update, unless something is not finite: then the step leaves no trace. */
static int update(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    struct backend *backend = job->session->backend;
    struct parameters *parameters = &job->model->parameters;
    const double squares = backend->ops->sum_squares(backend, parameters->gradients, parameters->weight_count) +
                           backend->ops->sum_squares(backend, parameters->buffers, parameters->buffer_count);
    if (isfinite(training->result.loss) && isfinite(squares)) {
        training->skipped_in_a_row = 0;
        optimizer_update(training->optimizer, training->learning_rate);
        network_set_weights(training->network);
        return backend->ops->sync(backend, error);
    }
    memcpy(parameters->buffers, training->buffers_before, parameters->buffer_count * sizeof(float));
    training->skipped_in_a_row += 1;
    log_warning(&job->session->log, "%s, step %lld: the loss or the gradient is not finite: the step is skipped",
                job->phase, (long long)training->step + 1);
    if (training->skipped_in_a_row < SKIPPED_IN_A_ROW_MAX) return SIMCLR_OK;
    return error_set(error, SIMCLR_DIVERGED,
                     "%s diverged: %d steps in a row were not finite: try a lower --learning-rate", job->phase,
                     SKIPPED_IN_A_ROW_MAX);
}

static void tell_progress(const struct training *training)
{
    const struct session *session = training->job->session;
    if (session->progress == NULL) return;
    const double seconds = clock_seconds() - training->started, per_step = seconds / (double)training->step;
    session->progress(session->cookie,
                      &(simclr_progress){.phase = training->job->phase,
                                         .step = training->step,
                                         .steps = training->steps,
                                         .epoch = (double)training->step / (double)training->schedule.steps_per_epoch,
                                         .epochs = training->schedule.epochs,
                                         .views_per_second = (double)training->schedule.batch / per_step,
                                         .wait_share = loader_wait_seconds(training->loader) / seconds,
                                         .eta_seconds = per_step * (double)(training->steps - training->step),
                                         .loss = training->result.loss,
                                         .chance_loss = log((double)training->job->model->config.classes),
                                         .top1 = training->result.top1,
                                         .learning_rate = training->learning_rate});
}

static int write_metrics(const struct training *training, struct error *error)
{
    struct metrics *metrics = training->job->metrics;
    char name[64];
    if (training->step % training->job->session->config->log_every != 0 && training->step != training->steps)
        return SIMCLR_OK;
    metrics_begin(metrics, training->step, (double)training->step / (double)training->schedule.steps_per_epoch);
    snprintf(name, sizeof name, "%s/loss", training->job->phase);
    metrics_number(metrics, name, training->result.loss);
    snprintf(name, sizeof name, "%s/top1", training->job->phase);
    metrics_number(metrics, name, training->result.top1);
    snprintf(name, sizeof name, "%s/learning_rate", training->job->phase);
    metrics_number(metrics, name, training->learning_rate);
    return metrics_end(metrics, error);
}

static int learn(struct training *training, struct error *error)
{
    const struct supervised *job = training->job;
    const struct parameters *parameters = &job->model->parameters;
    training->started = clock_seconds();
    while (training->step < training->steps) {
        const struct batch *batch;
        int status = loader_next(training->loader, training->step, &batch, error);
        if (status != SIMCLR_OK) return status;

        memcpy(training->buffers_before, parameters->buffers, parameters->buffer_count * sizeof(float));
        network_forward(training->network, batch->views);
        network_read(training->network, training->tensors.z, training->logits);
        cross_entropy_run(&training->result, training->d_logits, training->logits, batch->labels, batch->count,
                          job->model->config.classes);
        network_backward(training->network, training->tensors.z, training->d_logits);
        training->learning_rate = schedule_rate(&training->schedule, training->step);
        status = update(training, error);
        if (status != SIMCLR_OK) return status;

        training->step += 1;
        tell_progress(training);
        status = write_metrics(training, error);
        if (status != SIMCLR_OK) return status;
        if (session_is_interrupted(job->session))
            return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request at step %lld of %lld; nothing was kept",
                             job->phase, (long long)training->step, (long long)training->steps);
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
                 (long long)job->epochs, training.result.loss, 100 * training.result.top1);
    close_training(&training);
    return status;
}
