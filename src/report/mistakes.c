/* report/mistakes.c -- what the linear classifier takes for what, how sure it is, and which classes are hard. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/look.h"

enum { MATRIX_CLASSES = 30, PAIRS_SHOWN = 20, CLASSES_SHOWN = 1000, BINS_MOST = 64 };

struct class_row {
    char *name;
    size_t number; /* of the class */
    int64_t images;
    double top1, low, high;
};
struct pair {
    int64_t label, predicted, images;
};
struct confused {
    struct class_row *row;
    size_t classes;
    struct pair *pair; /* those that occur */
    size_t pairs;
};

static double number_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_member(object, name);
    return json_is_number(value) ? value->number : NAN;
}

static void confused_free(struct confused *confused)
{
    for (size_t i = 0; i < confused->classes; i++) memory_free(confused->row[i].name);
    memory_free(confused->row);
    memory_free(confused->pair);
}

static bool read_classes(struct confused *out, const struct json_value *classes)
{
    out->row = memory_array(classes->count + 1, sizeof *out->row);
    if (!out->row) return false;
    const struct json_value *item = json_first(classes);
    for (size_t i = 0; i < classes->count; i++, item = json_next(item)) {
        const struct json_value *images = json_member(item, "images");
        struct class_row *row = &out->row[out->classes++];
        *row = (struct class_row){.name = words_of_json(json_member(item, "name")),
                                  .number = i,
                                  .images = json_is(images, JSON_INTEGER) ? images->integer : 0,
                                  .top1 = number_of(item, "top1"),
                                  .low = number_of(item, "low95"),
                                  .high = number_of(item, "high95")};
        if (!row->name) return false;
    }
    return true;
}

/* [label, predicted, images]; what is no such triple of known classes is left out. */
static bool read_pairs(struct confused *out, const struct json_value *pairs)
{
    out->pair = memory_array(pairs->count + 1, sizeof *out->pair);
    if (!out->pair) return false;
    const struct json_value *item = json_first(pairs);
    for (size_t i = 0; i < pairs->count; i++, item = json_next(item)) {
        const struct json_value *label = json_element(item, 0), *predicted = json_element(item, 1),
                                *images = json_element(item, 2);
        if (!json_is(label, JSON_INTEGER) || !json_is(predicted, JSON_INTEGER) || !json_is(images, JSON_INTEGER) ||
            label->integer < 0 || predicted->integer < 0 || images->integer < 0 ||
            (size_t)label->integer >= out->classes || (size_t)predicted->integer >= out->classes)
            continue;
        out->pair[out->pairs++] = (struct pair){label->integer, predicted->integer, images->integer};
    }
    return true;
}

static double share_of(const struct confused *confused, const struct pair *pair)
{
    const int64_t images = confused->row[pair->label].images;
    return images > 0 ? (double)pair->images / (double)images : 0;
}

/* ---- the matrix -------------------------------------------------------------------------------------------------- */

static void add_matrix(struct page *page, const struct confused *confused)
{
    const size_t classes = confused->classes;
    int64_t *cell = memory_array(classes * classes + 1, sizeof *cell);
    const char **columns = memory_array(classes + 1, sizeof *columns);
    if (cell && columns) {
        for (size_t i = 0; i < confused->pairs; i++)
            cell[(size_t)confused->pair[i].label * classes + (size_t)confused->pair[i].predicted] =
                confused->pair[i].images;
        columns[0] = "class";
        for (size_t i = 0; i < classes; i++) columns[1 + i] = confused->row[i].name;
        page_open(page, "div", "class=\"dense confusion\"");
        page_table(
            page,
            "Test images of each class (rows) by what they are taken for (columns); shaded by the share of the row",
            columns, classes + 1);
        for (size_t i = 0; i < classes; i++) {
            page_row(page);
            page_row_name(page, "%s", confused->row[i].name);
            for (size_t k = 0; k < classes; k++) {
                const int64_t images = cell[i * classes + k];
                const struct pair pair = {(int64_t)i, (int64_t)k, images};
                if (images > 0)
                    page_shade(page, share_of(confused, &pair), "%" PRId64, images);
                else
                    page_number(page, "·");
            }
            page_close(page);
        }
        page_table_close(page);
        page_close(page);
    } else {
        page->html.failed = true;
    }
    memory_free(cell);
    memory_free(columns);
}

/* ---- pairs, classes ---------------------------------------------------------------------------------------------- */

static int by_images(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->images != y->images) return x->images > y->images ? -1 : 1;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

static void add_pairs(struct page *page, struct confused *confused)
{
    static const char *const columns[] = {"class", "taken for", "images", "of the class %"};
    size_t shown = 0;
    qsort(confused->pair, confused->pairs, sizeof *confused->pair, by_images);
    page_table(page, "The pairs that are confused most often", columns, 4);
    for (size_t i = 0; i < confused->pairs && shown < PAIRS_SHOWN; i++) {
        const struct pair *pair = &confused->pair[i];
        if (pair->label == pair->predicted || pair->images == 0) continue;
        page_row(page);
        page_row_name(page, "%s", confused->row[pair->label].name);
        page_cell(page, "%s", confused->row[pair->predicted].name);
        page_number(page, "%" PRId64, pair->images);
        page_number(page, "%.1f", 100 * share_of(confused, pair));
        page_close(page);
        shown++;
    }
    page_table_close(page);
}

