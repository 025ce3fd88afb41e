/* eval/kmeans.c -- see kmeans.h. */
#include "eval/kmeans.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/stop.h"

enum { TILE = 1024 /* rows of a product, and of a task */ };

static const double APART = 1e-6; /* squared distance; what is nearer, products in float32 cannot tell apart */

/* One run at a time; `best_*` keeps the best of those before. */
struct state {
    struct backend *backend;
    const struct kmeans_args *args;
    float *rows;             /* [count][dim], of length 1 */
    float *centres;          /* [clusters][dim] */
    double *squares;         /* [clusters]: |centre|^2 */
    float *products;         /* [TILE][clusters] */
    double *distance;        /* [count]: squared, to a centre; k-means++: to the nearest so far */
    int32_t *cluster;        /* [count] */
    int64_t *order, *begins; /* rows by cluster, in their order: [count], [clusters + 1] */
    int64_t *sizes;          /* [clusters] */
    double *sums;            /* [threads][dim] */
    int64_t *changed;        /* [tiles] */
    int64_t tile;            /* the first row of the one that is looked at */
    int newest;              /* k-means++: the centre that was drawn last */
};

static const float *row_of(const struct state *s, int64_t i)
{
    return s->rows + i * s->args->dim;
}

static float *centre_of(const struct state *s, int64_t c)
{
    return s->centres + c * s->args->dim;
}

static bool is_stopped(const struct state *s)
{
    return pool_is_stopped(s->backend->pool);
}

/* Differences, not 1 + |c|^2 - 2 x c: that of equal rows is 0. */
static double squared_distance(const float *a, const float *b, int dim)
{
    double sums[8] = {0};
    int d = 0;
    for (; d + 8 <= dim; d += 8)
        for (int j = 0; j < 8; j++) {
            const double off = (double)a[d + j] - (double)b[d + j];
            sums[j] += off * off;
        }
    for (; d < dim; d++) sums[0] += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static int64_t tiles_of(const struct state *s)
{
    return (s->args->count + TILE - 1) / TILE;
}

static int64_t tile_end(const struct state *s, int64_t tile)
{
    const int64_t end = (tile + 1) * TILE;
    return end < s->args->count ? end : s->args->count;
}

static int make_unit_rows(struct state *s, struct error *error)
{
    const int dim = s->args->dim;
    for (int64_t i = 0; i < s->args->count; i++) {
        const float *from = s->args->rows + i * dim;
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)from[d] * (double)from[d];
        if (!isfinite(sum))
            return error_set(error, SIMCLR_DATA, "k-means: row %lld has a value that is not finite", (long long)i);
        const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int d = 0; d < dim; d++) s->rows[i * dim + d] = (float)(from[d] * scale);
    }
    return SIMCLR_OK;
}

/* ---- k-means++: each centre is a row, drawn by its squared distance to the nearest one so far ---- */

static void approach(void *context, int64_t tile, int thread)
{
    struct state *s = context;
    (void)thread;
    const float *centre = centre_of(s, s->newest);
    for (int64_t i = tile * TILE; i < tile_end(s, tile); i++) {
        const double distance = squared_distance(row_of(s, i), centre, s->args->dim);
        if (s->newest == 0 || distance < s->distance[i]) s->distance[i] = distance;
    }
}

static int64_t draw_row(const struct state *s, struct rng *rng)
{
    double total = 0, sum = 0;
    for (int64_t i = 0; i < s->args->count; i++) total += s->distance[i];
    if (total == 0) return rng_below(rng, (uint32_t)s->args->count); /* every row is a centre already */
    const uint64_t high = rng_word(rng), bits = high << 32 | rng_word(rng);
    const double threshold = (double)(bits >> 11) * 0x1p-53 * total;
    int64_t last = 0;
    for (int64_t i = 0; i < s->args->count; i++) {
        if (s->distance[i] == 0) continue;
        sum += s->distance[i];
        last = i;
        if (sum > threshold) break;
    }
    return last;
}

static void draw_centres(struct state *s, int start)
{
    const int dim = s->args->dim;
    struct rng rng = rng_open(s->args->seed, RNG_CLUSTER, 0, (uint32_t)start, 0);
    for (int c = 0; c < s->args->clusters && !is_stopped(s); c++) {
        const int64_t row = c == 0 ? rng_below(&rng, (uint32_t)s->args->count) : draw_row(s, &rng);
        for (int d = 0; d < dim; d++) centre_of(s, c)[d] = row_of(s, row)[d];
        s->newest = c;
        pool_run(s->backend->pool, tiles_of(s), approach, s);
    }
}

