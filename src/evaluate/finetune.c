/* evaluate/finetune.c -- the protocol of the method's second phase (method.md section 6). A linear classifier on h, or
 * on a layer of the head, and the whole network are trained on some of the labels, beside the same from random weights.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "evaluate/labelled.h"
#include "evaluate/protocols.h"
#include "run/outputs.h"
#include "run/settings.h"
#include "train/record.h"
#include "train/supervised.h"

/* The name of a training in metrics, log and checkpoints. */
static const char *name_of(enum evaluation_source source)
{
    return source == SOURCE_UNTRAINED ? "random" : "finetune";
}

/* What is trained, in this order: one after the other, in one folder. */
enum { TRAININGS = 2 };
static const enum evaluation_source ORDER[TRAININGS] = {SOURCE_TRAINED, SOURCE_UNTRAINED};

struct finetune_run {
    struct labelled labelled;           /* first: its address is the run's */
    uint64_t origin;                    /* hash of the encoder that is fine-tuned */
    struct checkpoint *from[TRAININGS]; /* to go on from, or finished; NULL: to be trained from its start */
};

static int number_of(enum evaluation_source source)
{
    return source == ORDER[0] ? 0 : 1;
}

/* checkpoints/finetune.safetensors (memory_free). */
static char *file_of(const struct finetune_run *run, enum evaluation_source source)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoints/%s.safetensors", name_of(source));
    return file_join(run->labelled.folder.path, name);
}

/* ---- preparation -------------------------------------------------------------------------------------------- */

int finetune_check_cut(const struct evaluation *evaluation, enum evaluation_source source, const char *path,
                       struct error *error)
{
    const struct config *config = evaluation->session->config;
    const struct model_config *model = &evaluation->encoders[source].model->config;
    const int layers = model_layers(model);
    if (config->cut_layer <= layers) return SIMCLR_OK;
    if (layers == 0)
        return error_set(
            error, SIMCLR_INVALID,
            "--cut-layer %d: %s has no projection head (an exported encoder has none): give the run's folder "
            "or one of its checkpoints, or leave --cut-layer out",
            (int)config->cut_layer, path);
    return error_set(error, SIMCLR_INVALID, "--cut-layer %d: the head in %s has %d layer%s: give a number up to that",
                     (int)config->cut_layer, path, layers, layers == 1 ? "" : "s");
}

/* What the trained encoder and its head lend the network that is fine-tuned. */
static int open_encoder(struct evaluation *evaluation, struct error *error)
{
    const char *path = evaluation->session->config->checkpoint;
    const int status = evaluation_open_trained(evaluation, path, error);
    return status ? status : finetune_check_cut(evaluation, SOURCE_TRAINED, path, error);
}

int64_t finetune_epochs(const struct config *config, double share)
{
    if (config->epochs > 0) return config->epochs;
    return share <= 0.05 ? 60 : 30;
}

/* ---- going on ------------------------------------------------------------------------------------------------ */

static struct training_record record_of(const struct evaluation *evaluation)
{
    const struct finetune_run *run = evaluation->state;
    return (struct training_record){.config = evaluation->session->config,
                                    .dataset = evaluation->train,
                                    .policy = &evaluation->encoders[SOURCE_TRAINED].policy,
                                    .folder = run->labelled.folder.path,
                                    .origin = run->origin};
}

static int check_start(const struct evaluation *evaluation, const struct checkpoint *from, struct error *error)
{
    struct config *before;
    const struct training_record record = record_of(evaluation);
    const struct checkpoint_state *state = checkpoint_state(from);
    if (!state->fingerprint)
        return error_set(error, SIMCLR_INVALID,
                         "%s holds a run of an earlier version, which does not say what it was made of: choose another "
                         "--out, or --overwrite it",
                         record.folder);
    int status = record_read_options(&record, state, &before, error);
    if (!status && before) status = record_check_options(&record, before, error);
    config_destroy(&before);
    return status ? status : record_check_images(&record, state, error);
}

static int64_t step_of(const struct finetune_run *run, int training)
{
    return run->from[training] ? checkpoint_state(run->from[training])->step : 0;
}

static int64_t all_steps(const struct evaluation *evaluation)
{
    const struct labelled *run = evaluation->state;
    const int64_t batch = supervised_batch(evaluation->session->config->batch, run->subset_count);
    return run->subset_count / batch * run->epochs;
}

/* One that is there and whole. */
static int open_start(const struct evaluation *evaluation, enum evaluation_source source, struct checkpoint **out,
                      struct error *error)
{
    struct error reason = {0};
    const struct finetune_run *run = evaluation->state;
    char *file = file_of(run, source);
    if (!file) return error_no_memory(error, "a path", 64);
    int status = file_exists(file) ? checkpoint_open(out, file, &reason) : SIMCLR_OK;
    memory_free(file);
    if (status == SIMCLR_CORRUPT) {
        log_warning(&evaluation->session->log, "a damaged checkpoint is skipped: %s", reason.text);
        return SIMCLR_OK;
    }
    if (status && error) *error = reason;
    return status ? status : *out ? check_start(evaluation, *out, error) : SIMCLR_OK;
}

