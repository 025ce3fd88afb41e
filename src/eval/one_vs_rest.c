/* eval/one_vs_rest.c -- see one_vs_rest.h. */
#include "eval/one_vs_rest.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/average_precision.h"
#include "eval/held_out.h"
#include "eval/logistic.h"
#include "eval/row_space.h"
#include "eval/standardize.h"

enum { NOT_IT, IT, SIDES };

struct fitting {
    struct backend *backend;
    const struct one_vs_rest_args *args;
    struct one_vs_rest *out;
    const double *grid;
    int grid_count;
    struct held_out split;
    struct preconditioner *preconditioner; /* of all rows: those of a fit are like them */
    struct row_space space;                /* of few rows of many features; rank 0: not used */
    int dim;                               /* of x: that of the features, or the rank of their rows */
    float *x;                              /* [rows][dim], standardised; of a space its coordinates */
    float *rows_x;                         /* [rows][dim] of a fit: those that are known, and not held out */
    int32_t *labels;                       /* [rows] of a fit */
    double *weight, *bias;                 /* [classes][SIDES][dim], [classes][SIDES] */
    float *score;                          /* [grid][held out][classes] */
    uint8_t *member;                       /* [held out][classes] */
};

static void fitting_close(struct fitting *f)
{
    held_out_free(&f->split);
    preconditioner_destroy(&f->preconditioner);
    if (f->x != f->space.coordinates) memory_free(f->x);
    row_space_free(&f->space);
    memory_free(f->rows_x);
    memory_free(f->labels);
    memory_free(f->weight);
    memory_free(f->bias);
    memory_free(f->score);
    memory_free(f->member);
}

/* Stratified by the first class of each row; those of none are a class of their own. */
static int split_rows(struct fitting *f, uint64_t seed, struct error *error)
{
    const struct one_vs_rest_args *args = f->args;
    for (int64_t i = 0; i < args->rows; i++) {
        int first = 0;
        while (first < args->classes && args->member[i * args->classes + first] != MEMBER_YES) first++;
        f->labels[i] = first;
    }
    const int status = held_out_split(&f->split, f->labels, args->rows, args->classes + 1, seed, error);
    if (status || f->split.folds > 0 || args->l2 >= 0) return status;
    return error_set(error, SIMCLR_DATA,
                     "multilabel: no class has two training images, so none can be held out to choose the penalty: "
                     "give --l2, or more images");
}

/* x, standardised, or as rows of few coordinates. */
static int prepare_rows(struct fitting *f, struct error *error)
{
    const struct one_vs_rest_args *args = f->args;
    const size_t values = (size_t)args->rows * (size_t)args->dim;
    const struct standardization of = {args->x, args->rows, args->dim, f->out->mean, f->out->scale};
    float *x = memory_array(values, sizeof *x);
    if (!x) return error_no_memory(error, "standardised features", values * sizeof *x);
    standardization_measure(&of, f->backend->pool);
    standardization_apply(&of, f->backend->pool, NULL, x);
    f->x = x;
    f->dim = args->dim;
    if (!row_space_helps(args->rows, args->dim)) return SIMCLR_OK;
    const int status = row_space_find(&f->space, f->backend, x, args->rows, args->dim, error);
    memory_free(x);
    f->x = f->space.coordinates;
    f->dim = f->space.rank;
    return status;
}

static int fitting_open(struct fitting *f, uint64_t seed, struct error *error)
{
    const struct one_vs_rest_args *args = f->args;
    const size_t rows = (size_t)args->rows, classes = (size_t)args->classes;
    f->labels = memory_array(rows, sizeof *f->labels);
    if (!f->labels) return error_no_memory(error, "the sides of rows", rows * sizeof *f->labels);
    int status = split_rows(f, seed, error);
    if (!status) status = prepare_rows(f, error);
    if (status) return status;
    const size_t held = (size_t)f->split.count + 1, dim = (size_t)f->dim;
    f->rows_x = memory_array(rows * dim, sizeof *f->rows_x);
    f->weight = memory_array(classes * SIDES * dim, sizeof *f->weight);
    f->bias = memory_array(classes * SIDES, sizeof *f->bias);
    f->score = memory_array((size_t)f->grid_count * held * classes, sizeof *f->score);
    f->member = memory_array(held * classes, 1);
    if (!f->rows_x || !f->weight || !f->bias || !f->score || !f->member)
        return error_no_memory(error, "features of the rows of a class", rows * dim * sizeof *f->rows_x);
    f->preconditioner = preconditioner_create(f->backend, f->x, args->rows, f->dim);
    if (f->preconditioner || f->dim > PRECONDITIONER_DIM_MAX) return SIMCLR_OK;
    return error_no_memory(error, "the preconditioner of a linear fit", 2 * dim * dim * sizeof(float));
}

