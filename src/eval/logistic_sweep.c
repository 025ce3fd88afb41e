/* eval/logistic_sweep.c -- the penalty of the linear classifier, chosen by rows that are held out. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rank.h"
#include "eval/calibration.h"
#include "eval/held_out.h"
#include "eval/linear.h"
#include "eval/logistic.h"
#include "eval/row_space.h"
#include "eval/standardize.h"
#include "eval/taught.h"

/* The grid: l2 on standardised features, strongest first, so that each fit starts from a smoother neighbour. */
static const double sweep_grid[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};

struct sweep {
    struct backend *backend;
    struct logistic_args all, fit, held; /* the training rows, standardised: those fitted, then those held out */
    struct held_out split;
    int64_t *place;     /* where row i of the features is now */
    float *x, *columns; /* [rows][dim]; columns of logistic_args */
    int32_t *labels;
    float *logits;
    float *kept; /* logits of what is held out: [held out][classes] of the best l2 so far, or with folds of each l2 */
    int32_t *kept_labels;
};

void logistic_papers_grid(double grid[LOGISTIC_PAPERS_GRID])
{
    for (int i = 0; i < LOGISTIC_PAPERS_GRID; i++) grid[i] = pow(10, 5 - 11.0 * i / (LOGISTIC_PAPERS_GRID - 1));
}

const double *logistic_usual_grid(int *count)
{
    *count = sizeof sweep_grid / sizeof *sweep_grid;
    return sweep_grid;
}

static int sweep_split(struct sweep *sweep, const struct logistic_args *args, uint64_t seed, struct error *error)
{
    const size_t rows = (size_t)args->rows;
    const int status = held_out_split(&sweep->split, args->labels, args->rows, args->classes, seed, error);
    if (status) return status;
    sweep->place = memory_array(rows, sizeof *sweep->place);
    sweep->labels = memory_array(rows, sizeof *sweep->labels);
    if (!sweep->place || !sweep->labels) return error_no_memory(error, "held-out split", rows * sizeof(int64_t));
    sweep->all = *args;
    sweep->all.preconditioner = NULL;
    sweep->all.columns = NULL;
    sweep->all.labels = sweep->labels;
    sweep->fit = sweep->held = sweep->all;
    return SIMCLR_OK;
}

static struct standardization standardization_of(const struct logistic_args *args, const struct logistic_sweep *out)
{
    return (struct standardization){args->x, args->rows, args->dim, out->mean, out->scale};
}

/* Puts the rows of a fold behind all others, which are fitted. */
static int sweep_arrange(struct sweep *sweep, const struct logistic_args *args, struct logistic_sweep *out, int fold,
                         struct error *error)
{
    int64_t fitted = 0, held = 0, to_fit = 0;
    for (int64_t i = 0; i < args->rows; i++) to_fit += sweep->split.fold[i] != fold;
    for (int64_t i = 0; i < args->rows; i++) {
        const int64_t row = sweep->split.order[i], place = sweep->split.fold[row] == fold ? to_fit + held++ : fitted++;
        sweep->place[row] = place;
        sweep->labels[place] = args->labels[row];
    }
    const struct standardization of = standardization_of(args, out);
    standardization_apply(&of, sweep->backend->pool, sweep->place, sweep->x);
    memory_free(sweep->columns);
    sweep->columns = logistic_columns(sweep->backend, sweep->x, args->rows, args->dim, args->classes);
    sweep->all.columns = sweep->fit.columns = sweep->columns;
    sweep->fit.rows = to_fit;
    sweep->held.rows = held;
    sweep->held.x = sweep->x + to_fit * args->dim;
    sweep->held.labels = sweep->labels + to_fit;
    if (!sweep->columns && args->classes <= LOGISTIC_FEW_CLASSES)
        return error_no_memory(error, "features by columns", (size_t)args->rows * (size_t)args->dim * sizeof(float));
    return SIMCLR_OK;
}

