/* evaluate/suite_report.c -- what an evaluation found: as one JSON object (docs/formats.md), and as Markdown for
 * people.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/memory.h"
#include "config/config.h"
#include "data/dataset.h"
#include "eval/interval.h"
#include "evaluate/label_factor.h"
#include "evaluate/suite.h"

enum { LEAKS_NAMED = 1000 };

static bool is_known(const struct interval *interval)
{
    return !isnan(interval->low) && !isnan(interval->high);
}

/* ---- per class --------------------------------------------------------------------------------------------------- */

/* By the linear classifier of the encoder under judgement: the pairs of label and prediction that occur, sorted. */
struct confusion {
    int classes;
    struct pair {
        int32_t label, predicted;
        int64_t count;
    } * pair;
    int64_t pairs;
    int64_t *images, *right; /* [classes] */
};

static int by_pair(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

static bool confusion_open(struct confusion *out, const struct suite *suite)
{
    const struct predictions *predictions = &suite->predictions;
    const size_t classes = (size_t)evaluation_classes(suite->evaluation);
    *out = (struct confusion){.classes = (int)classes};
    if (!predictions->top5) return false;
    out->pair = memory_array((size_t)predictions->count, sizeof *out->pair);
    out->images = memory_array(classes, sizeof *out->images);
    out->right = memory_array(classes, sizeof *out->right);
    if (!out->pair || !out->images || !out->right) return false;
    for (int64_t i = 0; i < predictions->count; i++) {
        const int32_t label = suite->labels[i], predicted = predictions->top5[5 * i];
        out->pair[i] = (struct pair){label, predicted, 1};
        out->images[label]++;
        out->right[label] += label == predicted;
    }
    qsort(out->pair, (size_t)predictions->count, sizeof *out->pair, by_pair);
    for (int64_t i = 0; i < predictions->count; i++) {
        if (out->pairs > 0 && by_pair(&out->pair[out->pairs - 1], &out->pair[i]) == 0)
            out->pair[out->pairs - 1].count++;
        else
            out->pair[out->pairs++] = out->pair[i];
    }
    return true;
}

static void confusion_close(struct confusion *confusion)
{
    memory_free(confusion->pair);
    memory_free(confusion->images);
    memory_free(confusion->right);
}

/* ---- labels ------------------------------------------------------------------------------------------------------ */

/* Accuracies of the protocols whose names begin so, which stand by rising numbers of labels. */
static void curve_of(struct label_curve *curve, const struct suite *suite, const char *name,
                     enum evaluation_source source, int run)
{
    *curve = (struct label_curve){0};
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (figure->source != source || figure->metric != METRIC_TOP1 || curve->count == LABEL_CURVE_POINTS ||
            strncmp(figure->protocol, name, strlen(name)) != 0 || (run > 0 && run >= figure->run_count))
            continue;
        curve->labels[curve->count] = (double)figure->labelled;
        curve->accuracy[curve->count++] = figure->run_count > 0 ? figure->runs[run] : figure->value;
    }
}

struct factors {
    struct label_factor first;
    int runs;
    double mean;
    struct interval interval;
};

static bool find_factors(struct factors *out, const struct suite *suite)
{
    enum { RUNS = 100 };
    double values[RUNS];
    *out = (struct factors){.interval = {NAN, NAN}};
    for (int run = 0; run < suite->runs && run < RUNS; run++) {
        struct label_curve ours, supervised;
        struct label_factor factor;
        curve_of(&ours, suite, "finetune-", SOURCE_TRAINED, run);
        curve_of(&supervised, suite, "supervised", SOURCE_UNTRAINED, run);
        if (!label_factor_find(&factor, &ours, &supervised)) break;
        if (run == 0) out->first = factor;
        values[out->runs++] = factor.factor;
    }
    if (out->runs > 1) statistics_over_seeds(&out->mean, &out->interval, values, out->runs);
    return out->runs > 0;
}

