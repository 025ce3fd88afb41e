/* train/pretrain_open.c -- everything before the first step: data, model, optimiser, folder, and resuming. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/memory.h"
#include "run/model_open.h"
#include "run/ranks.h"
#include "run/settings.h"
#include "train/pretrain.h"
#include "train/step_memory.h"

/* ---- resuming --------------------------------------------------------------------------------------------- */

/* Of views that grow an earlier version wrote the radius of the last size where the radius was open. What was given
 * then is not to be told from that, and it was not kept at other sizes either. */
static int read_open_radius(const struct pretrain *run, struct config *before, struct error *error)
{
    const int64_t usual = before->image_size / 10 / 2;
    if (!config_is_auto(run->config, "blur-radius") || before->blur_radius != usual) return SIMCLR_OK;
    log_info(&run->session->log,
             "the run has --blur-radius %lld, which is its size's own: views of other sizes have their sizes' own",
             (long long)usual);
    return config_set(before, "blur-radius", "auto", 2, error);
}

/* Further epochs are allowed: the rate is then that of the cosine over the new number. */
static int check_against(struct pretrain *run, struct config *before, int64_t step, struct error *error)
{
    const struct training_record record = pretrain_record(run);
    int status = read_open_radius(run, before, error);
    if (status) return status;
    status = record_check_further(&record, run->session->settings, run->warmup_is_open, before, error);
    if (status) return status;
    pretrain_set_schedule(run);
    record_say_further(&record, before, run->config->batch, run->steps_per_epoch, step, &run->session->log);
    return SIMCLR_OK;
}

static int check_options(struct pretrain *run, const struct checkpoint_state *state, struct error *error)
{
    struct config *before;
    const struct training_record record = pretrain_record(run);
    int status = record_read_options(&record, state, &before, error);
    if (!status && before) status = check_against(run, before, state->step, error);
    config_destroy(&before);
    return status;
}

static int restore(struct pretrain *run, const struct checkpoint *checkpoint, struct error *error)
{
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    const struct training_record record = pretrain_record(run);
    int status = check_options(run, state, error);
    if (status == SIMCLR_OK) status = record_check_images(&record, state, error);
    if (status == SIMCLR_OK) status = checkpoint_restore(checkpoint, run->model, run->step.optimizer, false, error);
    if (status == SIMCLR_OK && run->average)
        status = checkpoint_restore_average(checkpoint, run->average, false, error);
    if (status != SIMCLR_OK) return status;
    network_set_weights(run->step.network);
    run->step.number = state->step;
    run->saved_step = state->step;
    run->epoch = state->epoch;
    if (state->step < run->steps && run->epoch * run->steps_per_epoch > state->step) /* its last one was a part */
        run->epoch = state->step / run->steps_per_epoch;
    run->best_knn = run_folder_best_knn(&run->folder); /* of what is there, whatever was meant to be written */
    run_folder_note_whole(&run->folder, state->step);
    run->step.skipped = state->skipped_steps;
    run->this_epoch = state->this_epoch;
    if (state->version < 2 && run->step.number > run->epoch * run->steps_per_epoch)
        log_info(&run->session->log, "the checkpoint is of version 1, without the sums of its epoch: the means of this "
                                     "epoch are those of the steps from here on");
    log_info(&run->session->log, "resuming at step %lld of %lld (epoch %.2f of %g)", (long long)run->step.number,
             (long long)run->steps, (double)run->step.number / (double)run->steps_per_epoch,
             step_epochs(run->config, run->steps_per_epoch));
    return SIMCLR_OK;
}

/* A run that does not go on from anything, perhaps with weights that are not random. Networks are packed by then. */
static int begin(struct pretrain *run, struct error *error)
{
    const char *path = run->config->init;
    int status = pretrain_check_warmup(run, error);
    if (status || path[0] == '\0') return status;
    status = model_begin(run->session, path, run->model, &run->policy, error);
    if (status) return status;
    network_set_weights(run->step.network);
    if (run->average) ema_start(&run->step.ema);
    return SIMCLR_OK;
}

static int resume(struct pretrain *run, struct error *error)
{
    struct checkpoint *checkpoint = NULL;
    const bool afresh = run->config->overwrite;
    int status = afresh ? begin(run, error) : SIMCLR_OK; /* before the folder is emptied: the weights may lie in it */
    if (status != SIMCLR_OK) return status;
    if (afresh) run_folder_clear(&run->folder);
    status = run_folder_newest(run->folder.path, &run->session->log, &checkpoint, error);
    if (status != SIMCLR_OK) return status;
    if (checkpoint != NULL)
        status = restore(run, checkpoint, error);
    else if (run->config->resume)
        status = error_set(error, SIMCLR_INVALID,
                           "%s has no checkpoint to resume from: leave --resume out to start there", run->folder.path);
    else if (!afresh)
        status = begin(run, error);
    checkpoint_close(&checkpoint);
    return status;
}

/* ---- building --------------------------------------------------------------------------------------------- */

