/* evaluate/evaluation.c -- see evaluation.h. */
#include "evaluate/evaluation.h"

#include <inttypes.h>
#include <stdio.h>

#include "run/model_open.h"
#include "run/parts.h"
#include "run/settings.h"

const struct source_row evaluation_sources[SOURCE_COUNT] = {
    [SOURCE_PIXELS] = {"pixels", true, FEATURES_PIXELS}, [SOURCE_UNTRAINED] = {"untrained", true, FEATURES_H},
    [SOURCE_TRAINED] = {"trained", false, FEATURES_H},   [SOURCE_EMA] = {"ema", false, FEATURES_H},
    [SOURCE_OTHER] = {"other", false, FEATURES_H},       [SOURCE_FEATURES] = {"features", false, FEATURES_H},
};

enum features_kind evaluation_kind(const struct evaluation *evaluation, enum evaluation_source source)
{
    const enum features_kind kind = evaluation_sources[source].kind;
    return kind == FEATURES_H ? features_of_layer(evaluation->layer) : kind;
}

bool evaluation_has(const struct evaluation *evaluation, enum evaluation_source source)
{
    if (evaluation_is_of_tables(evaluation))
        return source == SOURCE_FEATURES || (source == SOURCE_OTHER && evaluation->others[PART_TRAIN].values);
    return evaluation_sources[source].kind == FEATURES_PIXELS || evaluation->encoders[source].model;
}

/* ---- what both kinds of parts say ------------------------------------------------------------------------------- */

bool evaluation_is_of_tables(const struct evaluation *evaluation)
{
    return evaluation->tables[PART_TRAIN].values;
}

static const struct dataset *dataset_of(const struct evaluation *evaluation, enum evaluation_part part)
{
    return part == PART_TRAIN ? evaluation->train : evaluation->test;
}

int64_t evaluation_count(const struct evaluation *evaluation, enum evaluation_part part)
{
    if (evaluation_is_of_tables(evaluation)) return evaluation->tables[part].catalog.count;
    return dataset_count(dataset_of(evaluation, part));
}

const char *evaluation_name(const struct evaluation *evaluation, enum evaluation_part part, int64_t index)
{
    if (evaluation_is_of_tables(evaluation)) return catalog_name(&evaluation->tables[part].catalog, index);
    return dataset_short_name(dataset_of(evaluation, part), index);
}

int evaluation_label(const struct evaluation *evaluation, enum evaluation_part part, int64_t index)
{
    if (evaluation_is_of_tables(evaluation)) return evaluation->tables[part].catalog.label[index];
    return dataset_label(dataset_of(evaluation, part), index);
}

int evaluation_classes(const struct evaluation *evaluation)
{
    if (evaluation_is_of_tables(evaluation)) return evaluation->tables[PART_TRAIN].catalog.classes;
    return dataset_classes(evaluation->train);
}