static const char *bound_of(const struct label_factor *factor)
{
    return factor->bound > 0 ? "at least " : factor->bound < 0 ? "at most " : "";
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void json_interval(struct text *json, const struct interval *interval, const char *method)
{
    if (!is_known(interval)) return;
    text_json_number(json, "low95", interval->low);
    text_json_number(json, "high95", interval->high);
    if (method) text_json_exact(json, "method", method);
}

static const char *method_of(const struct figure *figure)
{
    const bool counted = figure->kind == FIGURE_NUMBER && !figure->resampled;
    return figure->kind == FIGURE_SHARE || counted ? "Wilson" : "percentile bootstrap";
}

static void json_runs(struct text *json, const struct figure *figure)
{
    if (figure->run_count == 0) return;
    text_json_open_object(json, "runs");
    text_json_exact(json, "varied", figure->varied);
    text_json_integer(json, "count", figure->run_count);
    text_json_number(json, "mean", figure->mean);
    json_interval(json, &figure->over_runs, "Student's t");
    text_json_open_array(json, "values");
    for (int i = 0; i < figure->run_count; i++) text_json_number(json, NULL, figure->runs[i]);
    text_json_close_array(json);
    text_json_close_object(json);
}

static void json_figure(struct text *json, const struct figure *figure)
{
    text_json_open_object(json, NULL);
    text_json_exact(json, "protocol", figure->protocol);
    if (figure->setting[0]) text_json_exact(json, "setting", figure->setting);
    text_json_exact(json, "metric", metric_rows[figure->metric].name);
    text_json_exact(json, "source", evaluation_sources[figure->source].name);
    if (figure->layer > 0) text_json_integer(json, "layer", figure->layer);
    text_json_number(json, "value", figure->value);
    if (is_known(&figure->over_images)) {
        text_json_open_object(json, "over_images");
        json_interval(json, &figure->over_images, method_of(figure));
        text_json_close_object(json);
    }
    if (figure->images > 0) text_json_integer(json, "images", figure->images);
    if (!isnan(figure->without_leaks)) text_json_number(json, "without_leaks", figure->without_leaks);
    json_runs(json, figure);
    if (figure->detail[0]) text_json_exact(json, "detail", figure->detail);
    if (figure->labelled > 0) text_json_integer(json, "labelled_images", figure->labelled);
    text_json_number(json, "seconds", figure->seconds);
    text_json_close_object(json);
}

static void json_comparison(struct text *json, const struct comparison *comparison)
{
    const struct figure *figure = comparison->first;
    text_json_open_object(json, NULL);
    text_json_exact(json, "protocol", figure->protocol);
    if (figure->setting[0]) text_json_exact(json, "setting", figure->setting);
    text_json_exact(json, "metric", metric_rows[figure->metric].name);
    text_json_number(json, "trained", comparison->first->value);
    text_json_number(json, "other", comparison->second->value);
    text_json_number(json, "difference", -comparison->difference);
    if (is_known(&comparison->interval)) {
        text_json_number(json, "low95", -comparison->interval.high);
        text_json_number(json, "high95", -comparison->interval.low);
    }
    text_json_exact(json, "test", comparison->test);
    text_json_number(json, "p", comparison->p);
    text_json_exact(json, "trained_is", comparison->verdict);
    if (figure->kind == FIGURE_SHARE) {
        text_json_integer(json, "only_trained_right", comparison->only_first);
        text_json_integer(json, "only_other_right", comparison->only_second);
    }
    text_json_close_object(json);
}

static void json_bins(struct text *json, const char *key, const struct calibration *calibration)
{
    text_json_open_array(json, key);
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const struct calibration_bin *bin = &calibration->bins[b];
        if (bin->rows == 0) continue;
        text_json_open_object(json, NULL);
        text_json_integer(json, "images", bin->rows);
        text_json_number(json, "confidence", bin->confidence);
        text_json_number(json, "accuracy", bin->accuracy);
        text_json_close_object(json);
    }
    text_json_close_array(json);
}

static void json_classes(struct text *json, const struct suite *suite, const struct confusion *confusion)
{
    text_json_open_array(json, "classes");
    for (int c = 0; c < confusion->classes; c++) {
        struct interval interval;
        const int64_t right = confusion->right[c], images = confusion->images[c];
        text_json_open_object(json, NULL);
        text_json_string(json, "name", evaluation_class_name(suite->evaluation, c));
        text_json_integer(json, "images", images);
        if (images > 0) {
            interval_wilson(right, images, &interval.low, &interval.high);
            text_json_number(json, "top1", (double)right / (double)images);
            json_interval(json, &interval, NULL);
        }
        text_json_close_object(json);
    }
    text_json_close_array(json);
    text_json_open_array(json, "confusion");
    for (int64_t i = 0; i < confusion->pairs; i++) {
        text_json_open_array(json, NULL);
        text_json_integer(json, NULL, confusion->pair[i].label);
        text_json_integer(json, NULL, confusion->pair[i].predicted);
        text_json_integer(json, NULL, confusion->pair[i].count);
        text_json_close_array(json);
    }
    text_json_close_array(json);
}