/* A run that goes on keeps its numbers: an image that is damaged since is replaced, not left out. */
int pretrain_open_images(struct pretrain *run, struct error *error)
{
    const size_t heap = footprint_heap();
    int status = pretrain_read_sizes(run, error);
    if (status == SIMCLR_OK)
        status = session_open_numbered(run->session, run->config->data, DATASET_TRAIN,
                                       run->numbering.listing ? &run->numbering : NULL, &run->dataset, error);
    run->image_bytes = footprint_heap() - heap;
    if (status == SIMCLR_OK) status = pretrain_settle(run, error);
    if (status == SIMCLR_OK) status = session_resolve(run->session, run->dataset, error);
    return status;
}

void pretrain_set_schedule(struct pretrain *run)
{
    const struct config *options = run->config;
    run->steps = options->steps > 0 ? options->steps : run->steps_per_epoch * options->epochs;
    run->step.schedule =
        step_schedule(options, options->batch, run->steps_per_epoch, step_epochs(options, run->steps_per_epoch));
}

static int create_model(struct pretrain *run, struct error *error)
{
    struct session *session = run->session;
    const struct config *options = run->config;
    struct model_config model;
    struct step_config step = {
        .loss = &step_nt_xent,
        .images = (int)options->batch,
        .seed = (uint64_t)options->seed,
        .temperature = options->temperature,
        .dtype = session->dtype,
        .planning = session->planning,
        .optimizer = step_optimizer(options),
        .communicator = session->communicator,
    };
    if (run->sizes.count > 0) step.size_count = size_schedule_sizes(&run->sizes, step.sizes);
    int status = session_model_config(session, 0, &model, error);
    if (status == SIMCLR_OK)
        status = model_create(&run->model, &model, session->backend, (uint64_t)options->seed, error);
    if (status == SIMCLR_OK && options->ema > 0)
        status = model_create(&run->average, &model, session->backend, (uint64_t)options->seed, error);
    step.average = run->average;
    step.average_decay = options->ema;
    if (status == SIMCLR_OK) pretrain_set_groups(run, &step);
    status = pretrain_agree(run, status, error); /* step_open is collective */
    if (status != SIMCLR_OK) return status;
    status = step_open(&run->step, &step, session->backend, run->model, error);
    if (status == SIMCLR_OK) pretrain_set_schedule(run);
    return status == SIMCLR_NO_MEMORY ? step_explain_memory(&step, session->backend, run->model, error) : status;
}

static int open_views(struct pretrain *run, struct error *error)
{
    int status = session_view_policy(run->session, &run->policy, error);
    run->policy.type = session_view_type(run->session);
    if (status == SIMCLR_OK) status = pretrain_open_loaders(run, error);
    if (status == SIMCLR_OK) run->steps_per_epoch = loader_steps_per_epoch(run->loader);
    return status;
}

int pretrain_plan_steps(struct pretrain *run, struct error *error)
{
    const int status = open_views(run, error);
    return status ? status : create_model(run, error);
}

int pretrain_renew(struct pretrain *run, struct error *error)
{
    step_close(&run->step);
    model_destroy(&run->model);
    model_destroy(&run->average);
    run->size = 0;
    return create_model(run, error);
}

/* Test images are asked by the online kNN for the log alone: a test part that cannot be compared is left out.
 * --test-data that cannot be compared is an error. */
static int open_test(struct pretrain *run, struct error *error)
{
    struct error reason = {0};
    int status = SIMCLR_OK;
    if (run->config->knn_every > 0 && dataset_classes(run->dataset) > 0)
        status = session_open_test(run->session, &run->test, error);
    if (!status) session_tell_parts(run->session, run->dataset, run->test);
    if (status || !run->test) return status;
    if (dataset_classes(run->test) == 0)
        status = error_set(&reason, SIMCLR_DATA, "%.200s: the test images have no labels", run->config->data);
    else
        status = session_match_test(run->session, run->dataset, run->test, &reason);
    if (status == SIMCLR_DATA && run->config->test_data[0] == '\0') {
        log_warning(&run->session->log, "%s; kNN asks held-out training images only", reason.text);
        dataset_close(&run->test);
        return SIMCLR_OK;
    }
    return status ? error_set(error, status, "%s", reason.text) : SIMCLR_OK;
}

/* The images of the online kNN, where there are classes to tell apart, and by what the best checkpoint is chosen. */
static int open_online(struct pretrain *run, struct error *error)
{
    const struct log *log = &run->session->log;
    struct online_images *images = &run->online;
    if (run->config->knn_every == 0 || dataset_classes(run->dataset) < 2) return SIMCLR_OK;
    const int status = online_images_open(images, run->dataset, run->config, error);
    if (status) return status;
    const int64_t held_out = images->shared + images->extra;
    if (held_out == 0 || images->voting == 0)
        log_warning(log, "kNN: too few training images have a label to hold some out: no best checkpoint is chosen");
    else
        log_info(log,
                 "kNN: the best checkpoint is chosen by %lld held-out training images, which %lld others classify%s",
                 (long long)held_out, (long long)images->voting,
                 run->test ? "; test images are asked too, and choose nothing" : "");
    return SIMCLR_OK;
}

