/* evaluate/protocols.c -- see protocols.h. */
#include "evaluate/protocols.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rank.h"
#include "eval/interval.h"
#include "eval/knn.h"
#include "eval/logistic.h"

/* ---- classifiers on frozen features ----------------------------------------------------------------------------- */

static void say_neighbours(struct evaluation *evaluation, int64_t rows)
{
    const int64_t k = evaluation->session->config->knn_k;
    if (evaluation->neighbours_are_said || k <= rows) return;
    evaluation->neighbours_are_said = true;
    log_info(&evaluation->session->log, "kNN: all %lld training images vote, since they are fewer than --knn-k %lld",
             (long long)rows, (long long)k);
}

bool evaluation_wants_predictions(const struct evaluation *evaluation, enum evaluation_source source)
{
    return evaluation->session->config->predictions[0] && (source == SOURCE_TRAINED || source == SOURCE_FEATURES);
}

int evaluation_knn(struct evaluation *evaluation, enum evaluation_source source, const struct features *train,
                   const struct features *test, struct score *out, struct error *error)
{
    const struct config *config = evaluation->session->config;
    const int classes = evaluation_classes(evaluation);
    const bool keep = evaluation_wants_predictions(evaluation, source);
    const size_t cells = keep ? (size_t)test->count * (size_t)classes : 0;
    int32_t *top5 = memory_array((size_t)test->count * 5, sizeof *top5);
    double *votes = memory_array(cells, sizeof *votes);
    if (!top5 || !votes) {
        memory_free(top5);
        memory_free(votes);
        return error_no_memory(error, "kNN results", (size_t)test->count * 5 * sizeof *top5 + cells * sizeof *votes);
    }
    const struct knn_args args = {
        .train = train->values,
        .train_labels = train->labels,
        .train_count = train->count,
        .query = test->values,
        .query_count = test->count,
        .dim = train->dim,
        .classes = classes,
        .k = (int)config->knn_k,
        .temperature = config->knn_temperature,
        .votes = keep ? votes : NULL,
        .top5 = top5,
    };
    say_neighbours(evaluation, train->count);
    int status = knn_classify(evaluation->session->backend, &args, error);
    *out = score_none();
    out->done = status == SIMCLR_OK;
    for (int64_t i = 0; i < test->count && status == SIMCLR_OK; i++) {
        int rank = 0;
        while (rank < 5 && top5[i * 5 + rank] != test->labels[i]) rank++;
        score_count(out, rank);
    }
    if (!status && keep) status = predictions_of_votes(&evaluation->predictions, votes, test->count, classes, error);
    memory_free(top5);
    memory_free(votes);
    return status;
}

/* By what the penalty was chosen; the same for all sources, so it is said once. */
static void say_choice(struct evaluation *evaluation, const struct logistic_sweep *sweep, int64_t rows)
{
    const struct log *log = &evaluation->session->log;
    if (evaluation->choice_is_said || evaluation->session->config->l2 >= 0) return;
    evaluation->choice_is_said = true;
    if (sweep->folds == 1)
        log_info(log, "linear: l2 is chosen on a held-out tenth: %lld of the %lld training images",
                 (long long)sweep->held_out, (long long)rows);
    else
        log_info(log,
                 "linear: l2 is chosen by %d folds, in which %lld of the %lld training images are held out once: a "
                 "tenth would be too few",
                 sweep->folds, (long long)sweep->held_out, (long long)rows);
}

int evaluation_linear(struct evaluation *evaluation, enum evaluation_source source, const struct features *train,
                      const struct features *test, struct score *out, struct error *error)
{
    const struct config *config = evaluation->session->config;
    const int classes = evaluation_classes(evaluation);
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
    say_choice(evaluation, &sweep, train->count);
    if (sweep.cut)
        log_warning(
            &evaluation->session->log,
            "linear on %s: the fit ended at --iterations %lld, short of its optimum: more may change the figure",
            evaluation_sources[source].name, (long long)config->iterations);
    float *logits = memory_array((size_t)test->count * (size_t)classes, sizeof *logits);
    if (logits == NULL)
        status = error_no_memory(error, "logits", (size_t)test->count * (size_t)classes * sizeof *logits);
    if (status == SIMCLR_OK)
        status = logistic_predict(evaluation->session->backend, &sweep, test->values, test->count, logits, error);
    *out = score_none();
    out->done = status == SIMCLR_OK;
    out->l2 = sweep.l2;
    out->held_out_top1 = sweep.held_out_top1;
    out->held_out = sweep.held_out;
    out->folds = sweep.folds;
    out->cut = sweep.cut;
    for (int64_t i = 0; i < test->count && status == SIMCLR_OK; i++)
        score_count(out, rank_of_label(logits + i * classes, classes, test->labels[i]));
    if (!status && evaluation_wants_predictions(evaluation, source))
        status = predictions_of_logits(&evaluation->predictions, logits, test->count, classes, 1, error);
    memory_free(logits);
    logistic_sweep_free(&sweep);
    return status;
}

