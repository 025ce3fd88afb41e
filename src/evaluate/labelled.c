/* evaluate/labelled.c -- see labelled.h. */
#include "evaluate/labelled.h"

#include "base/memory.h"
#include "base/rank.h"
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
    return status ? status : warn_of_classes(evaluation, run, error);
}

int labelled_logits(struct evaluation *evaluation, const struct labelled *run, const struct view_policy *policy,
                    struct features *out, struct error *error)
{
    const struct features_request request = {
        .kind = FEATURES_LOGITS, .model = run->model, .policy = policy, .dataset = evaluation->test};
    return features_extract(evaluation->session, &request, out, error);
}

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
