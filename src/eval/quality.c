/* eval/quality.c -- what can be said of features without labels: spectra. Neighbours are in quality_graph.c. */
#include "eval/quality.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/stop.h"
#include "eval/symmetric.h"

static int refuse_row(const char *what, int64_t row, struct error *error)
{
    return error_set(error, SIMCLR_DATA, "%s: row %lld has a feature that is not finite", what, (long long)row);
}

static bool is_finite(const float *row, int dim)
{
    for (int d = 0; d < dim; d++)
        if (!isfinite(row[d])) return false;
    return true;
}

/* Rows on their way into a matrix, SYMMETRIC_ROWS at a time. */
struct block {
    struct pool *pool;
    double *rows; /* [SYMMETRIC_ROWS][dim] */
    int count, dim;
};

static void block_flush(struct block *block, double *matrix)
{
    for (int64_t i = (int64_t)block->count * block->dim; i < (int64_t)SYMMETRIC_ROWS * block->dim; i++)
        block->rows[i] = 0;
    if (block->count > 0 && !pool_is_stopped(block->pool))
        symmetric_add_products(block->pool, matrix, block->rows, block->dim);
    block->count = 0;
}

/* matrix gains (row - centre)(row - centre)^T, when the block is full. */
static void block_add(struct block *block, double *matrix, const float *row, const double *centre)
{
    double *to = block->rows + (int64_t)block->count * block->dim;
    for (int d = 0; d < block->dim; d++) to[d] = (double)row[d] - centre[d];
    if (++block->count == SYMMETRIC_ROWS) block_flush(block, matrix);
}

/* ---- LiDAR ---- */

struct lidar {
    const struct quality_views *args;
    struct block block;
    double *between, *within;  /* [dim][dim] */
    double *means, *mean;      /* [images][dim], [dim] */
    double *numbers, *scratch; /* [dim] */
};

static int find_means(struct lidar *l, struct error *error)
{
    const int dim = l->args->dim, views = l->args->views;
    for (int64_t i = 0; i < l->args->images; i++) {
        double *mean = l->means + i * dim;
        for (int v = 0; v < views; v++) {
            const float *row = l->args->h + (i * views + v) * dim;
            if (!is_finite(row, dim)) return refuse_row("LiDAR", i * views + v, error);
            for (int d = 0; d < dim; d++) mean[d] += row[d];
        }
        for (int d = 0; d < dim; d++) {
            mean[d] /= views;
            l->mean[d] += mean[d] / (double)l->args->images;
        }
    }
    return SIMCLR_OK;
}

static void find_scatter(struct lidar *l)
{
    const int dim = l->args->dim, views = l->args->views;
    const int64_t images = l->args->images;
    for (int64_t i = 0; i < images; i++) {
        double *to = l->block.rows + (int64_t)l->block.count * dim;
        for (int d = 0; d < dim; d++) to[d] = l->means[i * dim + d] - l->mean[d];
        if (++l->block.count == SYMMETRIC_ROWS) block_flush(&l->block, l->between);
    }
    block_flush(&l->block, l->between);
    for (int64_t i = 0; i < images; i++)
        for (int v = 0; v < views; v++)
            block_add(&l->block, l->within, l->args->h + (i * views + v) * dim, l->means + i * dim);
    block_flush(&l->block, l->within);
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j <= i; j++) {
            l->between[i * dim + j] /= (double)(images - 1);
            l->between[j * dim + i] = l->between[i * dim + j];
            l->within[i * dim + j] /= (double)images * (views - 1);
        }
        l->within[i * dim + i] += 1e-4;
    }
}

/* The lower triangle becomes L, L L^T = matrix, whose least eigenvalue is 1e-4. */
static bool factor(double *matrix, int n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = matrix[i * n + j];
            for (int64_t k = 0; k < j; k++) sum -= matrix[i * n + k] * matrix[j * n + k];
            if (i == j && !(sum > 0)) return false;
            matrix[i * n + j] = i == j ? sqrt(sum) : sum / matrix[j * n + j];
        }
    return true;
}

/* Row r of `between` becomes L^-1 of itself. */
static void solve_row(void *context, int64_t r, int thread)
{
    struct lidar *l = context;
    const int64_t n = l->args->dim;
    double *row = l->between + r * n;
    (void)thread;
    for (int64_t i = 0; i < n; i++) {
        double sum = row[i];
        for (int64_t k = 0; k < i; k++) sum -= l->within[i * n + k] * row[k];
        row[i] = sum / l->within[i * n + i];
    }
}

/* L^-1 S_b L^-T has the eigenvalues of S_w^-1/2 S_b S_w^-1/2: both are similar to S_w^-1 S_b. */
static bool whiten(struct lidar *l)
{
    const int64_t n = l->args->dim;
    if (!factor(l->within, (int)n)) return false;
    pool_run(l->block.pool, n, solve_row, l); /* S_b L^-T, since S_b is symmetric */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            const double swap = l->between[i * n + j];
            l->between[i * n + j] = l->between[j * n + i];
            l->between[j * n + i] = swap;
        }
    pool_run(l->block.pool, n, solve_row, l);
    return symmetric_eigenvalues(l->numbers, l->between, l->scratch, (int)n);
}

static double effective_rank(const double *eigenvalues, int count)
{
    const double least = 1e-8;
    double sum = 0, entropy = 0;
    for (int i = 0; i < count; i++) sum += fmax(0, eigenvalues[i]);
    if (sum < least * count) return 1;
    sum += least * count;
    for (int i = 0; i < count; i++) {
        const double p = (fmax(0, eigenvalues[i]) + least) / sum;
        entropy -= p * log(p);
    }
    return exp(entropy);
}

