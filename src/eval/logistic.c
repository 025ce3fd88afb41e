/* eval/logistic.c -- the linear classifier on frozen features. */
#include "eval/logistic.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/hessian.h"

/* A tile is small enough for its pixels to be in cache still when the gradient reads them again. */
enum { ROW_TILE = LOGISTIC_TILE };

/* Iterations before the Hessian is asked for, and with each one. Most fits end before. */
enum { FIRST_ITERATIONS = 100, HESSIAN_ITERATIONS = 10 };

/* One fit: products by the backend in float32, sums in double. */
struct fit {
    struct backend *backend;
    const struct logistic_args *args;
    float *weight;        /* [classes][dim], the point rounded to float */
    float *logits;        /* [ROW_TILE][classes], then the softmax error */
    float *by_class;      /* [classes][ROW_TILE]: the logits, where x is read by columns */
    float *tile_gradient; /* [classes][dim] of one tile */
    double *loss;         /* [ROW_TILE] */
    double *spread;       /* [ROW_TILE] 1 - |p|^2: the trace of diag(p) - p p^T */
    double curvature;     /* of the last evaluation: mean eigenvalue of diag(p) - p p^T where sums over classes are 0 */
    const double *bias;
    int64_t begin;
    float *space; /* of the preconditioner, which is not used where this is NULL */
    struct hessian *hessian;
    bool sums, uses; /* evaluations add to the Hessian; it takes the preconditioner's place */
};

static void fit_row(void *context, int64_t index, int thread)
{
    struct fit *fit = context;
    (void)thread;
    const int classes = fit->args->classes;
    float *row = fit->logits + index * classes;
    for (int c = 0; c < classes && fit->args->columns; c++)
        row[c] = fit->by_class[(size_t)c * ROW_TILE + (size_t)index];
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) {
        const double value = (double)row[c] + fit->bias[c];
        if (value > largest) largest = value;
    }
    for (int c = 0; c < classes; c++) sum += exp((double)row[c] + fit->bias[c] - largest);
    const int label = fit->args->labels[fit->begin + index];
    /* cppcheck-suppress invalidFunctionArg ; sum >= 1: the largest one's term */
    fit->loss[index] = largest + log(sum) - ((double)row[label] + fit->bias[label]);
    double squares = 0;
    for (int c = 0; c < classes; c++) {
        const double p = exp((double)row[c] + fit->bias[c] - largest) / sum;
        squares += p * p;
        row[c] = (float)(p - (c == label ? 1.0 : 0.0));
    }
    fit->spread[index] = 1 - squares;
}

static void fit_logits(struct fit *fit, const float *x, int rows)
{
    const int dim = fit->args->dim, classes = fit->args->classes;
    const struct matmul_args by_row = {
        .transpose_b = true,
        .m = rows,
        .n = classes,
        .k = dim,
        .alpha = 1,
        .a = x,
        .lda = dim,
        .b = fit->weight,
        .ldb = dim,
        .c = fit->logits,
        .ldc = classes,
    };
    const struct matmul_args by_column = {
        .m = classes,
        .n = rows,
        .k = dim,
        .alpha = 1,
        .a = fit->weight,
        .lda = dim,
        .b = fit->args->columns ? fit->args->columns + fit->begin * dim : NULL,
        .ldb = ROW_TILE,
        .c = fit->by_class,
        .ldc = ROW_TILE,
    };
    fit->backend->ops->matmul(fit->backend, fit->args->columns ? &by_column : &by_row);
    pool_run(fit->backend->pool, rows, fit_row, fit);
}

static bool fit_is_stopped(void *context)
{
    const struct fit *fit = context;
    return pool_is_stopped(fit->backend->pool);
}