/* out has means and scales. */
static int sweep_standardize(struct sweep *sweep, const struct logistic_args *args, struct logistic_sweep *out,
                             struct error *error)
{
    const size_t dim = (size_t)args->dim;
    sweep->x = memory_array((size_t)args->rows * dim, sizeof(float));
    if (!sweep->x) return error_no_memory(error, "standardised features", (size_t)args->rows * dim * sizeof(float));
    sweep->all.x = sweep->fit.x = sweep->x;
    const int status = sweep_arrange(sweep, args, out, 0, error);
    if (status) return status;
    /* The rows to fit are like all rows: one Gram matrix does for all folds and for the last fit. */
    sweep->all.preconditioner = sweep->fit.preconditioner =
        preconditioner_create(sweep->backend, sweep->x, args->rows, args->dim);
    if (!sweep->all.preconditioner && args->dim <= PRECONDITIONER_DIM_MAX)
        return error_no_memory(error, "the preconditioner of a linear fit", 2 * dim * dim * sizeof(float));
    return SIMCLR_OK;
}

static void round_all(float *to, const double *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
}

/* rounded: room for the weights and the biases. */
static int64_t held_out_correct(struct sweep *sweep, const double *weight, const double *bias, float *rounded)
{
    const struct logistic_args *held = &sweep->held;
    const int classes = held->classes;
    const size_t weights = (size_t)classes * (size_t)held->dim;
    if (held->rows == 0) return 0;
    round_all(rounded, weight, weights);
    round_all(rounded + weights, bias, (size_t)classes);
    const struct linear linear = {rounded, rounded + weights, held->dim, classes};
    linear_logits(sweep->backend, &linear, held->x, held->rows, sweep->logits);
    int64_t correct = 0;
    for (int64_t i = 0; i < held->rows; i++)
        correct += rank_of_label(sweep->logits + i * classes, classes, held->labels[i]) == 0;
    return correct;
}

static void sweep_close(struct sweep *sweep)
{
    preconditioner_destroy(&sweep->all.preconditioner);
    memory_free(sweep->x);
    memory_free(sweep->columns);
    held_out_free(&sweep->split);
    memory_free(sweep->place);
    memory_free(sweep->labels);
    memory_free(sweep->logits);
    memory_free(sweep->kept);
    memory_free(sweep->kept_labels);
}

/* Room for the logits that the temperature is fitted to. There is none where it would be too much. */
static int keep_open(struct sweep *sweep, const struct logistic_args *args, size_t grid, struct error *error)
{
    enum { MOST = 1 << 28 };
    const size_t held = (size_t)sweep->split.count, row = (size_t)args->classes * sizeof(float);
    const size_t tables = sweep->split.folds > 1 ? grid : 1;
    if (!args->calibrate || held == 0 || (tables > 1 && held > MOST / row / tables)) return SIMCLR_OK;
    sweep->kept = memory_array(tables * held, row);
    sweep->kept_labels = memory_array(held, sizeof *sweep->kept_labels);
    if (sweep->kept && sweep->kept_labels) return SIMCLR_OK;
    return error_no_memory(error, "logits of what is held out", tables * held * row);
}

/* offset: rows that were held out in the folds before. better: of all l2 so far. */
static void keep_logits(struct sweep *sweep, size_t number, size_t offset, bool better)
{
    const size_t classes = (size_t)sweep->held.classes, rows = (size_t)sweep->held.rows;
    const bool one = sweep->split.folds == 1;
    if (!sweep->kept || (one && !better)) return;
    const size_t table = one ? 0 : number * (size_t)sweep->split.count;
    memcpy(sweep->kept + (table + offset) * classes, sweep->logits, rows * classes * sizeof *sweep->kept);
    memcpy(sweep->kept_labels + offset, sweep->held.labels, rows * sizeof *sweep->kept_labels);
}

