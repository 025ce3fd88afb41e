/* train/finetune.c -- the method's second phase: a linear classifier on h and the whole network, trained on a share of
 * the labels, beside the same training from random weights (method.md section 6). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rank.h"
#include "run/features.h"
#include "run/model_open.h"
#include "run/run_folder.h"
#include "run/settings.h"
#include "train/commands.h"
#include "train/labels.h"
#include "train/score.h"
#include "train/supervised.h"

enum { START_TRAINED, START_RANDOM, STARTS };
static const char *const start_names[STARTS] = {"finetune", "random"};

struct finetune {
    struct session *session; /* `own` */
    struct session own;      /* the command's, whose log goes to the folder too */
    struct run_folder folder;
    struct dataset *train, *test;
    struct view_policy policy;
    struct model *encoder; /* as it was pretrained */
    struct model *model;   /* being trained: the encoder with a classifier */
    uint32_t *subset;
    uint32_t subset_count;
    int64_t epochs;
    struct score results[STARTS];
};

/* ---- preparation -------------------------------------------------------------------------------------------- */

static int open_data(struct finetune *run, struct error *error)
{
    struct session *session = run->session;
    const struct config *config = session->config;
    int status = session_open_dataset(session, config->data, DATASET_TRAIN, &run->train, error);
    if (status == SIMCLR_OK) status = session_open_test(session, &run->test, error);
    if (status != SIMCLR_OK) return status;
    if (run->test == NULL)
        return error_set(error, SIMCLR_DATA, "%s: has no test part: name the images to test on with --test-data",
                         config->data);
    if (dataset_classes(run->train) != dataset_classes(run->test))
        return error_set(error, SIMCLR_DATA,
                         "%d classes to train on, but %d to test on: give both parts the same classes",
                         dataset_classes(run->train), dataset_classes(run->test));
    if (dataset_classes(run->train) == 1)
        return error_set(error, SIMCLR_DATA, "%s: has one class only: there is nothing to tell apart", config->data);
    return labels_choose(run->train, config->labels, (uint64_t)config->seed, &run->subset, &run->subset_count, error);
}

static int open_all(struct finetune *run, const struct session *outer, struct error *error)
{
    const struct config *config = outer->config;
    int status = run_folder_open(&run->folder, &outer->log, config->out, error);
    run->own = session_derive(outer, NULL, run->folder.log);
    struct session *session = run->session = &run->own;
    if (status == SIMCLR_OK && run_folder_holds_run(&run->folder) && !config->overwrite)
        status = error_set(error, SIMCLR_INVALID, "%s holds another run: choose another --out, or --overwrite it",
                           config->out);
    if (status == SIMCLR_OK) status = model_open(session, config->checkpoint, &run->encoder, &run->policy, error);
    if (status == SIMCLR_OK) status = open_data(run, error);
    if (status != SIMCLR_OK) return status;
    const double share = (double)run->subset_count / (double)dataset_count(run->train);
    run->epochs = config->epochs > 0 ? config->epochs : share <= 0.05 ? 60 : 30;
    status = session_resolve_number(session, "epochs", (double)run->epochs, error);
    if (status != SIMCLR_OK) return status;
    log_info(&session->log, "%u labelled images of %lld (%.3g %%), %lld epochs", run->subset_count,
             (long long)dataset_count(run->train), 100 * share, (long long)run->epochs);
    if (config->overwrite) run_folder_clear(&run->folder);
    return run_folder_start(&run->folder, session, run->train, 0, error);
}

static void close_all(struct finetune *run)
{
    model_destroy(&run->model);
    model_destroy(&run->encoder);
    memory_free(run->subset);
    dataset_close(&run->train);
    dataset_close(&run->test);
    run_folder_close(&run->folder);
}

/* Fresh weights from the seed, then the encoder's where training starts from it. The classifier is fresh either way. */
static int create_model(struct finetune *run, int start, struct error *error)
{
    struct model_config config = run->encoder->config;
    config.classes = dataset_classes(run->train);
    int status = model_create(&run->model, &config, (uint64_t)run->session->config->seed, error);
    if (status != SIMCLR_OK || start == START_RANDOM) return status;
    const struct parameters *from = &run->encoder->parameters, *to = &run->model->parameters;
    for (int i = 0; i < to->count; i++) {
        if (to->items[i].flags & PARAMETER_HEAD) continue;
        const int source = parameters_find(from, to->items[i].name);
        if (source < 0 || from->items[source].count != to->items[i].count)
            return error_set(error, SIMCLR_CORRUPT, "%s: lacks the tensor %s", run->session->config->checkpoint,
                             to->items[i].name);
        memcpy(parameter_weights(to, i), parameter_weights(from, source), to->items[i].count * sizeof(float));
    }
    return SIMCLR_OK;
}

/* ---- training and testing -------------------------------------------------------------------------------------- */

