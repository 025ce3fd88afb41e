/* evaluate/suite.c -- see suite.h. */
#include "evaluate/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "evaluate/label_sets.h"
#include "evaluate/protocols.h"
#include "run/outputs.h"

/* ---- the table of protocols ------------------------------------------------------------------------------------- */

#define BIT(source) (1u << SOURCE_##source)
#define EVERY_SOURCE (BIT(PIXELS) | EVERY_ENCODER | BIT(FEATURES))
#define EVERY_ENCODER (BIT(UNTRAINED) | BIT(TRAINED) | BIT(EMA) | BIT(OTHER))

/* Of the untrained network another seed changes the weights too. */
#define SEEDED(words) .seeded = (words), .seeded_weights = "the weights, and " words
#define LABELS_AND_ORDER "the labels that are used, the order of the images and their views"

const struct suite_row suite_rows[] = {
    {.name = "knn",
     .usual = true,
     .needs_features = true,
     SEEDED("the training images that choose k and temperature"),
     .sources = EVERY_SOURCE,
     .judge = suite_knn},
    {.name = "linear",
     .usual = true,
     .needs_features = true,
     SEEDED("the training images that choose the penalty"),
     .sources = EVERY_SOURCE,
     .judge = suite_linear},
    {.name = "fewshot", .usual = true, .needs_features = true, .sources = EVERY_SOURCE, .judge = suite_fewshot},
    {.name = "retrieval", .usual = true, .needs_features = true, .sources = EVERY_SOURCE, .judge = suite_retrieval},
    {.name = "cluster",
     .usual = true,
     .needs_features = true,
     SEEDED("the starts of k-means"),
     .sources = EVERY_SOURCE,
     .judge = suite_cluster},
    {.name = "quality",
     .usual = true,
     .needs_no_labels = true,
     .needs_features = true,
     .sources = EVERY_SOURCE,
     .judge = suite_quality},
    {.name = "linear-sgd",
     .needs_features = true,
     SEEDED("the views, their order, and the training images that choose the rate"),
     .sources = BIT(PIXELS) | EVERY_ENCODER,
     .judge = suite_linear_sgd},
    {.name = "finetune-1%",
     .whole_network = true,
     .fine_tunes = true,
     SEEDED(LABELS_AND_ORDER),
     .sources = EVERY_ENCODER,
     .judge = suite_finetune_1},
    {.name = "finetune-10%",
     .whole_network = true,
     .fine_tunes = true,
     SEEDED(LABELS_AND_ORDER),
     .sources = EVERY_ENCODER,
     .judge = suite_finetune_10},
    {.name = "finetune-100%",
     .whole_network = true,
     .fine_tunes = true,
     SEEDED(LABELS_AND_ORDER),
     .sources = EVERY_ENCODER,
     .judge = suite_finetune_100},
    {.name = "finetune-labels",
     .whole_network = true,
     .fine_tunes = true,
     .needs_labels = true,
     SEEDED(LABELS_AND_ORDER),
     .sources = EVERY_ENCODER,
     .judge = suite_finetune_labels},
    {.name = "multilabel",
     .needs_no_labels = true,
     .needs_sets = true,
     .needs_test = true,
     .needs_features = true,
     SEEDED("the training images that choose the penalty"),
     .sources = EVERY_SOURCE,
     .judge = suite_multilabel},
    {.name = "supervised",
     .whole_network = true,
     SEEDED(LABELS_AND_ORDER),
     .sources = BIT(UNTRAINED),
     .judge = suite_supervised},
};
const int suite_row_count = sizeof suite_rows / sizeof *suite_rows;

static int refuse_name(const char *name, int length, struct error *error)
{
    struct text known = {0};
    for (int i = 0; i < suite_row_count; i++) text_add(&known, "%s%s", i ? ", " : "", suite_rows[i].name);
    const int status = error_set(error, SIMCLR_INVALID, "--protocols: \"%.*s\" is none: give usual, all, or some of %s",
                                 length, name, known.failed ? "those in --help" : known.bytes);
    text_free(&known);
    return status;
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(at, word, length) == 0;
}

/* "finetune" stands for all of its shares of the labels. */
static bool is_named(const struct suite_row *row, const char *at, size_t length)
{
    return is_word(at, length, row->name) || (row->fine_tunes && !row->needs_labels && is_word(at, length, "finetune"));
}