static int keep_fit(const struct sweep *sweep, size_t best, double *temperature, struct error *error)
{
    const int classes = sweep->held.classes;
    if (!sweep->kept) return SIMCLR_OK;
    const size_t table = sweep->split.folds == 1 ? 0 : best * (size_t)sweep->split.count;
    const struct calibration_args args = {.logits = sweep->kept + table * (size_t)classes,
                                          .labels = sweep->kept_labels,
                                          .rows = sweep->split.count,
                                          .classes = classes};
    return calibration_fit(temperature, &args, error);
}

/* Fits every l2 of the grid beside every fold, and remembers the one that is right about most of what was held out. */
static int sweep_choose(struct sweep *sweep, const struct logistic_args *args, struct logistic_sweep *out,
                        float *rounded, struct error *error)
{
    enum { USUAL = sizeof sweep_grid / sizeof *sweep_grid };
    const bool given = args->l2 >= 0;
    const double *grid = given ? &args->l2 : args->grid ? args->grid : sweep_grid;
    const size_t weights = (size_t)args->classes * (size_t)args->dim;
    const size_t count = given ? 1 : args->grid ? (size_t)args->grid_count : USUAL;
    int64_t correct[LOGISTIC_GRID_MAX] = {0};
    size_t best = 0, offset = 0;
    int status = keep_open(sweep, args, count, error);
    if (status) return status;
    for (int fold = 0; fold < sweep->split.folds; fold++) {
        if (fold > 0) {
            status = sweep_arrange(sweep, args, out, fold, error);
            if (status) return status;
            memset(out->weight, 0, weights * sizeof *out->weight);
            memset(out->bias, 0, (size_t)args->classes * sizeof *out->bias);
        }
        for (size_t i = 0; i < count; i++) {
            sweep->fit.l2 = grid[i];
            status = logistic_fit(sweep->backend, &sweep->fit, out->weight, out->bias, NULL, error);
            if (status != SIMCLR_OK) return status;
            correct[i] += held_out_correct(sweep, out->weight, out->bias, rounded);
            const bool better = i == 0 || correct[i] > correct[best];
            if (better) best = i;
            keep_logits(sweep, i, offset, better);
        }
        offset += (size_t)sweep->held.rows;
    }
    best = 0;
    for (size_t i = 1; i < count; i++)
        if (correct[i] > correct[best]) best = i;
    status = keep_fit(sweep, best, &out->temperature, error);
    if (status) return status;
    out->l2 = grid[best];
    out->folds = sweep->split.folds;
    out->held_out = sweep->split.count;
    out->held_out_top1 = sweep->split.folds > 0 ? (double)correct[best] / (double)sweep->split.count : -1;
    return SIMCLR_OK;
}

/* An l2 that nothing has chosen would decide the figure. */
static int check_choice(const struct sweep *sweep, const struct logistic_args *args, struct error *error)
{
    if (sweep->split.folds > 0 || args->l2 >= 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA,
                     "linear: every class has one training image, so none can be held out to choose the penalty: give "
                     "--l2, or more images");
}

/* The sweep over rows that out->mean and out->scale standardise. */
static int sweep_run(struct backend *backend, const struct logistic_args *args, uint64_t seed,
                     struct logistic_sweep *out, struct error *error)
{
    struct sweep sweep = {.backend = backend};
    const size_t weights = (size_t)args->classes * (size_t)args->dim;
    int status = sweep_split(&sweep, args, seed, error);
    if (status == SIMCLR_OK) status = check_choice(&sweep, args, error);
    if (status == SIMCLR_OK) status = sweep_standardize(&sweep, args, out, error);
    float *rounded = memory_array(weights + (size_t)args->classes, sizeof(float));
    sweep.logits = memory_array((size_t)args->rows * (size_t)args->classes, sizeof(float));
    out->weight = memory_array(weights, sizeof(double));
    out->bias = memory_array((size_t)args->classes, sizeof(double));
    if (status == SIMCLR_OK && (!rounded || !sweep.logits || !out->weight || !out->bias))
        status = error_no_memory(error, "linear classifier", weights * sizeof(double));
    if (status == SIMCLR_OK) status = sweep_choose(&sweep, args, out, rounded, error);
    if (status == SIMCLR_OK) { /* the chosen l2 once more, on all training rows */
        sweep.all.l2 = out->l2;
        struct lbfgs_result end = {0};
        status = logistic_fit(backend, &sweep.all, out->weight, out->bias, &end, error);
        out->cut = end.cut;
    }
    memory_free(rounded);
    sweep_close(&sweep);
    return status;
}

