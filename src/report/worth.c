/* report/worth.c -- every figure beside its controls. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "eval/statistics.h"
#include "evaluate/suite.h"
#include "report/predicted.h"
#include "report/sections.h"

enum { VALUES_MOST = 120 }; /* of the drawing: all sources of one protocol have room, of every run */

/* The same protocol, setting and metric. */
static bool is_like(const struct judged_figure *a, const struct judged_figure *b)
{
    return a->metric == b->metric && strcmp(a->protocol, b->protocol) == 0 && strcmp(a->setting, b->setting) == 0;
}

/* The first of the runs of its set that has it: it stands for the row. */
static bool is_first(const struct report *report, size_t run, const struct judged_figure *figure)
{
    for (size_t r = 0; r <= run; r++) {
        const struct judged *judged = &report->runs[r].judged;
        if (!report_is_of_set(report, r, report->runs[run].set)) continue;
        for (size_t i = 0; i < judged->count; i++) {
            if (&judged->figure[i] == figure) return true;
            if (is_like(&judged->figure[i], figure)) return false;
        }
    }
    return true;
}

/* Columns: the sources that were judged, of each run of a set of test images. */
struct column {
    size_t run;
    enum evaluation_source source;
};
struct columns {
    struct column *item;
    char (*name)[160];
    const char **words;
    size_t count;
};

static void columns_free(struct columns *columns)
{
    memory_free(columns->item);
    memory_free(columns->name);
    memory_free(columns->words);
}

static bool has_source(const struct judged *judged, enum evaluation_source source)
{
    for (size_t i = 0; i < judged->count; i++)
        if (judged->figure[i].source == source) return true;
    return false;
}

static bool columns_make(struct columns *columns, const struct report *report, size_t set)
{
    static const char *const lead[] = {"protocol", "setting", "figure"};
    const size_t most = report->count * SOURCE_COUNT;
    *columns = (struct columns){.item = memory_array(most, sizeof *columns->item),
                                .name = memory_array(most, sizeof *columns->name),
                                .words = memory_array(most + 3, sizeof *columns->words)};
    if (!columns->item || !columns->name || !columns->words) return false;
    for (size_t i = 0; i < 3; i++) columns->words[i] = lead[i];
    for (size_t r = 0; r < report->count; r++)
        for (int source = 0; source < SOURCE_COUNT; source++) {
            if (!report_is_of_set(report, r, set) ||
                !has_source(&report->runs[r].judged, (enum evaluation_source)source))
                continue;
            const char *name = judged_source_name((enum evaluation_source)source, "");
            if (source == SOURCE_UNTRAINED) name = "untrained, random or supervised";
            if (report->count > 1)
                snprintf(columns->name[columns->count], sizeof columns->name[0], "%.100s: %s", report->runs[r].name,
                         name);
            else
                snprintf(columns->name[columns->count], sizeof columns->name[0], "%s", name);
            columns->words[3 + columns->count] = columns->name[columns->count];
            columns->item[columns->count++] = (struct column){r, (enum evaluation_source)source};
        }
    return true;
}

static void add_row(struct report *report, const struct columns *columns, const struct judged_figure *figure)
{
    struct page *page = &report->page;
    page_row(page);
    page_row_name(page, "%s", figure->protocol);
    page_element(page, "td", "class=\"setting\"", "%s", figure->setting);
    page_cell(page, "%s", metric_rows[figure->metric].title);
    for (size_t c = 0; c < columns->count; c++) {
        const struct judged_figure *own = judged_find(&report->runs[columns->item[c].run].judged, figure->protocol,
                                                      figure->setting, figure->metric, columns->item[c].source);
        char text[JUDGED_TEXT];
        judged_write(text, figure->metric, own ? own->value : NAN, own ? own->low : NAN, own ? own->high : NAN);
        page_number(page, "%s", text);
    }
    page_close(page);
}

/* Figures that stand in front: of h, one or two for a protocol. All others are folded up. */
static bool is_main(const struct judged_figure *figure)
{
    static const enum metric details[] = {METRIC_TOP5, METRIC_RECALL_5, METRIC_RECALL_10, METRIC_BRIER, METRIC_NLL};
    if (strncmp(figure->setting, "head layer", 10) == 0 || strcmp(figure->protocol, "fewshot") == 0) return false;
    for (size_t i = 0; i < sizeof details / sizeof *details; i++)
        if (figure->metric == details[i]) return false;
    return true;
}

