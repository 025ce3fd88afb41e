/* eval/map_pairs.c -- see map_pairs.h. */
#include "eval/map_pairs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum {
    TILE = 256,
    GRAPH_MOST = 64, /* of a row's neighbours that are looked at */
    DRAWN = 6,       /* for a middle pair */
    TRIES = 64       /* that a small set gets to give a row that is not yet taken */
};

static const int places[MAP_KINDS] = {MAP_NEIGHBOURS, MAP_MIDDLES, MAP_FARS};

struct choice {
    const struct map_args *args;
    double *width;              /* [count]: s */
    double *scale;              /* [count]: 1 / length of a row */
    int32_t *chosen[MAP_KINDS]; /* [count][places], -1: none */
};

static int64_t tile_end(int64_t tile, int64_t count)
{
    return (tile + 1) * TILE < count ? (tile + 1) * TILE : count;
}

/* Neighbours of a row that are there. */
static int degree(const struct map_args *args, int64_t i)
{
    int k = 0;
    while (k < args->k && k < GRAPH_MOST && args->neighbours[i * args->k + k] >= 0) k++;
    return k;
}

/* Squared, of unit rows. */
static double graph_distance(const struct map_args *args, int64_t i, int place)
{
    const double similarity = (double)args->similarity[i * args->k + place];
    return similarity < 1 ? 2 - 2 * similarity : 0;
}

static void measure_tile(void *context, int64_t tile, int thread)
{
    const struct choice *choice = context;
    const struct map_args *args = choice->args;
    (void)thread;
    for (int64_t i = tile * TILE; i < tile_end(tile, args->count); i++) {
        const int last = degree(args, i) < 6 ? degree(args, i) : 6, first = last < 4 ? 0 : 3;
        double sum = 0, squares = 0;
        for (int place = first; place < last; place++) sum += sqrt(graph_distance(args, i, place));
        choice->width[i] = last > first ? fmax(sum / (last - first), 1e-10) : 1;
        for (int d = 0; d < args->dim; d++) {
            const double value = (double)args->rows[i * args->dim + d];
            squares += value * value;
        }
        choice->scale[i] = squares > 0 ? 1 / sqrt(squares) : 0;
    }
}

/* ---- near ---- */

static void choose_near(const struct choice *choice, int64_t i)
{
    const struct map_args *args = choice->args;
    int32_t *near = choice->chosen[MAP_NEAR] + i * MAP_NEIGHBOURS;
    double scaled[MAP_NEIGHBOURS];
    int count = 0;
    for (int place = 0; place < degree(args, i); place++) {
        const int32_t row = args->neighbours[i * args->k + place];
        const double value = graph_distance(args, i, place) / (choice->width[i] * choice->width[row]);
        int at = count < MAP_NEIGHBOURS ? count++ : MAP_NEIGHBOURS; /* where it would go, the last one falling out */
        while (at > 0 && value < scaled[at - 1]) {
            if (at < MAP_NEIGHBOURS) scaled[at] = scaled[at - 1], near[at] = near[at - 1];
            at--;
        }
        if (at < MAP_NEIGHBOURS) scaled[at] = value, near[at] = row;
    }
}

/* ---- drawn ---- */

static bool is_among(int32_t row, const int32_t *rows, int count)
{
    for (int j = 0; j < count; j++)
        if (rows[j] == row) return true;
    return false;
}

/* A row that is neither i nor taken; -1 where none was found. */
static int32_t draw(struct rng *rng, int64_t count, int64_t i, const int32_t *taken, int taken_count)
{
    for (int tries = 0; tries < TRIES; tries++) {
        const int32_t row = (int32_t)rng_below(rng, (uint32_t)count);
        if (row != i && !is_among(row, taken, taken_count)) return row;
    }
    return -1;
}