static void json_classifier(struct text *json, const struct suite *suite)
{
    struct confusion confusion;
    const bool there = confusion_open(&confusion, suite);
    if (there) {
        text_json_open_object(json, "linear_classifier");
        text_json_number(json, "l2", suite->classifier.l2);
        text_json_number(json, "temperature", suite->classifier.temperature);
        json_bins(json, "bins_as_fitted", &suite->as_fitted);
        json_bins(json, "bins_with_temperature", &suite->tempered);
        json_classes(json, suite, &confusion);
        text_json_close_object(json);
    } else if (suite->predictions.top5) {
        json->failed = true;
    }
    confusion_close(&confusion);
}

static void json_leaks(struct text *json, const struct suite *suite)
{
    if (!suite->leaked) return;
    text_json_open_object(json, "leaks");
    text_json_exact(json, "equal", suite->leaks_of);
    text_json_integer(json, "test_images", suite->leaks);
    text_json_open_array(json, "names");
    int64_t named = 0;
    for (int64_t i = 0; i < evaluation_count(suite->evaluation, PART_TEST) && named < LEAKS_NAMED; i++) {
        if (!suite->leaked[i]) continue;
        text_json_string(json, NULL, evaluation_name(suite->evaluation, PART_TEST, i));
        named++;
    }
    text_json_close_array(json);
    text_json_close_object(json);
}

static void json_origin(struct text *json, const struct suite *suite)
{
    const struct evaluation *evaluation = suite->evaluation;
    const struct session *session = evaluation->session;
    struct score_origin origin = score_origin_none();
    char *yaml = config_to_yaml(session->config, CONFIG_REPEATABLE);
    if (!yaml) json->failed = true;
    origin.protocol = "evaluate";
    if (evaluation_is_of_tables(evaluation)) {
        origin.features = session->config->features;
        origin.test_features = session->config->test_features;
    } else {
        origin.checkpoint = session->config->checkpoint;
        origin.data = session->config->data;
        origin.hash_before = evaluation->encoders[SOURCE_TRAINED].hash_before;
        origin.hash_after = parameters_encoder_hash(&evaluation->encoders[SOURCE_TRAINED].model->parameters);
        origin.frozen = origin.hash_before == origin.hash_after;
        origin.train_digest = dataset_fingerprint(evaluation->train);
        origin.test_digest = dataset_fingerprint(evaluation->test);
    }
    origin.train_images = evaluation_count(evaluation, PART_TRAIN);
    origin.test_images = evaluation_count(evaluation, PART_TEST);
    origin.classes = evaluation_classes(evaluation);
    origin.settings = yaml;
    origin.seed = session->config->seed;
    origin.kernels = session->backend->ops->description(session->backend);
    origin.seconds = suite->seconds;
    score_origin_json(json, &origin);
    memory_free(yaml);
    if (evaluation_has(evaluation, SOURCE_OTHER)) {
        char hash[24];
        snprintf(hash, sizeof hash, "%016" PRIx64, evaluation->encoders[SOURCE_OTHER].hash_before);
        text_json_string(json, "other_checkpoint", session->config->compare);
        text_json_string(json, "other_encoder_hash", hash);
    }
}

static void json_factor(struct text *json, const struct suite *suite)
{
    struct factors factors;
    if (!find_factors(&factors, suite)) return;
    text_json_open_object(json, "label_factor");
    text_json_number(json, "value", factors.first.factor);
    text_json_number(json, "accuracy", factors.first.accuracy);
    if (factors.first.bound) text_json_exact(json, "is", factors.first.bound > 0 ? "at least" : "at most");
    if (factors.runs > 1) {
        text_json_integer(json, "runs", factors.runs);
        text_json_number(json, "mean", factors.mean);
        json_interval(json, &factors.interval, "Student's t");
    }
    text_json_close_object(json);
}

