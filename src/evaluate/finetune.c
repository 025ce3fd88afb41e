/* evaluate/finetune.c -- the protocol of the method's second phase: a linear classifier on h and the whole network,
 * trained on a share of the labels, beside the same training from random weights (method.md section 6). */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rank.h"
#include "evaluate/label_share.h"
#include "evaluate/protocols.h"
#include "run/model_open.h"
#include "run/run_folder.h"
#include "run/settings.h"
#include "train/supervised.h"

struct finetune {
    struct session own; /* the command's, whose log goes to the folder too */
    struct run_folder folder;
    struct model *model; /* being trained: the encoder with a classifier */
    uint32_t *subset;    /* the labelled images */
    uint32_t subset_count;
    int64_t epochs;
};

/* The name of a training in metrics, log and checkpoints. */
static const char *name_of(enum evaluation_source source)
{
    return source == SOURCE_TRAINED ? "finetune" : "random";
}

/* ---- preparation -------------------------------------------------------------------------------------------- */

/* A class with training images of which none may be used as labelled ones is never learned. */
static int warn_of_classes(const struct evaluation *evaluation, const struct finetune *run, struct error *error)
{
    enum { THERE = 1, LABELLED = 2 };
    const struct dataset *train = evaluation->train;
    const int classes = dataset_classes(train);
    uint8_t *seen = memory_array((size_t)classes, sizeof *seen);
    if (!seen) return error_no_memory(error, "the classes that have labels", (size_t)classes);
    for (int64_t i = 0; i < dataset_count(train); i++)
        if (dataset_label(train, i) >= 0) seen[dataset_label(train, i)] |= THERE;
    for (uint32_t i = 0; i < run->subset_count; i++)
        if (dataset_label(train, run->subset[i]) >= 0) seen[dataset_label(train, run->subset[i])] |= LABELLED;
    int without = 0, first = -1;
    for (int c = 0; c < classes; c++) {
        if (seen[c] != THERE) continue;
        if (without++ == 0) first = c;
    }
    if (without > 0)
        log_warning(&evaluation->session->log,
                    "finetune: %d of %d classes have no image among the labelled ones (%.80s%s): their test images can "
                    "only be wrong",
                    without, classes, dataset_class_name(train, first), without == 1 ? "" : " and so on");
    memory_free(seen);
    return SIMCLR_OK;
}

static int open_data(struct evaluation *evaluation, struct error *error)
{
    struct session *session = evaluation->session;
    struct finetune *run = evaluation->state;
    const struct config *config = session->config;
    int status = session_open_dataset(session, config->data, DATASET_TRAIN, &evaluation->train, error);
    if (status) return status;
    status = session_open_matched_test(session, evaluation->train, &evaluation->test, error);
    if (status) return status;
    const struct dataset *train = evaluation->train;
    if (!evaluation->test)
        return error_set(error, SIMCLR_DATA, "%s: has no test part: name the images to test on with --test-data",
                         config->data);
    if (dataset_classes(train) > 0 && dataset_classes(evaluation->test) == 0)
        return error_set(error, SIMCLR_DATA, "%s: the test images have no labels: there is nothing to score",
                         dataset_description(evaluation->test));
    if (dataset_classes(train) == 1)
        return error_set(error, SIMCLR_DATA, "%s: has one class only: there is nothing to tell apart", config->data);
    status = label_share_choose(train, config->labels, (uint64_t)config->seed, &run->subset, &run->subset_count, error);
    return status ? status : warn_of_classes(evaluation, run, error);
}

static int open_folder(struct evaluation *evaluation, struct finetune *run, struct error *error)
{
    const struct session *outer = evaluation->session;
    const int status = run_folder_open(&run->folder, &outer->log, outer->config->out, error);
    run->own = session_derive(outer, NULL, run->folder.log);
    evaluation->session = &run->own;
    if (status) return status;
    if (run_folder_holds_run(&run->folder) && !outer->config->overwrite)
        return error_set(error, SIMCLR_INVALID, "%s holds another run: choose another --out, or --overwrite it",
                         outer->config->out);
    return SIMCLR_OK;
}

int finetune_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    const struct config *config = session->config;
    struct finetune *run = evaluation->state = memory_allocate(sizeof *run);
    if (!run) return error_no_memory(error, "fine-tuning", sizeof *run);
    run->folder.lock = -1;
    int status = open_folder(evaluation, run, error);
    if (status) return status;
    session = evaluation->session;
    status = evaluation_open_trained(evaluation, config->checkpoint, error);
    if (status) return status;
    status = open_data(evaluation, error);
    if (status) return status;
    const double share = (double)run->subset_count / (double)dataset_count(evaluation->train);
    run->epochs = config->epochs > 0 ? config->epochs : share <= 0.05 ? 60 : 30;
    status = session_resolve_number(session, "epochs", (double)run->epochs, error);
    if (status) return status;
    log_info(&session->log, "%u labelled images of %lld (%.3g %%), %lld epochs", run->subset_count,
             (long long)dataset_count(evaluation->train), 100 * share, (long long)run->epochs);
    if (config->overwrite) run_folder_clear(&run->folder);
    return run_folder_start(&run->folder, session, evaluation->train, 0, error);
}