/* Rows of one kind, with their table; nothing where there is none. Returns how many. */
static size_t add_rows(struct report *report, const struct columns *columns, size_t set, bool main, const char *caption)
{
    size_t count = 0;
    for (size_t r = 0; r < report->count; r++) {
        const struct judged *judged = &report->runs[r].judged;
        if (!report_is_of_set(report, r, set)) continue;
        for (size_t i = 0; i < judged->count; i++) {
            if (is_main(&judged->figure[i]) != main || !is_first(report, r, &judged->figure[i])) continue;
            if (count++ == 0) page_table(&report->page, caption, columns->words, columns->count + 3);
            add_row(report, columns, &judged->figure[i]);
        }
    }
    if (count > 0) page_table_close(&report->page);
    return count;
}

static void add_table(struct report *report, size_t set)
{
    struct columns columns;
    if (columns_make(&columns, report, set)) {
        add_rows(
            report, &columns, set, true,
            "Figures with 95 % intervals over the test images. Of knn and linear the untrained network is frozen; of "
            "finetune it is trained from random weights on the same labels; of supervised it is trained from random "
            "weights with the settings of a supervised run.");
        page_details(&report->page, "All other figures: few labels, layers of the head, top-5");
        if (add_rows(report, &columns, set, false, "The other figures, with the same intervals") == 0)
            page_paragraph(&report->page, "There are no others.");
        page_close(&report->page);
    } else {
        report->page.html.failed = true;
    }
    columns_free(&columns);
}

/* ---- whiskers ---------------------------------------------------------------------------------------------------- */

/* Shares that say how much is right, one for a protocol and setting. */
static bool is_drawn(const struct judged_figure *figure)
{
    const bool few = strcmp(figure->protocol, "fewshot") == 0;
    if (strncmp(figure->setting, "head layer", 10) == 0) return false;
    return isfinite(figure->value) && ((figure->metric == METRIC_TOP1 && !few) || figure->metric == METRIC_MAP_R ||
                                       figure->metric == METRIC_MAP_11 || figure->metric == METRIC_MATCHED);
}

/* Hues by what is judged; of further runs the next ones. */
static int hue_of(enum evaluation_source source, size_t run, const char *protocol)
{
    static const int hues[SOURCE_COUNT] = {[SOURCE_PIXELS] = 7, [SOURCE_UNTRAINED] = 1, [SOURCE_TRAINED] = 0,
                                           [SOURCE_EMA] = 5,    [SOURCE_OTHER] = 3,     [SOURCE_FEATURES] = 0};
    if (source == SOURCE_UNTRAINED && strcmp(protocol, "supervised") == 0) return 2;
    return source == SOURCE_TRAINED && run > 0 ? (int)(2 + run) % PAGE_HUES : hues[source];
}

struct bars {
    struct chart_value *value;
    char (*name)[192];
    size_t count;
};

static void add_value(struct bars *bars, const struct report *report, size_t r, const struct judged_figure *figure)
{
    char *name = bars->name[bars->count];
    const char *source = judged_source_name(figure->source, figure->protocol);
    if (report->count > 1)
        snprintf(name, sizeof bars->name[0], "%s, %.120s", source, report->runs[r].name);
    else
        snprintf(name, sizeof bars->name[0], "%s", source);
    bars->value[bars->count++] = (struct chart_value){.name = name,
                                                      .value = judged_shown(figure->metric, figure->value),
                                                      .low = judged_shown(figure->metric, figure->low),
                                                      .high = judged_shown(figure->metric, figure->high),
                                                      .hue = hue_of(figure->source, r, figure->protocol)};
}

/* A heading, and the values of all runs of the set and sources. False, and nothing is added, where they have no room.
 */
static bool add_group(struct bars *bars, const struct report *report, size_t set, const struct judged_figure *figure)
{
    const size_t begin = bars->count;
    if (begin == VALUES_MOST) return false;
    snprintf(bars->name[begin], sizeof bars->name[0], "%s%s%s: %s", figure->protocol, figure->setting[0] ? ", " : "",
             figure->setting, metric_rows[figure->metric].title);
    bars->value[begin] = (struct chart_value){.name = bars->name[begin], .group = true};
    bars->count++;
    for (size_t r = 0; r < report->count; r++) {
        const struct judged *judged = &report->runs[r].judged;
        if (!report_is_of_set(report, r, set)) continue;
        for (size_t i = 0; i < judged->count; i++) {
            if (!is_like(&judged->figure[i], figure) || !isfinite(judged->figure[i].value)) continue;
            if (bars->count == VALUES_MOST) {
                bars->count = begin;
                return false;
            }
            add_value(bars, report, r, &judged->figure[i]);
        }
    }
    return true;
}

