/* bench/bench_linear.c -- logistic regression on pixels, the most correlated features there are: iterations and seconds
 * with and without the preconditioner, l2 after l2 as `simclr linear` goes through them. And the whole sweep of ten
 * penalties on a table of features.
 *
 *   bench_linear [DATA] [ROWS] [ITERATIONS]     DATA: what --data takes (synthetic), at 32 x 32; ROWS: 0 = all
 *   bench_linear --features FILE                FILE: labelled features, as `simclr embed` writes them */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "eval/logistic.h"
#include "run/table/feature_table.h"

enum { SIDE = 32, DIM = 3 * SIDE * SIDE };

static const double penalties[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};

static void standardize(float *x, int64_t rows)
{
    static double mean[DIM], squares[DIM];
    for (int64_t i = 0; i < rows; i++)
        for (int d = 0; d < DIM; d++) mean[d] += (double)x[i * DIM + d] / (double)rows;
    for (int64_t i = 0; i < rows; i++)
        for (int d = 0; d < DIM; d++) {
            x[i * DIM + d] -= (float)mean[d];
            squares[d] += (double)(x[i * DIM + d] * x[i * DIM + d]) / (double)rows;
        }
    for (int64_t i = 0; i < rows; i++)
        for (int d = 0; d < DIM; d++) x[i * DIM + d] *= squares[d] > 0 ? (float)(1 / sqrt(squares[d])) : 0;
}

/* Pixels [rows][DIM], each position standardised over the rows. */
static int read_pixels(struct dataset *set, float *x, int32_t *labels, int64_t rows, struct error *error)
{
    struct image storage = {0};
    const int64_t step = dataset_count(set) / rows; /* sets are often sorted by class */
    for (int64_t i = 0; i < rows; i++) {
        const struct image *image;
        const int status = dataset_image(set, i * step, &storage, &image, error);
        if (status != SIMCLR_OK) return status;
        if (image->width != SIDE || image->height != SIDE)
            return error_set(error, SIMCLR_DATA, "the images must be 32 x 32");
        for (int d = 0; d < DIM; d++) x[i * DIM + d] = (float)image->rgb[d];
        labels[i] = dataset_label(set, i * step);
    }
    image_free(&storage);
    standardize(x, rows);
    return SIMCLR_OK;
}

static int fit_all(struct backend *backend, struct logistic_args args, const char *title, struct error *error)
{
    double *weight = memory_array((size_t)args.classes * DIM, sizeof(double)),
           *bias = memory_array((size_t)args.classes, sizeof(double));
    int status =
        weight && bias ? SIMCLR_OK : error_no_memory(error, "weights", (size_t)args.classes * DIM * sizeof(double));
    for (size_t i = 0; i < sizeof penalties / sizeof *penalties && status == SIMCLR_OK; i++) {
        struct lbfgs_result result;
        const double start = clock_seconds();
        args.l2 = penalties[i];
        status = logistic_fit(backend, &args, weight, bias, &result, error);
        if (status != SIMCLR_OK) break;
        printf("%-15s l2 %-6g  %4d iterations %7.2f s  objective %.9f  gradient %.1e\n", title, args.l2,
               result.iterations, clock_seconds() - start, result.objective, result.gradient_norm);
        fflush(stdout);
    }
    memory_free(weight);
    memory_free(bias);
    return status;
}

static int run(struct dataset *set, struct backend *backend, int64_t rows, int iterations, struct error *error)
{
    float *x = memory_array((size_t)rows * DIM, sizeof(float));
    float *columns = NULL;
    int32_t *labels = memory_array((size_t)rows, sizeof(int32_t));
    struct logistic_args args = {.x = x,
                                 .labels = labels,
                                 .rows = rows,
                                 .dim = DIM,
                                 .classes = dataset_classes(set),
                                 .max_iterations = iterations};
    int status = x && labels ? read_pixels(set, x, labels, rows, error)
                             : error_no_memory(error, "pixels", (size_t)rows * DIM * sizeof(float));
    if (status == SIMCLR_OK) {
        const double start = clock_seconds();
        args.preconditioner = preconditioner_create(backend, x, rows, DIM);
        args.columns = columns = logistic_columns(backend, x, rows, DIM, args.classes);
        printf("Gram matrix and columns of %lld rows of %d: %.2f s\n", (long long)rows, DIM, clock_seconds() - start);
        status = fit_all(backend, args, "preconditioned", error);
        preconditioner_destroy(&args.preconditioner);
        args.columns = NULL;
        memory_free(columns);
    }
    if (status == SIMCLR_OK) status = fit_all(backend, args, "plain", error);
    memory_free(x);
    memory_free(labels);
    return status;
}

/* Ten penalties from 0.1 to 1e-6: each fitted on nine tenths, and the best one on all. */
static int sweep(struct backend *backend, const char *path, struct error *error)
{
    enum { TEN = 10 };
    double grid[TEN];
    struct feature_table table = {0};
    struct logistic_sweep found;
    int status = feature_table_open(&table, path, error);
    if (status) return status;
    for (int i = 0; i < TEN; i++) grid[i] = pow(10, -1 - 5.0 * i / (TEN - 1));
    const struct logistic_args args = {.x = table.values,
                                       .labels = table.catalog.label,
                                       .rows = table.catalog.count,
                                       .dim = table.dim,
                                       .classes = table.catalog.classes,
                                       .max_iterations = 300,
                                       .l2 = -1,
                                       .grid = grid,
                                       .grid_count = TEN};
    const double start = clock_seconds();
    status = logistic_sweep(backend, &args, 1, &found, error);
    if (!status) {
        printf("%lld rows of %d, %d classes, ten l2 values: %.1f s; l2 %.3g has %.2f %% of %lld held-out rows\n",
               (long long)args.rows, args.dim, args.classes, clock_seconds() - start, found.l2,
               100 * found.held_out_top1, (long long)found.held_out);
        logistic_sweep_free(&found);
    }
    feature_table_free(&table);
    return status;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct dataset *set = NULL;
    struct dataset_config config = dataset_config_default();
    config.path = argc > 1 ? argv[1] : "synthetic";
    int status = pool_create(&pool, 0, &error);
    if (status == SIMCLR_OK) status = backend_create("auto", simd_machine(), pool, &backend, &error);
    const bool features = argc > 2 && strcmp(argv[1], "--features") == 0;
    if (status == SIMCLR_OK && features) status = sweep(backend, argv[2], &error);
    if (status == SIMCLR_OK && !features) status = dataset_open(&set, &config, pool, NULL, &error);
    const int64_t count = set ? dataset_count(set) : 0, wanted = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
    if (set)
        status =
            run(set, backend, wanted > 0 && wanted < count ? wanted : count, argc > 3 ? atoi(argv[3]) : 300, &error);
    if (status != SIMCLR_OK) fprintf(stderr, "bench_linear: %s\n", error.text);
    dataset_close(&set);
    if (backend) backend_destroy(&backend);
    if (pool) pool_destroy(&pool);
    return status == SIMCLR_OK ? 0 : 1;
}