/* point: [classes][dim] weights, then [classes] biases. */
static double fit_evaluate(void *context, const double *point, double *gradient)
{
    struct fit *fit = context;
    const struct logistic_args *args = fit->args;
    const int dim = args->dim, classes = args->classes;
    const size_t weights = (size_t)classes * (size_t)dim;
    double loss = 0, penalty = 0, spread = 0;
    fit->bias = point + weights;
    for (size_t i = 0; i < weights; i++) {
        fit->weight[i] = (float)point[i];
        penalty += point[i] * point[i];
    }
    for (size_t i = 0; i < weights + (size_t)classes; i++) gradient[i] = 0;
    for (fit->begin = 0; fit->begin < args->rows && !fit_is_stopped(fit); fit->begin += ROW_TILE) {
        const int64_t left = args->rows - fit->begin;
        const int rows = (int)(left < ROW_TILE ? left : ROW_TILE);
        const float *x = args->x + fit->begin * dim;
        fit_logits(fit, x, rows);
        if (fit->sums)
            hessian_add(fit->hessian, x, fit->logits, args->labels + fit->begin, rows, 1.0 / (double)args->rows);
        for (int i = 0; i < rows; i++) {
            loss += fit->loss[i];
            spread += fit->spread[i];
            for (int c = 0; c < classes; c++)
                gradient[weights + (size_t)c] += (double)fit->logits[(size_t)i * classes + c];
        }
        const struct matmul_args backward = {
            .transpose_a = true,
            .m = classes,
            .n = dim,
            .k = rows,
            .alpha = 1,
            .a = fit->logits,
            .lda = classes,
            .b = x,
            .ldb = dim,
            .c = fit->tile_gradient,
            .ldc = dim,
        };
        fit->backend->ops->matmul(fit->backend, &backward);
        for (size_t i = 0; i < weights; i++) gradient[i] += (double)fit->tile_gradient[i];
    }
    const double scale = 1.0 / (double)args->rows;
    fit->curvature = spread * scale / (classes - 1);
    for (size_t i = 0; i < weights; i++) gradient[i] = gradient[i] * scale + args->l2 * point[i];
    for (int c = 0; c < classes; c++) gradient[weights + (size_t)c] *= scale;
    return loss * scale + 0.5 * args->l2 * penalty;
}

static void fit_precondition(void *context, double *vector)
{
    const struct fit *fit = context;
    if (fit->uses)
        hessian_apply(fit->hessian, vector);
    else
        preconditioner_apply(fit->args->preconditioner, vector, vector, fit->args->classes, fit->space);
}

/* The preconditioner for the start's curvature, which after a neighbour's solution is far below 1 / classes. */
static int fit_prepare(struct fit *fit, const double *point, double *gradient, struct error *error)
{
    struct preconditioner *preconditioner = fit->args->preconditioner;
    if (preconditioner == NULL) return SIMCLR_OK;
    fit_evaluate(fit, point, gradient);
    if (!preconditioner_factor(preconditioner, fit->curvature, fit->args->l2)) return SIMCLR_OK;
    const size_t count = preconditioner_space(preconditioner, fit->args->classes);
    fit->space = memory_array(count, sizeof(float));
    return fit->space ? SIMCLR_OK : error_no_memory(error, "linear classifier", count * sizeof(float));
}

/* The Hessian at the point. False: there is none, or no memory for it. */
static bool fit_curvature(struct fit *fit, const double *point, double *gradient)
{
    const struct logistic_args *args = fit->args;
    if (!fit->hessian) fit->hessian = hessian_create(fit->backend, args->dim, args->classes, ROW_TILE);
    if (!fit->hessian) return false;
    hessian_clear(fit->hessian);
    fit->sums = true;
    fit_evaluate(fit, point, gradient);
    fit->sums = false;
    return !fit_is_stopped(fit) && hessian_factor(fit->hessian, args->l2);
}

static int fit_minimize(struct fit *fit, double *point, double *gradient, struct lbfgs_result *result,
                        struct error *error)
{
    const int most = fit->args->max_iterations;
    const bool may = fit->space && hessian_fits(fit->args->dim, fit->args->classes) && most > FIRST_ITERATIONS;
    struct lbfgs_problem problem = {
        .function = fit_evaluate,
        .precondition = fit->space ? fit_precondition : NULL,
        .stopped = fit_is_stopped,
        .context = fit,
        .count = fit->args->classes * (fit->args->dim + 1),
        .max_iterations = may ? FIRST_ITERATIONS : most,
        .tolerance = 1e-6,
    };
    int status = lbfgs_minimize(&problem, point, result, error);
    int done = result->iterations;
    while (!status && result->cut && done < most) {
        fit->uses = fit_curvature(fit, point, gradient);
        problem.max_iterations = fit->uses && most - done > HESSIAN_ITERATIONS ? HESSIAN_ITERATIONS : most - done;
        problem.goal = result->goal;
        status = lbfgs_minimize(&problem, point, result, error);
        result->iterations = done += result->iterations;
    }
    return status;
}

