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

/* ---- preparation -------------------------------------------------------------------------------------------- */

static int refuse_run(const struct evaluation *evaluation, const struct labelled *run, struct error *error)
{
    const struct config *config = evaluation->session->config;
    if (!run_folder_holds_run(&run->folder)) return SIMCLR_OK;
    if (config->overwrite) return outputs_check_overwrite(config, config->out, error);
    return error_set(error, SIMCLR_INVALID, "%s holds another run: choose another --out, or --overwrite it",
                     config->out);
}

/* --cut-layer keeps layers that the checkpoint must have. */
static int check_cut(const struct evaluation *evaluation, struct error *error)
{
    const struct config *config = evaluation->session->config;
    const struct model_config *model = &evaluation->encoders[SOURCE_TRAINED].model->config;
    const int layers = model_layers(model);
    if (config->cut_layer <= layers) return SIMCLR_OK;
    if (layers == 0)
        return error_set(
            error, SIMCLR_INVALID,
            "--cut-layer %d: %s has no projection head (an exported encoder has none): give the run's folder "
            "or one of its checkpoints, or leave --cut-layer out",
            (int)config->cut_layer, config->checkpoint);
    return error_set(error, SIMCLR_INVALID, "--cut-layer %d: the head in %s has %d layer%s: give a number up to that",
                     (int)config->cut_layer, config->checkpoint, layers, layers == 1 ? "" : "s");
}

/* What the trained encoder and its head lend the network that is fine-tuned. */
static int open_encoder(struct evaluation *evaluation, struct error *error)
{
    const int status = evaluation_open_trained(evaluation, evaluation->session->config->checkpoint, error);
    return status ? status : check_cut(evaluation, error);
}

int64_t finetune_epochs(const struct config *config, double share)
{
    if (config->epochs > 0) return config->epochs;
    return share <= 0.05 ? 60 : 30;
}

int finetune_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    const struct config *config = session->config;
    struct labelled *run = evaluation->state = memory_allocate(sizeof *run);
    if (!run) return error_no_memory(error, "fine-tuning", sizeof *run);
    run->folder.lock = -1;
    int status = labelled_open_folder(evaluation, run, error);
    if (!status) status = refuse_run(evaluation, run, error);
    if (status) return status;
    session = evaluation->session;
    status = open_encoder(evaluation, error);
    if (!status) status = session_open_dataset(session, config->data, DATASET_TRAIN, &evaluation->train, error);
    if (!status) status = labelled_open_images(evaluation, run, error);
    if (status) return status;
    const double share = labelled_share(evaluation, run);
    run->epochs = finetune_epochs(config, share);
    status = session_resolve_number(session, "epochs", (double)run->epochs, error);
    if (status) return status;
    log_info(&session->log, "%u labelled images of %lld (%.3g %%), %lld epochs", run->subset_count,
             (long long)dataset_count(evaluation->train), 100 * share, (long long)run->epochs);
    if (config->overwrite) run_folder_clear(&run->folder);
    return run_folder_start(&run->folder, session, evaluation->train, 0, error);
}

void finetune_close(struct evaluation *evaluation, int status, const struct error *error)
{
    struct labelled *run = evaluation->state;
    if (!run) return;
    labelled_close(run, status, error);
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

static int save(const struct evaluation *evaluation, enum evaluation_source source,
                const struct supervised_result *result, struct error *error)
{
    const struct labelled *run = evaluation->state;
    const struct config *config = evaluation->session->config;
    const int64_t batch = supervised_batch(config->batch, run->subset_count);
    const struct training_record record = {
        .config = config, .policy = &evaluation->encoders[SOURCE_TRAINED].policy, .folder = run->folder.path};
    const struct checkpoint_state state = {
        .step = result->steps, .epoch = run->epochs, .best_knn = -1, .images_seen = result->steps * batch};
    char name[64];
    snprintf(name, sizeof name, "checkpoints/%s.safetensors", name_of(source));
    char *path = file_join(run->folder.path, name);
    const int status = record_write(&record, path, run->model, NULL, &state, error);
    memory_free(path);
    return status;
}

int finetune_train(struct evaluation *evaluation, enum evaluation_source source, struct metrics *metrics,
                   struct supervised_result *result, struct error *error)
{
    struct labelled *run = evaluation->state;
    const int64_t batch = evaluation->session->config->batch;
    const int64_t steps_per_epoch = run->subset_count / supervised_batch(batch, run->subset_count);
    const int status = create_model(evaluation, source, error);
    if (status) return status;
    const struct supervised job = {.session = evaluation->session,
                                   .phase = name_of(source),
                                   .model = run->model,
                                   .policy = &evaluation->encoders[source].policy,
                                   .dataset = evaluation->train,
                                   .subset = run->subset,
                                   .subset_count = run->subset_count,
                                   .batch = batch,
                                   .epochs = run->epochs,
                                   .statistics_share = supervised_statistics_share(steps_per_epoch),
                                   .metrics = metrics};
    return supervised_train(&job, result, error);
}

int finetune_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out, struct error *error)
{
    struct labelled *run = evaluation->state;
    struct supervised_result result;
    int status = finetune_train(evaluation, source, &run->folder.metrics, &result, error);
    if (!status) status = save(evaluation, source, &result, error);
    if (!status) status = labelled_test(evaluation, source, &evaluation->encoders[source].policy, out, error);
    model_destroy(&run->model);
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
