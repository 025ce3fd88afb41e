/* command/demo/demo_figures.c -- see demo_figures.h. */
#include "command/demo/demo_figures.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "eval/interval.h"
#include "evaluate/suite.h"

enum { FIGURES = 3 * 2 * 2 }; /* sources, protocols, metrics */

static struct figure figure_of(const struct suite *suite, enum evaluation_source source, bool knn,
                               const struct score *score, enum metric metric)
{
    const int64_t right = metric == METRIC_TOP1 ? score->top1 : score->top5;
    const struct config *config = suite->evaluation->session->config;
    struct figure figure = {.protocol = knn ? "knn" : "linear",
                            .metric = metric,
                            .source = source,
                            .kind = FIGURE_SHARE,
                            .value = (double)right / (double)score->count,
                            .images = score->count,
                            .labelled = evaluation_count(suite->evaluation, PART_TRAIN),
                            .without_leaks = NAN,
                            .mean = NAN,
                            .over_runs = {NAN, NAN},
                            .cut_fits = score->cut,
                            .seconds = NAN};
    if (knn)
        format_write(figure.setting, sizeof figure.setting, "k %d, temperature %g", (int)config->knn_k,
                     config->knn_temperature);
    else if (score->l2 >= 0)
        format_write(figure.detail, sizeof figure.detail, "l2 %g", score->l2);
    interval_wilson(right, score->count, &figure.over_images.low, &figure.over_images.high);
    return figure;
}

static const struct suite_row *find_row(const char *name)
{
    for (int i = 0; i < suite_row_count; i++)
        if (strcmp(suite_rows[i].name, name) == 0) return &suite_rows[i];
    return NULL;
}

static int write_json(const char *folder, const struct suite *suite, struct error *error)
{
    struct text json = {0};
    char *inside = file_join(folder, "evaluation"), *path = inside ? file_join(inside, "evaluation.json") : NULL;
    int status = path ? file_make_folder(inside, error) : error_no_memory(error, "a path", strlen(folder));
    if (!status) {
        suite_json(suite, &json);
        text_add(&json, "\n");
        status = json.failed ? error_no_memory(error, "evaluation.json", json.capacity)
                             : file_write_atomic(path, json.bytes, json.length, error);
    }
    text_free(&json);
    memory_free(inside);
    memory_free(path);
    return status;
}

int demo_figures_write(const char *folder, struct evaluation *evaluation, const struct score *knn,
                       const struct score *linear, struct error *error)
{
    struct figure figures[FIGURES];
    struct suite suite = {.evaluation = evaluation,
                          .figures = {.item = figures, .room = FIGURES},
                          .rows = {find_row("knn"), find_row("linear")},
                          .row_count = 2,
                          .layer_count = 1,
                          .runs = 1};
    for (int r = 0; r < suite.row_count; r++)
        for (int source = SOURCE_PIXELS; source <= SOURCE_TRAINED; source++)
            for (int m = 0; m < 2; m++)
                figures[suite.figures.count++] =
                    figure_of(&suite, (enum evaluation_source)source, r == 0, r == 0 ? &knn[source] : &linear[source],
                              m == 0 ? METRIC_TOP1 : METRIC_TOP5);
    return write_json(folder, &suite, error);
}
