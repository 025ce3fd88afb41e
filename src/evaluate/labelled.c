/* evaluate/labelled.c -- see labelled.h. */
#include "evaluate/labelled.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rank.h"
#include "eval/taught.h"
#include "evaluate/classifier.h"
#include "evaluate/label_share.h"
#include "evaluate/protocols.h"
#include "run/settings.h"

int labelled_open_folder(struct evaluation *evaluation, struct labelled *run, struct error *error)
{
    const struct session *outer = evaluation->session;
    const int status = run_folder_open(&run->folder, &outer->log, outer->config->out, error);
    run->own = session_derive(outer, NULL, run->folder.log);
    evaluation->session = &run->own;
    return status;
}

void labelled_close(struct labelled *run, int status, const struct error *error)
{
    if (status && error)
        run_folder_note(&run->folder, status == SIMCLR_INTERRUPTED ? LOG_INFO : LOG_ERROR, error->text);
    model_destroy(&run->model);
    memory_free(run->subset);
    run_folder_close(&run->folder);
}

/* A class with training images of which none may be used as labelled ones is never learned. */
static int warn_of_classes(const struct evaluation *evaluation, const struct labelled *run, struct error *error)
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
                    "%s: %d of %d classes have no image among the labelled ones (%.80s%s): their test images can "
                    "only be wrong",
                    command_name(evaluation->session->config->command), without, classes,
                    dataset_class_name(train, first), without == 1 ? "" : " and so on");
    memory_free(seen);
    return SIMCLR_OK;
}

int labelled_say(const struct evaluation *evaluation, const struct labelled *run, const char *labels,
                 struct error *error)
{
    label_share_say_few(evaluation->train, labels, &evaluation->session->log);
    return warn_of_classes(evaluation, run, error);
}

int labelled_open_training_images(struct evaluation *evaluation, const struct labelled *run, struct error *error)
{
    const struct session *session = evaluation->session;
    struct numbering numbering = {0};
    int status = session->config->overwrite ? SIMCLR_OK : run_folder_read_numbering(&run->folder, &numbering, error);
    if (!status)
        status = session_open_numbered(session, session->config->data, DATASET_TRAIN,
                                       numbering.listing ? &numbering : NULL, &evaluation->train, error);
    numbering_free(&numbering);
    return status;
}

double labelled_share(const struct evaluation *evaluation, const struct labelled *run)
{
    return (double)run->subset_count / (double)dataset_count(evaluation->train);
}

/* Test images without a label can be neither right nor wrong. */
static int leave_out_unlabelled(const struct evaluation *evaluation, struct error *error)
{
    int64_t left_out = 0;
    if (dataset_classes(evaluation->test) == 0) return SIMCLR_OK; /* nor have the training images any */
    const int status = dataset_leave_out_unlabelled(evaluation->test, &left_out, error);
    if (!status && left_out > 0)
        log_warning(&evaluation->session->log, "%lld test images have no label and are left out", (long long)left_out);
    return status;
}

int labelled_open_images(struct evaluation *evaluation, struct labelled *run, struct error *error)
{
    struct session *session = evaluation->session;
    const struct config *config = session->config;
    int status = session_open_matched_test(session, evaluation->train, &evaluation->test, error);
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
    status = leave_out_unlabelled(evaluation, error);
    if (status) return status;
    status = label_share_choose(train, config->labels, (uint64_t)config->seed, &run->subset, &run->subset_count, error);
    return status ? status : labelled_say(evaluation, run, config->labels, error);
}

/* ---- classes that no labelled image has -------------------------------------------------------------------------- */

static int find_taught(struct taught *out, const struct evaluation *evaluation, const struct labelled *run,
                       struct error *error)
{
    const size_t count = run->subset_count;
    int32_t *labels = memory_array(count, sizeof *labels);
    if (!labels) return error_no_memory(error, "labels", count * sizeof *labels);
    for (size_t i = 0; i < count; i++) labels[i] = dataset_label(evaluation->train, run->subset[i]);
    const int status = taught_find(out, labels, (int64_t)count, dataset_classes(evaluation->train), error);
    memory_free(labels);
    return status;
}

int labelled_silence_untaught(const struct evaluation *evaluation, const struct labelled *run, struct error *error)
{
    static const float SILENT = -1e4F; /* exp of it is 0, far above any logit of such a network */
    const struct parameters *parameters = &run->model->parameters;
    struct taught taught;
    const int status = find_taught(&taught, evaluation, run, error);
    if (status) return status;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!(item->flags & PARAMETER_CLASSIFIER) || item->rank != 1) continue;
        for (int c = 0; c < taught.classes; c++)
            if (taught.place[c] < 0) parameters_put(parameters, parameter_weights(parameters, i) + c, &SILENT, 1);
    }
    taught_free(&taught);
    return SIMCLR_OK;
}

/* The classifier of run->model, in which an untaught class has a bias of -INFINITY. */
static int open_classifier(struct classifier *out, const struct evaluation *evaluation, const struct labelled *run,
                           struct error *error)
{
    struct taught taught;
    int status = find_taught(&taught, evaluation, run, error);
    if (status) return status;
    status = classifier_from_model(out, run->model, error);
    for (int c = 0; !status && c < taught.classes; c++)
        if (taught.place[c] < 0) out->bias[c] = -INFINITY;
    taught_free(&taught);
    return status;
}