/* left_out: the protocols that have no room, as words. */
static void find_bars(struct bars *bars, struct text *left_out, const struct report *report, size_t set)
{
    for (size_t r = 0; r < report->count; r++)
        for (size_t i = 0; i < report->runs[r].judged.count && report_is_of_set(report, r, set); i++) {
            const struct judged_figure *figure = &report->runs[r].judged.figure[i];
            if (!is_drawn(figure) || !is_first(report, r, figure) || add_group(bars, report, set, figure)) continue;
            text_add(left_out, "%s%s%s%s", left_out->length > 0 ? "; " : "", figure->protocol,
                     figure->setting[0] ? ", " : "", figure->setting);
        }
}

static void add_whiskers(struct report *report, size_t set)
{
    struct page *page = &report->page;
    struct text left_out = {0};
    struct bars bars = {.value = memory_array(VALUES_MOST, sizeof *bars.value),
                        .name = memory_array(VALUES_MOST, sizeof *bars.name)};
    if (bars.value && bars.name)
        find_bars(&bars, &left_out, report, set);
    else
        page->html.failed = true;
    if (bars.count > 0) {
        page_figure(page, NULL);
        page_values(page, &(struct chart_values){.title = "Right answers by protocol",
                                                 .summary = "The values of the table below, with intervals.",
                                                 .x_name = "%",
                                                 .x_low = 0,
                                                 .x_high = 100,
                                                 .decimals = 1,
                                                 .unit = " %",
                                                 .values = bars.value,
                                                 .count = bars.count});
        page_figure_close(page, "Whiskers are 95 %% intervals over the test images.");
    }
    if (left_out.length > 0)
        page_paragraph(page, "A drawing has room for %d lines. What stands in the table only: %s.", (int)VALUES_MOST,
                       left_out.bytes);
    if (left_out.failed) page->html.failed = true;
    text_free(&left_out);
    memory_free(bars.value);
    memory_free(bars.name);
}

/* ---- runs, comparisons ------------------------------------------------------------------------------------------- */

static void add_runs(struct report *report, const struct report_run *run)
{
    static const char *const columns[] = {"protocol", "setting", "figure",     "features of",
                                          "runs",     "mean",    "what varied"};
    const struct judged *judged = &run->judged;
    struct page *page = &report->page;
    bool any = false;
    char name[256], caption[400];
    for (size_t i = 0; i < judged->count; i++) any |= judged->figure[i].runs > 0;
    if (!any) return;
    snprintf(caption, sizeof caption, "%sover runs; intervals are 95 %% by Student's t", words_run(report, run, name));
    page_details(page, "%sFigures over several runs", words_run(report, run, name));
    page_table(page, caption, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        char text[JUDGED_TEXT];
        if (figure->runs == 0) continue;
        judged_write(text, figure->metric, figure->mean, figure->run_low, figure->run_high);
        page_row(page);
        page_row_name(page, "%s", figure->protocol);
        page_cell(page, "%s", figure->setting);
        page_cell(page, "%s", metric_rows[figure->metric].title);
        page_cell(page, "%s", judged_source_name(figure->source, figure->protocol));
        page_number(page, "%" PRId64, figure->runs);
        page_number(page, "%s", text);
        page_cell(page, "%s", figure->varied ? figure->varied : "");
        page_close(page);
    }
    page_table_close(page);
    page_close(page);
}

static double number_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_member(object, name);
    return json_is_number(value) ? value->number : NAN;
}

static const char *text_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_member(object, name);
    return json_is(value, JSON_STRING) ? value->string : "";
}

static void add_comparison(struct page *page, const struct json_value *comparison)
{
    char text[JUDGED_TEXT];
    int metric = -1;
    for (int i = 0; i < METRIC_COUNT; i++)
        if (strcmp(metric_rows[i].name, text_of(comparison, "metric")) == 0) metric = i;
    if (metric < 0) return;
    judged_write(text, (enum metric)metric, number_of(comparison, "difference"), number_of(comparison, "low95"),
                 number_of(comparison, "high95"));
    page_row(page);
    page_row_name(page, "%s", text_of(comparison, "protocol"));
    page_cell(page, "%s", text_of(comparison, "setting"));
    page_cell(page, "%s", metric_rows[metric].title);
    page_number(page, "%s", text);
    page_number(page, "%.3g", number_of(comparison, "p"));
    page_cell(page, "%s", text_of(comparison, "test"));
    page_cell(page, "%s", text_of(comparison, "trained_is"));
    page_close(page);
}

static void add_comparisons(struct report *report, const struct report_run *run)
{
    static const char *const columns[] = {"protocol", "setting", "figure", "this minus other", "p", "test", "this is"};
    const struct json_value *list = judged_member(&run->judged, "comparisons");
    char name[256], caption[1024];
    if (!json_is(list, JSON_ARRAY) || list->count == 0) return;
    char *other = words_of_json(judged_member(&run->judged, "other_checkpoint"));
    if (!other) report->page.html.failed = true;
    snprintf(caption, sizeof caption, "%sbeside %.600s, image by image. Nothing is called better at p of 0.05 or more.",
             words_run(report, run, name), other ? other : "");
    memory_free(other);
    page_table(&report->page, caption, columns, sizeof columns / sizeof *columns);
    const struct json_value *item = json_first(list);
    for (size_t i = 0; i < list->count; i++, item = json_next(item)) add_comparison(&report->page, item);
    page_table_close(&report->page);
}

