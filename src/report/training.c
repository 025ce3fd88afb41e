/* report/training.c -- the curves of metrics.jsonl, those of several runs over each other. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "report/sections.h"

enum { NAMES = 4, SERIES_MOST = NAMES * REPORT_RUNS_MOST, NAME = 200 };

static const struct curve_row {
    const char *title, *y_name;
    bool percent;
    struct {
        const char *scalar, *name; /* name: where a chart has more than one */
    } scalars[NAMES];
    const char *summary;
} rows[] = {
    {"Contrastive loss",
     "loss",
     false,
     {{"train/loss", ""}},
     "The lower, the better one view is told from all others."},
    {"Loss",
     "loss",
     false,
     {{"finetune/loss", "fine-tuned"}, {"random/loss", "random"}, {"supervised/loss", "supervised"}},
     "Cross entropy of a step."},
    {"Views told apart",
     "top-1 %",
     true,
     {{"train/top1", ""}},
     "How often a view's nearest is the other of its image."},
    {"Right in training",
     "top-1 %",
     true,
     {{"finetune/top1", "fine-tuned"}, {"random/top1", "random"}, {"supervised/top1", "supervised"}},
     "On the batch of the step."},
    {"kNN between epochs",
     "top-1 %",
     true,
     {{"epoch/knn_held_out_top1", "held out"},
      {"epoch/knn_top1", "test"},
      {"epoch/knn_ema_held_out_top1", "averages, held out"},
      {"epoch/knn_ema_top1", "averages, test"}},
     "The held-out images choose the best checkpoint; the test images choose nothing."},
    {"Similarity of views",
     "cosine",
     false,
     {{"train/positive_similarity", "same image"}, {"train/negative_similarity", "others"}},
     "Mean cosine of z."},
    {"Learning rate",
     "rate",
     false,
     {{"train/learning_rate", ""}, {"finetune/learning_rate", ""}, {"supervised/learning_rate", ""}},
     "The rate of a step."},
    {"Alignment",
     "squared distance",
     false,
     {{"epoch/alignment", ""}},
     "Between two views of an image; lower is closer."},
    {"Uniformity", "log", false, {{"epoch/uniformity", ""}}, "Lower is more evenly spread over the sphere."},
    {"Rank of the features", "RankMe", false, {{"epoch/rankme", ""}}, "How many dimensions are in use, about."},
    {"Norm of the gradient", "norm", false, {{"train/gradient_norm", ""}}, "Peaks go with steps that are skipped."},
    {"Speed",
     "views/s",
     false,
     {{"train/views_per_second", ""}},
     "Dips are other work of the machine, or waiting for views."},
};

struct drawn {
    struct chart_series series[SERIES_MOST];
    double *values[SERIES_MOST]; /* owned: what the series point into */
    char names[SERIES_MOST][NAME];
    size_t count;
    struct chart_rule chance[REPORT_RUNS_MOST]; /* the runs' losses of chance, each value once */
    char chance_names[REPORT_RUNS_MOST][NAME];
    size_t chances;
};

static void drawn_free(struct drawn *drawn)
{
    for (size_t i = 0; i < drawn->count; i++) memory_free(drawn->values[i]);
    drawn->count = 0;
}

/* Values of a scalar over epochs: x and y in one block. False without memory. */
static bool collect(struct chart_series *series, double **values, const struct report_run *run, const char *scalar,
                    bool percent)
{
    const size_t most = run->metrics.count;
    double *x = memory_array(2 * most + 1, sizeof *x);
    *values = x;
    if (!x) return false;
    size_t count = 0;
    for (size_t i = 0; i < most; i++) {
        const double *value = metrics_find(&run->metrics.rows[i], scalar);
        if (!value) continue;
        x[count] = run->metrics.rows[i].epoch;
        x[most + count++] = percent ? 100 * *value : *value;
    }
    *series = (struct chart_series){.x = x, .y = x + most, .count = count};
    return true;
}