/* The option that a row comes with, and never without; NULL: it needs none. */
static const char *comes_with(const struct suite_row *row)
{
    return row->needs_sets     ? "--label-sets FILE: the classes of each image"
           : row->needs_labels ? "--labels: which of them"
                               : NULL;
}

#define CONTROLS (BIT(PIXELS) | BIT(UNTRAINED))

/* Why a row would judge nothing; NULL: it will. "all" leaves such rows out. */
static const char *why_not(const struct suite_row *row, const struct config *config)
{
    if (config->features[0] && !(row->sources & BIT(FEATURES))) return "looks at images, and --features has none";
    if (!config->controls && !(row->sources & ~CONTROLS)) return "is a control, and --no-controls leaves these out";
    return NULL;
}

static bool is_given(const struct suite_row *row, const struct config *config)
{
    return (row->needs_sets ? config->label_sets : config->labels)[0];
}

static bool is_of_all(const struct suite_row *row, const struct config *config)
{
    return !comes_with(row) && !why_not(row, config);
}

static void say_left_out(const struct session *session)
{
    for (int i = 0; i < suite_row_count; i++) {
        const char *why = why_not(&suite_rows[i], session->config);
        if (why && !comes_with(&suite_rows[i]))
            log_info(&session->log, "%s is left out: it %s", suite_rows[i].name, why);
    }
}

/* "knn,linear", "usual", "all": in the order of the table, each once. */
static int choose_rows(struct suite *suite, struct error *error)
{
    const struct session *session = suite->evaluation->session;
    const struct config *config = session->config;
    const char *list = config->protocols;
    bool wanted[SUITE_ROWS_MAX] = {false};
    for (const char *at = list; *at;) {
        const size_t length = strcspn(at, ",");
        const bool all = is_word(at, length, "all"), usual = is_word(at, length, "usual");
        bool found = all || usual;
        for (int i = 0; i < suite_row_count; i++) {
            const bool named = is_named(&suite_rows[i], at, length);
            wanted[i] |= (all && is_of_all(&suite_rows[i], config)) || (usual && suite_rows[i].usual) || named;
            found |= named;
        }
        if (all) say_left_out(session);
        if (!found) return refuse_name(at, (int)length, error);
        at += length + (at[length] == ',');
    }
    for (int i = 0; i < suite_row_count; i++) {
        const char *option = comes_with(&suite_rows[i]);
        wanted[i] |= option && is_given(&suite_rows[i], config);
        const char *why = why_not(&suite_rows[i], config);
        if (wanted[i] && why)
            return error_set(error, SIMCLR_INVALID, "%s %s: give what it needs, or leave it out", suite_rows[i].name,
                             why);
        if (option && wanted[i] && !is_given(&suite_rows[i], config))
            return error_set(error, SIMCLR_INVALID, "--protocols %s needs %s", suite_rows[i].name, option);
        if (wanted[i]) suite->rows[suite->row_count++] = &suite_rows[i];
    }
    return suite->row_count > 0 ? SIMCLR_OK : refuse_name("", 0, error);
}

/* "h,1,2": in this order, each once. Whether the head has them is asked once there is a model. */
static int choose_layers(struct suite *suite, const char *list, struct error *error)
{
    bool chosen[4] = {false};
    for (const char *at = list; *at;) {
        const int layer = *at == 'h' ? 0 : *at >= '0' && *at <= '3' ? *at - '0' : -1;
        if (layer < 0 || (at[1] != ',' && at[1] != '\0') || (at[1] == ',' && at[2] == '\0'))
            return error_set(error, SIMCLR_INVALID, "--layers %.80s: give h, 1, 2 or 3, or some with commas between",
                             list);
        if (!chosen[layer]) suite->layers[suite->layer_count++] = layer;
        chosen[layer] = true;
        at += at[1] == ',' ? 2 : 1;
    }
    if (suite->layer_count == 0) suite->layer_count = 1; /* h */
    return SIMCLR_OK;
}

static int check_layers(const struct suite *suite, struct error *error)
{
    const struct evaluation *evaluation = suite->evaluation;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < suite->layer_count; i++) {
        if (suite->layers[i] == 0) continue;
        if (evaluation_is_of_tables(evaluation))
            return error_set(error, SIMCLR_INVALID, "--layers goes with --checkpoint; --features has rows only");
        for (int source = SOURCE_TRAINED; !status && source <= SOURCE_OTHER; source++)
            if (evaluation->encoders[source].model)
                status = feature_rows_check_layer(&evaluation->encoders[source].model->config, suite->layers[i], error);
    }
    return status;
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