/* The linear classifiers of two runs on the same images: from their predictions, whichever of them was evaluated first.
 */
static void compare_runs(struct report *report, const struct predicted *first, const struct predicted *second, size_t r)
{
    int64_t only_first = 0, only_second = 0;
    struct page *page = &report->page;
    const char *const names[] = {report->runs[0].name, report->runs[r].name};
    for (int64_t i = 0; i < first->count; i++) {
        const bool right = first->labels[i] == first->best[i], other = second->labels[i] == second->best[i];
        only_first += right && !other;
        only_second += other && !right;
    }
    const double p = statistics_mcnemar(only_first, only_second);
    page_open(page, "p", NULL);
    page_text(page,
              "The linear classifiers of %s and %s, image by image: %" PRId64
              " test images are right for the first only, %" PRId64
              " for the second only; p is %.3g by McNemar's exact test. ",
              names[0], names[1], only_first, only_second, p);
    if (p < 0.05)
        page_text(page, "%s is better.", names[only_second > only_first]);
    else
        page_text(page, "Neither is better at p of 0.05 or more.");
    page_close(page);
}

/* Empty where there are none, or, with a warning, damaged ones. */
static void read_predictions(struct predicted *out, struct report *report, const struct report_run *run)
{
    struct error reason = {0};
    *out = (struct predicted){.count = 0};
    if (!judged_is_there(&run->judged)) return;
    const int status = predicted_read_beside(out, run->judged.path, &reason);
    if (status == SIMCLR_NO_MEMORY) report->page.html.failed = true;
    if (!status || status == SIMCLR_NO_MEMORY) return;
    words_note(&report->page, "warn", reason.text, NULL);
    log_warning(&report->session->log, "%s", reason.text);
}

static void add_run_tests(struct report *report)
{
    struct predicted first = {.count = 0}, other;
    if (report->count > 1) read_predictions(&first, report, &report->runs[0]);
    for (size_t r = 1; r < report->count && first.count > 0; r++) {
        read_predictions(&other, report, &report->runs[r]);
        if (report_is_of_set(report, r, 0) && other.count == first.count && strcmp(other.names, first.names) == 0 &&
            memcmp(other.labels, first.labels, (size_t)first.count * sizeof *first.labels) == 0)
            compare_runs(report, &first, &other, r);
        predicted_free(&other);
    }
    predicted_free(&first);
}

static void say_missing(struct report *report, const struct report_run *run)
{
    char name[256], what[400];
    snprintf(what, sizeof what, "%sIt was not judged %s. simclr evaluate fills this section.",
             words_run(report, run, name), run->not_judged.what ? "as it is now" : "yet");
    words_judge(&report->page, run, what, "simclr evaluate <1> --data LABELLED --out <2>/evaluation");
}

static void add_set(struct report *report, size_t set)
{
    struct text name = {0};
    words_test_set(&name, &report->runs[set]);
    if (report->sets > 1) page_heading(&report->page, 3, "On %s", name.bytes ? name.bytes : "");
    if (name.failed) report->page.html.failed = true;
    text_free(&name);
    add_whiskers(report, set);
    add_table(report, set);
}

void section_worth(struct report *report)
{
    bool any = false;
    page_section(&report->page, "worth", "What it is worth");
    for (size_t i = 0; i < report->count; i++) {
        const bool there = judged_is_there(&report->runs[i].judged);
        any |= there;
        if (!there) say_missing(report, &report->runs[i]);
    }
    if (report->sets > 1)
        words_note(&report->page, "warn", "The runs were judged on different test sets. Their figures do not compare.",
                   "Each set stands by itself. Judge all runs on one: simclr evaluate RUN --data LABELLED.");
    for (size_t i = 0; i < report->count; i++)
        if (report_is_of_set(report, i, i)) add_set(report, i);
    add_run_tests(report);
    for (size_t i = 0; i < report->count; i++) {
        add_comparisons(report, &report->runs[i]);
        add_runs(report, &report->runs[i]);
    }
    for (size_t i = 0; i < report->count && any; i++)
        if (judged_find(&report->runs[i].judged, "quality", NULL, METRIC_RANKME,
                        judged_main(&report->runs[i].judged))) {
            page_paragraph(&report->page, "%s", SUITE_QUALITY_NOTE);
            break;
        }
    page_close(&report->page);
}
