/* eval/map.c -- see map.h. */
#include "eval/map.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/stop.h"
#include "eval/map_pairs.h"
#include "eval/principal.h"

enum { TILE = 512, FIRST = 100, SECOND = 200 /* steps before the third phase */ };

static const double RATE = 1, BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-7, START = 0.01;

struct descent {
    struct map_pairs pairs;
    double *plane, *next;   /* [count][2] */
    double *first, *second; /* [count][2]: Adam's moments */
    double weight[MAP_KINDS];
    double rate; /* of this step, corrected for moments that began at 0 */
};

static void set_step(struct descent *descent, int step)
{
    const double part = (double)step / FIRST;
    const double all[3][MAP_KINDS] = {{2, 1000 * (1 - part) + 3 * part, 1}, {3, 3, 1}, {1, 0, 1}};
    memcpy(descent->weight, all[step < FIRST ? 0 : step < SECOND ? 1 : 2], sizeof descent->weight);
    descent->rate = RATE * sqrt(1 - pow(BETA2, step + 1)) / (1 - pow(BETA1, step + 1));
}

static void move_tile(void *context, int64_t tile, int thread)
{
    struct descent *descent = context;
    (void)thread;
    const int64_t count = descent->pairs.count, end = (tile + 1) * TILE < count ? (tile + 1) * TILE : count;
    for (int64_t i = tile * TILE; i < end; i++) {
        double gradient[2];
        map_gradient(gradient, &descent->pairs, descent->plane, i, descent->weight);
        for (int axis = 0; axis < 2; axis++) {
            const int64_t at = 2 * i + axis;
            descent->first[at] += (1 - BETA1) * (gradient[axis] - descent->first[at]);
            descent->second[at] += (1 - BETA2) * (gradient[axis] * gradient[axis] - descent->second[at]);
            descent->next[at] =
                descent->plane[at] - descent->rate * descent->first[at] / (sqrt(descent->second[at]) + EPSILON);
        }
    }
}

static int descend(struct descent *descent, struct pool *pool, struct error *error)
{
    const int64_t tiles = (descent->pairs.count + TILE - 1) / TILE;
    for (int step = 0; step < MAP_STEPS; step++) {
        if (pool_is_stopped(pool)) return stop_error(error, "map");
        set_step(descent, step);
        pool_run(pool, tiles, move_tile, descent);
        double *before = descent->plane;
        descent->plane = descent->next;
        descent->next = before;
    }
    return SIMCLR_OK;
}

int map_make(double *plane, double *principal, struct pool *pool, const struct map_args *args, struct error *error)
{
    if (args->count < 1 || args->dim < 1) return error_set(error, SIMCLR_INVALID, "a map needs at least one row");
    const struct principal_args axes = {.rows = args->rows, .count = args->count, .dim = args->dim, .seed = args->seed};
    const size_t values = 2 * (size_t)args->count;
    int status = principal_plane(plane, pool, &axes, error);
    if (status) return status;
    if (principal) memcpy(principal, plane, values * sizeof *plane);
    struct descent descent = {0};
    double *block = memory_array(4 * values, sizeof *block);
    if (!block) return error_no_memory(error, "a map", 4 * values * sizeof *block);
    descent.plane = block;
    descent.next = block + values;
    descent.first = block + 2 * values;
    descent.second = block + 3 * values;
    for (size_t i = 0; i < values; i++) descent.plane[i] = START * plane[i];
    status = map_pairs_make(&descent.pairs, pool, args, error);
    if (!status) status = descend(&descent, pool, error);
    if (!status) memcpy(plane, descent.plane, values * sizeof *plane);
    map_pairs_free(&descent.pairs);
    memory_free(block);
    return status;
}

/* ---- what a map keeps ---- */

enum { KEPT_ROWS = 2000, KEPT_K = 10 };

struct count {
    const struct map_args *args;
    const double *plane;
    int64_t rows;
    int kept[KEPT_ROWS];
};

static void count_row(void *context, int64_t number, int thread)
{
    struct count *job = context;
    (void)thread;
    const struct map_args *args = job->args;
    const int64_t row = number * args->count / job->rows;
    double nearest[KEPT_K];
    int64_t who[KEPT_K];
    int count = 0;
    for (int64_t j = 0; j < args->count; j++) {
        if (j == row) continue;
        const double dx = job->plane[2 * j] - job->plane[2 * row], dy = job->plane[2 * j + 1] - job->plane[2 * row + 1];
        const double value = dx * dx + dy * dy;
        if (count == KEPT_K && value >= nearest[KEPT_K - 1]) continue;
        int at = count < KEPT_K ? count++ : KEPT_K - 1;
        for (; at > 0 && value < nearest[at - 1]; at--) nearest[at] = nearest[at - 1], who[at] = who[at - 1];
        nearest[at] = value, who[at] = j;
    }
    job->kept[number] = 0;
    for (int a = 0; a < KEPT_K; a++)
        for (int b = 0; b < count; b++) job->kept[number] += args->neighbours[row * args->k + a] == who[b];
}

int map_kept(double *share, int64_t *rows, struct pool *pool, const struct map_args *args, const double *plane,
             struct error *error)
{
    *rows = args->count < KEPT_ROWS ? args->count : KEPT_ROWS;
    *share = NAN;
    if (args->k < KEPT_K || args->count <= KEPT_K) return SIMCLR_OK;
    struct count *job = memory_allocate(sizeof *job);
    if (!job) return error_no_memory(error, "what a map keeps", sizeof *job);
    *job = (struct count){.args = args, .plane = plane, .rows = *rows};
    pool_run(pool, *rows, count_row, job);
    int64_t sum = 0;
    for (int64_t i = 0; i < *rows; i++) sum += job->kept[i];
    *share = (double)sum / (double)(*rows * KEPT_K);
    memory_free(job);
    return SIMCLR_OK;
}