/* The rows of a class's fit, those of `fold` left out (-1: none). 0: they are all of one kind. */
static int64_t gather(struct fitting *f, int label, int fold)
{
    const struct one_vs_rest_args *args = f->args;
    int64_t count = 0, of_it = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const uint8_t member = args->member[i * args->classes + label];
        if (member == MEMBER_UNKNOWN || (fold >= 0 && f->split.fold[i] == fold)) continue;
        memcpy(f->rows_x + count * f->dim, f->x + i * f->dim, (size_t)f->dim * sizeof *f->x);
        f->labels[count++] = member == MEMBER_YES ? IT : NOT_IT;
        of_it += member == MEMBER_YES;
    }
    return of_it > 0 && of_it < count ? count : 0;
}

static double *weight_of(const struct fitting *f, int label)
{
    return f->weight + (int64_t)label * SIDES * f->dim;
}

/* The regression of a class on the rows that `fold` leaves, from where a stronger penalty ended. *fitted: there are
 * rows of both kinds. */
static int fit_class(struct fitting *f, int label, int fold, double l2, bool *fitted, bool *cut, struct error *error)
{
    const int64_t rows = gather(f, label, fold);
    *fitted = rows > 0;
    if (rows == 0) return SIMCLR_OK;
    float *columns = logistic_columns(f->backend, f->rows_x, rows, f->dim, SIDES);
    if (!columns) return error_no_memory(error, "features by columns", (size_t)rows * (size_t)f->dim * sizeof(float));
    const struct logistic_args args = {.x = f->rows_x,
                                       .labels = f->labels,
                                       .rows = rows,
                                       .dim = f->dim,
                                       .classes = SIDES,
                                       .max_iterations = f->args->max_iterations,
                                       .l2 = l2,
                                       .columns = columns,
                                       .preconditioner = f->preconditioner};
    struct lbfgs_result end = {0};
    const int status =
        logistic_fit(f->backend, &args, weight_of(f, label), f->bias + (int64_t)label * SIDES, &end, error);
    memory_free(columns);
    *cut = end.cut;
    return status;
}

static void start_at_zero(struct fitting *f)
{
    const size_t sides = (size_t)f->args->classes * SIDES;
    memset(f->weight, 0, sides * (size_t)f->dim * sizeof *f->weight);
    memset(f->bias, 0, sides * sizeof *f->bias);
}

/* The log odds of the rows that are held out, each a sum in double in the order of the features. */
static void score_held_out(const struct fitting *f, int label, int fold, float *score)
{
    const struct one_vs_rest_args *args = f->args;
    const double *not_it = weight_of(f, label), *it = not_it + f->dim, *bias = f->bias + (int64_t)label * SIDES;
    int64_t row = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        if (f->split.fold[i] != fold) continue;
        double sum = bias[IT] - bias[NOT_IT];
        for (int d = 0; d < f->dim; d++) sum += (it[d] - not_it[d]) * (double)f->x[i * f->dim + d];
        score[row++ * args->classes + label] = (float)sum;
    }
}

/* All penalties, strongest first. from: rows that were held out in the folds before. Where a class has no rows of both
 * kinds its scores stay 0. */
static int sweep_fold(struct fitting *f, int fold, int64_t from, struct error *error)
{
    const int classes = f->args->classes;
    start_at_zero(f);
    for (int i = 0; i < f->grid_count; i++) {
        float *score = f->score + (i * f->split.count + from) * classes;
        for (int c = 0; c < classes; c++) {
            bool fitted, cut;
            const int status = fit_class(f, c, fold, f->grid[i], &fitted, &cut, error);
            if (status) return status;
            if (fitted) score_held_out(f, c, fold, score);
        }
    }
    return SIMCLR_OK;
}