/* Is it the folder of a run of another command? */
static int refuse_other(const struct evaluation *evaluation, struct error *error)
{
    const struct labelled *run = evaluation->state;
    const struct session *session = evaluation->session;
    struct checkpoint *other = NULL;
    const int status = run_folder_newest(run->folder.path, &session->log, &other, error);
    const bool found = other != NULL;
    checkpoint_close(&other);
    if (status || !found) return status;
    return error_set(error, SIMCLR_INVALID, "%s holds another run: choose another --out, or --overwrite it",
                     session->config->out);
}

/* The second training counts only where the first is finished. */
static int find_start(struct evaluation *evaluation, struct error *error)
{
    struct finetune_run *run = evaluation->state;
    const struct session *session = evaluation->session;
    int status = refuse_other(evaluation, error);
    for (int i = 0; !status && i < TRAININGS; i++) {
        status = open_start(evaluation, ORDER[i], &run->from[i], error);
        if (status || step_of(run, i) < all_steps(evaluation)) break;
    }
    if (!status && !run->from[0] && session->config->resume)
        return error_set(error, SIMCLR_INVALID,
                         "%s has no checkpoint to resume from: leave --resume out to start there",
                         session->config->out);
    return status;
}

/* The metrics go on with the training that is under way, behind those that are finished. */
static int start_folder(struct evaluation *evaluation, struct error *error)
{
    struct finetune_run *run = evaluation->state;
    struct run_folder *folder = &run->labelled.folder;
    const int training = run->from[0] && step_of(run, 0) >= all_steps(evaluation) ? 1 : 0;
    if (training > 0) folder->phase = name_of(ORDER[training]);
    const int status = run_folder_start(folder, evaluation->session, evaluation->train, step_of(run, training), error);
    return status ? status : run_folder_write_numbering(folder, evaluation->train, error);
}

static int open_images(struct evaluation *evaluation, struct error *error)
{
    struct labelled *run = evaluation->state;
    const int status = labelled_open_training_images(evaluation, run, error);
    return status ? status : labelled_open_images(evaluation, run, error);
}

int finetune_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    const struct config *config = session->config;
    struct finetune_run *finetune = evaluation->state = memory_allocate(sizeof *finetune);
    if (!finetune) return error_no_memory(error, "fine-tuning", sizeof *finetune);
    struct labelled *run = &finetune->labelled;
    run->folder.lock = -1;
    int status = labelled_open_folder(evaluation, run, error);
    if (!status && config->overwrite) status = outputs_check_overwrite(config, config->out, error);
    if (status) return status;
    session = evaluation->session;
    status = open_encoder(evaluation, error);
    if (!status) status = open_images(evaluation, error);
    if (status) return status;
    finetune->origin = parameters_encoder_hash(&evaluation->encoders[SOURCE_TRAINED].model->parameters);
    const double share = labelled_share(evaluation, run);
    run->epochs = finetune_epochs(config, share);
    status = session_resolve_number(session, "epochs", (double)run->epochs, error);
    if (status) return status;
    log_info(&session->log, "%u labelled images of %lld (%.3g %%), %lld epochs", run->subset_count,
             (long long)dataset_count(evaluation->train), 100 * share, (long long)run->epochs);
    if (config->overwrite) run_folder_clear(&run->folder);
    status = find_start(evaluation, error);
    return status ? status : start_folder(evaluation, error);
}

void finetune_close(struct evaluation *evaluation, int status, const struct error *error)
{
    struct finetune_run *run = evaluation->state;
    if (!run) return;
    for (int i = 0; i < TRAININGS; i++) checkpoint_close(&run->from[i]);
    labelled_close(&run->labelled, status, error);
    memory_free(run);
    evaluation->state = NULL;
}

/* Fresh weights from the seed, then those of the encoder and of the kept layers of its head where training starts from
 * them. The classifier is fresh either way. */