typedef int classify(struct evaluation *evaluation, enum evaluation_source source, const struct features *train,
                     const struct features *test, struct score *out, struct error *error);

static int judge_features(struct evaluation *evaluation, enum evaluation_source source, classify *classifier,
                          struct score *score, struct error *error)
{
    struct features train = {0}, test = {0};
    int status = evaluation_features(evaluation, source, &train, &test, error);
    if (status) return status;
    if (source == SOURCE_TRAINED) status = evaluation_save_features(evaluation->session, &train, &test, error);
    if (!status) status = classifier(evaluation, source, &train, &test, score, error);
    features_free(&train);
    features_free(&test);
    return status;
}

static int judge_knn(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                     struct error *error)
{
    return judge_features(evaluation, source, evaluation_knn, out, error);
}

static int judge_linear(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                        struct error *error)
{
    return judge_features(evaluation, source, evaluation_linear, out, error);
}

static void close_frozen_table(const struct evaluation *evaluation)
{
    const long long train = evaluation_count(evaluation, PART_TRAIN), test = evaluation_count(evaluation, PART_TEST);
    const int classes = evaluation_classes(evaluation);
    if (evaluation_is_of_tables(evaluation))
        session_print(evaluation->session, "%lld training and %lld test rows of %d features, %d classes\n", train, test,
                      evaluation->tables[PART_TRAIN].dim, classes);
    else
        session_print(evaluation->session,
                      "%lld training and %lld test images, %d classes; encoder frozen: hash %016" PRIx64
                      " before and after\n",
                      train, test, classes, evaluation->encoders[SOURCE_TRAINED].hash_before);
}

static void close_sgd_table(const struct evaluation *evaluation)
{
    linear_sgd_close_table(evaluation);
    close_frozen_table(evaluation);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define EVERY_SOURCE                                                                                                   \
    .sources = {{.source = SOURCE_PIXELS}, {.source = SOURCE_UNTRAINED}, {.source = SOURCE_TRAINED},                   \
                {.source = SOURCE_EMA},    {.source = SOURCE_OTHER},     {.source = SOURCE_FEATURES}},                 \
    .count = 6

const struct protocol evaluation_protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_KNN] = {.name = "kNN",
                      .command = "knn",
                      .frozen = true,
                      EVERY_SOURCE,
                      .open = evaluation_open,
                      .judge = judge_knn,
                      .close_table = close_frozen_table},
    [PROTOCOL_LINEAR] = {.name = "linear",
                         .command = "linear",
                         .frozen = true,
                         EVERY_SOURCE,
                         .open = evaluation_open,
                         .judge = judge_linear,
                         .close_table = close_frozen_table},
    [PROTOCOL_LINEAR_SGD] = {.name = "linear-sgd",
                             .command = "linear",
                             .frozen = true,
                             EVERY_SOURCE,
                             .open = evaluation_open,
                             .judge = linear_sgd_judge,
                             .facts = linear_sgd_facts,
                             .close_table = close_sgd_table},
    [PROTOCOL_FINETUNE] = {.name = "finetune",
                           .command = "finetune",
                           .sources = {{SOURCE_TRAINED, "finetuned", "pretrained"},
                                       {SOURCE_UNTRAINED, "random", "random"}},
                           .count = 2,
                           .open = finetune_open,
                           .judge = finetune_judge,
                           .facts = finetune_facts,
                           .close_table = finetune_close_table,
                           .close = finetune_close},
    [PROTOCOL_SUPERVISED] = {.name = "supervised",
                             .command = "supervised",
                             .sources = {{SOURCE_TRAINED, "supervised", "supervised"}},
                             .count = 1,
                             .open = supervised_open,
                             .judge = supervised_judge,
                             .facts = supervised_facts,
                             .close_table = supervised_close_table,
                             .close = supervised_close},
};

/* ---- running and reporting -------------------------------------------------------------------------------------- */

static void describe(struct text *json, const struct evaluation *evaluation, const struct protocol *protocol,
                     const struct score *scores)
{
    const struct session *session = evaluation->session;
    struct score_origin origin = score_origin_none();
    origin.protocol = protocol->name;
    if (evaluation_is_of_tables(evaluation)) {
        origin.features = session->config->features;
        origin.test_features = session->config->test_features;
    } else {
        /* A training that starts from no checkpoint leaves its own in --out. */
        origin.checkpoint = session->config->checkpoint[0] ? session->config->checkpoint : session->config->out;
        origin.data = session->config->data;
        origin.hash_before = evaluation->encoders[SOURCE_TRAINED].hash_before;
        origin.frozen = protocol->frozen;
    }
    origin.train_images = evaluation_count(evaluation, PART_TRAIN);
    origin.test_images = evaluation_count(evaluation, PART_TEST);
    origin.classes = evaluation_classes(evaluation);
    text_json_open_object(json, NULL);
    score_origin_json(json, &origin);
    if (evaluation->layer > 0) text_json_integer(json, "layer", evaluation->layer);
    if (protocol->facts) protocol->facts(evaluation, json);
    for (int i = 0; i < protocol->count; i++) {
        const struct protocol_source *row = &protocol->sources[i];
        const char *key = row->key ? row->key : evaluation_sources[row->source].name;
        if (scores[i].done) score_json(json, key, &scores[i]);
    }
    text_json_close_object(json);
}