/* NaN, of a class without test images, comes last. */
static int by_top1(const void *a, const void *b)
{
    const struct class_row *x = a, *y = b;
    const double p = isfinite(x->top1) ? x->top1 : 2, q = isfinite(y->top1) ? y->top1 : 2;
    if (p != q) return p < q ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The rows change their order: nothing may follow that asks for a class by its number. */
static void add_classes(struct page *page, const struct confused *confused)
{
    static const char *const columns[] = {"class", "test images", "top-1 % [95 %]"};
    qsort(confused->row, confused->classes, sizeof *confused->row, by_top1);
    const size_t shown = confused->classes < CLASSES_SHOWN ? confused->classes : CLASSES_SHOWN;
    if (shown < confused->classes)
        page_details(page, "The %zu hardest of %zu classes", shown, confused->classes);
    else
        page_details(page, "Each class, the hardest first");
    page_table(page, "By the linear classifier", columns, 3);
    for (size_t i = 0; i < shown; i++) {
        char text[JUDGED_TEXT];
        judged_write(text, METRIC_TOP1, confused->row[i].top1, confused->row[i].low, confused->row[i].high);
        page_row(page);
        page_row_name(page, "%s", confused->row[i].name);
        page_number(page, "%" PRId64, confused->row[i].images);
        page_number(page, "%s", text);
        page_close(page);
    }
    page_table_close(page);
    page_close(page);
}

/* ---- reliability ------------------------------------------------------------------------------------------------- */

struct bins {
    double x[BINS_MOST], y[BINS_MOST];
    size_t count;
};

static void read_bins(struct bins *bins, const struct json_value *list)
{
    if (!json_is(list, JSON_ARRAY)) return;
    const struct json_value *item = json_first(list);
    for (size_t i = 0; i < list->count && bins->count < BINS_MOST; i++, item = json_next(item)) {
        bins->x[bins->count] = 100 * number_of(item, "confidence");
        bins->y[bins->count++] = 100 * number_of(item, "accuracy");
    }
}

static void add_reliability(struct page *page, const struct json_value *classifier)
{
    static const double ends[] = {0, 100};
    struct bins fitted = {.count = 0}, tempered = {.count = 0};
    read_bins(&fitted, json_member(classifier, "bins_as_fitted"));
    read_bins(&tempered, json_member(classifier, "bins_with_temperature"));
    if (fitted.count + tempered.count == 0) return;
    const struct chart_series series[] = {
        {.name = "perfect", .x = ends, .y = ends, .count = 2, .hue = 7},
        {.name = "as fitted", .x = fitted.x, .y = fitted.y, .count = fitted.count, .hue = 1, .dots = true},
        {.name = "with temperature",
         .x = tempered.x,
         .y = tempered.y,
         .count = tempered.count,
         .hue = 0,
         .dots = true}};
    page_figure(page, NULL);
    page_chart(page, &(struct chart){.title = "Reliability",
                                     .summary = "How often the classifier is right against how sure it says it is.",
                                     .x_name = "confidence %",
                                     .y_name = "right %",
                                     .y_low = 0,
                                     .y_high = 100,
                                     .series = series,
                                     .count = 3});
    page_figure_close(page,
                      "How often the linear classifier is right against how sure it says it is, in bins of equal mass. "
                      "Below the straight line it is too sure. One temperature, %.3g, is kept with the classifier.",
                      number_of(classifier, "temperature"));
}

static void add_run(struct report *report, const struct report_run *run)
{
    const struct json_value *classifier = judged_member(&run->judged, "linear_classifier");
    const struct json_value *classes = json_member(classifier, "classes"),
                            *pairs = json_member(classifier, "confusion");
    struct confused confused = {.classes = 0};
    char name[256];
    if (!json_is(classes, JSON_ARRAY) || !json_is(pairs, JSON_ARRAY)) {
        words_judge(&report->page, run, "A linear classifier is what is looked at here. simclr evaluate makes one.",
                    "simclr evaluate <1> --data LABELLED --protocols linear");
        return;
    }
    if (report->count > 1) page_heading(&report->page, 3, "%s", words_run(report, run, name));
    if (read_classes(&confused, classes) && read_pairs(&confused, pairs)) {
        page_open(&report->page, "div", "class=\"charts\"");
        add_reliability(&report->page, classifier);
        page_close(&report->page);
        if (confused.classes > 1 && confused.classes <= MATRIX_CLASSES) add_matrix(&report->page, &confused);
        add_pairs(&report->page, &confused);
        add_classes(&report->page, &confused);
    } else {
        report->page.html.failed = true;
    }
    confused_free(&confused);
}

int section_mistakes(struct report *report, struct look *look, struct error *error)
{
    page_section(&report->page, "mistakes", "Mistakes");
    add_run(report, &report->runs[0]);
    const int status = show_surest(report, look, error);
    page_close(&report->page);
    return status;
}
