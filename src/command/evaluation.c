/* command/evaluation.c -- pixels, untrained, trained: always in one table. */
#include "command/evaluation.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/rank.h"
#include "eval/knn.h"
#include "eval/logistic.h"
#include "run/model_open.h"
#include "run/settings.h"

const char *evaluation_source_name(enum evaluation_source source)
{
    static const char *const names[SOURCE_COUNT] = {"pixels", "untrained", "trained"};
    return names[source];
}

static int check_labels(const struct dataset *dataset, const char *part, struct error *error)
{
    const int classes = dataset_classes(dataset);
    if (classes == 0)
        return error_set(error, SIMCLR_DATA,
                         "%s: the %s images have no labels; put each class in a sub-folder or give a list with labels",
                         dataset_description(dataset), part);
    if (classes == 1)
        return error_set(error, SIMCLR_DATA, "%s: all %s images are of one class; there is nothing to tell apart",
                         dataset_description(dataset), part);
    for (int64_t i = 0; i < dataset_count(dataset); i++)
        if (dataset_label(dataset, i) < 0)
            return error_set(error, SIMCLR_DATA, "%s: no label; every image of the %s part needs one",
                             dataset_name(dataset, i), part);
    return SIMCLR_OK;
}

static int open_parts(struct evaluation *evaluation, struct error *error)
{
    struct session *session = evaluation->session;
    int status = session_open_dataset(session, session->config->data, DATASET_TRAIN, &evaluation->train, error);
    if (status == SIMCLR_OK) status = check_labels(evaluation->train, "training", error);
    if (status == SIMCLR_OK) status = session_open_test(session, &evaluation->test, error);
    if (status == SIMCLR_OK && evaluation->test == NULL)
        return error_set(error, SIMCLR_DATA, "%s: there is no test or val part; give --test-data",
                         session->config->data);
    if (status == SIMCLR_OK) status = check_labels(evaluation->test, "test", error);
    if (status == SIMCLR_OK && dataset_classes(evaluation->train) != dataset_classes(evaluation->test))
        return error_set(error, SIMCLR_DATA,
                         "%d classes to train on but %d to test on; both parts need the same class folders",
                         dataset_classes(evaluation->train), dataset_classes(evaluation->test));
    return status;
}

int evaluation_open_trained(struct evaluation *evaluation, const char *checkpoint, struct error *error)
{
    const int status = model_open(evaluation->session, checkpoint, &evaluation->trained, &evaluation->policy, error);
    if (status == SIMCLR_OK) evaluation->hash_before = parameters_encoder_hash(&evaluation->trained->parameters);
    return status;
}

int evaluation_open_untrained(struct session *session, struct evaluation *evaluation, struct error *error)
{
    struct model_config config;
    *evaluation = (struct evaluation){.session = session};
    int status = session_model_config(session, 0, &config, error);
    if (status == SIMCLR_OK) status = session_view_policy(session, &evaluation->policy, error);
    if (status == SIMCLR_OK)
        status = model_create(&evaluation->untrained, &config, (uint64_t)session->config->seed, error);
    if (status == SIMCLR_OK) status = open_parts(evaluation, error);
    if (status != SIMCLR_OK) evaluation_close(evaluation);
    return status;
}

int evaluation_open(struct session *session, struct evaluation *evaluation, struct error *error)
{
    *evaluation = (struct evaluation){.session = session};
    int status = evaluation_open_trained(evaluation, session->config->checkpoint, error);
    if (status == SIMCLR_OK)
        status =
            model_create(&evaluation->untrained, &evaluation->trained->config, (uint64_t)session->config->seed, error);
    if (status == SIMCLR_OK) status = open_parts(evaluation, error);
    if (status != SIMCLR_OK) evaluation_close(evaluation);
    return status;
}

int evaluation_check_frozen(const struct evaluation *evaluation, struct error *error)
{
    const uint64_t now = parameters_encoder_hash(&evaluation->trained->parameters);
    if (now == evaluation->hash_before) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "the encoder changed while it was evaluated (hash %016" PRIx64 ", then %016" PRIx64 ")",
                     evaluation->hash_before, now);
}

void evaluation_close(struct evaluation *evaluation)
{
    model_destroy(&evaluation->trained);
    model_destroy(&evaluation->untrained);
    dataset_close(&evaluation->train);
    dataset_close(&evaluation->test);
}

int evaluation_features(struct evaluation *evaluation, enum evaluation_source source, struct features *train,
                        struct features *test, struct error *error)
{
    struct session *session = evaluation->session;
    struct dataset *const parts[2] = {evaluation->train, evaluation->test};
    struct features *const out[2] = {train, test};
    *train = *test = (struct features){0};
    int status = SIMCLR_OK;
    struct features_request request = {
        .kind = source == SOURCE_PIXELS ? FEATURES_PIXELS : FEATURES_H,
        .model = source == SOURCE_TRAINED ? evaluation->trained : evaluation->untrained,
        .policy = &evaluation->policy,
    };
    for (int part = 0; part < 2 && status == SIMCLR_OK; part++) {
        request.dataset = parts[part];
        status = features_extract(session, &request, out[part], error);
    }
    if (status != SIMCLR_OK) {
        features_free(train);
        features_free(test);
    }
    return status;
}