/* ---- few rows of many features ------------------------------------------------------------------------------- */

static int find_row_space(struct row_space *space, struct backend *backend, const struct logistic_args *args,
                          struct logistic_sweep *out, struct error *error)
{
    const size_t values = (size_t)args->rows * (size_t)args->dim;
    float *x = memory_array(values, sizeof *x);
    if (!x) return error_no_memory(error, "standardised features", values * sizeof *x);
    const struct standardization of = standardization_of(args, out);
    standardization_apply(&of, backend->pool, NULL, x);
    const int status = row_space_find(space, backend, x, args->rows, args->dim, error);
    memory_free(x);
    return status;
}

/* The sweep over coordinates, which are standardised already. */
static int run_within(struct logistic_sweep *within, const struct row_space *space, struct backend *backend,
                      const struct logistic_args *args, uint64_t seed, struct error *error)
{
    struct logistic_args few = *args;
    few.x = space->coordinates;
    few.dim = space->rank;
    *within = (struct logistic_sweep){.dim = space->rank, .classes = args->classes, .temperature = 1};
    within->mean = memory_array((size_t)space->rank, sizeof *within->mean);
    within->scale = memory_array((size_t)space->rank, sizeof *within->scale);
    if (!within->mean || !within->scale) return error_no_memory(error, "linear classifier", (size_t)space->rank * 8);
    for (int r = 0; r < space->rank; r++) within->scale[r] = 1;
    return sweep_run(backend, &few, seed, within, error);
}

static int sweep_few_rows(struct backend *backend, const struct logistic_args *args, uint64_t seed,
                          struct logistic_sweep *out, struct error *error)
{
    const size_t weights = (size_t)args->classes * (size_t)args->dim;
    struct row_space space = {0};
    struct logistic_sweep within = {0};
    int status = find_row_space(&space, backend, args, out, error);
    if (!status) status = run_within(&within, &space, backend, args, seed, error);
    if (!status) {
        double *mean = out->mean, *scale = out->scale, *weight = memory_array(weights, sizeof *weight);
        if (!weight) status = error_no_memory(error, "linear classifier", weights * sizeof *weight);
        if (weight) {
            row_space_expand(&space, backend->pool, weight, within.weight, args->classes);
            *out = within;
            out->dim = args->dim;
            out->mean = mean, out->scale = scale, out->weight = weight;
            within.bias = NULL;
        }
    }
    logistic_sweep_free(&within);
    row_space_free(&space);
    return status;
}

static int measure(struct backend *backend, const struct logistic_args *args, struct logistic_sweep *out,
                   struct error *error)
{
    out->mean = memory_array((size_t)args->dim, sizeof *out->mean);
    out->scale = memory_array((size_t)args->dim, sizeof *out->scale);
    if (!out->mean || !out->scale) return error_no_memory(error, "means of features", (size_t)args->dim * 8);
    const struct standardization of = standardization_of(args, out);
    standardization_measure(&of, backend->pool);
    return SIMCLR_OK;
}

/* All classes have rows. */
static int sweep_taught(struct backend *backend, const struct logistic_args *args, uint64_t seed,
                        struct logistic_sweep *out, struct error *error)
{
    *out = (struct logistic_sweep){.dim = args->dim, .classes = args->classes, .temperature = 1};
    if (args->rows > UINT32_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED, "linear: more than 2^32 rows are not supported");
    if (args->grid && (args->grid_count < 1 || args->grid_count > LOGISTIC_GRID_MAX))
        return error_set(error, SIMCLR_INVALID, "linear: a grid has 1 to %d penalties", LOGISTIC_GRID_MAX);
    int status = logistic_check(args, error);
    if (!status) status = measure(backend, args, out, error);
    if (!status)
        status = row_space_helps(args->rows, args->dim) ? sweep_few_rows(backend, args, seed, out, error)
                                                        : sweep_run(backend, args, seed, out, error);
    if (status) logistic_sweep_free(out);
    return status;
}