static int create_model(struct evaluation *evaluation, enum evaluation_source source, struct error *error)
{
    struct labelled *run = evaluation->state;
    const struct config *options = evaluation->session->config;
    const struct model *encoder = evaluation->encoders[source == SOURCE_UNTRAINED ? SOURCE_TRAINED : source].model;
    struct model_config config = encoder->config;
    config.classes = dataset_classes(evaluation->train);
    config.cut = (int)options->cut_layer;
    int status = model_create(&run->model, &config, evaluation->session->backend, (uint64_t)options->seed, error);
    if (!status) status = labelled_silence_untaught(evaluation, run, error);
    if (status) return status;
    model_slow_early_blocks(run->model, options->layer_decay);
    if (source == SOURCE_UNTRAINED) return SIMCLR_OK;
    const struct parameters *from = &encoder->parameters, *to = &run->model->parameters;
    for (int i = 0; i < to->count; i++) {
        if (to->items[i].flags & PARAMETER_CLASSIFIER) continue;
        const int at = parameters_find(from, to->items[i].name);
        if (at < 0 || from->items[at].count != to->items[i].count)
            return error_set(error, SIMCLR_CORRUPT, "%s: lacks the tensor %s", options->checkpoint, to->items[i].name);
        const size_t count = to->items[i].count;
        parameters_put(to, parameter_weights(to, i), parameters_look(from, parameter_weights(from, at), count), count);
    }
    return SIMCLR_OK;
}

/* ---- training and testing -------------------------------------------------------------------------------------- */

/* The finished network, without the optimiser. */
static int save(const struct evaluation *evaluation, const char *file, const struct supervised_result *result,
                struct error *error)
{
    const struct labelled *run = evaluation->state;
    const struct training_record record = record_of(evaluation);
    const int64_t batch = supervised_batch(evaluation->session->config->batch, run->subset_count);
    const struct checkpoint_state state = {
        .step = result->steps, .epoch = run->epochs, .best_knn = -1, .images_seen = result->steps * batch};
    return record_write(&record, file, run->model, NULL, &state, error);
}

int finetune_train(struct evaluation *evaluation, enum evaluation_source source, const struct finetune_keep *keep,
                   struct supervised_result *result, struct error *error)
{
    struct labelled *run = evaluation->state;
    const int64_t batch = evaluation->session->config->batch;
    const int64_t steps_per_epoch = run->subset_count / supervised_batch(batch, run->subset_count);
    const int status = create_model(evaluation, source, error);
    if (status) return status;
    struct supervised job = {.session = evaluation->session,
                             .phase = name_of(source),
                             .model = run->model,
                             .policy = &evaluation->encoders[source].policy,
                             .dataset = evaluation->train,
                             .subset = run->subset,
                             .subset_count = run->subset_count,
                             .batch = batch,
                             .epochs = run->epochs,
                             .statistics_share = supervised_statistics_share(steps_per_epoch)};
    if (keep) {
        job.metrics = &keep->folder->metrics;
        job.folder = keep->folder;
        job.file = keep->file;
        job.origin = keep->origin;
        job.from = keep->from;
    }
    return supervised_train(&job, result, error);
}

/* One that was trained to its end before. */
static int take_finished(struct evaluation *evaluation, enum evaluation_source source, const struct checkpoint *from,
                         struct supervised_result *result, struct error *error)
{
    const struct labelled *run = evaluation->state;
    const int status = create_model(evaluation, source, error);
    if (status) return status;
    *result = (struct supervised_result){.steps = checkpoint_state(from)->step};
    log_info(&evaluation->session->log, "%s: it was trained to its end before", name_of(source));
    return checkpoint_restore(from, run->model, NULL, false, error);
}

int finetune_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out, struct error *error)
{
    struct finetune_run *run = evaluation->state;
    const int training = number_of(source);
    struct supervised_result result;
    char *file = file_of(run, source);
    if (!file) return error_no_memory(error, "a path", 64);
    const struct finetune_keep keep = {&run->labelled.folder, file, run->origin, run->from[training]};
    const bool finished = keep.from && step_of(run, training) >= all_steps(evaluation);
    int status = finished ? take_finished(evaluation, source, keep.from, &result, error)
                          : finetune_train(evaluation, source, &keep, &result, error);
    if (!status) status = save(evaluation, file, &result, error);
    if (!status) status = labelled_test(evaluation, source, &evaluation->encoders[source].policy, out, error);
    if (!status && source == SOURCE_TRAINED)
        status = labelled_write_classifier(evaluation, &run->labelled, &evaluation->encoders[source].policy, error);
    model_destroy(&run->labelled.model);
    memory_free(file);
    return status;
}

/* ---- the results ------------------------------------------------------------------------------------------------ */

void finetune_facts(const struct evaluation *evaluation, struct text *json)
{
    const struct config *config = evaluation->session->config;
    labelled_facts(evaluation, evaluation->state, json);
    text_json_integer(json, "cut_layer", config->cut_layer);
    text_json_number(json, "layer_decay", config->layer_decay);
}

void finetune_close_table(const struct evaluation *evaluation)
{
    const struct labelled *run = evaluation->state;
    session_print(evaluation->session,
                  "%u labels of %lld images, %lld epochs, tested on %lld images; network in %s/checkpoints\n",
                  run->subset_count, (long long)dataset_count(evaluation->train), (long long)run->epochs,
                  (long long)dataset_count(evaluation->test), run->folder.path);
}
