/* evaluate/suite_fewshot.c -- 1 to 100 labels a class, ten draws of them: the nearest class mean, and logistic
 * regression on unit rows. Nothing is chosen. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/logistic.h"
#include "eval/row_space.h"
#include "eval/taught.h"
#include "evaluate/suite.h"

enum { DRAWS = 10, SCALE = 10 /* of unit rows, for the regression */ };
enum { PRECONDITIONED_DIM_MAX = 1024 /* of wider features a few hundred rows are fitted sooner without */ };
static const int shots[] = {1, 2, 5, 10, 20, 50, 100};
enum { SHOTS = sizeof shots / sizeof *shots, MOST_SHOTS = 100, METHODS = 2 };
static const char *const method_names[METHODS] = {"nearest mean", "logistic"};
static const double PENALTY = 1e-3;

struct few {
    const struct suite_task *task;
    struct backend *backend;
    struct taught taught;
    int classes, dim;       /* classes: the taught ones, by their place among them */
    struct row_space space; /* of the training rows, unless {0}: all features are coordinates in it then */
    const float *features;  /* [training rows][dim] */
    int64_t *begin;         /* [classes + 1]: of each class's rows in `rows` */
    uint32_t *rows;         /* training rows by class; of each class the first are those of the draw */
    float *test;            /* [test images][dim], unit rows x SCALE */
    float *x;               /* [classes x shots][dim], likewise */
    int32_t *labels;        /* of x */
    float *mean;            /* [classes][dim] */
    float *logits;          /* [test images][classes] */
    double *weight, *bias;
    double *right[METHODS]; /* [test images]: the share of draws in which it was right */
    double values[METHODS][DRAWS];
    int cut;                  /* fits that ended at --iterations */
    double begun, opened;     /* when; the draws begin once it is open */
    int64_t draws, all_draws; /* those that are done */
};

static void few_close(struct few *few)
{
    taught_free(&few->taught);
    row_space_free(&few->space);
    memory_free(few->begin);
    memory_free(few->rows);
    memory_free(few->test);
    memory_free(few->x);
    memory_free(few->labels);
    memory_free(few->mean);
    memory_free(few->logits);
    memory_free(few->weight);
    memory_free(few->bias);
}

static void put_unit(float *to, const float *row, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++) sum += (double)row[d] * (double)row[d];
    const double scale = sum > 0 ? SCALE / sqrt(sum) : 0;
    for (int d = 0; d < dim; d++) to[d] = (float)((double)row[d] * scale);
}

/* The images of the smallest class. */
static int64_t smallest_class(const struct few *few)
{
    int64_t smallest = INT64_MAX;
    for (int c = 0; c < few->classes; c++) {
        const int64_t size = few->begin[c + 1] - few->begin[c];
        if (size < smallest) smallest = size;
    }
    return smallest;
}

/* few->rows, by class. */
static int sort_rows(struct few *few, struct error *error)
{
    const struct features *train = few->task->train;
    const size_t classes = (size_t)few->classes;
    const int32_t *place = few->taught.place;
    int64_t *next = memory_array(classes + 1, sizeof *next);
    few->begin = memory_array(classes + 1, sizeof *few->begin);
    few->rows = memory_array((size_t)train->count, sizeof *few->rows);
    const bool enough = few->begin && few->rows && next;
    for (int64_t i = 0; enough && i < train->count; i++) few->begin[place[train->labels[i]] + 1]++;
    for (size_t c = 0; enough && c < classes; c++) few->begin[c + 1] += few->begin[c];
    if (enough) memcpy(next, few->begin, (classes + 1) * sizeof *next);
    for (int64_t i = 0; enough && i < train->count; i++) few->rows[next[place[train->labels[i]]]++] = (uint32_t)i;
    memory_free(next);
    return enough ? SIMCLR_OK : error_no_memory(error, "rows by class", (size_t)train->count * sizeof *few->rows);
}

