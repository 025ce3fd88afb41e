/* evaluate/suite_multilabel.c -- images that may be of several classes (PASCAL VOC): a linear classifier of each class
 * against the rest, and how well its scores put the class's images before all others. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "eval/average_precision.h"
#include "eval/logistic.h"
#include "eval/one_vs_rest.h"
#include "evaluate/label_sets.h"
#include "evaluate/suite.h"

/* An interval takes 2,000 passes over the cells: a minute of one core at this many. */
enum { CELLS_MAX = 20 << 20 };

/* The images of a part that the file names, one after another. */
struct chosen {
    float *values;   /* [count][dim] */
    uint8_t *member; /* [count][classes] */
    int64_t count;
};

static void chosen_free(struct chosen *chosen)
{
    memory_free(chosen->values);
    memory_free(chosen->member);
}

static int choose(struct chosen *out, const struct features *features, const struct label_sets_part *part, int classes,
                  struct error *error)
{
    const size_t dim = (size_t)features->dim, row = (size_t)classes;
    out->values = memory_array((size_t)part->count * dim, sizeof *out->values);
    out->member = memory_array((size_t)part->count * row, 1);
    if (!out->values || !out->member)
        return error_no_memory(error, "features", (size_t)part->count * dim * sizeof *out->values);
    for (int64_t i = 0; i < features->count; i++) {
        if (!part->named[i]) continue;
        memcpy(out->values + (size_t)out->count * dim, features->values + (size_t)i * dim, dim * sizeof *out->values);
        memcpy(out->member + (size_t)out->count++ * row, part->member + (size_t)i * row, row);
    }
    return SIMCLR_OK;
}

struct judged {
    const struct suite_task *task;
    const struct label_sets *sets;
    struct one_vs_rest fit;
    struct chosen test;
    float *score; /* [test.count][classes] */
    struct figure like;
};

/* Without test images that are training images too. NaN: there are none, or nothing is left. */
static int without_leaks(const struct judged *j, bool eleven, double *out, struct error *error)
{
    const struct suite *suite = j->task->suite;
    const int classes = j->sets->classes;
    const struct label_sets_part *part = &j->sets->part[PART_TEST];
    *out = NAN;
    if (suite->leaks == 0) return SIMCLR_OK;
    const size_t cells = (size_t)j->test.count * (size_t)classes;
    uint8_t *member = memory_array(cells, 1);
    struct average_precision *ranked = NULL;
    if (!member) return error_no_memory(error, "the classes of images", cells);
    for (int64_t i = 0, row = 0; i < j->task->test->count; i++) {
        if (!part->named[i]) continue;
        for (int c = 0; c < classes; c++)
            member[row * classes + c] = suite->leaked[i] ? MEMBER_UNKNOWN : j->test.member[row * classes + c];
        row++;
    }
    const int status = average_precision_create(&ranked, j->score, member, j->test.count, classes, eleven, error);
    if (!status) *out = average_precision_mean(ranked, NULL);
    memory_free(ranked);
    memory_free(member);
    return status;
}

static void describe_classes(const struct judged *j, const struct average_precision *ranked, char *out, size_t room)
{
    int best = -1, worst = -1, judged = 0;
    double high = -INFINITY, low = INFINITY;
    for (int c = 0; c < j->sets->classes; c++) {
        const double value = average_precision_of(ranked, c, NULL);
        if (isnan(value)) continue;
        judged++;
        if (value > high) high = value, best = c;
        if (value < low) low = value, worst = c;
    }
    const struct catalog *names = &j->sets->names.names;
    if (judged == 0)
        out[0] = '\0';
    else
        format_write(out, room, "%d of %d classes, from %.1f (%.20s) to %.1f (%.20s)", judged, j->sets->classes,
                     100 * low, catalog_name(names, worst), 100 * high, catalog_name(names, best));
}

