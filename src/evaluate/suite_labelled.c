/* evaluate/suite_labelled.c -- the protocols of `evaluate` that train the whole network on labels: from the encoder and
 * from random weights (fine-tuning), and from random weights with the settings of a supervised run. They are the
 * commands' own trainings, on the images that are open already. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/rank.h"
#include "evaluate/label_share.h"
#include "evaluate/suite.h"
#include "evaluate/supervised_run.h"

/* ---- figures ---------------------------------------------------------------------------------------------------- */

/* How it was trained, where that is not as usual. */
static void describe_run(struct figure *like, const struct suite_task *task, const struct labelled *run)
{
    const struct config *config = task->suite->evaluation->session->config;
    char cut[40] = "", decay[40] = "";
    if (task->row->fine_tunes && config->cut_layer > 0)
        snprintf(cut, sizeof cut, ", on layer %d of the head", (int)config->cut_layer);
    if (task->row->fine_tunes && config->layer_decay < 1)
        format_write(decay, sizeof decay, ", layer decay %.4g", config->layer_decay);
    const bool simclr = !task->row->fine_tunes && strcmp(config->training_views, "simclr") == 0;
    snprintf(like->detail, sizeof like->detail, "%" PRId64 " epochs%s%s%s", run->epochs, cut, decay,
             simclr ? ", SimCLR's views" : "");
}

static int add_scores(const struct suite_task *task, const struct labelled *run, const char *setting,
                      const struct features *logits, struct error *error)
{
    struct figure like = {.labelled = run->subset_count};
    int32_t *ranks = memory_array((size_t)logits->count, sizeof *ranks);
    if (!ranks) return error_no_memory(error, "ranks of labels", (size_t)logits->count * sizeof *ranks);
    for (int64_t i = 0; i < logits->count; i++)
        ranks[i] = rank_of_label(logits->values + i * logits->dim, logits->dim, logits->labels[i]);
    snprintf(like.setting, sizeof like.setting, "%s", setting);
    describe_run(&like, task, run);
    const int status = suite_add_ranks(task, &like, ranks, true, error);
    memory_free(ranks);
    return status;
}