static int report_json(const struct evaluation *evaluation, const struct protocol *protocol, const struct score *scores,
                       struct error *error)
{
    struct text json = {0};
    describe(&json, evaluation, protocol, scores);
    const int status = session_print_json(evaluation->session, &json, error);
    text_free(&json);
    return status;
}

/* result.json in the folder of a training for its score: what --json prints. The log has a line of each. */
static int keep_result(const struct evaluation *evaluation, const struct protocol *protocol, const struct score *scores,
                       struct error *error)
{
    const struct session *session = evaluation->session;
    struct text json = {0};
    for (int i = 0; i < protocol->count; i++) {
        double low, high;
        if (!scores[i].done) continue;
        interval_wilson(scores[i].top1, scores[i].count, &low, &high);
        log_info(&session->log, "%s: top-1 %.2f %% [%.2f, %.2f] of %lld test images", protocol->sources[i].title,
                 100 * (double)scores[i].top1 / (double)scores[i].count, 100 * low, 100 * high,
                 (long long)scores[i].count);
    }
    describe(&json, evaluation, protocol, scores);
    text_add(&json, "\n");
    char *path = file_join(session->config->out, "result.json");
    const int status = json.failed || !path ? error_no_memory(error, "result.json", json.capacity)
                                            : file_write_atomic(path, json.bytes, json.length, error);
    memory_free(path);
    text_free(&json);
    return status;
}

static void print_row(const struct evaluation *evaluation, const struct protocol_source *row, const struct score *score)
{
    score_print(evaluation->session, row->title ? row->title : evaluation_sources[row->source].name, score);
}

/* Of what was trained for its score, the whole table at the end, the controls first. */
static void print_table(const struct evaluation *evaluation, const struct protocol *protocol,
                        const struct score *scores)
{
    if (!protocol->frozen) {
        score_print_header(evaluation->session, protocol->name);
        for (int i = protocol->count - 1; i >= 0; i--)
            if (scores[i].done) print_row(evaluation, &protocol->sources[i], &scores[i]);
    }
    protocol->close_table(evaluation);
}

static int judge_all(struct evaluation *evaluation, const struct protocol *protocol, struct score *scores,
                     struct error *error)
{
    const struct session *session = evaluation->session;
    const bool shown = protocol->frozen && !session->config->json;
    if (shown) score_print_header(session, protocol->name);
    for (int i = 0; i < protocol->count; i++) {
        const struct protocol_source *row = &protocol->sources[i];
        if (evaluation_sources[row->source].control && !session->config->controls) continue;
        /* What is trained for its score is made by the protocol itself. */
        if (protocol->frozen && !evaluation_has(evaluation, row->source)) continue;
        const int status = protocol->judge(evaluation, row->source, &scores[i], error);
        if (status) return status;
        if (shown) print_row(evaluation, row, &scores[i]);
    }
    return protocol->frozen ? evaluation_check_frozen(evaluation, error) : SIMCLR_OK;
}

int evaluation_run(struct session *session, enum evaluation_protocol number, struct error *error)
{
    const struct protocol *protocol = &evaluation_protocols[number];
    struct evaluation evaluation = {.session = session};
    struct score scores[SOURCE_COUNT] = {{0}};
    struct zip_writer *file = NULL; /* a place that cannot be written is known before the long work */
    int status = SIMCLR_OK;
    const bool writes = communicator_leads(session->communicator) && session->config->predictions[0];
    if (writes) status = zip_writer_open(&file, session->config->predictions, error);
    if (!status) status = protocol->open(session, &evaluation, error);
    if (!status) status = judge_all(&evaluation, protocol, scores, error);
    if (!status && file) status = predictions_commit(&file, &evaluation.predictions, &evaluation, error);
    zip_writer_abort(&file);
    if (!status && !protocol->frozen) status = keep_result(&evaluation, protocol, scores, error);
    if (!status && session->config->json)
        status = report_json(&evaluation, protocol, scores, error);
    else if (!status)
        print_table(&evaluation, protocol, scores);
    if (protocol->close) protocol->close(&evaluation, status, error);
    evaluation_close(&evaluation);
    return status;
}