/* Another seed gives an untrained network other weights, and all protocols are run again; of a given encoder only those
 * in which something else changes. */
static bool runs_again(const struct suite_task *task)
{
    const struct suite *suite = task->suite;
    if (task->row->whole_network && suite->evaluation->layer != suite->layers[0]) return false;
    return task->run == 0 || task->source == SOURCE_UNTRAINED || task->row->seeded;
}

static void say(const struct suite_task *task, int from, double seconds)
{
    const struct suite *suite = task->suite;
    const struct log *log = &suite->evaluation->session->log;
    const char *source = evaluation_sources[task->source].name;
    if (from >= suite->figures.count) return;
    const struct figure *first = &suite->figures.item[from];
    log_info(log, "%s on %s: %s%s%s %.*f (%.1f s)", task->row->name, source, first->setting,
             first->setting[0] ? ": " : "", metric_rows[first->metric].title,
             metric_rows[first->metric].percent ? 2 : 4, first->value * (metric_rows[first->metric].percent ? 100 : 1),
             seconds);
}

static int judge_rows(struct suite_task *task, struct error *error)
{
    struct suite *suite = task->suite;
    for (int r = 0; r < suite->row_count; r++) {
        task->row = suite->rows[r];
        if (!(task->row->sources & 1u << task->source) || !runs_again(task)) continue;
        const int from = suite->figures.count;
        const double start = clock_seconds();
        const int status = task->row->judge(task, error);
        if (status) return status;
        const double seconds = clock_seconds() - start;
        for (int i = from; i < suite->figures.count; i++) suite->figures.item[i].seconds = seconds;
        if (task->run == 0) say(task, from, seconds);
    }
    return SIMCLR_OK;
}

static bool needs_features(const struct suite_task *task)
{
    for (int r = 0; r < task->suite->row_count; r++) {
        struct suite_task with = *task;
        with.row = task->suite->rows[r];
        if (with.row->needs_features && with.row->sources & 1u << task->source && runs_again(&with)) return true;
    }
    return false;
}

/* All runs of one source; its features are made once, but for other weights. */
static int judge_source(struct suite *suite, enum evaluation_source source, struct error *error)
{
    struct evaluation *evaluation = suite->evaluation;
    struct features train = {0}, test = {0};
    const int64_t seed = evaluation->session->config->seed;
    int status = SIMCLR_OK;
    for (int run = 0; !status && run < suite->runs; run++) {
        struct suite_task task = {.suite = suite, .source = source, .seed = (uint64_t)seed + (uint64_t)run, .run = run};
        const bool other_weights = run > 0 || evaluation->layer != suite->layers[0]; /* of the last seed */
        if (source == SOURCE_UNTRAINED && suite->runs > 1 && other_weights) {
            features_free(&train);
            features_free(&test);
            status = evaluation_renew_untrained(evaluation, task.seed, error);
        }
        if (!status && !train.values && needs_features(&task)) {
            status = evaluation_features(evaluation, source, &train, &test, error);
        }
        task.train = train.values ? &train : NULL;
        task.test = test.values ? &test : NULL;
        if (!status) status = judge_rows(&task, error);
    }
    features_free(&train);
    features_free(&test);
    return status;
}

/* Pixels and tables have no layers. */
static int judge_layers(struct suite *suite, enum evaluation_source source, struct error *error)
{
    struct evaluation *evaluation = suite->evaluation;
    const bool of_layers = evaluation->encoders[source].model != NULL;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < (of_layers ? suite->layer_count : 1); i++) {
        evaluation->layer = of_layers ? suite->layers[i] : 0;
        status = judge_source(suite, source, error);
    }
    evaluation->layer = 0;
    return status;
}

static int judge_all(struct suite *suite, struct error *error)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        if (evaluation_sources[source].control && !suite->evaluation->session->config->controls) continue;
        if (!evaluation_has(suite->evaluation, (enum evaluation_source)source)) continue;
        const int status = judge_layers(suite, (enum evaluation_source)source, error);
        if (status) return status;
    }
    return evaluation_check_frozen(suite->evaluation, error);
}

/* ---- comparing with another checkpoint --------------------------------------------------------------------------- */