/* ---- Lloyd's iteration ---- */

static void choose_nearest(void *context, int64_t index, int thread)
{
    struct state *s = context;
    (void)thread;
    const float *products = s->products + index * s->args->clusters;
    int32_t best = 0;
    double least = INFINITY;
    for (int32_t c = 0; c < s->args->clusters; c++) {
        const double distance = s->squares[c] - 2 * (double)products[c]; /* less |x|^2, which is the same for all */
        if (distance < least) {
            least = distance;
            best = c;
        }
    }
    const int64_t row = s->tile + index;
    if (s->cluster[row] == best) return;
    s->cluster[row] = best;
    __atomic_store_n(&s->changed[s->tile / TILE], 1, __ATOMIC_RELAXED);
}

/* Whether a row changed its cluster. */
static bool assign(struct state *s)
{
    const struct kmeans_args *args = s->args;
    bool changed = false;
    for (int c = 0; c < args->clusters; c++) {
        s->squares[c] = 0;
        for (int d = 0; d < args->dim; d++) s->squares[c] += (double)centre_of(s, c)[d] * (double)centre_of(s, c)[d];
    }
    for (int64_t tile = 0; tile < tiles_of(s) && !is_stopped(s); tile++) {
        s->tile = tile * TILE;
        s->changed[tile] = 0;
        const struct matmul_args product = {
            .transpose_b = true,
            .m = (int)(tile_end(s, tile) - s->tile),
            .n = args->clusters,
            .k = args->dim,
            .alpha = 1,
            .a = row_of(s, s->tile),
            .lda = args->dim,
            .b = s->centres,
            .ldb = args->dim,
            .c = s->products,
            .ldc = args->clusters,
        };
        s->backend->ops->matmul(s->backend, &product);
        pool_run(s->backend->pool, product.m, choose_nearest, s);
        changed |= s->changed[tile] != 0;
    }
    return changed;
}

/* begins and order: the rows of each cluster, in their order. */
static void sort_by_cluster(struct state *s)
{
    const int clusters = s->args->clusters;
    for (int c = 0; c <= clusters; c++) s->begins[c] = 0;
    for (int64_t i = 0; i < s->args->count; i++) s->begins[s->cluster[i] + 1]++;
    for (int c = 0; c < clusters; c++) s->begins[c + 1] += s->begins[c];
    for (int64_t i = 0; i < s->args->count; i++) s->order[s->begins[s->cluster[i]]++] = i;
    for (int c = clusters; c > 0; c--) s->begins[c] = s->begins[c - 1];
    s->begins[0] = 0;
    for (int c = 0; c < clusters; c++) s->sizes[c] = s->begins[c + 1] - s->begins[c];
}

static void measure(void *context, int64_t tile, int thread)
{
    struct state *s = context;
    (void)thread;
    for (int64_t i = tile * TILE; i < tile_end(s, tile); i++)
        s->distance[i] = squared_distance(row_of(s, i), centre_of(s, s->cluster[i]), s->args->dim);
}

/* Gives each empty cluster the row that is farthest from its centre and does not leave an empty one behind. Whether
 * there was one. */
static bool fill_empty(struct state *s)
{
    bool filled = false;
    for (int c = 0; c < s->args->clusters; c++) {
        if (s->sizes[c] > 0) continue;
        if (!filled) pool_run(s->backend->pool, tiles_of(s), measure, s);
        int64_t farthest = -1;
        for (int64_t i = 0; i < s->args->count; i++)
            if (s->sizes[s->cluster[i]] > 1 && (farthest < 0 || s->distance[i] > s->distance[farthest])) farthest = i;
        if (farthest < 0 || s->distance[farthest] < APART) break;
        s->sizes[s->cluster[farthest]]--;
        s->cluster[farthest] = c;
        s->distance[farthest] = 0;
        s->sizes[c] = 1;
        filled = true;
    }
    return filled;
}

static void average(void *context, int64_t c, int thread)
{
    struct state *s = context;
    const int dim = s->args->dim;
    const int64_t begin = s->begins[c], end = s->begins[c + 1];
    double *sum = s->sums + (int64_t)thread * dim;
    if (begin == end) return; /* the centre stays where it was */
    for (int d = 0; d < dim; d++) sum[d] = 0;
    for (int64_t i = begin; i < end; i++)
        for (int d = 0; d < dim; d++) sum[d] += (double)row_of(s, s->order[i])[d];
    for (int d = 0; d < dim; d++) centre_of(s, c)[d] = (float)(sum[d] / (double)(end - begin));
}