int quality_lidar(double *lidar, struct pool *pool, const struct quality_views *args, struct error *error)
{
    if (args->images < 2 || args->views < 2 || args->dim < 1)
        return error_set(error, SIMCLR_INVALID, "LiDAR needs at least two images with at least two views each");
    const size_t dim = (size_t)args->dim;
    struct lidar l = {
        .args = args,
        .block = {.pool = pool, .rows = memory_array(SYMMETRIC_ROWS * dim, sizeof(double)), .dim = args->dim},
        .between = memory_array(dim * dim, sizeof(double)),
        .within = memory_array(dim * dim, sizeof(double)),
        .means = memory_array((size_t)args->images * dim, sizeof(double)),
        .mean = memory_array(dim, sizeof(double)),
        .numbers = memory_array(dim, sizeof(double)),
        .scratch = memory_array(dim, sizeof(double)),
    };
    int status = SIMCLR_OK;
    if (!l.block.rows || !l.between || !l.within || !l.means || !l.mean || !l.numbers || !l.scratch)
        status = error_no_memory(error, "LiDAR", dim * dim * sizeof(double));
    if (!status) status = find_means(&l, error);
    if (!status) find_scatter(&l);
    if (!status && pool_is_stopped(pool)) status = stop_error(error, "LiDAR");
    if (!status && !whiten(&l))
        status = error_set(error, SIMCLR_DATA, "LiDAR: the features are too large for their spectrum to be found");
    if (!status) *lidar = effective_rank(l.numbers, args->dim);
    memory_free(l.block.rows);
    memory_free(l.between);
    memory_free(l.within);
    memory_free(l.means);
    memory_free(l.mean);
    memory_free(l.numbers);
    memory_free(l.scratch);
    return status;
}

/* ---- alpha ---- */

static int compare_falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* eigenvalues: sorted, largest first. */
static void fit_alpha(struct quality_alpha *out, const double *eigenvalues, int dim)
{
    const int most = dim / 2 < 100 ? dim / 2 : 100;
    *out = (struct quality_alpha){.alpha = NAN, .r2 = NAN, .first = 11, .last = 10};
    while (out->last < most && eigenvalues[out->last] > 1e-12 * eigenvalues[0]) out->last++;
    const int ranks = out->last - out->first + 1;
    if (ranks < 3) return;
    double x_mean = 0, y_mean = 0, xx = 0, xy = 0, yy = 0;
    for (int rank = out->first; rank <= out->last; rank++) {
        x_mean += log(rank) / ranks;
        y_mean += log(eigenvalues[rank - 1]) / ranks;
    }
    for (int rank = out->first; rank <= out->last; rank++) {
        const double x = log(rank) - x_mean, y = log(eigenvalues[rank - 1]) - y_mean;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    out->alpha = -xy / xx;
    out->r2 = yy > 0 ? xy * xy / (xx * yy) : 1; /* a level line fits itself */
}

int quality_spectrum(double *eigenvalues, struct pool *pool, const float *h, int64_t rows, int dim, struct error *error)
{
    if (rows < 2 || dim < 1) return error_set(error, SIMCLR_INVALID, "a spectrum needs at least two rows of features");
    const size_t n = (size_t)dim;
    struct block block = {.pool = pool, .rows = memory_array(SYMMETRIC_ROWS * n, sizeof(double)), .dim = dim};
    double *matrix = memory_array(n * n, sizeof(double)), *mean = memory_array(n, sizeof(double));
    double *scratch = memory_array(n, sizeof(double));
    int status = SIMCLR_OK;
    if (!block.rows || !matrix || !mean || !scratch)
        status = error_no_memory(error, "a covariance", n * n * sizeof(double));
    for (int64_t i = 0; !status && i < rows; i++) {
        if (!is_finite(h + i * dim, dim)) status = refuse_row("a spectrum", i, error);
        for (int d = 0; !status && d < dim; d++) mean[d] += h[i * dim + d];
    }
    if (!status) {
        for (int d = 0; d < dim; d++) mean[d] /= (double)rows;
        for (int64_t i = 0; i < rows; i++) block_add(&block, matrix, h + i * dim, mean);
        block_flush(&block, matrix);
        for (size_t i = 0; i < n * n; i++) matrix[i] /= (double)rows;
        if (pool_is_stopped(pool))
            status = stop_error(error, "a spectrum");
        else if (!symmetric_eigenvalues(eigenvalues, matrix, scratch, dim))
            status = error_set(error, SIMCLR_DATA, "the features are too large for their spectrum to be found");
    }
    if (!status) qsort(eigenvalues, n, sizeof *eigenvalues, compare_falling);
    memory_free(block.rows);
    memory_free(matrix);
    memory_free(mean);
    memory_free(scratch);
    return status;
}

int quality_alpha(struct quality_alpha *out, struct pool *pool, const float *h, int64_t rows, int dim,
                  struct error *error)
{
    double *eigenvalues = memory_array(dim > 0 ? (size_t)dim : 1, sizeof *eigenvalues);
    if (!eigenvalues) return error_no_memory(error, "a spectrum", (size_t)dim * sizeof *eigenvalues);
    const int status = quality_spectrum(eigenvalues, pool, h, rows, dim, error);
    if (!status) fit_alpha(out, eigenvalues, dim);
    memory_free(eigenvalues);
    return status;
}