static double distance(const struct choice *choice, int64_t i, int64_t j)
{
    const int dim = choice->args->dim;
    const float *a = choice->args->rows + i * dim, *b = choice->args->rows + j * dim;
    double sums[4] = {0};
    for (int d = 0; d < dim; d++) {
        const double off = (double)a[d] * choice->scale[i] - (double)b[d] * choice->scale[j];
        sums[d % 4] += off * off;
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void choose_middle(const struct choice *choice, int64_t i)
{
    const struct map_args *args = choice->args;
    int32_t *middle = choice->chosen[MAP_MIDDLE] + i * MAP_MIDDLES;
    int32_t taken[MAP_MIDDLES + DRAWN];
    struct rng rng = rng_open(args->seed, RNG_MAP, 0, (uint32_t)i, MAP_MIDDLE);
    for (int m = 0; m < MAP_MIDDLES; m++) {
        double first = INFINITY, second = INFINITY;
        int32_t nearest = -1, next = -1;
        memcpy(taken, middle, (size_t)m * sizeof *taken);
        for (int j = 0; j < DRAWN; j++) {
            const int32_t row = draw(&rng, args->count, i, taken, m + j);
            taken[m + j] = row;
            const double value = row < 0 ? INFINITY : distance(choice, i, row);
            if (value < first)
                second = first, next = nearest, first = value, nearest = row;
            else if (value < second)
                second = value, next = row;
        }
        middle[m] = next;
    }
}

static void choose_far(const struct choice *choice, int64_t i)
{
    const struct map_args *args = choice->args;
    int32_t taken[MAP_NEIGHBOURS + MAP_FARS];
    struct rng rng = rng_open(args->seed, RNG_MAP, 0, (uint32_t)i, MAP_FAR);
    memcpy(taken, choice->chosen[MAP_NEAR] + i * MAP_NEIGHBOURS, MAP_NEIGHBOURS * sizeof *taken);
    for (int f = 0; f < MAP_FARS; f++)
        taken[MAP_NEIGHBOURS + f] = draw(&rng, args->count, i, taken, MAP_NEIGHBOURS + f);
    memcpy(choice->chosen[MAP_FAR] + i * MAP_FARS, taken + MAP_NEIGHBOURS, MAP_FARS * sizeof *taken);
}

static void choose_tile(void *context, int64_t tile, int thread)
{
    const struct choice *choice = context;
    (void)thread;
    for (int64_t i = tile * TILE; i < tile_end(tile, choice->args->count); i++) {
        choose_near(choice, i);
        choose_middle(choice, i);
        choose_far(choice, i);
    }
}

/* ---- lists of both directions ---- */

static int make_lists(struct map_pairs *out, const struct choice *choice, enum map_kind kind, struct error *error)
{
    const int64_t count = out->count, pairs = count * places[kind];
    const int32_t *chosen = choice->chosen[kind];
    int64_t *begin = memory_array((size_t)count + 2, sizeof *begin), entries = 0;
    out->begin[kind] = begin;
    if (!begin) return error_no_memory(error, "the pairs of a map", (size_t)count * sizeof *begin);
    for (int64_t p = 0; p < pairs; p++) { /* begin[i + 2]: how many row i has */
        if (chosen[p] < 0) continue;
        begin[p / places[kind] + 2]++;
        begin[chosen[p] + 2]++;
        entries += 2;
    }
    for (int64_t i = 2; i < count + 2; i++) begin[i] += begin[i - 1];
    out->other[kind] = memory_array((size_t)entries + 1, sizeof *out->other[kind]);
    if (!out->other[kind]) return error_no_memory(error, "the pairs of a map", (size_t)entries * sizeof(int32_t));
    for (int64_t p = 0; p < pairs; p++) { /* begin[i + 1] goes from the begin of row i to its end */
        if (chosen[p] < 0) continue;
        const int64_t row = p / places[kind];
        out->other[kind][begin[row + 1]++] = chosen[p];
        out->other[kind][begin[chosen[p] + 1]++] = (int32_t)row;
    }
    return SIMCLR_OK;
}

int map_pairs_make(struct map_pairs *out, struct pool *pool, const struct map_args *args, struct error *error)
{
    struct choice choice = {.args = args};
    const size_t count = (size_t)args->count;
    const int64_t tiles = (args->count + TILE - 1) / TILE;
    *out = (struct map_pairs){.count = args->count};
    choice.width = memory_array(count, sizeof *choice.width);
    choice.scale = memory_array(count, sizeof *choice.scale);
    bool room = choice.width && choice.scale;
    for (int kind = 0; kind < MAP_KINDS; kind++) {
        const size_t all = count * (size_t)places[kind];
        choice.chosen[kind] = memory_array(all, sizeof(int32_t));
        room = room && choice.chosen[kind];
        if (choice.chosen[kind]) memset(choice.chosen[kind], 0xFF, all * sizeof(int32_t)); /* -1 */
    }
    int status = room ? SIMCLR_OK : error_no_memory(error, "the pairs of a map", count * 35 * sizeof(int32_t));
    if (!status) {
        pool_run(pool, tiles, measure_tile, &choice);
        pool_run(pool, tiles, choose_tile, &choice);
    }
    for (int kind = 0; kind < MAP_KINDS; kind++) {
        if (!status) status = make_lists(out, &choice, (enum map_kind)kind, error);
        memory_free(choice.chosen[kind]);
    }
    memory_free(choice.width);
    memory_free(choice.scale);
    if (status) map_pairs_free(out);
    return status;
}

void map_pairs_free(struct map_pairs *pairs)
{
    for (int kind = 0; kind < MAP_KINDS; kind++) {
        memory_free(pairs->begin[kind]);
        memory_free(pairs->other[kind]);
    }
    *pairs = (struct map_pairs){0};
}

/* Each kind pulls by factor weight / (offset + d)^2. */
void map_gradient(double gradient[2], const struct map_pairs *pairs, const double *plane, int64_t i,
                  const double weight[MAP_KINDS])
{
    static const double factor[MAP_KINDS] = {20, 2e4, -2}, offset[MAP_KINDS] = {10, 1e4, 1};
    const double x = plane[2 * i], y = plane[2 * i + 1];
    double across = 0, up = 0;
    for (int kind = 0; kind < MAP_KINDS; kind++) {
        const double strength = factor[kind] * weight[kind], far = offset[kind] + 1;
        const int64_t *begin = pairs->begin[kind];
        if (!(fabs(strength) > 0)) continue;
        for (int64_t p = begin[i]; p < begin[i + 1]; p++) {
            const double *other = plane + 2 * (size_t)pairs->other[kind][p];
            const double dx = x - other[0], dy = y - other[1], sum = far + dx * dx + dy * dy;
            const double pull = strength / (sum * sum);
            across += pull * dx;
            up += pull * dy;
        }
    }
    gradient[0] = across;
    gradient[1] = up;
}