static int choose(struct fitting *f, struct error *error)
{
    const struct one_vs_rest_args *args = f->args;
    const size_t row = (size_t)args->classes;
    int64_t from = 0;
    int status = SIMCLR_OK;
    for (int fold = 0; !status && fold < f->split.folds; fold++) {
        status = sweep_fold(f, fold, from, error);
        for (int64_t i = 0; i < args->rows; i++)
            if (f->split.fold[i] == fold) memcpy(f->member + (size_t)from++ * row, args->member + (size_t)i * row, row);
    }
    f->out->l2 = f->grid[0];
    for (int i = 0; !status && from > 0 && i < f->grid_count; i++) {
        struct average_precision *ranked;
        status = average_precision_create(&ranked, f->score + (int64_t)i * from * args->classes, f->member, from,
                                          args->classes, true, error);
        if (status) break;
        const double value = average_precision_mean(ranked, NULL);
        memory_free(ranked);
        if (i > 0 && !(value > f->out->held_out_map)) continue;
        f->out->held_out_map = value;
        f->out->l2 = f->grid[i];
    }
    if (!status && f->grid_count > 1 && isnan(f->out->held_out_map))
        return error_set(
            error, SIMCLR_DATA,
            "multilabel: no image of any class is held out to choose the penalty: give --l2, or more images");
    return status;
}

/* The classes on all rows, with the chosen penalty. Of each the difference of its sides is kept. */
static int fit_all(struct fitting *f, struct error *error)
{
    struct one_vs_rest *out = f->out;
    const size_t dim = (size_t)f->dim;
    double *difference = f->weight; /* [classes][dim], each behind what it is made of */
    start_at_zero(f);
    for (int c = 0; c < out->classes; c++) {
        bool fitted, cut = false;
        const int status = fit_class(f, c, -1, out->l2, &fitted, &cut, error);
        if (status) return status;
        const double *not_it = weight_of(f, c), *it = not_it + dim;
        for (size_t d = 0; d < dim; d++) difference[(size_t)c * dim + d] = it[d] - not_it[d];
        out->bias[c] = f->bias[c * SIDES + IT] - f->bias[c * SIDES + NOT_IT];
        out->fitted += fitted;
        out->cut += cut;
    }
    if (out->fitted == 0)
        return error_set(error, SIMCLR_DATA,
                         "multilabel: no class has training images that are of it and others that are not");
    if (f->space.rank > 0)
        row_space_expand(&f->space, f->backend->pool, out->weight, difference, out->classes);
    else
        memcpy(out->weight, difference, (size_t)out->classes * dim * sizeof *out->weight);
    return SIMCLR_OK;
}

int one_vs_rest_fit(struct backend *backend, const struct one_vs_rest_args *args, uint64_t seed,
                    struct one_vs_rest *out, struct error *error)
{
    struct fitting f = {
        .backend = backend, .args = args, .out = out, .grid = args->grid, .grid_count = args->grid_count};
    const size_t classes = (size_t)args->classes, dim = (size_t)args->dim;
    if (!args->grid) f.grid = logistic_usual_grid(&f.grid_count);
    if (args->l2 >= 0) f.grid = &args->l2, f.grid_count = 1;
    *out = (struct one_vs_rest){.dim = args->dim, .classes = args->classes, .held_out_map = NAN};
    out->weight = memory_array(classes * dim, sizeof *out->weight);
    out->bias = memory_array(classes, sizeof *out->bias);
    out->mean = memory_array(dim, sizeof *out->mean);
    out->scale = memory_array(dim, sizeof *out->scale);
    int status = SIMCLR_OK;
    if (!out->weight || !out->bias || !out->mean || !out->scale)
        status = error_no_memory(error, "linear classifier", classes * dim * sizeof *out->weight);
    if (!status) status = fitting_open(&f, seed, error);
    if (!status) status = choose(&f, error);
    if (!status) status = fit_all(&f, error);
    out->folds = f.split.folds;
    out->held_out = f.split.count;
    fitting_close(&f);
    if (status) one_vs_rest_free(out);
    return status;
}

void one_vs_rest_free(struct one_vs_rest *fit)
{
    memory_free(fit->weight);
    memory_free(fit->bias);
    memory_free(fit->mean);
    memory_free(fit->scale);
    *fit = (struct one_vs_rest){0};
}

int one_vs_rest_score(struct backend *backend, const struct one_vs_rest *fit, const float *x, int64_t rows,
                      float *score, struct error *error)
{
    const struct logistic_sweep as_sweep = {.dim = fit->dim,
                                            .classes = fit->classes,
                                            .weight = fit->weight,
                                            .bias = fit->bias,
                                            .mean = fit->mean,
                                            .scale = fit->scale};
    return logistic_predict(backend, &as_sweep, x, rows, score, error);
}
