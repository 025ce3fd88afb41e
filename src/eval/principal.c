/* eval/principal.c -- see principal.h. */
#include "eval/principal.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/stop.h"

/* WIDTH: directions that are iterated, two more than are wanted, so that the two settle sooner. */
enum { WIDTH = 4, TILE = 512, ITERATIONS = 60 };

static const double SETTLED = 1e-7; /* change of a unit direction's values */
static const double NOTHING = 1e-9; /* variance of unit rows along a direction: rounding of float32 */

struct search {
    const struct principal_args *args;
    int64_t used; /* rows that are looked at */
    double *mean; /* [dim] */
    double *axes; /* [dim][WIDTH], orthonormal columns */
    double *sums; /* [tiles][dim][WIDTH] */
    double *plane;
};

static int64_t used_row(const struct search *search, int64_t number)
{
    return number * search->args->count / search->used;
}

static double scale_of(const float *row, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++) sum += (double)row[d] * (double)row[d];
    return sum > 0 ? 1 / sqrt(sum) : 0;
}

static int64_t tiles_of(int64_t rows)
{
    return (rows + TILE - 1) / TILE;
}

static int64_t tile_end(int64_t tile, int64_t rows)
{
    return (tile + 1) * TILE < rows ? (tile + 1) * TILE : rows;
}

/* The sum of the tile's rows, in the first [dim] of its place. */
static void add_rows(void *context, int64_t tile, int thread)
{
    struct search *search = context;
    (void)thread;
    const int dim = search->args->dim;
    double *sum = search->sums + tile * dim * WIDTH;
    memset(sum, 0, (size_t)dim * sizeof *sum);
    for (int64_t i = tile * TILE; i < tile_end(tile, search->used); i++) {
        const float *row = search->args->rows + used_row(search, i) * dim;
        const double scale = scale_of(row, dim);
        for (int d = 0; d < dim; d++) sum[d] += (double)row[d] * scale;
    }
}

/* Coordinates of a row along all axes. */
static void project(const struct search *search, const float *row, double scale, double at[WIDTH])
{
    for (int w = 0; w < WIDTH; w++) at[w] = 0;
    for (int d = 0; d < search->args->dim; d++) {
        const double value = (double)row[d] * scale - search->mean[d];
        for (int w = 0; w < WIDTH; w++) at[w] += value * search->axes[(size_t)d * WIDTH + (size_t)w];
    }
}

/* The tile's part of (sum of row row^T) axes. */
static void multiply_rows(void *context, int64_t tile, int thread)
{
    struct search *search = context;
    (void)thread;
    const int dim = search->args->dim;
    double *sum = search->sums + tile * dim * WIDTH, at[WIDTH];
    memset(sum, 0, (size_t)dim * WIDTH * sizeof *sum);
    for (int64_t i = tile * TILE; i < tile_end(tile, search->used); i++) {
        const float *row = search->args->rows + used_row(search, i) * dim;
        const double scale = scale_of(row, dim);
        project(search, row, scale, at);
        for (int d = 0; d < dim; d++) {
            const double value = (double)row[d] * scale - search->mean[d];
            for (int w = 0; w < WIDTH; w++) sum[(size_t)d * WIDTH + (size_t)w] += value * at[w];
        }
    }
}

/* The tiles' sums of `width` values a dimension, in order, into the first tile's place. */
static void add_tiles(struct search *search, int width)
{
    const int64_t stride = (int64_t)search->args->dim * WIDTH;
    for (int64_t tile = 1; tile < tiles_of(search->used); tile++)
        for (int64_t d = 0; d < (int64_t)search->args->dim * width; d++)
            search->sums[d] += search->sums[tile * stride + d];
}