/* A series where the run has this scalar. */
static bool add_series(struct drawn *drawn, const struct report *report, size_t r, const struct curve_row *row,
                       int which)
{
    struct chart_series series;
    const bool several = row->scalars[1].scalar && row->scalars[1].name[0];
    double *values;
    if (!collect(&series, &values, &report->runs[r], row->scalars[which].scalar, row->percent)) return false;
    if (series.count == 0) {
        memory_free(values);
        return true;
    }
    char *name = drawn->names[drawn->count];
    snprintf(name, NAME, "%s%s%.120s", several ? row->scalars[which].name : "",
             several && report->count > 1 ? ", " : "", report->count > 1 ? report->runs[r].name : "");
    series.name = name;
    series.hue = (int)((size_t)which + r * (several ? 3 : 1)) % PAGE_HUES;
    series.dots = series.count < 30;
    drawn->values[drawn->count] = values;
    drawn->series[drawn->count++] = series;
    return true;
}

/* The loss of chance depends on the batch: runs of different batches have a rule each, with their names. */
static void find_chances(struct drawn *drawn, const struct report *report)
{
    for (size_t r = 0; r < report->count; r++) {
        const double chance = report_run_last(&report->runs[r], "train/chance_loss");
        size_t at = 0;
        if (!isfinite(chance)) continue;
        while (at < drawn->chances && fabs(drawn->chance[at].y - chance) > 1e-6 * fabs(chance)) at++;
        char *name = drawn->chance_names[at];
        const size_t used = strlen(name);
        snprintf(name + used, NAME - used, "%s%s", used > 0 ? ", " : "chance of ", report->runs[r].name);
        if (at < drawn->chances) continue;
        drawn->chance[at] = (struct chart_rule){name, chance};
        drawn->chances++;
    }
    if (drawn->chances == 1) drawn->chance[0].name = "chance";
}

static void caption(struct page *page, const struct curve_row *row, const struct drawn *drawn)
{
    struct text values = {0};
    for (size_t i = 0; i < drawn->chances && drawn->chances > 1; i++) {
        char value[WORDS];
        words_figure(value, 3, drawn->chance[i].y);
        text_add(&values, "%s%s is %s", i > 0 ? "; " : " Batches differ: ", drawn->chance[i].name, value);
    }
    page_figure_close(page, "%s. %s%s%s", row->title, row->summary, values.bytes ? values.bytes : "",
                      values.bytes ? "." : "");
    if (values.failed) page->html.failed = true;
    text_free(&values);
}

static void draw(struct report *report, const struct curve_row *row)
{
    struct drawn *drawn = memory_allocate(sizeof *drawn);
    bool whole = drawn;
    for (size_t r = 0; r < report->count && whole; r++)
        for (int i = 0; i < NAMES && row->scalars[i].scalar && whole; i++) whole = add_series(drawn, report, r, row, i);
    if (whole && row == rows) find_chances(drawn, report);
    if (whole && drawn->count > 0) {
        page_figure(&report->page, NULL);
        page_chart(&report->page, &(struct chart){.title = row->title,
                                                  .summary = row->summary,
                                                  .x_name = "epoch",
                                                  .y_name = row->y_name,
                                                  .series = drawn->series,
                                                  .count = drawn->count,
                                                  .rules = drawn->chance,
                                                  .rule_count = drawn->chances});
        caption(&report->page, row, drawn);
    }
    if (!whole) report->page.html.failed = true;
    if (drawn) drawn_free(drawn);
    memory_free(drawn);
}

static bool has_metrics(const struct report *report)
{
    for (size_t r = 0; r < report->count; r++)
        if (report->runs[r].metrics.count > 0) return true;
    return false;
}

void section_training(struct report *report)
{
    page_section(&report->page, "training", "Training");
    if (has_metrics(report)) {
        page_open(&report->page, "div", "class=\"charts\"");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) draw(report, &rows[i]);
        page_close(&report->page);
    } else {
        words_missing(&report->page, "There are no metrics. A run of this command has some:",
                      "simclr pretrain --data PHOTOS --out RUN", (const char *const[3]){NULL});
    }
    page_close(&report->page);
}
