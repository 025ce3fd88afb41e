/* train/pretrain_open.c -- everything before the first step: data, model, optimiser, folder, and resuming. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/settings.h"
#include "train/pretrain.h"

/* ---- resuming --------------------------------------------------------------------------------------------- */

/* What the checkpoint says about its data set must be what we have. */
static int check_data(const struct pretrain *run, const struct checkpoint_state *state, struct error *error)
{
    char fingerprint[24];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)dataset_fingerprint(run->dataset));
    if (state->fingerprint == NULL || strcmp(state->fingerprint, fingerprint) == 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "%s holds a run on other images than %s has now: give the same --data, or start afresh with "
                     "--overwrite or another --out",
                     run->folder.path, run->config->data);
}

/* Options whose change would make it another run must be what they were. */
static int check_options(const struct pretrain *run, const struct checkpoint_state *state, struct error *error)
{
    if (state->config_yaml == NULL) return SIMCLR_OK;
    struct config *before;
    int status = config_create(&before, run->config->command, error);
    if (status == SIMCLR_OK)
        status = config_parse_recipe(before, state->config_yaml, strlen(state->config_yaml), "the checkpoint's options",
                                     1, error);
    char *differences = status == SIMCLR_OK ? config_differences(before, run->config) : NULL;
    if (status == SIMCLR_OK && differences == NULL) status = error_no_memory(error, "a comparison of options", 1024);
    if (status == SIMCLR_OK && differences[0] != '\0')
        status = error_set(error, SIMCLR_INVALID,
                           "%s holds a run with other options (%s): give the same (--recipe %s/config.yaml does), or "
                           "start afresh with --overwrite or another --out",
                           run->folder.path, differences, run->folder.path);
    memory_free(differences);
    config_destroy(&before);
    return status;
}

static int restore(struct pretrain *run, const struct checkpoint *checkpoint, struct error *error)
{
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    int status = check_options(run, state, error);
    if (status == SIMCLR_OK) status = check_data(run, state, error);
    if (status == SIMCLR_OK) status = checkpoint_restore(checkpoint, run->model, run->step.optimizer, false, error);
    if (status != SIMCLR_OK) return status;
    network_set_weights(run->step.network);
    run->step.number = state->step;
    run->saved_step = state->step;
    run->epoch = state->epoch;
    run->best_knn = state->best_knn;
    run->step.skipped = state->skipped_steps;
    run->this_epoch = state->this_epoch;
    if (state->version < 2 && run->step.number > run->epoch * run->steps_per_epoch)
        log_info(&run->session->log, "the checkpoint is of version 1, without the sums of its epoch: the means of this "
                                     "epoch are those of the steps from here on");
    log_info(&run->session->log, "resuming at step %lld of %lld (epoch %.2f of %lld)", (long long)run->step.number,
             (long long)run->steps, (double)run->step.number / (double)run->steps_per_epoch,
             (long long)run->config->epochs);
    return SIMCLR_OK;
}

static int resume(struct pretrain *run, struct error *error)
{
    struct checkpoint *checkpoint = NULL;
    if (run->config->overwrite) run_folder_clear(&run->folder);
    int status = run_folder_newest(run->folder.path, &run->session->log, &checkpoint, error);
    if (status != SIMCLR_OK) return status;
    if (checkpoint != NULL)
        status = restore(run, checkpoint, error);
    else if (run->config->resume)
        status = error_set(error, SIMCLR_INVALID,
                           "%s has no checkpoint to resume from: leave --resume out to start there", run->folder.path);
    checkpoint_close(&checkpoint);
    return status;
}

/* ---- building --------------------------------------------------------------------------------------------- */

static int open_data(struct pretrain *run, struct error *error)
{
    struct session *session = run->session;
    int status = session_open_dataset(session, run->config->data, DATASET_TRAIN, &run->dataset, error);
    if (status == SIMCLR_OK) status = session_resolve(session, run->dataset, error);
    if (status == SIMCLR_OK) status = session_view_policy(session, &run->policy, error);
    run->policy.type = session_view_type(session);
    const struct loader_config config = {.policy = run->policy,
                                         .purpose = RNG_VIEW,
                                         .seed = (uint64_t)run->config->seed,
                                         .batch = (int)run->config->batch,
                                         .views = 2,
                                         .shuffle = true,
                                         .workers = session_workers(session),
                                         .pin = session_pin(session),
                                         .scaled_decoding = run->config->scaled_decoding,
                                         .memory = session_batch_memory(session)};
    if (status == SIMCLR_OK) status = loader_open(&run->loader, &config, run->dataset, session->pool, error);
    if (status == SIMCLR_OK) run->steps_per_epoch = loader_steps_per_epoch(run->loader);
    return status;
}