/* Columns of m [dim][WIDTH] become orthonormal, each against those before it. One that is nearly nothing becomes 0. */
static void orthonormalise(double *m, int dim, double least)
{
    for (int w = 0; w < WIDTH; w++) {
        for (int twice = 0; twice < 2; twice++)
            for (int v = 0; v < w; v++) {
                double dot = 0;
                for (int d = 0; d < dim; d++) dot += m[d * WIDTH + w] * m[d * WIDTH + v];
                for (int d = 0; d < dim; d++) m[d * WIDTH + w] -= dot * m[d * WIDTH + v];
            }
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += m[d * WIDTH + w] * m[d * WIDTH + w];
        const double scale = sqrt(sum) > least ? 1 / sqrt(sum) : 0;
        for (int d = 0; d < dim; d++) m[d * WIDTH + w] *= scale;
    }
}

/* How far the first two axes moved. */
static double moved(const double *now, const double *before, int dim)
{
    double most = 0;
    for (int d = 0; d < dim; d++)
        for (int w = 0; w < 2; w++) most = fmax(most, fabs(now[d * WIDTH + w] - before[d * WIDTH + w]));
    return most;
}

static int find_axes(struct search *search, struct pool *pool, struct error *error)
{
    const int dim = search->args->dim;
    const int64_t tiles = tiles_of(search->used);
    struct rng rng = rng_open(search->args->seed, RNG_MAP, 0, 0, 0);
    pool_run(pool, tiles, add_rows, search);
    add_tiles(search, 1);
    for (int d = 0; d < dim; d++) search->mean[d] = search->sums[d] / (double)search->used;
    for (int d = 0; d < dim * WIDTH; d++) search->axes[d] = rng_normal(&rng);
    orthonormalise(search->axes, dim, 0);
    for (int iteration = 0; iteration < ITERATIONS; iteration++) {
        if (pool_is_stopped(pool)) return stop_error(error, "principal components");
        pool_run(pool, tiles, multiply_rows, search);
        add_tiles(search, WIDTH);
        orthonormalise(search->sums, dim, NOTHING * (double)search->used);
        const double change = moved(search->sums, search->axes, dim);
        memcpy(search->axes, search->sums, (size_t)dim * WIDTH * sizeof *search->axes);
        if (change < SETTLED) break;
    }
    return SIMCLR_OK;
}

static void turn_axes(struct search *search)
{
    const int dim = search->args->dim;
    for (int w = 0; w < 2; w++) {
        double most = 0;
        for (int d = 0; d < dim; d++) {
            const double value = search->axes[d * WIDTH + w];
            if (fabs(value) > fabs(most)) most = value;
        }
        for (int d = 0; d < dim && most < 0; d++) search->axes[d * WIDTH + w] *= -1;
    }
}

static void place_rows(void *context, int64_t tile, int thread)
{
    struct search *search = context;
    (void)thread;
    const int dim = search->args->dim;
    for (int64_t i = tile * TILE; i < tile_end(tile, search->args->count); i++) {
        const float *row = search->args->rows + i * dim;
        double at[WIDTH];
        project(search, row, scale_of(row, dim), at);
        search->plane[2 * i] = at[0];
        search->plane[2 * i + 1] = at[1];
    }
}

int principal_plane(double *plane, struct pool *pool, const struct principal_args *args, struct error *error)
{
    if (args->count < 1 || args->dim < 1)
        return error_set(error, SIMCLR_INVALID, "principal components need at least one row and one value");
    struct search search = {.args = args, .plane = plane};
    search.used = args->count < PRINCIPAL_ROWS ? args->count : PRINCIPAL_ROWS;
    const size_t dim = (size_t)args->dim, tiles = (size_t)tiles_of(search.used);
    search.mean = memory_array(dim, sizeof *search.mean);
    search.axes = memory_array(dim * WIDTH, sizeof *search.axes);
    search.sums = memory_array(tiles * dim * WIDTH, sizeof *search.sums);
    int status = SIMCLR_OK;
    if (!search.mean || !search.axes || !search.sums)
        status = error_no_memory(error, "principal components", tiles * dim * WIDTH * sizeof *search.sums);
    if (!status) status = find_axes(&search, pool, error);
    if (!status) {
        turn_axes(&search);
        pool_run(pool, tiles_of(args->count), place_rows, &search);
    }
    memory_free(search.mean);
    memory_free(search.axes);
    memory_free(search.sums);
    return status;
}
