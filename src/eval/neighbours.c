/* eval/neighbours.c -- tiles of the similarity matrix by the backend's product, a heap per query. */
#include "eval/neighbours.h"

#include <math.h>

#include "base/memory.h"
#include "base/stop.h"
#include "eval/nearest.h"

enum { QUERY_TILE = 256, ROW_TILE = 4096 };

struct search {
    const struct neighbours_args *args;
    const float *data, *query;      /* args->rows and args->query, or copies of length 1 */
    int k;                          /* places of a heap: args->k, or all rows where there are fewer */
    float *row_scale, *query_scale; /* 1 / |row| */
    float *tile;                    /* [QUERY_TILE][ROW_TILE] products */
    struct neighbour *heaps;        /* [query_count][args->k]: the caller's list */
    int *counts;                    /* [query_count] */
    int64_t query_begin, row_begin;
    int rows;
};

static void row_scales(float *scale, const float *rows, int64_t count, int dim)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        scale[i] = sum > 0 ? (float)(1.0 / sqrt(sum)) : 0.0f;
    }
}

/* 1 / length beyond which products of float32 may overflow or vanish. */
static bool is_extreme(float scale)
{
    return scale != 0 && (scale > 1e12F || scale < 1e-12F);
}

/* Where a row is so long or so short: *rows becomes a copy of all, of length 1 each, and their scales 1. *copy: that,
 * or NULL. */
static int tame(float **copy, const float **rows, float *scale, int64_t count, int dim, struct error *error)
{
    bool extreme = false;
    for (int64_t i = 0; i < count; i++) extreme |= is_extreme(scale[i]);
    if (!extreme) return SIMCLR_OK;
    *copy = memory_array((size_t)count * (size_t)dim, sizeof **copy);
    if (!*copy) return error_no_memory(error, "rows of length 1", (size_t)count * (size_t)dim * sizeof **copy);
    for (int64_t i = 0; i < count; i++) {
        const float *from = *rows + i * dim;
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)from[d] * (double)from[d];
        const double factor =
            sum > 0 ? 1 / sqrt(sum) : sum; /* of a broken row 0 times infinity, or NaN: still broken */
        for (int d = 0; d < dim; d++) (*copy)[i * dim + d] = (float)((double)from[d] * factor);
        scale[i] = 1;
    }
    *rows = *copy;
    return SIMCLR_OK;
}

static void search_row(void *context, int64_t index, int thread)
{
    struct search *search = context;
    (void)thread;
    const int64_t query = search->query_begin + index;
    struct neighbour *heap = search->heaps + query * search->args->k;
    const float *products = search->tile + index * ROW_TILE;
    for (int j = 0; j < search->rows; j++) {
        const int64_t row = search->row_begin + j;
        if (search->args->leave_out_self && row == query) continue;
        const float similarity = products[j] * search->query_scale[query] * search->row_scale[row];
        if (isnan(similarity)) continue; /* a broken row is nobody's neighbour */
        nearest_push(heap, &search->counts[query], search->k, (struct neighbour){similarity, (int32_t)row});
    }
}

static int search_run(struct backend *backend, struct search *search, struct error *error)
{
    const struct neighbours_args *args = search->args;
    for (int64_t q = 0; q < args->query_count; q += QUERY_TILE) {
        const int64_t query_left = args->query_count - q;
        const int queries = (int)(query_left < QUERY_TILE ? query_left : QUERY_TILE);
        for (int64_t t = 0; t < args->count; t += ROW_TILE) {
            const int64_t rows_left = args->count - t;
            if (pool_is_stopped(backend->pool)) return stop_error(error, "kNN");
            search->query_begin = q;
            search->row_begin = t;
            search->rows = (int)(rows_left < ROW_TILE ? rows_left : ROW_TILE);
            const struct matmul_args product = {
                .transpose_b = true,
                .m = queries,
                .n = search->rows,
                .k = args->dim,
                .alpha = 1,
                .a = search->query + q * args->dim,
                .lda = args->dim,
                .b = search->data + t * args->dim,
                .ldb = args->dim,
                .c = search->tile,
                .ldc = ROW_TILE,
            };
            backend->ops->matmul(backend, &product);
            pool_run(backend->pool, queries, search_row, search);
        }
    }
    for (int64_t q = 0; q < args->query_count; q++) {
        struct neighbour *list = search->heaps + q * args->k;
        nearest_end(list, search->counts[q], args->k);
    }
    return SIMCLR_OK;
}

static int check(const struct neighbours_args *args, struct error *error)
{
    if (args->dim < 1 || args->k < 1 || args->count < 1 || args->query_count < 1)
        return error_set(error, SIMCLR_INVALID, "kNN needs at least one row to search, one query and k >= 1");
    if (args->count > INT32_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED, "kNN over more than %d rows is not supported", INT32_MAX);
    return SIMCLR_OK;
}

int neighbours_search(struct backend *backend, struct neighbour *list, const struct neighbours_args *args,
                      struct error *error)
{
    int status = check(args, error);
    if (status) return status;
    struct search search = {
        .args = args,
        .data = args->rows,
        .query = args->query,
        .k = (int)(args->k < args->count ? args->k : args->count),
        .row_scale = memory_array((size_t)args->count, sizeof(float)),
        .query_scale = memory_array((size_t)args->query_count, sizeof(float)),
        .tile = memory_array((size_t)QUERY_TILE * ROW_TILE, sizeof(float)),
        .heaps = list,
        .counts = memory_array((size_t)args->query_count, sizeof(int)),
    };
    float *copy = NULL, *query_copy = NULL;
    if (!search.row_scale || !search.query_scale || !search.tile || !search.counts) {
        status = error_no_memory(error, "kNN search", (size_t)QUERY_TILE * ROW_TILE * sizeof(float));
    } else {
        row_scales(search.row_scale, args->rows, args->count, args->dim);
        row_scales(search.query_scale, args->query, args->query_count, args->dim);
        status = tame(&copy, &search.data, search.row_scale, args->count, args->dim, error);
    }
    if (!status) status = tame(&query_copy, &search.query, search.query_scale, args->query_count, args->dim, error);
    if (!status) status = search_run(backend, &search, error);
    memory_free(search.row_scale);
    memory_free(search.query_scale);
    memory_free(search.tile);
    memory_free(search.counts);
    memory_free(copy);
    memory_free(query_copy);
    return status;
}

size_t neighbours_bytes(int64_t count, int64_t query_count, int k)
{
    const size_t places = (size_t)query_count * (size_t)(k < count ? k : count);
    return (size_t)QUERY_TILE * ROW_TILE * sizeof(float) + places * sizeof(struct neighbour) +
           (size_t)(count + query_count) * sizeof(float) + (size_t)query_count * sizeof(int);
}

int neighbours_find(struct backend *backend, int32_t *row, float *similarity, const struct neighbours_args *args,
                    struct error *error)
{
    const size_t places = (size_t)args->query_count * (size_t)(args->k > 0 ? args->k : 0);
    struct neighbour *list = memory_array(places, sizeof *list);
    if (!list) return error_no_memory(error, "lists of neighbours", places * sizeof *list);
    const int status = neighbours_search(backend, list, args, error);
    for (size_t i = 0; !status && i < places; i++) {
        row[i] = list[i].row;
        if (similarity) similarity[i] = list[i].similarity;
    }
    memory_free(list);
    return status;
}