static int test(struct finetune *run, struct score *out, struct error *error)
{
    struct features logits;
    const struct features_request request = {FEATURES_LOGITS, run->model, &run->policy, run->test, 0};
    const int status = features_extract(run->session, &request, &logits, error);
    if (status != SIMCLR_OK) return status;
    *out = (struct score){.done = true, .l2 = -1, .held_out_top1 = -1};
    for (int64_t i = 0; i < logits.count; i++)
        if (logits.labels[i] >= 0)
            score_count(out, rank_of_label(logits.values + i * logits.dim, logits.dim, logits.labels[i]));
    features_free(&logits);
    return SIMCLR_OK;
}

static int save(const struct finetune *run, int start, struct error *error)
{
    char name[64];
    char *yaml = config_to_yaml(run->session->config, CONFIG_REPEATABLE);
    const struct config *config = run->session->config;
    const int64_t batch = supervised_batch(config->batch, run->subset_count);
    const int64_t steps = run->subset_count / batch * run->epochs;
    struct checkpoint_state state = {.step = steps,
                                     .epoch = run->epochs,
                                     .seed = (uint64_t)config->seed,
                                     .config_yaml = yaml,
                                     .best_knn = -1,
                                     .images_seen = steps * batch};
    for (int i = 0; i < 3 && run->policy.normalize; i++) {
        state.mean[i] = (float)run->policy.mean[i];
        state.std[i] = (float)run->policy.std[i];
    }
    snprintf(name, sizeof name, "checkpoints/%s.safetensors", start_names[start]);
    char *path = file_join(run->folder.path, name);
    const int status = path == NULL || yaml == NULL ? error_no_memory(error, "a checkpoint", 4096)
                                                    : checkpoint_write(path, run->model, NULL, &state, error);
    memory_free(path);
    memory_free(yaml);
    return status;
}

static int train_and_test(struct finetune *run, int start, struct error *error)
{
    int status = create_model(run, start, error);
    const struct supervised job = {.session = run->session,
                                   .phase = start_names[start],
                                   .model = run->model,
                                   .policy = &run->policy,
                                   .dataset = run->train,
                                   .subset = run->subset,
                                   .subset_count = run->subset_count,
                                   .batch = run->session->config->batch,
                                   .epochs = run->epochs,
                                   .metrics = &run->folder.metrics};
    if (status == SIMCLR_OK) status = supervised_train(&job, error);
    if (status == SIMCLR_OK) status = save(run, start, error);
    if (status == SIMCLR_OK) status = test(run, &run->results[start], error);
    model_destroy(&run->model);
    return status;
}

/* ---- the results ------------------------------------------------------------------------------------------------ */

static int print_json(const struct finetune *run, struct error *error)
{
    struct text json = {0};
    text_json_open_object(&json, NULL);
    text_json_string(&json, "protocol", "finetune");
    text_json_string(&json, "checkpoint", run->session->config->checkpoint);
    text_json_string(&json, "data", run->session->config->data);
    text_json_integer(&json, "train_images", dataset_count(run->train));
    text_json_integer(&json, "test_images", dataset_count(run->test));
    text_json_integer(&json, "classes", dataset_classes(run->train));
    text_json_string(&json, "labels", run->session->config->labels);
    text_json_integer(&json, "labelled_images", run->subset_count);
    text_json_integer(&json, "epochs", run->epochs);
    for (int start = 0; start < STARTS; start++)
        if (run->results[start].done)
            score_json(&json, start == START_TRAINED ? "finetuned" : "random", &run->results[start]);
    text_json_close_object(&json);
    const int status = json.failed ? error_no_memory(error, "the results", json.capacity) : SIMCLR_OK;
    if (status == SIMCLR_OK) session_print(run->session, "%s\n", json.bytes);
    text_free(&json);
    return status;
}

static int print_results(const struct finetune *run, struct error *error)
{
    const struct session *session = run->session;
    if (session->config->json) return print_json(run, error);
    score_print_header(session, "finetune");
    for (int start = STARTS - 1; start >= 0; start--)
        if (run->results[start].done)
            score_print(session, start == START_TRAINED ? "pretrained" : "random", &run->results[start]);
    session_print(session, "%u labels of %lld images, %lld epochs, tested on %lld images; network in %s/checkpoints\n",
                  run->subset_count, (long long)dataset_count(run->train), (long long)run->epochs,
                  (long long)dataset_count(run->test), run->folder.path);
    return SIMCLR_OK;
}

int command_finetune(struct session *session, struct error *error)
{
    struct finetune run = {.folder = {.lock = -1}};
    int status = open_all(&run, session, error);
    if (status == SIMCLR_OK) status = train_and_test(&run, START_TRAINED, error);
    if (status == SIMCLR_OK && session->config->controls) status = train_and_test(&run, START_RANDOM, error);
    if (status == SIMCLR_OK) status = print_results(&run, error);
    if (status != SIMCLR_OK && error != NULL)
        run_folder_note(&run.folder, status == SIMCLR_INTERRUPTED ? LOG_INFO : LOG_ERROR, error->text);
    close_all(&run);
    return status;
}