const char *evaluation_class_name(const struct evaluation *evaluation, int label)
{
    if (evaluation_is_of_tables(evaluation)) return evaluation->tables[PART_TRAIN].catalog.class_name[label];
    return dataset_class_name(evaluation->train, label);
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* Images without a label (one that lies beside the class folders) are left out. */
static int check_labels(const struct session *session, struct dataset *dataset, const char *part, struct error *error)
{
    const int classes = dataset_classes(dataset);
    if (classes == 0)
        return error_set(error, SIMCLR_DATA,
                         "%s: the %s images have no labels; put each class in a sub-folder or give a list with labels",
                         dataset_description(dataset), part);
    if (classes == 1)
        return error_set(error, SIMCLR_DATA, "%s: all %s images are of one class; there is nothing to tell apart",
                         dataset_description(dataset), part);
    int64_t first = 0, left_out;
    while (first < dataset_count(dataset) && dataset_label(dataset, first) >= 0) first++;
    char name[PASSED_EXAMPLE];
    snprintf(name, sizeof name, "%s", dataset_name(dataset, first));
    const int status = dataset_leave_out_unlabelled(dataset, &left_out, error);
    if (status == SIMCLR_OK && left_out > 0)
        log_warning(&session->log, "%" PRId64 " %s images have no label and are left out (%s%s)", left_out, part, name,
                    left_out > 1 ? ", ..." : "");
    return status;
}

static int refuse_without_test(const struct session *session, struct error *error)
{
    return error_set(error, SIMCLR_DATA, "%s: there is no test or val part; give --test-data", session->config->data);
}

/* Without a test part the training images are looked at. */
static int open_unlabelled_parts(struct evaluation *evaluation, struct error *error)
{
    const struct session *session = evaluation->session;
    int status = session_open_dataset(session, session->config->data, DATASET_TRAIN, &evaluation->train, error);
    if (!status) status = session_open_test(session, &evaluation->test, error);
    if (!status) session_tell_parts(session, evaluation->train, evaluation->test);
    if (status || evaluation->test) return status;
    if (evaluation->needs_test) return refuse_without_test(session, error);
    log_info(&session->log, "there is no test part: the figures are of the training images");
    evaluation->has_no_test = true;
    return session_open_dataset(session, session->config->data, DATASET_TRAIN, &evaluation->test, error);
}

static int open_parts(struct evaluation *evaluation, struct error *error)
{
    struct session *session = evaluation->session;
    if (evaluation->needs_no_labels) return open_unlabelled_parts(evaluation, error);
    int status = session_open_dataset(session, session->config->data, DATASET_TRAIN, &evaluation->train, error);
    if (status == SIMCLR_OK) status = check_labels(session, evaluation->train, "training", error);
    if (status == SIMCLR_OK) status = session_open_matched_test(session, evaluation->train, &evaluation->test, error);
    if (status == SIMCLR_OK && evaluation->test == NULL) return refuse_without_test(session, error);
    return status == SIMCLR_OK ? check_labels(session, evaluation->test, "test", error) : status;
}

/* ---- tables of features ----------------------------------------------------------------------------------------- */

static int open_table(struct evaluation *evaluation, enum evaluation_part part, const char *path, struct error *error)
{
    struct feature_table *table = &evaluation->tables[part];
    const struct log *log = &evaluation->session->log;
    const char *word = part == PART_TRAIN ? "training" : "test";
    const int status = parts_open_table(evaluation->session, path, table, error);
    if (status) return status;
    if (evaluation->needs_no_labels) return SIMCLR_OK;
    if (!table->labelled || table->catalog.classes == 0)
        return error_set(error, SIMCLR_DATA,
                         "%s: the %s features have no labels: give an array called labels, or a file of them beside a "
                         ".npy (docs/formats.md)",
                         path, word);
    if (table->catalog.classes == 1)
        return error_set(error, SIMCLR_DATA, "%s: all %s features are of one class; there is nothing to tell apart",
                         path, word);
    const int64_t left_out = feature_table_leave_out_unlabelled(table);
    if (left_out > 0)
        log_warning(log, "%s: %" PRId64 " %s row%s without a label left out", path, left_out, word,
                    left_out == 1 ? "" : "s");
    log_info(log, "%s features: %s: %" PRId64 " rows of %d, in %d classes", word, path, table->catalog.count,
             table->dim, table->catalog.classes);
    return SIMCLR_OK;
}

static int open_tables(struct evaluation *evaluation, struct error *error)
{
    const struct session *session = evaluation->session;
    const char *paths[PART_COUNT] = {session->config->features, session->config->test_features};
    int64_t comparable;
    for (int i = 0; i < PART_COUNT; i++) {
        const int status = open_table(evaluation, (enum evaluation_part)i, paths[i], error);
        if (status) return status;
    }
    const int status = parts_match_tables(session, evaluation->tables, &comparable, error);
    if (status || evaluation->needs_no_labels) return status;
    return comparable > 0 ? SIMCLR_OK : session_refuse_incomparable(error);
}

static int open_other_tables(struct evaluation *evaluation, struct error *error)
{
    const struct session *session = evaluation->session;
    const char *paths[PART_COUNT] = {session->config->compare, session->config->compare_test};
    struct feature_table *others = evaluation->others;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < PART_COUNT; i++) {
        status = parts_open_table(session, paths[i], &others[i], error);
        if (!status) status = feature_table_align(&others[i], &evaluation->tables[i], paths[i], error);
    }
    if (status || others[PART_TRAIN].dim == others[PART_TEST].dim) return status;
    return error_set(error, SIMCLR_DATA,
                     "%.160s has %d features a row and %.160s has %d: both must come from one encoder",
                     paths[PART_TRAIN], others[PART_TRAIN].dim, paths[PART_TEST], others[PART_TEST].dim);
}