static float *unit_rows(const struct features *of)
{
    float *unit = memory_array((size_t)of->count * (size_t)of->dim, sizeof *unit);
    for (int64_t i = 0; unit && i < of->count; i++) put_unit(unit + i * of->dim, of->values + i * of->dim, of->dim);
    return unit;
}

/* Means of unit rows and optima are combinations of training rows. So a test image needs no more than its coordinates
 * in their space, and neither do they. most: rows of the largest draw. The space of far more rows would take longer
 * than those of the draws. */
static int enter_row_space(struct few *few, int64_t most, struct error *error)
{
    enum { TIMES_MOST = 3 };
    const struct features *train = few->task->train;
    const int64_t tests = few->task->test->count;
    if (few->dim <= PRECONDITIONED_DIM_MAX || !row_space_helps(train->count, few->dim) ||
        train->count > TIMES_MOST * most)
        return SIMCLR_OK;
    float *unit = unit_rows(train);
    if (!unit) return error_no_memory(error, "unit rows", (size_t)train->count * (size_t)few->dim * sizeof *unit);
    const int status = row_space_find(&few->space, few->backend, unit, train->count, few->dim, error);
    memory_free(unit);
    if (status) return status;
    float *test = memory_array((size_t)tests * (size_t)few->space.rank, sizeof *test);
    if (!test) return error_no_memory(error, "coordinates of rows", (size_t)tests * (size_t)few->space.rank * 4);
    row_space_project(&few->space, few->backend, test, few->test, (int)tests);
    memory_free(few->test);
    few->test = test;
    few->dim = few->space.rank;
    few->features = few->space.coordinates;
    return SIMCLR_OK;
}

static int few_open(struct few *few, const struct suite_task *task, struct error *error)
{
    const struct features *train = task->train, *test = task->test;
    *few = (struct few){.task = task,
                        .backend = task->suite->evaluation->session->backend,
                        .dim = train->dim,
                        .begun = clock_seconds(),
                        .features = train->values};
    int status =
        taught_find(&few->taught, train->labels, train->count, evaluation_classes(task->suite->evaluation), error);
    if (status) return status;
    few->classes = few->taught.count;
    status = sort_rows(few, error);
    if (status) return status;
    const int64_t smallest = smallest_class(few), classes = few->classes;
    const int64_t most = classes * (smallest < MOST_SHOTS ? smallest : MOST_SHOTS);
    few->test = unit_rows(test);
    if (few->test) status = enter_row_space(few, most, error);
    if (status) return status;
    const size_t weights = (size_t)classes * (size_t)few->dim;
    few->x = memory_array((size_t)most * (size_t)few->dim, sizeof *few->x);
    few->labels = memory_array((size_t)most, sizeof *few->labels);
    few->mean = memory_array(weights, sizeof *few->mean);
    few->logits = memory_array((size_t)test->count * (size_t)classes, sizeof *few->logits);
    few->weight = memory_array(weights, sizeof *few->weight);
    few->bias = memory_array((size_t)classes, sizeof *few->bias);
    if (few->test && few->x && few->labels && few->mean && few->logits && few->weight && few->bias) return SIMCLR_OK;
    return error_no_memory(error, "few-shot classifiers", (size_t)test->count * (size_t)train->dim * 4);
}

static void swap(uint32_t *rows, int64_t a, int64_t b)
{
    const uint32_t row = rows[a];
    rows[a] = rows[b];
    rows[b] = row;
}

/* The rows of draw `draw`: the first `count` of a seeded permutation of each class, so that more labels contain fewer.
 * Returns how many. */
