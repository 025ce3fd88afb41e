/* evaluate/suite_markdown.c -- what an evaluation found for people: Markdown tables whose columns stand below each
 * other. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "eval/interval.h"
#include "evaluate/label_sets.h"
#include "evaluate/suite_report.h"

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
    else if (!interval_is_known(interval))
        cell(grid, "%.*f", places, shown(figure, value));
    else
        cell(grid, "%.*f [%.*f, %.*f]", places, shown(figure, value), places, shown(figure, interval->low), places,
             shown(figure, interval->high));
}

/* The first of all sources that has it: it stands for the row. */
static bool is_first(const struct suite *suite, const struct figure *figure)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        const struct figure *other = figures_find(&suite->figures, figure, (enum evaluation_source)source);
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
                const struct figure *own =
                    judged[source] ? figures_find(&suite->figures, figure, (enum evaluation_source)source) : NULL;
                if (own)
                    cell_value(&grid, own, own->value, &own->over_images);
                else if (judged[source])
                    cell(&grid, "-");
            }
        }
    text_add(text, suite->evaluation->has_no_test
                       ? "There are no test images: the figures are of the training images.\n\n"
                       : "Intervals are 95 %% over the test images.\n\n");
    grid_print(&grid, text);
    for (int r = 0; r < suite->row_count; r++)
        if (strcmp(suite->rows[r]->name, "quality") == 0) text_add(text, "\n%s\n", SUITE_QUALITY_NOTE);
}

static void add_factor(const struct suite *suite, struct text *text)
{
    struct factors factors;
    if (!factors_find(&factors, suite)) return;
    text_add(text, "\n");
    factors_markdown(&factors, text);
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
        if (!figure->per_image && !figure->without_is_given) continue;
        cell(&grid, "%s", figure->protocol);
        cell(&grid, "%s", figure->setting);
        cell(&grid, "%s", metric_rows[figure->metric].title);
        cell(&grid, "%s", evaluation_sources[figure->source].name);
        cell(&grid, "%.*f", digits(figure), shown(figure, figure->value));
        cell_value(&grid, figure, figure->without_leaks, &(struct interval){NAN, NAN});
    }
    text_add(text, "\n");
    if (grid.count > 6)
        grid_print(&grid, text);
    else
        text_free(&grid.cells);
    const char *before = "\nGiven with them only: ";
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (!leaks_are_in(suite, (enum metric)metric)) continue;
        text_add(text, "%s%s", before, metric_rows[metric].title);
        before = ", ";
    }
    if (before[0] == ',') text_add(text, ".\n");
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
        cell_value(&grid, figure, comparison->difference, &comparison->interval);
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
    const struct confused *most = NULL;
    struct text name = {0};
    for (; *at < confusion->pairs && confusion->pair[*at].label == label; ++*at) {
        const struct confused *pair = &confusion->pair[*at];
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
    text_add(text, "\n\n%lld training", (long long)evaluation_count(evaluation, PART_TRAIN));
    if (!evaluation->has_no_test) text_add(text, " and %lld test", (long long)evaluation_count(evaluation, PART_TEST));
    text_add(text, " images, %d classes, ", evaluation_classes(evaluation));
    add_name(text, tables ? session->config->test_features : session->config->data);
    if (!tables)
        text_add(text, "; encoder frozen: hash %016" PRIx64 " before and after",
                 evaluation->encoders[SOURCE_TRAINED].hash_before);
    text_add(text, "; seed %lld. ", (long long)session->config->seed);
    if (suite->label_sets)
        text_add(text,
                 "`multilabel` is of the %lld training and %lld test images that --label-sets names, %d classes. ",
                 (long long)suite->label_sets->part[PART_TRAIN].count,
                 (long long)suite->label_sets->part[PART_TEST].count, suite->label_sets->classes);
    add_main_table(suite, text);
    add_factor(suite, text);
    if (whole) add_runs_table(suite, text);
    add_comparisons(suite, text);
    if (whole || suite->leaks > 0) add_leaks(suite, text, whole);
    if (whole) add_classes(suite, text);
}