static void describe(const struct pretrain *run)
{
    const struct config *config = run->config;
    const struct model_config *model = &run->model->config;
    const struct model_title title = model_title(model);
    log_info(&run->session->log, "%s%s, %d pixels, h of %d, head of %d layers to %d", title.text, title.stem,
             model->image_size, model_feature_dim(model), model->head_layers, model_output_dim(model));
    log_info(&run->session->log,
             "%s, batch %lld, peak rate %g, %g of %g epochs of warm-up, temperature %g, %lld steps an epoch",
             config->optimizer, (long long)config->batch, schedule_peak(&run->step.schedule), config->warmup_epochs,
             step_epochs(config, run->steps_per_epoch), config->temperature, (long long)run->steps_per_epoch);
    if (run->average)
        log_info(&run->session->log, "moving averages of weights and statistics, decay %g: %.1f MiB", config->ema,
                 (double)(run->average->parameters.weight_count + run->average->parameters.buffer_count) * 2 *
                     sizeof(float) / 1048576.0);
    log_info(&run->session->log, "memory: %.1f MiB of activations, %.1f MiB of packed weights and scratch",
             (double)network_arena_bytes(run->step.network) * step_groups_kept(&run->step) / 1048576.0,
             (double)network_plan_bytes(run->step.network) / 1048576.0);
    pretrain_describe_groups(run);
    pretrain_describe_sizes(run);
}

void pretrain_begin(struct pretrain *run, struct session *session)
{
    *run = (struct pretrain){.session = &run->own,
                             .own = *session,
                             .config = session->config,
                             .leads = communicator_leads(session->communicator),
                             .leader_works = true,
                             .warmup_is_open = config_is_auto(session->config, "warmup-epochs"),
                             .began = clock_seconds(),
                             .folder = {.lock = -1},
                             .best_knn = -1,
                             .saved_step = -1};
}

int pretrain_open_tests(struct pretrain *run, struct error *error)
{
    const int status = open_test(run, error);
    return status ? status : open_online(run, error);
}

/* Ranks other than 0 never look into the folder: it may lie on another machine. */
static int open_folder(struct pretrain *run, struct session *session, struct error *error)
{
    const char *out = run->config->out;
    int status = run->leads ? run_folder_open(&run->folder, &session->log, out, error)
                            : run_folder_leave(&run->folder, &session->log, out, error);
    run->own.log = run->folder.log;
    session_set_run_log(run->session, &run->own.log);
    if (!status && run->leads && !run->config->overwrite)
        status = run_folder_read_numbering(&run->folder, &run->numbering, error);
    status = pretrain_agree(run, status, error);
    return status ? status : pretrain_share_numbering(run, &run->numbering, error);
}

/* What measures the machine would choose otherwise on each rank. */
static int refuse_measuring(const struct pretrain *run, struct error *error)
{
    const bool measures = pretrain_has_time(run->config) || config_is_auto(run->config, "batch");
    if (!run->session->communicator || !measures) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--time and --batch auto measure one machine: give --epochs and --batch to a run on %d processes",
                     communicator_size(run->session->communicator));
}

/* Where the run goes on from, and the folder that it writes, are rank 0's. All ranks make features for kNN. */
static int start(struct pretrain *run, struct error *error)
{
    int status = pretrain_open_tests(run, error);
    if (status == SIMCLR_OK) status = pretrain_choose_steps(run, error);
    if (status != SIMCLR_OK || !run->leads) return status;
    status = resume(run, error);
    if (status == SIMCLR_OK)
        status = run_folder_start(&run->folder, run->session, run->dataset, run->step.number, error);
    return status ? status : run_folder_write_numbering(&run->folder, run->dataset, error);
}

int pretrain_open(struct pretrain *run, struct session *session, struct error *error)
{
    pretrain_begin(run, session);
    int status = refuse_measuring(run, error);
    if (status == SIMCLR_OK) status = open_folder(run, session, error);
    if (status == SIMCLR_OK) status = pretrain_agree(run, pretrain_open_images(run, error), error);
    if (status == SIMCLR_OK) status = pretrain_agree(run, pretrain_plan_steps(run, error), error);
    if (status == SIMCLR_OK) status = pretrain_compare_images(run, error);
    if (status == SIMCLR_OK) status = pretrain_agree(run, start(run, error), error);
    if (status == SIMCLR_OK) pretrain_share_standing(run);
    if (status == SIMCLR_OK) describe(run);
    return status;
}

void pretrain_close(struct pretrain *run)
{
    pretrain_close_loaders(run);
    step_close(&run->step);
    model_destroy(&run->model);
    model_destroy(&run->average);
    online_images_close(&run->online);
    dataset_close(&run->test);
    dataset_close(&run->dataset);
    numbering_free(&run->numbering);
    session_set_run_log(run->session, NULL);
    run_folder_close(&run->folder);
}