static int create_model(struct pretrain *run, struct error *error)
{
    struct session *session = run->session;
    const struct config *options = run->config;
    struct model_config model;
    const struct step_config step = {
        .loss = &step_nt_xent,
        .images = (int)options->batch,
        .temperature = options->temperature,
        .dtype = session->dtype,
        .planning = session->planning,
        .optimizer = step_optimizer(options),
        .schedule = step_schedule(options, options->batch, run->steps_per_epoch, options->epochs),
    };
    run->steps = run->steps_per_epoch * options->epochs;
    int status = session_model_config(session, 0, &model, error);
    if (status == SIMCLR_OK)
        status = model_create(&run->model, &model, session->backend, (uint64_t)options->seed, error);
    if (status == SIMCLR_OK) status = step_open(&run->step, &step, session->backend, run->model, error);
    return status;
}

/* The online kNN needs labels, and other images to classify than those that vote. Training needs none: a test part that
 * cannot be compared is left out, and a part of the training images asks in its stead (online_knn). --test-data that
 * cannot be compared is an error. */
static int open_test(struct pretrain *run, struct error *error)
{
    struct error reason = {0};
    if (run->config->knn_every <= 0 || dataset_classes(run->dataset) == 0) return SIMCLR_OK;
    int status = session_open_test(run->session, &run->test, error);
    if (status || !run->test) return status;
    if (dataset_classes(run->test) == 0)
        status = error_set(&reason, SIMCLR_DATA, "%.200s: the test images have no labels", run->config->data);
    else
        status = session_match_test(run->session, run->dataset, run->test, &reason);
    if (status == SIMCLR_DATA && run->config->test_data[0] == '\0') {
        log_warning(&run->session->log, "%s; kNN asks a tenth of its training images instead", reason.text);
        dataset_close(&run->test);
        return SIMCLR_OK;
    }
    return status ? error_set(error, status, "%s", reason.text) : SIMCLR_OK;
}

static void describe(const struct pretrain *run)
{
    const struct config *config = run->config;
    const struct model_config *model = &run->model->config;
    log_info(&run->session->log, "%s, %s stem, %d pixels, h of %d, head of %d layers to %d", model_title(model).text,
             model->resnet.stem == STEM_CIFAR ? "CIFAR" : "ImageNet", model->image_size, model_feature_dim(model),
             model->head_layers, model_output_dim(model));
    log_info(&run->session->log,
             "%s, batch %lld, peak rate %g, %g of %lld epochs of warm-up, temperature %g, %lld steps an epoch",
             config->optimizer, (long long)config->batch, schedule_peak(&run->step.schedule), config->warmup_epochs,
             (long long)config->epochs, config->temperature, (long long)run->steps_per_epoch);
    log_info(&run->session->log, "memory: %.1f MiB of activations, %.1f MiB of packed weights and scratch",
             (double)network_arena_bytes(run->step.network) / 1048576.0,
             (double)network_plan_bytes(run->step.network) / 1048576.0);
}

int pretrain_open(struct pretrain *run, struct session *session, struct error *error)
{
    *run = (struct pretrain){.session = &run->own, .config = session->config, .best_knn = -1, .saved_step = -1};
    int status = run_folder_open(&run->folder, &session->log, run->config->out, error);
    run->own = session_derive(session, NULL, run->folder.log);
    if (status == SIMCLR_OK) status = open_data(run, error);
    if (status == SIMCLR_OK) status = create_model(run, error);
    if (status == SIMCLR_OK) status = resume(run, error);
    if (status == SIMCLR_OK) status = open_test(run, error);
    if (status == SIMCLR_OK)
        status = run_folder_start(&run->folder, run->session, run->dataset, run->step.number, error);
    if (status == SIMCLR_OK) describe(run);
    return status;
}

void pretrain_close(struct pretrain *run)
{
    loader_close(&run->loader);
    step_close(&run->step);
    model_destroy(&run->model);
    dataset_close(&run->test);
    dataset_close(&run->dataset);
    run_folder_close(&run->folder);
}