void suite_json(const struct suite *suite, struct text *json)
{
    text_json_open_object(json, NULL);
    text_json_exact(json, "format", "simclr-evaluation");
    text_json_integer(json, "version", 1);
    json_origin(json, suite);
    text_json_open_array(json, "protocols");
    for (int i = 0; i < suite->row_count; i++) text_json_exact(json, NULL, suite->rows[i]->name);
    text_json_close_array(json);
    text_json_open_array(json, "layers");
    for (int i = 0; i < suite->layer_count; i++) text_json_integer(json, NULL, suite->layers[i]);
    text_json_close_array(json);
    json_leaks(json, suite);
    text_json_open_array(json, "figures");
    for (int i = 0; i < suite->figures.count; i++) json_figure(json, &suite->figures.item[i]);
    text_json_close_array(json);
    json_factor(json, suite);
    if (suite->comparisons) {
        text_json_open_array(json, "comparisons");
        for (int i = 0; i < suite->comparison_count; i++) json_comparison(json, &suite->comparisons[i]);
        text_json_close_array(json);
    }
    json_classifier(json, suite);
    text_json_exact(json, "quality_note", SUITE_QUALITY_NOTE);
    text_json_close_object(json);
}

/* ---- Markdown: tables whose columns stand below each other ------------------------------------------------------- */

/* A name as Markdown shows it: escaped as everywhere, then what Markdown or HTML would read as marks. */
static void add_name(struct text *text, const char *name)
{
    struct text shown = {0};
    escape_add(&shown, name, strlen(name));
    for (size_t i = 0; !shown.failed && i < shown.length; i++) {
        const char c = shown.bytes[i];
        if (c == '<' || c == '>' || c == '&')
            text_add(text, "%s", c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
        else if (strchr("\\`*_[]|#~", c))
            text_add(text, "\\%c", c);
        else
            text_add_bytes(text, &c, 1);
    }
    text->failed |= shown.failed;
    text_free(&shown);
}

enum { COLUMNS = 9 };

/* Cells, each ended by NUL, row after row. The first row is the head. */
struct grid {
    struct text cells;
    int columns, count; /* cells in all */
};

/* printf; names are escaped before. */
static void cell(struct grid *grid, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void cell(struct grid *grid, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    format_plain(text, sizeof text, format, arguments);
    va_end(arguments);
    text_add_bytes(&grid->cells, text, strlen(text) + 1);
    grid->count++;
}

static void grid_print(struct grid *grid, struct text *text)
{
    size_t width[COLUMNS] = {0};
    const char *at = grid->cells.bytes;
    for (int i = 0; !grid->cells.failed && i < grid->count; i++, at += strlen(at) + 1) {
        size_t *own = &width[i % grid->columns];
        if (strlen(at) > *own) *own = strlen(at);
    }
    at = grid->cells.bytes;
    for (int i = 0; !grid->cells.failed && i < grid->count; i++, at += strlen(at) + 1) {
        const int column = i % grid->columns;
        text_add(text, "%s %s%*s", column ? " |" : "|", at, (int)(width[column] - strlen(at)), "");
        if (column + 1 < grid->columns) continue;
        text_add(text, " |\n");
        if (i + 1 != grid->columns) continue;
        for (int c = 0; c < grid->columns; c++) {
            text_add(text, "|-");
            for (size_t k = 0; k < width[c]; k++) text_add(text, "-");
            text_add(text, "-");
        }
        text_add(text, "|\n");
    }
    text->failed |= grid->cells.failed;
    text_free(&grid->cells);
}

static double shown(const struct figure *figure, double value)
{
    return metric_rows[figure->metric].percent ? 100 * value : value;
}

static int digits(const struct figure *figure)
{
    return metric_rows[figure->metric].percent ? 2 : 4;
}

static void cell_value(struct grid *grid, const struct figure *figure, double value, const struct interval *interval)
{
    const int places = digits(figure);
    if (isnan(value))
        cell(grid, "-");
    else if (!is_known(interval))
        cell(grid, "%.*f", places, shown(figure, value));
    else
        cell(grid, "%.*f [%.*f, %.*f]", places, shown(figure, value), places, shown(figure, interval->low), places,
             shown(figure, interval->high));
}

static const struct figure *of_source(const struct suite *suite, const struct figure *like, int source)
{
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if ((int)figure->source == source && figure->metric == like->metric &&
            strcmp(figure->protocol, like->protocol) == 0 && strcmp(figure->setting, like->setting) == 0)
            return figure;
    }
    return NULL;
}

/* The first of all sources that has it: it stands for the row. */
static bool is_first(const struct suite *suite, const struct figure *figure)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        const struct figure *other = of_source(suite, figure, source);
        if (other) return other == figure;
    }
    return false;
}