/* From the centres that are there to ones that stay. */
static struct kmeans iterate(struct state *s)
{
    struct kmeans result = {0};
    for (int64_t i = 0; i < s->args->count; i++) s->cluster[i] = -1;
    while (result.iterations < s->args->iterations) {
        result.iterations++;
        result.settled = !assign(s);
        if (is_stopped(s)) return result; /* rows without a cluster */
        if (result.settled) break;
        sort_by_cluster(s);
        if (fill_empty(s)) sort_by_cluster(s);
        pool_run(s->backend->pool, s->args->clusters, average, s);
    }
    pool_run(s->backend->pool, tiles_of(s), measure, s);
    for (int64_t i = 0; i < s->args->count; i++) result.inertia += s->distance[i];
    return result;
}

static void state_free(struct state *s)
{
    memory_free(s->rows);
    memory_free(s->centres);
    memory_free(s->squares);
    memory_free(s->products);
    memory_free(s->distance);
    memory_free(s->cluster);
    memory_free(s->order);
    memory_free(s->begins);
    memory_free(s->sizes);
    memory_free(s->sums);
    memory_free(s->changed);
}

static int state_open(struct state *s, struct backend *backend, const struct kmeans_args *args, struct error *error)
{
    const size_t count = (size_t)args->count, dim = (size_t)args->dim, clusters = (size_t)args->clusters;
    *s = (struct state){
        .backend = backend,
        .args = args,
        .rows = memory_array(count * dim, sizeof *s->rows),
        .centres = memory_array(clusters * dim, sizeof *s->centres),
        .squares = memory_array(clusters, sizeof *s->squares),
        .products = memory_array(TILE * clusters, sizeof *s->products),
        .distance = memory_array(count, sizeof *s->distance),
        .cluster = memory_array(count, sizeof *s->cluster),
        .order = memory_array(count, sizeof *s->order),
        .begins = memory_array(clusters + 1, sizeof *s->begins),
        .sizes = memory_array(clusters, sizeof *s->sizes),
        .sums = memory_array((size_t)pool_threads(backend->pool) * dim, sizeof *s->sums),
        .changed = memory_array((count + TILE - 1) / TILE, sizeof *s->changed),
    };
    if (s->rows && s->centres && s->squares && s->products && s->distance && s->cluster && s->order && s->begins &&
        s->sizes && s->sums && s->changed)
        return SIMCLR_OK;
    state_free(s);
    return error_no_memory(error, "k-means", count * dim * sizeof *s->rows);
}

static int check(const struct kmeans_args *args, struct error *error)
{
    if (args->dim < 1 || args->clusters < 1 || args->iterations < 1 || (!args->start && args->starts < 1))
        return error_set(error, SIMCLR_INVALID, "k-means needs at least one cluster, start and iteration");
    if (args->count > INT32_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED, "k-means over more than %d rows is not supported", INT32_MAX);
    if (args->count < args->clusters)
        return error_set(error, SIMCLR_INVALID, "%lld rows cannot fill %d clusters: ask for fewer",
                         (long long)args->count, args->clusters);
    return SIMCLR_OK;
}

int kmeans_run(struct backend *backend, struct kmeans *out, int32_t *cluster, float *centres,
               const struct kmeans_args *args, struct error *error)
{
    struct state s;
    int status = check(args, error);
    if (!status) status = state_open(&s, backend, args, error);
    if (status) return status;
    const int64_t numbers = (int64_t)args->clusters * args->dim;
    const int starts = args->start ? 1 : args->starts;
    status = make_unit_rows(&s, error);
    for (int start = 0; !status && start < starts; start++) {
        if (args->start)
            for (int64_t i = 0; i < numbers; i++) s.centres[i] = args->start[i];
        else
            draw_centres(&s, start);
        struct kmeans result = iterate(&s);
        if (is_stopped(&s)) status = stop_error(error, "k-means");
        if (status) break;
        if (start > 0 && !(result.inertia < out->inertia)) continue;
        result.start = start;
        *out = result;
        for (int64_t i = 0; i < args->count; i++) cluster[i] = s.cluster[i];
        for (int64_t i = 0; centres && i < numbers; i++) centres[i] = s.centres[i];
    }
    state_free(&s);
    return status;
}
