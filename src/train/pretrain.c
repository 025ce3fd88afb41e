/* train/pretrain.c -- SimCLR's main learning algorithm: read it beside Algorithm 1 of the paper (arXiv:2002.05709). */
#include "train/pretrain.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/export.h"
#include "run/ranks.h"

enum { IMAGES_NAMED = 8 };

/* ---- a step that was skipped ------------------------------------------------------------------------------ */

/* Names the images of the step. SIMCLR_DIVERGED when there were too many in a row. */
static int tell_skipped(const struct pretrain *run, struct error *error)
{
    struct text images = {0};
    const struct step *step = &run->step;
    const struct batch *batch = step->groups.batch; /* of groups: the last one to run backward, the first of all */
    const int64_t count = run->config->batch;
    const int named = batch->count < IMAGES_NAMED ? batch->count : IMAGES_NAMED; /* a group has fewer than the batch */
    for (int i = 0; i < named; i++)
        text_add(&images, "%s%s", i == 0 ? "" : ", ", dataset_name(run->dataset, batch->indices[i]));
    if (count > named) text_add(&images, " and %lld more", (long long)(count - named));
    log_warning(&run->session->log,
                "epoch %lld, step %lld: loss %g, gradient norm %g; %s: the step is skipped (%lld so far); images: %s",
                (long long)((step->number - 1) / run->steps_per_epoch + 1), (long long)step->number, run->report.loss,
                run->report.gradient_norm, step_what_is_not_finite(step), (long long)step->skipped,
                images.bytes == NULL ? "" : images.bytes);
    text_free(&images);

    if (!step_diverged(step)) return SIMCLR_OK;
    return error_set(error, SIMCLR_DIVERGED,
                     "training diverged: %d steps in a row up to step %lld were skipped, and in the last one %s; the "
                     "last good checkpoint in %s is kept: try a lower --learning-rate or a longer --warmup-epochs",
                     STEP_SKIPPED_MAX, (long long)step->number, step_what_is_not_finite(step), run->folder.path);
}

/* ---- between steps ---------------------------------------------------------------------------------------- */

static int stop_by_request(struct pretrain *run, struct error *error)
{
    const int status = run->saved_step == run->step.number ? SIMCLR_OK : pretrain_save_step(run, error);
    if (status != SIMCLR_OK) return status;
    if (run->saved_step < 0)
        return error_set(error, SIMCLR_INTERRUPTED, "stopped by request at step %lld of %lld, before any checkpoint",
                         (long long)run->step.number, (long long)run->steps);
    return error_set(error, SIMCLR_INTERRUPTED,
                     "stopped by request at step %lld of %lld; the same command goes on from the checkpoint of step "
                     "%lld in %s",
                     (long long)run->step.number, (long long)run->steps, (long long)run->saved_step, run->folder.path);
}

/* What is due before the next step: an epoch's end, a stop. Asked before the first step too, since a run may have
 * been stopped while it evaluated an epoch. SIMCLR_INTERRUPTED: what was under way is dropped, the last step stands. */
static int between_steps(struct pretrain *run, struct error *error)
{
    int status = SIMCLR_OK;
    const int64_t next = (run->epoch + 1) * run->steps_per_epoch; /* the last one may be a part */
    const bool ends = run->step.number >= (next < run->steps ? next : run->steps);
    if (ends && run->epoch < run->config->epochs) status = pretrain_end_epoch(run, error);
    if (status == SIMCLR_OK && session_is_interrupted(run->session)) status = SIMCLR_INTERRUPTED;
    return status;
}

/* The next batch; *batch NULL and SIMCLR_OK: training is over. status: of the step before. Of several processes all get
 * here, and each gets its share of the batch, or none does. */