static void add_main_table(const struct suite *suite, struct text *text)
{
    bool judged[SOURCE_COUNT] = {false};
    struct grid grid = {.columns = 3};
    for (int i = 0; i < suite->figures.count; i++) judged[suite->figures.item[i].source] = true;
    cell(&grid, "protocol");
    cell(&grid, "setting");
    cell(&grid, "figure");
    for (int source = 0; source < SOURCE_COUNT; source++) {
        if (!judged[source]) continue;
        cell(&grid, "%s [95 %%]", evaluation_sources[source].name);
        grid.columns++;
    }
    for (int r = 0; r < suite->row_count; r++)
        for (int i = 0; i < suite->figures.count; i++) {
            const struct figure *figure = &suite->figures.item[i];
            if (strcmp(figure->protocol, suite->rows[r]->name) != 0 || !is_first(suite, figure)) continue;
            cell(&grid, "%s", figure->protocol);
            cell(&grid, "%s", figure->setting);
            cell(&grid, "%s", metric_rows[figure->metric].title);
            for (int source = 0; source < SOURCE_COUNT; source++) {
                const struct figure *own = judged[source] ? of_source(suite, figure, source) : NULL;
                if (own)
                    cell_value(&grid, own, own->value, &own->over_images);
                else if (judged[source])
                    cell(&grid, "-");
            }
        }
    text_add(text, "Intervals are 95 %% over the test images.\n\n");
    grid_print(&grid, text);
    for (int r = 0; r < suite->row_count; r++)
        if (strcmp(suite->rows[r]->name, "quality") == 0) text_add(text, "\n%s\n", SUITE_QUALITY_NOTE);
}

static void add_factor(const struct suite *suite, struct text *text)
{
    struct factors factors;
    if (!find_factors(&factors, suite)) return;
    text_add(
        text,
        "\nLabel factor: for %.2f %%, the highest accuracy that both reach, supervised training needs %s%.2f times the "
        "labels of the fine-tuned encoder.",
        100 * factors.first.accuracy, bound_of(&factors.first), factors.first.factor);
    if (factors.runs > 1)
        text_add(text, " Over %d runs: %.2f [%.2f, %.2f].", factors.runs, factors.mean, factors.interval.low,
                 factors.interval.high);
    text_add(text, "\n");
}

static void add_runs_table(const struct suite *suite, struct text *text)
{
    static const char *const heads[] = {"protocol", "setting",     "figure",     "features of",
                                        "runs",     "mean [95 %]", "what varied"};
    struct grid grid = {.columns = 7};
    for (int i = 0; i < 7; i++) cell(&grid, "%s", heads[i]);
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (figure->run_count == 0) continue;
        cell(&grid, "%s", figure->protocol);
        cell(&grid, "%s", figure->setting);
        cell(&grid, "%s", metric_rows[figure->metric].title);
        cell(&grid, "%s", evaluation_sources[figure->source].name);
        cell(&grid, "%d", figure->run_count);
        cell_value(&grid, figure, figure->mean, &figure->over_runs);
        cell(&grid, "%s", figure->varied);
    }
    if (grid.count > 7) text_add(text, "\n## Over runs (intervals by Student's t)\n\n");
    if (grid.count > 7)
        grid_print(&grid, text);
    else
        text_free(&grid.cells);
}

static void add_leaks(const struct suite *suite, struct text *text, bool whole)
{
    if (!suite->leaked) return;
    struct grid grid = {.columns = 6};
    const long long tested = evaluation_count(suite->evaluation, PART_TEST);
    text_add(text, "\n## Leaks\n\n%lld of %lld test images are training images too (equal %s).\n",
             (long long)suite->leaks, tested, suite->leaks_of);
    if (suite->leaks == 0 || !whole) return;
    static const char *const heads[] = {"protocol", "setting", "figure", "features of", "with them", "without"};
    for (int i = 0; i < 6; i++) cell(&grid, "%s", heads[i]);
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (!figure->per_image) continue;
        cell(&grid, "%s", figure->protocol);
        cell(&grid, "%s", figure->setting);
        cell(&grid, "%s", metric_rows[figure->metric].title);
        cell(&grid, "%s", evaluation_sources[figure->source].name);
        cell(&grid, "%.*f", digits(figure), shown(figure, figure->value));
        cell_value(&grid, figure, figure->without_leaks, &(struct interval){NAN, NAN});
    }
    text_add(text, "\n");
    grid_print(&grid, text);
}