static int compare(struct suite *suite, struct error *error)
{
    const struct figure_images images = suite_figure_images(suite);
    if (!evaluation_has(suite->evaluation, SOURCE_OTHER)) return SIMCLR_OK;
    suite->comparisons = memory_array((size_t)suite->figures.count, sizeof *suite->comparisons);
    if (!suite->comparisons)
        return error_no_memory(error, "comparisons", (size_t)suite->figures.count * sizeof *suite->comparisons);
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *first = &suite->figures.item[i],
                            *second = figures_find(&suite->figures, first, SOURCE_OTHER);
        if ((first->source != SOURCE_TRAINED && first->source != SOURCE_FEATURES) || !second || !first->per_image ||
            !second->per_image)
            continue;
        const int status = figure_compare(&suite->comparisons[suite->comparison_count], first, second,
                                          suite->evaluation->session->pool, &images, error);
        if (status) return status;
        suite->comparison_count++;
    }
    return SIMCLR_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

typedef int write_file(const struct suite *suite, const char *path, struct error *error);

static int write_text(const char *path, struct text *text, struct error *error)
{
    const int status = text->failed ? error_no_memory(error, path, text->capacity)
                                    : file_write_atomic(path, text->bytes, text->length, error);
    text_free(text);
    return status;
}

static int write_json(const struct suite *suite, const char *path, struct error *error)
{
    struct text text = {0};
    suite_json(suite, &text);
    text_add(&text, "\n");
    return write_text(path, &text, error);
}

static int write_markdown(const struct suite *suite, const char *path, struct error *error)
{
    struct text text = {0};
    suite_markdown(suite, &text, true);
    return write_text(path, &text, error);
}

static int write_predictions(const struct suite *suite, const char *path, struct error *error)
{
    struct zip_writer *file;
    const int status = zip_writer_open(&file, path, error);
    return status ? status : predictions_commit(&file, &suite->predictions, suite->evaluation, error);
}

static int write_classifier(const struct suite *suite, const char *path, struct error *error)
{
    return classifier_write(&suite->classifier, path, error);
}

/* A zip archive without zip64 ends at 4 GiB: a million images of a thousand classes come near it. */
static bool predictions_fit(const struct suite *suite)
{
    const struct predictions *predictions = &suite->predictions;
    const double bytes = (double)predictions->count * (double)predictions->classes * sizeof(float);
    return predictions->probabilities && bytes < 4.0e9;
}

enum { FILES = 4 };

struct output {
    const char *name;
    write_file *write;
    bool there;       /* in this evaluation */
    char *path, *new; /* its place, and where it is written */
};

static int write_new(const struct suite *suite, struct output *output, struct error *error)
{
    const char *out = suite->evaluation->session->config->out;
    char name[64];
    snprintf(name, sizeof name, "%s.new", output->name);
    output->path = file_join(out, output->name);
    output->new = file_join(out, name);
    if (!output->path || !output->new) return error_no_memory(error, "a path", strlen(out) + 64);
    return output->there ? output->write(suite, output->new, error) : SIMCLR_OK;
}