static int64_t draw_rows(struct few *few, int draw, int count)
{
    int64_t rows = 0;
    for (int c = 0; c < few->classes; c++) {
        const int64_t size = few->begin[c + 1] - few->begin[c];
        uint32_t *own = few->rows + few->begin[c];
        const uint32_t number = (uint32_t)few->taught.number[c];
        struct rng rng = rng_open(few->task->seed, RNG_SUBSET, (uint32_t)draw, number, 1);
        int64_t places[MOST_SHOTS];
        const int drawn = count < size ? count : (int)size;
        for (int k = 0; k < drawn; k++) {
            places[k] = k + rng_below(&rng, (uint32_t)(size - k));
            swap(own, k, places[k]);
            put_unit(few->x + rows * few->dim, few->features + (int64_t)own[k] * few->dim, few->dim);
            few->labels[rows++] = c;
        }
        for (int k = drawn - 1; k >= 0; k--) swap(own, k, places[k]); /* the next draw begins from the same order */
    }
    return rows;
}

static void predict(struct few *few, const float *weight, const double *bias)
{
    const int64_t count = few->task->test->count;
    const struct matmul_args product = {.transpose_b = true,
                                        .m = (int)count,
                                        .n = few->classes,
                                        .k = few->dim,
                                        .alpha = 1,
                                        .a = few->test,
                                        .lda = few->dim,
                                        .b = weight,
                                        .ldb = few->dim,
                                        .c = few->logits,
                                        .ldc = few->classes};
    few->backend->ops->matmul(few->backend, &product);
    for (int64_t i = 0; bias && i < count; i++)
        for (int c = 0; c < few->classes; c++) few->logits[i * few->classes + c] += (float)bias[c];
}

/* Equal ones go to the lower class. */
static void count_right(struct few *few, int method, int draw)
{
    const struct features *test = few->task->test;
    double right = 0;
    for (int64_t i = 0; i < test->count; i++) {
        const float *logits = few->logits + i * few->classes;
        int best = -1;
        for (int c = 0; c < few->classes; c++)
            if (best < 0 || logits[c] > logits[best]) best = c;
        const bool hit = best == few->taught.place[test->labels[i]];
        right += hit;
        few->right[method][i] += (double)hit / DRAWS;
    }
    few->values[method][draw] = right / (double)test->count;
}

/* Means of unit rows, scaled to one length again: the largest product is the largest cosine. */
static void nearest_mean(struct few *few, int64_t rows, int draw)
{
    const size_t dim = (size_t)few->dim;
    memset(few->mean, 0, (size_t)few->classes * dim * sizeof *few->mean);
    for (int64_t r = 0; r < rows; r++)
        for (size_t d = 0; d < dim; d++) few->mean[(size_t)few->labels[r] * dim + d] += few->x[(size_t)r * dim + d];
    for (size_t c = 0; c < (size_t)few->classes; c++) put_unit(few->mean + c * dim, few->mean + c * dim, few->dim);
    predict(few, few->mean, NULL);
    count_right(few, 0, draw);
}

static int regression(struct few *few, int64_t rows, int draw, struct error *error)
{
    const size_t weights = (size_t)few->classes * (size_t)few->dim;
    struct logistic_args args = {.x = few->x,
                                 .labels = few->labels,
                                 .rows = rows,
                                 .dim = few->dim,
                                 .classes = few->classes,
                                 .max_iterations = (int)few->task->suite->evaluation->session->config->iterations,
                                 .l2 = PENALTY};
    struct lbfgs_result end = {0};
    memset(few->weight, 0, weights * sizeof *few->weight);
    memset(few->bias, 0, (size_t)few->classes * sizeof *few->bias);
    const bool within = few->dim > PRECONDITIONED_DIM_MAX && row_space_helps(rows, few->dim);
    if (few->dim <= PRECONDITIONED_DIM_MAX) {
        args.preconditioner = preconditioner_create(few->backend, few->x, rows, few->dim);
        if (!args.preconditioner)
            return error_no_memory(error, "the preconditioner of a linear fit",
                                   (size_t)few->dim * (size_t)few->dim * 8);
    }
    const int status = within ? logistic_fit_few_rows(few->backend, &args, few->weight, few->bias, &end, error)
                              : logistic_fit(few->backend, &args, few->weight, few->bias, &end, error);
    preconditioner_destroy(&args.preconditioner);
    if (status) return status;
    few->cut += end.cut;
    for (size_t i = 0; i < weights; i++) few->mean[i] = (float)few->weight[i];
    predict(few, few->mean, few->bias);
    count_right(few, 1, draw);
    return SIMCLR_OK;
}