static void add_comparisons(const struct suite *suite, struct text *text)
{
    static const char *const heads[] = {"protocol", "setting", "figure",    "trained - other [95 %]",
                                        "p",        "test",    "trained is"};
    struct grid grid = {.columns = 7};
    if (suite->comparison_count == 0) return;
    for (int i = 0; i < 7; i++) cell(&grid, "%s", heads[i]);
    for (int i = 0; i < suite->comparison_count; i++) {
        const struct comparison *comparison = &suite->comparisons[i];
        const struct figure *figure = comparison->first;
        cell(&grid, "%s", figure->protocol);
        cell(&grid, "%s", figure->setting);
        cell(&grid, "%s", metric_rows[figure->metric].title);
        cell_value(&grid, figure, -comparison->difference,
                   &(struct interval){-comparison->interval.high, -comparison->interval.low});
        cell(&grid, "%.3g", comparison->p);
        cell(&grid, "%s", comparison->test);
        cell(&grid, "%s", comparison->verdict);
    }
    text_add(text, "\n## Beside the other checkpoint, image by image\n\n");
    grid_print(&grid, text);
}

/* "name (3)" of the class that images of `label` are taken for most often, and not rightly; "-": none. pairs of one
 * label stand together from *at on. */
static void cell_confused(struct grid *grid, const struct suite *suite, const struct confusion *confusion, int label,
                          int64_t *at)
{
    const struct pair *most = NULL;
    struct text name = {0};
    for (; *at < confusion->pairs && confusion->pair[*at].label == label; ++*at) {
        const struct pair *pair = &confusion->pair[*at];
        if (pair->predicted != label && (!most || pair->count > most->count)) most = pair;
    }
    if (most) add_name(&name, evaluation_class_name(suite->evaluation, most->predicted));
    grid->cells.failed |= name.failed;
    if (most)
        cell(grid, "%.200s (%lld)", name.failed ? "" : name.bytes, (long long)most->count);
    else
        cell(grid, "-");
    text_free(&name);
}

static void add_classes(const struct suite *suite, struct text *text)
{
    struct confusion confusion;
    struct grid grid = {.columns = 4};
    int64_t at = 0;
    if (confusion_open(&confusion, suite)) {
        cell(&grid, "class");
        cell(&grid, "test images");
        cell(&grid, "top-1 %% [95 %%]");
        cell(&grid, "taken most often for");
        for (int c = 0; c < confusion.classes; c++) {
            const int64_t right = confusion.right[c], images = confusion.images[c];
            double low, high;
            struct text name = {0};
            add_name(&name, evaluation_class_name(suite->evaluation, c));
            grid.cells.failed |= name.failed;
            cell(&grid, "%.200s", name.failed ? "" : name.bytes);
            text_free(&name);
            cell(&grid, "%lld", (long long)images);
            interval_wilson(right, images, &low, &high);
            if (images > 0)
                cell(&grid, "%.2f [%.2f, %.2f]", 100.0 * (double)right / (double)images, 100 * low, 100 * high);
            else
                cell(&grid, "-");
            cell_confused(&grid, suite, &confusion, c, &at);
        }
        text_add(text, "\n## Per class, by the linear classifier\n\n");
    }
    if (grid.count > 0)
        grid_print(&grid, text);
    else if (suite->predictions.top5)
        text->failed = true;
    confusion_close(&confusion);
}

void suite_markdown(const struct suite *suite, struct text *text, bool whole)
{
    const struct evaluation *evaluation = suite->evaluation;
    const struct session *session = evaluation->session;
    const bool tables = evaluation_is_of_tables(evaluation);
    text_add(text, "# Evaluation of ");
    add_name(text, tables ? session->config->features : session->config->checkpoint);
    text_add(text, "\n\n%lld training and %lld test images, %d classes, ",
             (long long)evaluation_count(evaluation, PART_TRAIN), (long long)evaluation_count(evaluation, PART_TEST),
             evaluation_classes(evaluation));
    add_name(text, tables ? session->config->test_features : session->config->data);
    if (!tables)
        text_add(text, "; encoder frozen: hash %016" PRIx64 " before and after",
                 evaluation->encoders[SOURCE_TRAINED].hash_before);
    text_add(text, "; seed %lld. ", (long long)session->config->seed);
    add_main_table(suite, text);
    add_factor(suite, text);
    if (whole) add_runs_table(suite, text);
    add_comparisons(suite, text);
    if (whole || suite->leaks > 0) add_leaks(suite, text, whole);
    if (whole) add_classes(suite, text);
}
