/* report/labels.c -- accuracy against the number of labels, and how many times fewer are needed. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "report/sections.h"

enum { POINTS_MOST = 64, NAME = 200 };

/* Which figures are a curve: of protocols whose names begin so, with this in their setting. */
static const struct kind {
    const char *protocol, *setting;
    enum evaluation_source source; /* SOURCE_TRAINED: what is under judgement, a table too */
    const char *name;
    int hue;
} kinds[] = {
    {"finetune-", "", SOURCE_TRAINED, "SimCLR, fine-tuned", 0},
    {"finetune-", "", SOURCE_UNTRAINED, "random weights", 1},
    {"supervised", "", SOURCE_UNTRAINED, "supervised", 2},
    {"fewshot", "logistic", SOURCE_TRAINED, "SimCLR, few labels", 3},
    {"fewshot", "logistic", SOURCE_UNTRAINED, "untrained, few", 4},
    {"fewshot", "logistic", SOURCE_PIXELS, "pixels, few labels", 7},
};

enum { CURVES_MOST = sizeof kinds / sizeof *kinds * REPORT_RUNS_MOST };

struct curve {
    double x[POINTS_MOST], y[POINTS_MOST], low[POINTS_MOST], high[POINTS_MOST];
    size_t count;
    char name[NAME];
    int hue;
};

/* Over runs where there are some, else over the test images. By rising numbers of labels. */
static void add_point(struct curve *curve, const struct judged_figure *figure)
{
    const bool runs = figure->runs > 1 && isfinite(figure->mean);
    size_t at = curve->count;
    if (at == POINTS_MOST) return;
    for (; at > 0 && curve->x[at - 1] > (double)figure->labelled; at--) {
        curve->x[at] = curve->x[at - 1];
        curve->y[at] = curve->y[at - 1];
        curve->low[at] = curve->low[at - 1];
        curve->high[at] = curve->high[at - 1];
    }
    curve->x[at] = (double)figure->labelled;
    curve->y[at] = 100 * (runs ? figure->mean : figure->value);
    curve->low[at] = 100 * (runs && isfinite(figure->run_low) ? figure->run_low : figure->low);
    curve->high[at] = 100 * (runs && isfinite(figure->run_high) ? figure->run_high : figure->high);
    curve->count++;
}

static void find_curve(struct curve *curve, const struct report *report, size_t r, const struct kind *kind)
{
    const struct judged *judged = &report->runs[r].judged;
    const enum evaluation_source source = kind->source == SOURCE_TRAINED ? judged_main(judged) : kind->source;
    curve->count = 0;
    curve->hue = (kind->hue + (r > 0 && kind->source == SOURCE_TRAINED ? (int)r + 4 : 0)) % PAGE_HUES;
    if (report->count > 1)
        snprintf(curve->name, sizeof curve->name, "%s, %.120s", kind->name, report->runs[r].name);
    else
        snprintf(curve->name, sizeof curve->name, "%s", kind->name);
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        if (figure->metric == METRIC_TOP1 && figure->source == source && figure->labelled > 0 &&
            isfinite(figure->value) && strncmp(figure->protocol, kind->protocol, strlen(kind->protocol)) == 0 &&
            strstr(figure->setting, kind->setting) && !strstr(figure->setting, "head layer"))
            add_point(curve, figure);
    }
}

/* Curves of all runs of a set of test images; of controls those of the first run that has them. */
static size_t find_curves(struct curve *curves, const struct report *report, size_t set)
{
    size_t count = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t r = 0; r < report->count; r++) {
            if (!report_is_of_set(report, r, set)) continue;
            find_curve(&curves[count], report, r, &kinds[k]);
            count += curves[count].count > 0;
            if (curves[count].count > 0 && kinds[k].source != SOURCE_TRAINED) break;
        }
    return count;
}