int evaluation_knn(struct evaluation *evaluation, const struct features *train, const struct features *test,
                   struct score *out, struct error *error)
{
    const struct config *config = evaluation->session->config;
    int32_t *top5 = memory_array((size_t)test->count * 5, sizeof *top5);
    if (top5 == NULL) return error_no_memory(error, "kNN results", (size_t)test->count * 5 * sizeof *top5);
    const struct knn_args args = {
        .train = train->values,
        .train_labels = train->labels,
        .train_count = train->count,
        .query = test->values,
        .query_count = test->count,
        .dim = train->dim,
        .classes = dataset_classes(evaluation->train),
        .k = (int)config->knn_k,
        .temperature = config->knn_temperature,
        .top5 = top5,
    };
    const int status = knn_classify(evaluation->session->backend, &args, error);
    *out = (struct score){.done = status == SIMCLR_OK, .l2 = -1, .held_out_top1 = -1};
    for (int64_t i = 0; i < test->count && status == SIMCLR_OK; i++) {
        int rank = 0;
        while (rank < 5 && top5[i * 5 + rank] != test->labels[i]) rank++;
        score_count(out, rank);
    }
    memory_free(top5);
    return status;
}

int evaluation_linear(struct evaluation *evaluation, const struct features *train, const struct features *test,
                      struct score *out, struct error *error)
{
    const struct config *config = evaluation->session->config;
    const int classes = dataset_classes(evaluation->train);
    const struct logistic_args args = {.x = train->values,
                                       .labels = train->labels,
                                       .rows = train->count,
                                       .dim = train->dim,
                                       .classes = classes,
                                       .max_iterations = (int)config->iterations,
                                       .l2 = config->l2};
    struct logistic_sweep sweep;
    int status = logistic_sweep(evaluation->session->backend, &args, (uint64_t)config->seed, &sweep, error);
    if (status != SIMCLR_OK) return status;
    float *logits = memory_array((size_t)test->count * (size_t)classes, sizeof *logits);
    if (logits == NULL)
        status = error_no_memory(error, "logits", (size_t)test->count * (size_t)classes * sizeof *logits);
    if (status == SIMCLR_OK)
        status = logistic_predict(evaluation->session->backend, &sweep, test->values, test->count, test->dim, classes,
                                  logits, error);
    *out = (struct score){.done = status == SIMCLR_OK, .l2 = sweep.l2, .held_out_top1 = sweep.held_out_top1};
    for (int64_t i = 0; i < test->count && status == SIMCLR_OK; i++)
        score_count(out, rank_of_label(logits + i * classes, classes, test->labels[i]));
    memory_free(logits);
    logistic_sweep_free(&sweep);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static int judge_source(struct evaluation *evaluation, enum evaluation_source source, evaluation_judge *judge,
                        struct score *score, struct error *error)
{
    struct features train = {0}, test = {0};
    int status = evaluation_features(evaluation, source, &train, &test, error);
    if (status != SIMCLR_OK) return status;
    if (source == SOURCE_TRAINED) status = evaluation_save_features(evaluation->session, &train, &test, error);
    if (status == SIMCLR_OK) status = judge(evaluation, &train, &test, score, error);
    features_free(&train);
    features_free(&test);
    return status;
}

static int report_json(const struct evaluation *evaluation, const char *protocol,
                       const struct score scores[SOURCE_COUNT], struct error *error)
{
    const struct session *session = evaluation->session;
    struct text json = {0};
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, evaluation->hash_before);
    text_json_open_object(&json, NULL);
    text_json_string(&json, "protocol", protocol);
    text_json_string(&json, "checkpoint", session->config->checkpoint);
    text_json_string(&json, "data", session->config->data);
    text_json_integer(&json, "train_images", dataset_count(evaluation->train));
    text_json_integer(&json, "test_images", dataset_count(evaluation->test));
    text_json_integer(&json, "classes", dataset_classes(evaluation->train));
    text_json_string(&json, "encoder_hash", hash);
    text_json_boolean(&json, "encoder_frozen", true);
    for (int source = 0; source < SOURCE_COUNT; source++)
        if (scores[source].done) score_json(&json, evaluation_source_name(source), &scores[source]);
    text_json_close_object(&json);
    const int status = json.failed ? error_no_memory(error, "report", json.capacity) : SIMCLR_OK;
    if (status == SIMCLR_OK) session_print(session, "%s\n", json.bytes);
    text_free(&json);
    return status;
}

int evaluation_run(struct session *session, const char *protocol, evaluation_judge *judge, struct error *error)
{
    struct evaluation evaluation;
    struct score scores[SOURCE_COUNT] = {{0}};
    int status = evaluation_open(session, &evaluation, error);
    if (status != SIMCLR_OK) return status;
    if (!session->config->json) score_print_header(session, protocol);
    for (int source = 0; source < SOURCE_COUNT && status == SIMCLR_OK; source++) {
        if (source != SOURCE_TRAINED && !session->config->controls) continue;
        status = judge_source(&evaluation, source, judge, &scores[source], error);
        if (status == SIMCLR_OK && !session->config->json)
            score_print(session, evaluation_source_name(source), &scores[source]);
    }
    if (status == SIMCLR_OK) status = evaluation_check_frozen(&evaluation, error);
    if (status == SIMCLR_OK && session->config->json)
        status = report_json(&evaluation, protocol, scores, error);
    else if (status == SIMCLR_OK)
        session_print(session,
                      "%lld training and %lld test images, %d classes; encoder frozen: hash %016" PRIx64
                      " before and after\n",
                      (long long)dataset_count(evaluation.train), (long long)dataset_count(evaluation.test),
                      dataset_classes(evaluation.train), evaluation.hash_before);
    evaluation_close(&evaluation);
    return status;
}
