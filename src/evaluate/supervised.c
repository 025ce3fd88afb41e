/* evaluate/supervised.c -- the control that no pretraining goes into: the same network from random weights on the
 * labels alone, judged on the test images. A run like any other: it can be stopped and gone on with, and its encoder is
 * exported (method.md section 6). */
#include <string.h>

#include "base/memory.h"
#include "evaluate/labelled.h"
#include "evaluate/protocols.h"
#include "evaluate/supervised_run.h"
#include "run/export.h"
#include "run/settings.h"
#include "train/record.h"
#include "train/supervised.h"

/* ---- preparation -------------------------------------------------------------------------------------------- */

/* The warm-up takes five epochs, or a tenth of them where that is less. AlexNet, without batch norm, stands a tenth of
 * a ResNet's rate: torchvision trains it at 0.01. */
static int resolve_training(struct session *session, const struct model_config *network, struct error *error)
{
    const double tenth = (double)session->config->epochs / 10;
    const int status =
        session_resolve_number(session, "learning-rate", network->encoder == ENCODER_ALEXNET ? 0.01 : 0.1, error);
    return status ? status : session_resolve_number(session, "warmup-epochs", tenth < 5 ? tenth : 5, error);
}

static struct training_record record_of(const struct evaluation *evaluation)
{
    const struct supervised_run *run = evaluation->state;
    return (struct training_record){.config = evaluation->session->config,
                                    .dataset = evaluation->train,
                                    .policy = &run->policy,
                                    .folder = run->labelled.folder.path};
}

/* A run of `evaluate` is made anew where its epochs are others: its figure is to be that of one cosine. */
static int check_options(const struct evaluation *evaluation, struct config *before, struct error *error)
{
    const struct supervised_run *run = evaluation->state;
    const struct training_record record = record_of(evaluation);
    const struct session *session = evaluation->session;
    if (run->replaces) return record_check_options(&record, before, error);
    const int status = record_check_further(&record, session->settings, run->warmup_is_open, before, error);
    if (status) return status;
    const int64_t batch = supervised_batch(session->config->batch, run->labelled.subset_count);
    record_say_further(&record, before, batch, run->labelled.subset_count / batch, checkpoint_state(run->from)->step,
                       &session->log);
    return SIMCLR_OK;
}

static int check_start(const struct evaluation *evaluation, struct error *error)
{
    const struct supervised_run *run = evaluation->state;
    struct config *before;
    const struct training_record record = record_of(evaluation);
    const struct checkpoint_state *state = checkpoint_state(run->from);
    int status = record_read_options(&record, state, &before, error);
    if (!status && before) status = check_options(evaluation, before, error);
    config_destroy(&before);
    return status ? status : record_check_images(&record, state, error);
}

/* The newest checkpoint of the folder. It must be of the same run, unless another may be replaced. */
static int find_start(struct evaluation *evaluation, struct error *error)
{
    struct supervised_run *run = evaluation->state;
    const struct session *session = evaluation->session;
    struct error reason = {0};
    if (session->config->overwrite) run_folder_clear(&run->labelled.folder);
    int status = run_folder_newest(run->labelled.folder.path, &session->log, &run->from, error);
    if (status) return status;
    if (!run->from && session->config->resume)
        return error_set(error, SIMCLR_INVALID,
                         "%s has no checkpoint to resume from: leave --resume out to start there",
                         run->labelled.folder.path);
    if (!run->from) return SIMCLR_OK;
    status = check_start(evaluation, &reason);
    if (status != SIMCLR_INVALID || !run->replaces)
        return status ? error_set(error, status, "%s", reason.text) : SIMCLR_OK;
    log_info(&session->log, "%s is replaced: it holds another training", run->labelled.folder.path);
    checkpoint_close(&run->from);
    run_folder_clear(&run->labelled.folder);
    return SIMCLR_OK;
}

/* Random weights from the seed; no head. */
static int create_model(struct evaluation *evaluation, struct error *error)
{
    struct supervised_run *run = evaluation->state;
    const struct session *session = evaluation->session;
    struct model_config config = run->network;
    config.classes = dataset_classes(evaluation->train);
    config.head_layers = config.cut = 0;
    int status = model_create(&run->labelled.model, &config, session->backend, (uint64_t)session->config->seed, error);
    if (!status) status = labelled_silence_untaught(evaluation, &run->labelled, error);
    if (status) return status;
    const struct model_title title = model_title(&run->labelled.model->config);
    log_info(&session->log, "%s%s, %d pixels, %d classes", title.text, title.stem, config.image_size, config.classes);
    return SIMCLR_OK;
}