static int next_batch(struct pretrain *run, int status, const struct batch **batch, struct error *error)
{
    *batch = NULL;
    if (status == SIMCLR_OK) status = between_steps(run, error);
    if (status == SIMCLR_OK && run->step.number < run->steps) {
        pretrain_choose_size(run); /* not in the paper: views may grow on the way (--image-size-schedule) */
        run->start = clock_seconds();
        run->waited = loader_wait_seconds(run->loader);
        run->messages = communicator_seconds(run->session->communicator);
        status = loader_next(run->loader, run->step.number, batch, error);
    }
    status = pretrain_agree(run, status, error);
    if (status == SIMCLR_OK && *batch == NULL) status = session_agree_images(run->session, status, error);
    if (status == SIMCLR_OK && run->leader_works) status = pretrain_compare_weights(run, error);
    run->leader_works = false;
    return status;
}

/* What is left to do of a step once it is taken. */
static int end_step(struct pretrain *run, struct error *error)
{
    run->message_seconds += communicator_seconds(run->session->communicator) - run->messages;
    int status = SIMCLR_OK;
    if (run->report.skipped) status = tell_skipped(run, error);
    if (status != SIMCLR_OK) return status;
    return pretrain_tell_step(run, clock_seconds() - run->start, loader_wait_seconds(run->loader) - run->waited, error);
}

/* ---- Algorithm 1 ------------------------------------------------------------------------------------------ */

/* input: batch size N, temperature tau, encoder f, head g, distribution of augmentations T. */
static int learn(struct pretrain *run, struct error *error)
{
    struct step *step = &run->step;
    int status = SIMCLR_OK;
    for (;;) {
        /* for all k in {1, ..., N}: draw t ~ T, t' ~ T; x~(k) = t(x(k)), x~(k+N) = t'(x(k)) */
        const struct batch *batch;
        status = next_batch(run, status, &batch, error);
        if (status != SIMCLR_OK || batch == NULL) return status;

        /* h = f(x~), z = g(h) */
        step_forward(step, batch);

        /* l(i, j) = -log (exp(s(i, j) / tau) / sum over k != i of exp(s(i, k) / tau)), s = cosine of z(i), z(j);
         * L = the mean of l over all 2N views and their positives */
        step_loss(step);

        /* update networks f and g to minimise L */
        step_backward(step);
        status = step_update(step, &run->report, error);
        if (status == SIMCLR_OK) status = end_step(run, error);
    }
}

/* return encoder network f(.), and throw away g(.) */
static int finish(struct pretrain *run, struct error *error)
{
    const struct session *session = run->session;
    const char *path = run->folder.path;
    const int status = run_folder_export(&run->folder, run->model, run->average, &run->policy,
                                         run->step.number - run->step.skipped, error);
    if (status != SIMCLR_OK) return status;
    run_folder_prune(&run->folder, run->config->keep); /* a run that was killed before it could has one too many */
    log_info(&session->log, "finished: %lld steps, %lld of them skipped", (long long)run->step.number,
             (long long)run->step.skipped);
    session_print(session, "encoder      %s/exported/encoder.safetensors\n", path);
    if (run->average) session_print(session, "averaged     %s/exported/encoder-ema.safetensors\n", path);
    session_print(session, "checkpoints  %s/checkpoints\n", path);
    session_print(session, "metrics      %s/metrics.jsonl\n", path);
    return pretrain_say_next(run, error);
}

int pretrain_run(struct session *session, struct error *error)
{
    struct pretrain run;
    int status = pretrain_open(&run, session, error);
    if (status == SIMCLR_OK) {
        status = learn(&run, error);
        pretrain_let_leader_work(&run); /* the last checkpoint and the export are rank 0's */
        if (status == SIMCLR_INTERRUPTED) {
            communicator_recover(run.session->communicator);
            status = stop_by_request(&run, error);
        }
    }
    if (status == SIMCLR_OK && run.leads) status = finish(&run, error);
    if (status != SIMCLR_OK && error != NULL)
        run_folder_note(&run.folder, status == SIMCLR_INTERRUPTED ? LOG_INFO : LOG_ERROR, error->text);
    pretrain_close(&run);
    return status;
}