/* ---- logits ----------------------------------------------------------------------------------------------------- */

/* Features of a set, or of a part of it, by what the classifier of run->model stands on. */
static int extract(const struct evaluation *evaluation, const struct labelled *run, struct features_request request,
                   struct features *out, struct error *error)
{
    request.model = run->model;
    request.layer = run->model->config.cut;
    request.kind = features_of_layer(request.layer);
    return features_extract(evaluation->session, &request, out, error);
}

int labelled_logits(struct evaluation *evaluation, const struct labelled *run, const struct view_policy *policy,
                    struct features *out, struct error *error)
{
    struct classifier classifier = {0};
    *out = (struct features){0};
    int status = open_classifier(&classifier, evaluation, run, error);
    if (status) return status;
    const struct linear linear = classifier_linear(&classifier);
    const struct features_request request = {.policy = policy, .dataset = evaluation->test};
    status = extract(evaluation, run, request, out, error);
    if (!status) {
        const size_t cells = (size_t)out->count * (size_t)classifier.classes;
        float *logits = memory_array(cells, sizeof *logits);
        if (logits)
            linear_logits(evaluation->session->backend, &linear, out->values, out->count, logits);
        else
            status = error_no_memory(error, "logits", cells * sizeof *logits);
        memory_free(out->values);
        out->values = logits;
        out->dim = classifier.classes;
    }
    if (status) features_free(out);
    classifier_free(&classifier);
    return status;
}

/* ---- the classifier as a file ----------------------------------------------------------------------------------- */

/* Of the labelled images at most NOVELTY_SAMPLE, spread evenly: *out is NULL where those are all. */
static int thin_out(const struct labelled *run, uint32_t **out, struct error *error)
{
    *out = NULL;
    if (run->subset_count <= NOVELTY_SAMPLE) return SIMCLR_OK;
    *out = memory_array(NOVELTY_SAMPLE, sizeof **out);
    if (!*out) return error_no_memory(error, "a sample of the labelled images", NOVELTY_SAMPLE * sizeof **out);
    for (uint64_t i = 0; i < NOVELTY_SAMPLE; i++) (*out)[i] = run->subset[i * run->subset_count / NOVELTY_SAMPLE];
    return SIMCLR_OK;
}

/* What the network was taught, as rows. */
static int measure_novelty(const struct evaluation *evaluation, const struct labelled *run,
                           const struct view_policy *policy, struct novelty *out, struct error *error)
{
    const struct novelty_limits limits = novelty_limits_usual();
    struct features rows = {0};
    uint32_t *sample;
    int status = thin_out(run, &sample, error);
    if (status) return status;
    const struct features_request request = {.policy = policy,
                                             .dataset = evaluation->train,
                                             .subset = sample ? sample : run->subset,
                                             .subset_count = sample ? NOVELTY_SAMPLE : run->subset_count};
    status = extract(evaluation, run, request, &rows, error);
    if (!status)
        status = novelty_measure(evaluation->session->backend, out, rows.values, rows.count, rows.dim, &limits, error);
    features_free(&rows);
    memory_free(sample);
    return status;
}

int labelled_write_classifier(const struct evaluation *evaluation, const struct labelled *run,
                              const struct view_policy *policy, struct error *error)
{
    struct classifier classifier = {0};
    char *path = file_join(run->folder.path, CLASSIFIER_FILE);
    if (!path) return error_no_memory(error, "a path", strlen(run->folder.path));
    int status = open_classifier(&classifier, evaluation, run, error);
    if (!status) status = classifier_name_classes(&classifier, evaluation, error);
    if (!status)
        status = classifier_describe_encoder(&classifier, run->model, run->model->config.cut, policy, NULL, error);
    if (!status) status = measure_novelty(evaluation, run, policy, &classifier.novelty, error);
    if (!status) status = classifier_write(&classifier, path, error);
    classifier_free(&classifier);
    memory_free(path);
    return status;
}

/* ---- scores ----------------------------------------------------------------------------------------------------- */

int labelled_test(struct evaluation *evaluation, enum evaluation_source source, const struct view_policy *policy,
                  struct score *out, struct error *error)
{
    struct features logits;
    int status = labelled_logits(evaluation, evaluation->state, policy, &logits, error);
    if (status) return status;
    *out = score_none();
    out->done = true;
    for (int64_t i = 0; i < logits.count; i++)
        score_count(out, rank_of_label(logits.values + i * logits.dim, logits.dim, logits.labels[i]));
    if (evaluation_wants_predictions(evaluation, source))
        status = predictions_of_logits(&evaluation->predictions, logits.values, logits.count, logits.dim, 1, error);
    features_free(&logits);
    return status;
}

void labelled_facts(const struct evaluation *evaluation, const struct labelled *run, struct text *json)
{
    text_json_string(json, "labels", evaluation->session->config->labels);
    text_json_integer(json, "labelled_images", run->subset_count);
    text_json_integer(json, "epochs", run->epochs);
}