static int test(const struct suite_task *task, struct evaluation *evaluation, const struct labelled *run,
                const struct view_policy *policy, const char *setting, struct error *error)
{
    struct features logits;
    int status = labelled_logits(evaluation, run, policy, &logits, error);
    if (status) return status;
    status = add_scores(task, run, setting, &logits, error);
    features_free(&logits);
    return status;
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

static int set_number(struct config *config, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int set_number(struct config *config, const char *name, const char *format, ...)
{
    char text[120];
    va_list arguments;
    va_start(arguments, format);
    format_plain(text, sizeof text, format, arguments);
    va_end(arguments);
    return config_set(config, name, text, 2, NULL);
}

/* Those of the command as if it had been given what `evaluate` was, with these labels and the seed of the task. --batch
 * means another thing there. */
static int settings_of(struct config **out, const struct suite_task *task, enum command command, const char *labels,
                       struct error *error)
{
    const struct config *config = task->suite->evaluation->session->config;
    int status = config_derive(out, config, command, error);
    if (status) return status;
    if (config_set(*out, "labels", labels, 2, NULL) ||
        config_set(*out, "batch", option_find("batch", command)->default_text, 2, NULL) ||
        set_number(*out, "seed", "%" PRIu64, task->seed) ||
        (config->label_epochs > 0 && set_number(*out, "epochs", "%" PRId64, config->label_epochs))) {
        config_destroy(out);
        return error_no_memory(error, "settings", sizeof **out);
    }
    return SIMCLR_OK;
}

static int choose_labels(const struct evaluation *evaluation, const char *labels, struct labelled *run,
                         struct error *error)
{
    const uint64_t seed = (uint64_t)evaluation->session->config->seed;
    return label_share_choose(evaluation->train, labels, seed, &run->subset, &run->subset_count, error);
}

/* ---- fine-tuning ------------------------------------------------------------------------------------------------ */

static int finetune(const struct suite_task *task, const char *labels, const char *setting, struct error *error)
{
    struct evaluation evaluation = *task->suite->evaluation; /* it borrows images and encoders */
    struct labelled run = {.folder = {.lock = -1}};
    struct supervised_result result;
    struct config *config;
    int status = settings_of(&config, task, COMMAND_FINETUNE, labels, error);
    if (status) return status;
    run.own = session_derive(evaluation.session, config, evaluation.session->log);
    evaluation.session = &run.own;
    evaluation.state = &run;
    status = choose_labels(&evaluation, labels, &run, error);
    if (!status) {
        run.epochs = finetune_epochs(config, labelled_share(&evaluation, &run));
        status = finetune_train(&evaluation, task->source, NULL, &result, error);
    }
    if (!status) status = test(task, &evaluation, &run, &evaluation.encoders[task->source].policy, setting, error);
    model_destroy(&run.model);
    memory_free(run.subset);
    config_destroy(&config);
    return status;
}

int suite_finetune_1(const struct suite_task *task, struct error *error)
{
    return finetune(task, "1%", "", error);
}

int suite_finetune_10(const struct suite_task *task, struct error *error)
{
    return finetune(task, "10%", "", error);
}

int suite_finetune_100(const struct suite_task *task, struct error *error)
{
    return finetune(task, "100%", "", error);
}

/* A list's name is in evaluation.json's options; its characters are anybody's. */
int suite_finetune_labels(const struct suite_task *task, struct error *error)
{
    const char *labels = task->suite->evaluation->session->config->labels;
    char setting[32];
    snprintf(setting, sizeof setting, "%.24s", label_share_is_list(labels) ? "listed labels" : labels);
    return finetune(task, labels, setting, error);
}

static int check_labels(const struct suite *suite, const char *labels, struct error *error)
{
    struct labelled run = {.folder = {.lock = -1}};
    int status = choose_labels(suite->evaluation, labels, &run, error);
    if (!status) status = labelled_say(suite->evaluation, &run, labels, error);
    memory_free(run.subset);
    return status;
}

static int check_cut(const struct suite *suite, struct error *error)
{
    const struct evaluation *evaluation = suite->evaluation;
    const struct config *config = evaluation->session->config;
    int status = SIMCLR_OK;
    for (int source = SOURCE_TRAINED; !status && source <= SOURCE_OTHER; source++)
        if (evaluation->encoders[source].model)
            status = finetune_check_cut(evaluation, (enum evaluation_source)source,
                                        source == SOURCE_OTHER ? config->compare : config->checkpoint, error);
    return status;
}

int suite_check_labelled(const struct suite *suite, struct error *error)
{
    const struct config *config = suite->evaluation->session->config;
    bool fine_tunes = false, supervised = false;
    for (int r = 0; r < suite->row_count; r++) {
        fine_tunes |= suite->rows[r]->fine_tunes;
        supervised |= suite->rows[r]->whole_network && !suite->rows[r]->fine_tunes;
    }
    const struct {
        bool given, runs;
        const char *option, *protocol;
    } options[] = {{config->cut_layer > 0, fine_tunes, "cut-layer", "finetune"},
                   {config->layer_decay < 1, fine_tunes, "layer-decay", "finetune"},
                   {strcmp(config->training_views, "simclr") == 0, supervised, "training-views", "supervised"},
                   {config->label_epochs > 0, fine_tunes || supervised, "label-epochs", "finetune or supervised"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given && !options[i].runs)
            return error_set(error, SIMCLR_INVALID,
                             "--%s belongs to a protocol that does not run: name %s in --protocols, or leave it out",
                             options[i].option, options[i].protocol);
    int status = config->labels[0] ? check_labels(suite, config->labels, error) : SIMCLR_OK;
    if (!status && config->cut_layer > 0) status = check_cut(suite, error);
    return status;
}

/* ---- supervised ------------------------------------------------------------------------------------------------- */

/* The trained encoder's network and input, and a folder of its own in --out: such a training takes long, and goes on
 * where it was stopped. */
static int describe(struct config *config, const struct suite_task *task, const char *labels, struct error *error)
{
    const struct evaluation *evaluation = task->suite->evaluation;
    const struct evaluation_encoder *trained = &evaluation->encoders[SOURCE_TRAINED];
    const struct view_policy *policy = &trained->policy;
    struct model_text text;
    char name[64];
    model_config_to_text(&trained->model->config, &text);
    snprintf(name, sizeof name, "supervised-%d-seed-%" PRIu64, atoi(labels), task->seed);
    char *out = file_join(evaluation->session->config->out, name);
    bool failed = !out || config_set(config, "out", out, 2, NULL);
    static const char *const same[][2] = {
        {"encoder", "encoder"}, {"depth", "depth"}, {"width", "width"}, {"stem", "stem"}, {"image-size", "image_size"}};
    for (size_t i = 0; !failed && i < sizeof same / sizeof *same; i++) {
        const char *value = model_text_value(&text, same[i][1]);
        failed = value && config_set(config, same[i][0], value, 2, NULL);
    }
    if (!failed && policy->normalize)
        failed = set_number(config, "mean", "%.9g,%.9g,%.9g", policy->mean[0], policy->mean[1], policy->mean[2]) ||
                 set_number(config, "std", "%.9g,%.9g,%.9g", policy->std[0], policy->std[1], policy->std[2]);
    memory_free(out);
    return failed ? error_no_memory(error, "settings", sizeof *config) : SIMCLR_OK;
}

static int run_supervised(const struct suite_task *task, struct config *config, const char *labels, struct error *error)
{
    struct evaluation evaluation = *task->suite->evaluation;
    const struct evaluation_encoder *trained = &evaluation.encoders[SOURCE_TRAINED];
    const struct session derived = session_derive(evaluation.session, config, evaluation.session->log);
    struct session session = derived;
    struct supervised_run run = {.labelled = {.folder = {.lock = -1}},
                                 .policy = trained->policy,
                                 .network = trained->model->config,
                                 .replaces = true};
    char setting[32];
    snprintf(setting, sizeof setting, "%s of the labels", labels);
    evaluation.session = &session;
    evaluation.state = &run;
    int status = labelled_open_folder(&evaluation, &run.labelled, error);
    if (!status) status = choose_labels(&evaluation, labels, &run.labelled, error);
    if (!status) status = supervised_begin(&evaluation, error);
    if (!status) status = supervised_learn(&evaluation, error);
    if (!status) status = test(task, &evaluation, &run.labelled, &run.policy, setting, error);
    supervised_end(&run, status, error);
    return status;
}

int suite_supervised(const struct suite_task *task, struct error *error)
{
    static const char *const labels[] = {"1%", "10%", "100%"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        struct config *config;
        int status = settings_of(&config, task, COMMAND_SUPERVISED, labels[i], error);
        if (status) return status;
        status = describe(config, task, labels[i], error);
        if (!status) status = run_supervised(task, config, labels[i], error);
        config_destroy(&config);
        if (status) return status;
    }
    return SIMCLR_OK;
}
