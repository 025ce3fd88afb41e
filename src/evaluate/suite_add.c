/* evaluate/suite_add.c -- what the protocols of `evaluate` hand over: figures, most of them of values per test image.
 */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "evaluate/suite.h"

double *suite_images(const struct suite_task *task, bool nan)
{
    const int64_t count = evaluation_count(task->suite->evaluation, PART_TEST);
    double *values = memory_array((size_t)count, sizeof *values);
    for (int64_t i = 0; values && nan && i < count; i++) values[i] = NAN;
    return values;
}

bool suite_is_main(const struct suite_task *task)
{
    if (task->suite->evaluation->layer > 0) return false;
    return task->source == SOURCE_TRAINED || task->source == SOURCE_FEATURES;
}

struct figure_images suite_figure_images(const struct suite *suite)
{
    return (struct figure_images){.count = evaluation_count(suite->evaluation, PART_TEST),
                                  .labels = suite->labels,
                                  .classes = evaluation_classes(suite->evaluation),
                                  .leaked = suite->leaks > 0 ? suite->leaked : NULL,
                                  .seed = (uint64_t)suite->evaluation->session->config->seed};
}

int suite_add(const struct suite_task *task, const struct figure *like, struct error *error)
{
    struct figure figure = *like;
    const struct figure_images images = suite_figure_images(task->suite);
    figure.protocol = task->row->name;
    figure.source = task->source;
    figure.layer = task->row->whole_network ? 0 : task->suite->evaluation->layer;
    if (figure.layer > 0)
        snprintf(figure.setting, sizeof figure.setting, "head layer %d%s%.60s", figure.layer,
                 like->setting[0] ? ", " : "", like->setting);
    const struct suite_row *row = task->row;
    const char *weights = row->seeded_weights ? row->seeded_weights : "the weights";
    if (!figure.varied) figure.varied = task->source == SOURCE_UNTRAINED ? weights : row->seeded;
    if (figure.kind != FIGURE_NUMBER) {
        if (!figure.per_image) {
            memory_free(figure.runs);
            return error_no_memory(error, "values of images", (size_t)images.count * sizeof *figure.per_image);
        }
        const int status =
            figure_value(&figure.value, figure.kind, figure.per_image, &images, NULL, &figure.images, error);
        if (status) {
            memory_free(figure.per_image);
            memory_free(figure.runs);
            return status;
        }
    }
    return figures_add(&task->suite->figures, &figure, error);
}

int suite_add_ranks(const struct suite_task *task, const struct figure *like, const int32_t *ranks, bool per_class,
                    struct error *error)
{
    static const struct {
        enum metric metric;
        enum figure_kind kind;
        int within;
    } figures[] = {
        {METRIC_TOP1, FIGURE_SHARE, 1}, {METRIC_TOP5, FIGURE_SHARE, 5}, {METRIC_PER_CLASS, FIGURE_CLASS_MEAN, 1}};
    const int64_t count = evaluation_count(task->suite->evaluation, PART_TEST);
    int status = SIMCLR_OK;
    for (int m = 0; !status && m < (per_class ? 3 : 2); m++) {
        struct figure figure = *like;
        figure.metric = figures[m].metric;
        figure.kind = figures[m].kind;
        figure.per_image = suite_images(task, false);
        for (int64_t i = 0; figure.per_image && i < count; i++) figure.per_image[i] = ranks[i] < figures[m].within;
        status = suite_add(task, &figure, error);
    }
    return status;
}