int supervised_begin(struct evaluation *evaluation, struct error *error)
{
    struct supervised_run *run = evaluation->state;
    struct labelled *labelled = &run->labelled;
    struct session *session = evaluation->session;
    run->warmup_is_open = config_is_auto(session->config, "warmup-epochs");
    int status = resolve_training(session, &run->network, error);
    if (!status) status = find_start(evaluation, error);
    if (!status) status = create_model(evaluation, error);
    if (status) return status;
    labelled->epochs = session->config->epochs;
    log_info(&session->log, "%u labelled images of %lld (%.3g %%), %lld epochs", labelled->subset_count,
             (long long)dataset_count(evaluation->train), 100 * labelled_share(evaluation, labelled),
             (long long)labelled->epochs);
    const int64_t step = run->from ? checkpoint_state(run->from)->step : 0;
    status = run_folder_start(&labelled->folder, session, evaluation->train, step, error);
    return status ? status : run_folder_write_numbering(&labelled->folder, evaluation->train, error);
}

int supervised_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    struct supervised_run *run = evaluation->state = memory_allocate(sizeof *run);
    if (!run) return error_no_memory(error, "a supervised run", sizeof *run);
    struct labelled *labelled = &run->labelled;
    labelled->folder.lock = -1;
    int status = labelled_open_folder(evaluation, labelled, error);
    session = evaluation->session;
    if (!status) status = labelled_open_training_images(evaluation, labelled, error);
    if (!status) status = session_resolve_size(session, evaluation->train, error);
    if (!status) status = session_view_policy(session, &run->policy, error);
    if (!status) status = session_model_config(session, 0, &run->network, error);
    if (!status) status = labelled_open_images(evaluation, labelled, error);
    return status ? status : supervised_begin(evaluation, error);
}

void supervised_end(struct supervised_run *run, int status, const struct error *error)
{
    checkpoint_close(&run->from);
    labelled_close(&run->labelled, status, error);
}

void supervised_close(struct evaluation *evaluation, int status, const struct error *error)
{
    struct supervised_run *run = evaluation->state;
    if (!run) return;
    supervised_end(run, status, error);
    memory_free(run);
    evaluation->state = NULL;
}

/* ---- training and testing -------------------------------------------------------------------------------------- */

int supervised_learn(struct evaluation *evaluation, struct error *error)
{
    struct supervised_run *run = evaluation->state;
    struct labelled *labelled = &run->labelled;
    struct supervised_result result;
    const struct config *config = evaluation->session->config;
    const struct supervised job = {.session = evaluation->session,
                                   .phase = "supervised",
                                   .model = labelled->model,
                                   .policy = &run->policy,
                                   .as_policy = strcmp(config->training_views, "simclr") == 0,
                                   .dataset = evaluation->train,
                                   .subset = labelled->subset,
                                   .subset_count = labelled->subset_count,
                                   .batch = config->batch,
                                   .epochs = labelled->epochs,
                                   .metrics = &labelled->folder.metrics,
                                   .folder = &labelled->folder,
                                   .from = run->from};
    int status = supervised_train(&job, &result, error);
    if (!status)
        status = run_folder_export(&labelled->folder, labelled->model, NULL, &run->policy,
                                   result.steps - result.skipped, error);
    return status ? status : labelled_write_classifier(evaluation, labelled, &run->policy, error);
}

int supervised_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                     struct error *error)
{
    const struct supervised_run *run = evaluation->state;
    int status = supervised_learn(evaluation, error);
    if (!status) status = labelled_test(evaluation, source, &run->policy, out, error);
    if (!status)
        evaluation->encoders[SOURCE_TRAINED].hash_before = parameters_encoder_hash(&run->labelled.model->parameters);
    return status;
}

/* ---- the results ------------------------------------------------------------------------------------------------ */

void supervised_facts(const struct evaluation *evaluation, struct text *json)
{
    const struct supervised_run *run = evaluation->state;
    labelled_facts(evaluation, &run->labelled, json);
    text_json_string(json, "training_views", evaluation->session->config->training_views);
}

void supervised_close_table(const struct evaluation *evaluation)
{
    const struct labelled *run = evaluation->state; /* its first member */
    session_print(evaluation->session, "%u labels of %lld images, %lld epochs, tested on %lld images\n",
                  run->subset_count, (long long)dataset_count(evaluation->train), (long long)run->epochs,
                  (long long)dataset_count(evaluation->test));
    session_print(evaluation->session, "encoder      %s/exported/encoder.safetensors\n", run->folder.path);
    session_print(evaluation->session, "checkpoints  %s/checkpoints\n", run->folder.path);
}