static void draw(struct report *report, size_t set, const struct curve *curves, size_t count)
{
    struct text name = {0};
    struct chart_series series[CURVES_MOST];
    for (size_t i = 0; i < count; i++)
        series[i] = (struct chart_series){.name = curves[i].name,
                                          .x = curves[i].x,
                                          .y = curves[i].y,
                                          .low = curves[i].low,
                                          .high = curves[i].high,
                                          .count = curves[i].count,
                                          .hue = curves[i].hue,
                                          .dots = true};
    page_figure(&report->page, NULL);
    page_chart(&report->page, &(struct chart){.title = "Accuracy against the number of labels",
                                              .summary = "Top-1 on the test images by training images with labels; the "
                                                         "values stand in the table above.",
                                              .x_name = "labelled training images",
                                              .y_name = "top-1 %",
                                              .log_x = true,
                                              .series = series,
                                              .count = count});
    if (report->sets > 1) text_add(&name, "On ");
    if (report->sets > 1) words_test_set(&name, &report->runs[set]);
    page_figure_close(&report->page,
                      "%s%sWhiskers are 95 %% intervals: over runs where there are several, else over the test images.",
                      name.bytes ? name.bytes : "", name.bytes ? ". " : "");
    if (name.failed) report->page.html.failed = true;
    text_free(&name);
}

/* Where the factor of one is a bound, they have no mean. */
static void say_runs(struct report *report, const struct json_value *runs)
{
    page_text(&report->page, " Of each run, for the accuracy of that run");
    const struct json_value *run = json_first(runs);
    for (size_t i = 0; i < runs->count; i++, run = json_next(run)) {
        const struct json_value *value = json_member(run, "value"), *bound = json_member(run, "is");
        page_text(&report->page, i == 0 ? ": " : ", ");
        if (json_is_number(value))
            page_text(&report->page, "%s%s%.2f", json_is(bound, JSON_STRING) ? bound->string : "",
                      json_is(bound, JSON_STRING) ? " " : "", value->number);
        else
            page_text(&report->page, "not known");
    }
    page_text(&report->page, ".");
}

static void say_factor(struct report *report, const struct report_run *run)
{
    const struct json_value *factor = judged_member(&run->judged, "label_factor");
    const struct json_value *value = json_member(factor, "value"), *accuracy = json_member(factor, "accuracy");
    const struct json_value *bound = json_member(factor, "is"), *mean = json_member(factor, "geometric_mean");
    const struct json_value *runs = json_member(factor, "runs");
    const struct json_value *low = json_member(factor, "low95"), *high = json_member(factor, "high95");
    char name[256];
    if (!json_is_number(value) || !json_is_number(accuracy)) return;
    page_open(&report->page, "p", NULL);
    page_text(
        &report->page,
        "%sLabel factor: for %.2f %%, the highest accuracy that both reach, supervised training needs %s%s%.2f times "
        "the labels of the fine-tuned encoder.",
        words_run(report, run, name), 100 * accuracy->number, json_is(bound, JSON_STRING) ? bound->string : "",
        json_is(bound, JSON_STRING) ? " " : "", value->number);
    if (json_is_number(mean))
        page_text(&report->page, " Over runs, the geometric mean: %.2f", mean->number);
    else if (json_is(runs, JSON_ARRAY) && runs->count > 0)
        say_runs(report, runs);
    if (json_is_number(mean) && json_is_number(low) && json_is_number(high))
        page_text(&report->page, " [%.2f, %.2f]", low->number, high->number);
    if (json_is_number(mean)) page_text(&report->page, ".");
    page_close(&report->page);
}

void section_labels(struct report *report)
{
    struct curve *curves = memory_array(CURVES_MOST + 1, sizeof *curves);
    page_section(&report->page, "labels", "Labels");
    if (curves) {
        bool trained = false;
        for (size_t set = 0; set < report->count; set++) {
            const size_t count = find_curves(curves, report, set);
            if (count > 0) draw(report, set, curves, count);
            for (size_t i = 0; i < count; i++)
                trained |= strstr(curves[i].name, "fine-tuned") || strstr(curves[i].name, "supervised");
        }
        for (size_t i = 0; i < report->count; i++) say_factor(report, &report->runs[i]);
        if (!trained)
            words_judge(
                &report->page, &report->runs[0],
                "How many times fewer labels than supervised training it needs, simclr evaluate says (it trains for "
                "long).",
                "simclr evaluate <1> --data LABELLED --protocols all");
    } else {
        report->page.html.failed = true;
    }
    memory_free(curves);
    page_close(&report->page);
}