/* ---- encoders -------------------------------------------------------------------------------------------------- */

static int open_encoder(struct evaluation *evaluation, enum evaluation_source source, const char *checkpoint,
                        struct error *error)
{
    struct evaluation_encoder *encoder = &evaluation->encoders[source];
    const int status = model_open(evaluation->session, checkpoint, &encoder->model, &encoder->policy, error);
    if (!status) encoder->hash_before = parameters_encoder_hash(&encoder->model->parameters);
    return status;
}

/* The controls see the views that the trained encoder sees. */
static void share_policy(struct evaluation *evaluation, const struct view_policy *policy)
{
    evaluation->encoders[SOURCE_PIXELS].policy = evaluation->encoders[SOURCE_UNTRAINED].policy = *policy;
}

int evaluation_open_trained(struct evaluation *evaluation, const char *checkpoint, struct error *error)
{
    const int status = open_encoder(evaluation, SOURCE_TRAINED, checkpoint, error);
    if (!status) share_policy(evaluation, &evaluation->encoders[SOURCE_TRAINED].policy);
    return status;
}

int evaluation_open_other(struct evaluation *evaluation, const char *path, struct error *error)
{
    return evaluation_is_of_tables(evaluation) ? open_other_tables(evaluation, error)
                                               : open_encoder(evaluation, SOURCE_OTHER, path, error);
}

static int open_average(struct evaluation *evaluation, const char *checkpoint, struct error *error)
{
    struct evaluation_encoder *encoder = &evaluation->encoders[SOURCE_EMA];
    const int status = model_open_average(evaluation->session, checkpoint, &encoder->model, &encoder->policy, error);
    if (encoder->model) encoder->hash_before = parameters_encoder_hash(&encoder->model->parameters);
    return status;
}

static int create_untrained(struct evaluation *evaluation, const struct model_config *config, struct error *error)
{
    const uint64_t seed = (uint64_t)evaluation->session->config->seed;
    return model_create(&evaluation->encoders[SOURCE_UNTRAINED].model, config, evaluation->session->backend, seed,
                        error);
}

int evaluation_renew_untrained(struct evaluation *evaluation, uint64_t seed, struct error *error)
{
    struct evaluation_encoder *encoder = &evaluation->encoders[SOURCE_UNTRAINED];
    const struct model_config config = encoder->model->config;
    model_destroy(&encoder->model);
    return model_create(&encoder->model, &config, evaluation->session->backend, seed, error);
}

static int open_all_untrained(struct evaluation *evaluation, struct error *error)
{
    struct model_config config;
    struct view_policy policy;
    int status = session_model_config(evaluation->session, 0, &config, error);
    if (status) return status;
    status = session_view_policy(evaluation->session, &policy, error);
    if (status) return status;
    share_policy(evaluation, &policy);
    status = create_untrained(evaluation, &config, error);
    return status ? status : open_parts(evaluation, error);
}

int evaluation_open_untrained(struct session *session, struct evaluation *evaluation, struct error *error)
{
    *evaluation = (struct evaluation){.session = session};
    const int status = open_all_untrained(evaluation, error);
    if (status) evaluation_close(evaluation);
    return status;
}

static int open_all(struct evaluation *evaluation, struct error *error)
{
    int status = evaluation_open_trained(evaluation, evaluation->session->config->checkpoint, error);
    if (status) return status;
    const struct model_config *trained = &evaluation->encoders[SOURCE_TRAINED].model->config;
    status = feature_rows_check_layer(trained, evaluation->layer, error);
    if (status) return status;
    if (evaluation->layer > 0)
        log_info(&evaluation->session->log, "features: of head layer %d%s, %d of an image", evaluation->layer,
                 evaluation->layer == trained->head_layers ? " (z)" : "", model_layer_dim(trained, evaluation->layer));
    status = open_average(evaluation, evaluation->session->config->checkpoint, error);
    if (status) return status;
    status = create_untrained(evaluation, &evaluation->encoders[SOURCE_TRAINED].model->config, error);
    return status ? status : open_parts(evaluation, error);
}