void finetune_close(struct evaluation *evaluation, int status, const struct error *error)
{
    struct finetune *run = evaluation->state;
    if (!run) return;
    if (status && error)
        run_folder_note(&run->folder, status == SIMCLR_INTERRUPTED ? LOG_INFO : LOG_ERROR, error->text);
    model_destroy(&run->model);
    memory_free(run->subset);
    run_folder_close(&run->folder);
    memory_free(run);
    evaluation->state = NULL;
}

/* Fresh weights from the seed, then the encoder's where training starts from it. The classifier is fresh either way. */
static int create_model(struct evaluation *evaluation, enum evaluation_source source, struct error *error)
{
    struct finetune *run = evaluation->state;
    const struct model *encoder = evaluation->encoders[SOURCE_TRAINED].model;
    struct model_config config = encoder->config;
    config.classes = dataset_classes(evaluation->train);
    int status = model_create(&run->model, &config, evaluation->session->backend,
                              (uint64_t)evaluation->session->config->seed, error);
    if (status != SIMCLR_OK || source != SOURCE_TRAINED) return status;
    const struct parameters *from = &encoder->parameters, *to = &run->model->parameters;
    for (int i = 0; i < to->count; i++) {
        if (to->items[i].flags & PARAMETER_HEAD) continue;
        const int at = parameters_find(from, to->items[i].name);
        if (at < 0 || from->items[at].count != to->items[i].count)
            return error_set(error, SIMCLR_CORRUPT, "%s: lacks the tensor %s", evaluation->session->config->checkpoint,
                             to->items[i].name);
        const size_t count = to->items[i].count;
        parameters_put(to, parameter_weights(to, i), parameters_look(from, parameter_weights(from, at), count), count);
    }
    return SIMCLR_OK;
}

/* ---- training and testing -------------------------------------------------------------------------------------- */

static int test(struct evaluation *evaluation, struct score *out, struct error *error)
{
    const struct finetune *run = evaluation->state;
    struct features logits;
    const struct features_request request = {.kind = FEATURES_LOGITS,
                                             .model = run->model,
                                             .policy = &evaluation->encoders[SOURCE_TRAINED].policy,
                                             .dataset = evaluation->test};
    const int status = features_extract(evaluation->session, &request, &logits, error);
    if (status) return status;
    *out = score_none();
    out->done = true;
    for (int64_t i = 0; i < logits.count; i++)
        if (logits.labels[i] >= 0)
            score_count(out, rank_of_label(logits.values + i * logits.dim, logits.dim, logits.labels[i]));
    features_free(&logits);
    return SIMCLR_OK;
}

static int save(const struct evaluation *evaluation, enum evaluation_source source, struct error *error)
{
    const struct finetune *run = evaluation->state;
    const struct view_policy *policy = &evaluation->encoders[SOURCE_TRAINED].policy;
    char name[64];
    char *yaml = config_to_yaml(evaluation->session->config, CONFIG_REPEATABLE);
    const struct config *config = evaluation->session->config;
    const int64_t batch = supervised_batch(config->batch, run->subset_count);
    const int64_t steps = run->subset_count / batch * run->epochs;
    struct checkpoint_state state = {.step = steps,
                                     .epoch = run->epochs,
                                     .seed = (uint64_t)config->seed,
                                     .config_yaml = yaml,
                                     .best_knn = -1,
                                     .images_seen = steps * batch};
    for (int i = 0; i < 3 && policy->normalize; i++) {
        state.mean[i] = (float)policy->mean[i];
        state.std[i] = (float)policy->std[i];
    }
    snprintf(name, sizeof name, "checkpoints/%s.safetensors", name_of(source));
    char *path = file_join(run->folder.path, name);
    const int status = path == NULL || yaml == NULL ? error_no_memory(error, "a checkpoint", 4096)
                                                    : checkpoint_write(path, run->model, NULL, &state, error);
    memory_free(path);
    memory_free(yaml);
    return status;
}

static int train(struct evaluation *evaluation, enum evaluation_source source, struct error *error)
{
    struct finetune *run = evaluation->state;
    const struct supervised job = {.session = evaluation->session,
                                   .phase = name_of(source),
                                   .model = run->model,
                                   .policy = &evaluation->encoders[SOURCE_TRAINED].policy,
                                   .dataset = evaluation->train,
                                   .subset = run->subset,
                                   .subset_count = run->subset_count,
                                   .batch = evaluation->session->config->batch,
                                   .epochs = run->epochs,
                                   .metrics = &run->folder.metrics};
    return supervised_train(&job, error);
}

int finetune_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out, struct error *error)
{
    struct finetune *run = evaluation->state;
    int status = create_model(evaluation, source, error);
    if (!status) status = train(evaluation, source, error);
    if (!status) status = save(evaluation, source, error);
    if (!status) status = test(evaluation, out, error);
    model_destroy(&run->model);
    return status;
}

/* ---- the results ------------------------------------------------------------------------------------------------ */

void finetune_facts(const struct evaluation *evaluation, struct text *json)
{
    const struct finetune *run = evaluation->state;
    text_json_string(json, "labels", evaluation->session->config->labels);
    text_json_integer(json, "labelled_images", run->subset_count);
    text_json_integer(json, "epochs", run->epochs);
}

void finetune_close_table(const struct evaluation *evaluation)
{
    const struct finetune *run = evaluation->state;
    session_print(evaluation->session,
                  "%u labels of %lld images, %lld epochs, tested on %lld images; network in %s/checkpoints\n",
                  run->subset_count, (long long)dataset_count(evaluation->train), (long long)run->epochs,
                  (long long)dataset_count(evaluation->test), run->folder.path);
}