/* What was fitted to the taught classes, among all: of the others the weight is 0 and the bias -INFINITY. */
static int spread(struct logistic_sweep *out, const struct taught *taught, struct error *error)
{
    const size_t classes = (size_t)taught->classes, dim = (size_t)out->dim;
    double *weight = memory_array(classes * dim, sizeof *weight), *bias = memory_array(classes, sizeof *bias);
    if (!weight || !bias) {
        memory_free(weight);
        memory_free(bias);
        logistic_sweep_free(out);
        return error_no_memory(error, "linear classifier", classes * dim * sizeof *weight);
    }
    for (size_t c = 0; c < classes; c++) bias[c] = -INFINITY;
    for (size_t k = 0; k < (size_t)taught->count; k++) {
        const size_t c = (size_t)taught->number[k];
        memcpy(weight + c * dim, out->weight + k * dim, dim * sizeof *weight);
        bias[c] = out->bias[k];
    }
    memory_free(out->weight);
    memory_free(out->bias);
    out->weight = weight;
    out->bias = bias;
    out->classes = taught->classes;
    return SIMCLR_OK;
}

int logistic_sweep(struct backend *backend, const struct logistic_args *args, uint64_t seed, struct logistic_sweep *out,
                   struct error *error)
{
    struct taught taught;
    *out = (struct logistic_sweep){0};
    int status = logistic_check(args, error);
    if (!status) status = taught_find(&taught, args->labels, args->rows, args->classes, error);
    if (status) return status;
    if (taught.count == args->classes) {
        taught_free(&taught);
        return sweep_taught(backend, args, seed, out, error);
    }
    struct logistic_args few = *args;
    int32_t *labels = memory_array((size_t)args->rows, sizeof *labels);
    if (!labels) status = error_no_memory(error, "labels", (size_t)args->rows * sizeof *labels);
    for (int64_t i = 0; labels && i < args->rows; i++) labels[i] = taught.place[args->labels[i]];
    few.labels = labels;
    few.classes = taught.count;
    if (!status) status = sweep_taught(backend, &few, seed, out, error);
    if (!status) status = spread(out, &taught, error);
    memory_free(labels);
    taught_free(&taught);
    return status;
}

void logistic_sweep_free(struct logistic_sweep *sweep)
{
    memory_free(sweep->weight);
    memory_free(sweep->bias);
    memory_free(sweep->mean);
    memory_free(sweep->scale);
    *sweep = (struct logistic_sweep){0};
}

void logistic_fold(const struct logistic_sweep *sweep, float *weight, float *bias)
{
    const size_t classes = (size_t)sweep->classes, dim = (size_t)sweep->dim;
    for (size_t c = 0; c < classes; c++) {
        double folded = sweep->bias[c];
        for (size_t d = 0; d < dim; d++) {
            const double scaled = sweep->weight[c * dim + d] * sweep->scale[d];
            weight[c * dim + d] = (float)scaled;
            folded -= scaled * sweep->mean[d];
        }
        bias[c] = (float)folded;
    }
}

int logistic_predict(struct backend *backend, const struct logistic_sweep *sweep, const float *x, int64_t rows,
                     float *logits, struct error *error)
{
    const size_t classes = (size_t)sweep->classes, weights = classes * (size_t)sweep->dim;
    float *folded = memory_array(weights + classes, sizeof *folded);
    if (!folded) return error_no_memory(error, "linear classifier", (weights + classes) * sizeof *folded);
    logistic_fold(sweep, folded, folded + weights);
    const struct linear linear = {folded, folded + weights, sweep->dim, sweep->classes};
    linear_logits(backend, &linear, x, rows, logits);
    memory_free(folded);
    return SIMCLR_OK;
}