static int add(const struct judged *j, enum metric metric, struct error *error)
{
    const bool eleven = metric == METRIC_MAP_11;
    struct average_precision *ranked;
    struct figure figure = j->like;
    int status =
        average_precision_create(&ranked, j->score, j->test.member, j->test.count, j->sets->classes, eleven, error);
    if (!status) status = without_leaks(j, eleven, &figure.without_leaks, error);
    if (status) {
        memory_free(ranked);
        return status;
    }
    figure.metric = metric;
    figure.value = average_precision_mean(ranked, NULL);
    if (isnan(figure.value)) {
        memory_free(ranked);
        return error_set(error, SIMCLR_DATA,
                         "--label-sets: no test image is said to be of a class: nothing can be judged");
    }
    figure.images = j->test.count;
    figure.without_is_given = true;
    describe_classes(j, ranked, figure.detail, sizeof figure.detail);
    figure.context = ranked;
    if (j->test.count * j->sets->classes <= CELLS_MAX) figure.resampled = average_precision_resampled;
    return suite_add(j->task, &figure, error);
}

static int fit(struct judged *j, struct error *error)
{
    const struct suite_task *task = j->task;
    const struct config *config = task->suite->evaluation->session->config;
    double grid[LOGISTIC_PAPERS_GRID];
    const bool papers = strcmp(config->l2_grid, "paper") == 0;
    logistic_papers_grid(grid);
    struct chosen train = {0};
    int status = choose(&train, task->train, &j->sets->part[PART_TRAIN], j->sets->classes, error);
    const struct one_vs_rest_args args = {.x = train.values,
                                          .member = train.member,
                                          .rows = train.count,
                                          .dim = task->train->dim,
                                          .classes = j->sets->classes,
                                          .max_iterations = (int)config->iterations,
                                          .l2 = config->l2,
                                          .grid = papers ? grid : NULL,
                                          .grid_count = LOGISTIC_PAPERS_GRID};
    if (!status) status = one_vs_rest_fit(task->suite->evaluation->session->backend, &args, task->seed, &j->fit, error);
    j->like.labelled = train.count;
    j->like.cut_fits = j->fit.cut;
    chosen_free(&train);
    return status;
}

/* How the penalty was chosen, and which classes nothing was fitted for. */
static void tell(const struct judged *j)
{
    const struct suite *suite = j->task->suite;
    const struct log *log = &suite->evaluation->session->log;
    const int left_out = j->sets->classes - j->fit.fitted;
    const bool given = suite->evaluation->session->config->l2 >= 0;
    if (j->fit.folds > 0)
        log_info(log, "multilabel on %s: l2 %g, %s %" PRId64 " held-out images in %d fold%s (11-point mAP %.2f %%)",
                 evaluation_sources[j->task->source].name, j->fit.l2, given ? "as given; of" : "by", j->fit.held_out,
                 j->fit.folds, j->fit.folds == 1 ? "" : "s", 100 * j->fit.held_out_map);
    if (left_out > 0)
        log_warning(log, "multilabel: %d class%s no training images of both kinds: all images have one score there",
                    left_out, left_out == 1 ? " has" : "es have");
    if (j->test.count * j->sets->classes > CELLS_MAX)
        log_info(log, "multilabel: no interval, for more than 20 million pairs of image and class");
}

int suite_multilabel(const struct suite_task *task, struct error *error)
{
    const struct suite *suite = task->suite;
    struct judged j = {.task = task, .sets = suite->label_sets};
    const int classes = j.sets->classes;
    int status = fit(&j, error);
    if (!status) status = choose(&j.test, task->test, &j.sets->part[PART_TEST], classes, error);
    const size_t cells = (size_t)j.test.count * (size_t)classes;
    if (!status) j.score = memory_array(cells, sizeof *j.score);
    if (!status && !j.score) status = error_no_memory(error, "scores", cells * sizeof *j.score);
    if (!status)
        status =
            one_vs_rest_score(suite->evaluation->session->backend, &j.fit, j.test.values, j.test.count, j.score, error);
    if (!status) tell(&j);
    if (!status) status = add(&j, METRIC_MAP_11, error);
    if (!status) status = add(&j, METRIC_MAP, error);
    one_vs_rest_free(&j.fit);
    chosen_free(&j.test);
    memory_free(j.score);
    return status;
}