static int add(struct few *few, int count, int64_t labelled, struct error *error)
{
    int status = SIMCLR_OK;
    for (int m = 0; m < METHODS; m++) {
        struct figure figure = {.metric = METRIC_TOP1,
                                .kind = FIGURE_MEAN,
                                .per_image = few->right[m],
                                .varied = "which images are labelled",
                                .runs = memory_array(DRAWS, sizeof *figure.runs),
                                .run_count = DRAWS,
                                .labelled = labelled};
        snprintf(figure.setting, sizeof figure.setting, "%d label%s a class, %s", count, count == 1 ? "" : "s",
                 method_names[m]);
        if (m == 1) figure.cut_fits = few->cut;
        if (figure.cut_fits > 0)
            snprintf(figure.detail, sizeof figure.detail, "%d of %d fits ended at --iterations, short of the optimum",
                     few->cut, DRAWS);
        few->right[m] = NULL;
        if (!figure.runs && !status) status = error_no_memory(error, "draws", DRAWS * sizeof *figure.runs);
        if (status) {
            memory_free(figure.per_image);
            memory_free(figure.runs);
            continue;
        }
        memcpy(figure.runs, few->values[m], sizeof few->values[m]);
        status = suite_add(few->task, &figure, error);
    }
    return status;
}

static void tell(struct few *few)
{
    static const double SILENT_SECONDS = 3;
    struct progress progress = progress_at("fewshot", ++few->draws, few->all_draws);
    const double now = clock_seconds(), seconds = now - few->opened;
    if (now - few->begun < SILENT_SECONDS) return;
    progress.eta_seconds = seconds / (double)few->draws * (double)(few->all_draws - few->draws);
    session_tell(few->task->suite->evaluation->session, &progress);
}

static int judge(struct few *few, int count, struct error *error)
{
    int64_t rows = 0;
    int status = SIMCLR_OK;
    few->cut = 0;
    for (int m = 0; m < METHODS; m++) few->right[m] = suite_images(few->task, false);
    if (!few->right[0] || !few->right[1])
        status = error_no_memory(error, "values of images", (size_t)few->task->test->count * sizeof(double));
    for (int draw = 0; !status && draw < DRAWS; draw++) {
        rows = draw_rows(few, draw, count);
        nearest_mean(few, rows, draw);
        status = regression(few, rows, draw, error);
        tell(few);
    }
    if (!status) return add(few, count, rows, error);
    for (int m = 0; m < METHODS; m++) memory_free(few->right[m]);
    return status;
}

int suite_fewshot(const struct suite_task *task, struct error *error)
{
    struct few few = {0};
    if (task->run > 0) return SIMCLR_OK; /* ten draws are there already */
    int status = few_open(&few, task, error);
    const int64_t smallest = status ? 0 : smallest_class(&few);
    few.opened = clock_seconds();
    for (int s = 0; s < SHOTS; s++) few.all_draws += shots[s] <= smallest ? DRAWS : 0;
    for (int s = 0; !status && s < SHOTS; s++) {
        if (shots[s] <= smallest) {
            status = judge(&few, shots[s], error);
            continue;
        }
        if (!task->suite->shots_are_said)
            log_info(&task->suite->evaluation->session->log,
                     "fewshot: %d labels a class and more are left out: the smallest class has %lld training images",
                     shots[s], (long long)smallest);
        task->suite->shots_are_said = true;
        break;
    }
    few_close(&few);
    return status;
}