static int fit_run(struct backend *backend, const struct logistic_args *args, double *point,
                   struct lbfgs_result *result, struct error *error)
{
    const size_t weights = (size_t)args->classes * (size_t)args->dim, count = weights + (size_t)args->classes;
    struct fit fit = {.backend = backend, .args = args};
    double *gradient = memory_array(count, sizeof(double));
    fit.weight = memory_array(weights, sizeof(float));
    fit.tile_gradient = memory_array(weights, sizeof(float));
    fit.logits = memory_array((size_t)ROW_TILE * (size_t)args->classes, sizeof(float));
    fit.by_class = memory_array((size_t)ROW_TILE * (size_t)args->classes, sizeof(float));
    fit.loss = memory_array(ROW_TILE, sizeof(double));
    fit.spread = memory_array(ROW_TILE, sizeof(double));
    int status = SIMCLR_OK;
    if (!gradient || !fit.weight || !fit.tile_gradient || !fit.logits || !fit.by_class || !fit.loss || !fit.spread)
        status = error_no_memory(error, "linear classifier", weights * 2 * sizeof(float));
    if (status == SIMCLR_OK) status = fit_prepare(&fit, point, gradient, error);
    if (status == SIMCLR_OK) status = fit_minimize(&fit, point, gradient, result, error);
    hessian_destroy(&fit.hessian);
    memory_free(gradient);
    memory_free(fit.weight);
    memory_free(fit.tile_gradient);
    memory_free(fit.logits);
    memory_free(fit.by_class);
    memory_free(fit.loss);
    memory_free(fit.spread);
    memory_free(fit.space);
    return status;
}

int logistic_check(const struct logistic_args *args, struct error *error)
{
    if (args->rows < 1 || args->dim < 1 || args->classes < 2)
        return error_set(error, SIMCLR_DATA, "a linear classifier needs labelled rows of at least two classes");
    for (int64_t i = 0; i < args->rows; i++)
        if (args->labels[i] < 0 || args->labels[i] >= args->classes)
            return error_set(error, SIMCLR_DATA, "linear classifier: row %lld has no label", (long long)i);
    return SIMCLR_OK;
}

int logistic_fit(struct backend *backend, const struct logistic_args *args, double *weight, double *bias,
                 struct lbfgs_result *result, struct error *error)
{
    struct lbfgs_result end;
    int status = logistic_check(args, error);
    if (status != SIMCLR_OK) return status;
    const size_t weights = (size_t)args->classes * (size_t)args->dim;
    double *point = memory_array(weights + (size_t)args->classes, sizeof(double));
    if (!point) return error_no_memory(error, "linear classifier", weights * sizeof(double));
    for (size_t i = 0; i < weights; i++) point[i] = weight[i];
    for (int c = 0; c < args->classes; c++) point[weights + (size_t)c] = bias[c];
    status = fit_run(backend, args, point, &end, error);
    if (status == SIMCLR_OK) {
        for (size_t i = 0; i < weights; i++) weight[i] = point[i];
        for (int c = 0; c < args->classes; c++) bias[c] = point[weights + (size_t)c];
        if (result) *result = end;
    }
    memory_free(point);
    return status;
}

struct columns {
    const float *x;
    float *to;
    int64_t rows;
    int dim;
};

static void transpose_tile(void *context, int64_t tile, int thread)
{
    enum { SQUARE = 16 }; /* a cache line each way */
    const struct columns *job = context;
    const int64_t begin = tile * ROW_TILE, left = job->rows - begin;
    const int rows = (int)(left < ROW_TILE ? left : ROW_TILE), dim = job->dim;
    const float *from = job->x + begin * dim;
    float *to = job->to + begin * dim;
    (void)thread;
    for (int i = 0; i < rows; i += SQUARE)
        for (int d = 0; d < dim; d += SQUARE)
            for (int k = d; k < d + SQUARE && k < dim; k++)
                for (int j = i; j < i + SQUARE && j < rows; j++)
                    to[(size_t)k * ROW_TILE + (size_t)j] = from[(size_t)j * (size_t)dim + (size_t)k];
}

float *logistic_columns(struct backend *backend, const float *x, int64_t rows, int dim, int classes)
{
    const int64_t tiles = (rows + ROW_TILE - 1) / ROW_TILE;
    struct columns job = {.x = x, .rows = rows, .dim = dim};
    if (classes > LOGISTIC_FEW_CLASSES) return NULL;
    job.to = memory_array((size_t)tiles * ROW_TILE * (size_t)dim, sizeof(float));
    if (job.to) pool_run(backend->pool, tiles, transpose_tile, &job);
    return job.to;
}