int evaluation_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    const bool needs_no_labels = evaluation->needs_no_labels, needs_test = evaluation->needs_test;
    *evaluation = (struct evaluation){.session = session,
                                      .needs_no_labels = needs_no_labels,
                                      .needs_test = needs_test,
                                      .layer = (int)session->config->layer};
    int status = evaluation_check_outputs(session, error);
    if (status) return status;
    status = session->config->features[0] ? open_tables(evaluation, error) : open_all(evaluation, error);
    if (status) evaluation_close(evaluation);
    return status;
}

int evaluation_check_frozen(const struct evaluation *evaluation, struct error *error)
{
    for (int source = SOURCE_TRAINED; source < SOURCE_COUNT; source++) {
        const struct evaluation_encoder *encoder = &evaluation->encoders[source];
        const uint64_t now = encoder->model ? parameters_encoder_hash(&encoder->model->parameters) : 0;
        if (now == encoder->hash_before) continue;
        return error_set(error, SIMCLR_CORRUPT,
                         "the encoder changed while it was evaluated (hash %016" PRIx64 ", then %016" PRIx64 ")",
                         encoder->hash_before, now);
    }
    return SIMCLR_OK;
}

void evaluation_close(struct evaluation *evaluation)
{
    for (int source = 0; source < SOURCE_COUNT; source++) model_destroy(&evaluation->encoders[source].model);
    dataset_close(&evaluation->train);
    dataset_close(&evaluation->test);
    for (int i = 0; i < PART_COUNT; i++) {
        feature_table_free(&evaluation->tables[i]);
        feature_table_free(&evaluation->others[i]);
    }
    predictions_free(&evaluation->predictions);
}

/* ---- features -------------------------------------------------------------------------------------------------- */

/* The labels are those of the rows that are judged, whosever features they have. */
static struct features borrow_table(const struct evaluation *evaluation, enum evaluation_source source,
                                    enum evaluation_part part)
{
    const struct feature_table *rows = &evaluation->tables[part];
    const struct feature_table *values = source == SOURCE_OTHER ? &evaluation->others[part] : rows;
    return (struct features){.values = values->values,
                             .labels = rows->catalog.label,
                             .count = rows->catalog.count,
                             .dim = values->dim,
                             .borrowed = true};
}

/* Pixels are made in a moment: only what an encoder makes of them is kept. */
static int extract(struct evaluation *evaluation, const struct features_request *request, struct features *out,
                   struct error *error)
{
    bool from_cache;
    if (request->kind == FEATURES_PIXELS) return features_extract(evaluation->session, request, out, error);
    const int status = features_extract_cached(evaluation->session, request, out, &from_cache, error);
    if (!status && from_cache && !evaluation->cache_is_said) {
        evaluation->cache_is_said = true;
        parts_tell_cached(evaluation->session);
    }
    return status;
}

/* The controls have the same rows. */
static void tell_replaced(const struct evaluation *evaluation, const char *part, const struct features *features)
{
    int64_t replaced = 0;
    for (int64_t i = 0; features->replaced && i < features->count; i++) replaced += features->replaced[i];
    if (replaced == 0) return;
    log_warning(&evaluation->session->log,
                "%" PRId64 " %s image%s cannot be read: the next one stands in for each, and counts twice", replaced,
                part, replaced == 1 ? "" : "s");
}

int evaluation_features(struct evaluation *evaluation, enum evaluation_source source, struct features *train,
                        struct features *test, struct error *error)
{
    struct features_request request = {
        .kind = evaluation_kind(evaluation, source),
        .layer = evaluation->layer,
        .model = evaluation->encoders[source].model,
        .policy = &evaluation->encoders[source].policy,
        .dataset = evaluation->train,
    };
    *train = *test = (struct features){0};
    if (evaluation_is_of_tables(evaluation)) {
        *train = borrow_table(evaluation, source, PART_TRAIN);
        *test = borrow_table(evaluation, source, PART_TEST);
        return SIMCLR_OK;
    }
    int status = extract(evaluation, &request, train, error);
    if (status) return status;
    request.dataset = evaluation->test;
    status = extract(evaluation, &request, test, error);
    if (status) {
        features_free(train);
        return status;
    }
    if (!evaluation->replaced_is_said) {
        tell_replaced(evaluation, "training", train);
        tell_replaced(evaluation, "test", test);
    }
    evaluation->replaced_is_said = true;
    return SIMCLR_OK;
}