/* What this evaluation does not have, an earlier one may have left. */
static int put_in_place(const struct output *output, struct error *error)
{
    if (!output->there) {
        unlink(output->path);
        return SIMCLR_OK;
    }
    if (rename(output->new, output->path) == 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: cannot write: %s", output->path, strerror(errno));
}

/* All are written before the first takes its place: a disk that fills up leaves an earlier evaluation whole.
 * evaluation.json is the last: where it is, the others are those of the same evaluation. */
static int write_all(const struct suite *suite, struct error *error)
{
    struct output files[FILES] = {
        {.name = "predictions.npz", .write = write_predictions, .there = predictions_fit(suite)},
        {.name = "classifier.safetensors", .write = write_classifier, .there = suite->classifier.weight},
        {.name = "evaluation.md", .write = write_markdown, .there = true},
        {.name = "evaluation.json", .write = write_json, .there = true},
    };
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < FILES; i++) status = write_new(suite, &files[i], error);
    for (int i = 0; !status && i < FILES; i++) status = put_in_place(&files[i], error);
    for (int i = 0; i < FILES; i++) {
        if (status && files[i].new) unlink(files[i].new);
        memory_free(files[i].new);
        memory_free(files[i].path);
    }
    return status;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static int find_labels(struct suite *suite, struct error *error)
{
    const int64_t count = evaluation_count(suite->evaluation, PART_TEST);
    suite->labels = memory_array((size_t)count, sizeof *suite->labels);
    if (!suite->labels) return error_no_memory(error, "labels", (size_t)count * sizeof *suite->labels);
    for (int64_t i = 0; i < count; i++) suite->labels[i] = evaluation_label(suite->evaluation, PART_TEST, i);
    return SIMCLR_OK;
}

/* None of the files is one that is read. (No encoder is called classifier.safetensors.) */
static int check_outputs(const struct config *config, struct error *error)
{
    static const char *const names[] = {"predictions.npz", "evaluation.md", "evaluation.json"};
    int status = SIMCLR_OK;
    for (size_t i = 0; !status && i < sizeof names / sizeof *names; i++) {
        char *path = file_join(config->out, names[i]);
        status =
            path ? outputs_check(config, "out", path, error) : error_no_memory(error, "a path", strlen(config->out));
        memory_free(path);
    }
    return status;
}

static int read_sets(struct suite *suite, const char *path, struct error *error)
{
    suite->label_sets = memory_allocate(sizeof *suite->label_sets);
    if (!suite->label_sets) return error_no_memory(error, "the classes of images", sizeof *suite->label_sets);
    return label_sets_read(suite->label_sets, suite->evaluation, path, error);
}

static int prepare(struct suite *suite, struct session *session, struct error *error)
{
    const struct config *config = session->config;
    int status = choose_rows(suite, error);
    if (!status) status = choose_layers(suite, config->layers, error);
    if (!status) status = file_make_folder(config->out, error); /* known before the long work */
    if (!status) status = check_outputs(config, error);
    suite->evaluation->needs_no_labels = true;
    for (int r = 0; r < suite->row_count; r++) {
        suite->evaluation->needs_no_labels &= suite->rows[r]->needs_no_labels;
        suite->evaluation->needs_test |= suite->rows[r]->needs_test;
    }
    if (!status) status = evaluation_open(session, suite->evaluation, error);
    if (!status && config->compare[0]) status = evaluation_open_other(suite->evaluation, config->compare, error);
    if (!status) status = check_layers(suite, error);
    if (!status) status = suite_check_labelled(suite, error);
    if (!status) status = find_labels(suite, error);
    if (!status && config->label_sets[0]) status = read_sets(suite, config->label_sets, error);
    const bool tests = !suite->evaluation->needs_no_labels || suite->evaluation->needs_test;
    return status || !tests ? status : suite_find_leaks(suite, error);
}

static int report(const struct suite *suite, struct error *error)
{
    const struct session *session = suite->evaluation->session;
    struct text text = {0};
    if (session->config->json) {
        suite_json(suite, &text);
        const int status = session_print_json(session, &text, error);
        text_free(&text);
        return status;
    }
    suite_markdown(suite, &text, false);
    const bool failed = text.failed;
    if (!failed) session_write(session, text.bytes, text.length);
    text_free(&text);
    if (failed) return error_no_memory(error, "the table", 1);
    session_print(session, "\nwritten to %s: evaluation.json, evaluation.md%s%s\n", session->config->out,
                  predictions_fit(suite)             ? ", predictions.npz"
                  : suite->predictions.probabilities ? " (no predictions.npz: more than 4 GB of probabilities)"
                                                     : "",
                  suite->classifier.weight ? ", classifier.safetensors" : "");
    return SIMCLR_OK;
}

static int finish(struct suite *suite, struct error *error)
{
    const struct figure_images images = suite_figure_images(suite);
    return figures_finish(&suite->figures, suite->evaluation->session->pool, &images, error);
}

int suite_run(struct session *session, struct error *error)
{
    struct evaluation evaluation = {.session = session};
    struct suite suite = {.evaluation = &evaluation, .runs = (int)session->config->seeds};
    const double start = clock_seconds();
    int status = prepare(&suite, session, error);
    if (!status) status = judge_all(&suite, error);
    if (!status) status = finish(&suite, error);
    if (!status) status = compare(&suite, error);
    suite.seconds = clock_seconds() - start;
    if (!status) status = write_all(&suite, error);
    if (!status) status = report(&suite, error);
    figures_free(&suite.figures);
    classifier_free(&suite.classifier);
    predictions_free(&suite.predictions);
    if (suite.label_sets) label_sets_free(suite.label_sets);
    memory_free(suite.label_sets);
    memory_free(suite.labels);
    memory_free(suite.leaked);
    memory_free(suite.comparisons);
    evaluation_close(&evaluation);
    return status;
}
