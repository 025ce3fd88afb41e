/* eval/knn.c -- exact weighted kNN: tiles of the similarity matrix by the backend's product, a heap per query. */
#include "eval/knn.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"

enum { QUERY_TILE = 256, TRAIN_TILE = 4096 };

/* One candidate neighbour; `worse` orders by similarity, ties by the higher row number, so that the result does
 * not depend on the order in which tiles are visited. */
struct neighbour {
    float similarity;
    int32_t row;
};

static bool worse(struct neighbour a, struct neighbour b)
{
    return a.similarity < b.similarity || (a.similarity == b.similarity && a.row > b.row);
}

/* heap[0] is the worst of the `count` kept so far. */
static void heap_sift_down(struct neighbour *heap, int count, int at)
{
    for (;;) {
        int child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && worse(heap[child + 1], heap[child])) child += 1;
        if (!worse(heap[child], heap[at])) return;
        const struct neighbour swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

static void heap_push(struct neighbour *heap, int *count, int capacity, struct neighbour item)
{
    if (*count == capacity) {
        if (!worse(heap[0], item)) return;
        heap[0] = item;
        heap_sift_down(heap, capacity, 0);
        return;
    }
    int at = (*count)++;
    heap[at] = item;
    while (at > 0 && worse(heap[at], heap[(at - 1) / 2])) {
        const struct neighbour swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

/* Sorts a heap in place, best first. */
static void heap_sort(struct neighbour *heap, int count)
{
    for (int left = count; left > 1; left--) {
        const struct neighbour last = heap[left - 1];
        heap[left - 1] = heap[0];
        heap[0] = last;
        heap_sift_down(heap, left - 1, 0);
    }
}

struct search {
    const struct knn_args *args;
    int k;
    float *train_scale, *query_scale; /* 1 / |row| */
    float *tile;                      /* [QUERY_TILE][TRAIN_TILE] products */
    struct neighbour *heaps;          /* [query_count][k] */
    int *counts;                      /* [query_count] */
    int64_t query_begin, train_begin;
    int train_rows;
};

static void row_scales(float *scale, const float *rows, int64_t count, int dim)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        scale[i] = sum > 0 ? (float)(1.0 / sqrt(sum)) : 0.0f;
    }
}

static void search_row(void *context, int64_t index, int thread)
{
    struct search *search = context;
    (void)thread;
    const int64_t query = search->query_begin + index;
    struct neighbour *heap = search->heaps + query * search->k;
    const float *products = search->tile + index * TRAIN_TILE;
    for (int j = 0; j < search->train_rows; j++) {
        const int64_t row = search->train_begin + j;
        if (search->args->leave_out_self && row == query) continue;
        const float similarity = products[j] * search->query_scale[query] * search->train_scale[row];
        if (isnan(similarity)) continue; /* a broken row is nobody's neighbour */
        heap_push(heap, &search->counts[query], search->k, (struct neighbour){similarity, (int32_t)row});
    }
}

static int search_run(struct backend *backend, struct search *search, struct error *error)
{
    const struct knn_args *args = search->args;
    row_scales(search->train_scale, args->train, args->train_count, args->dim);
    row_scales(search->query_scale, args->query, args->query_count, args->dim);
    for (int64_t q = 0; q < args->query_count; q += QUERY_TILE) {
        const int64_t query_left = args->query_count - q;
        const int queries = (int)(query_left < QUERY_TILE ? query_left : QUERY_TILE);
        for (int64_t t = 0; t < args->train_count; t += TRAIN_TILE) {
            const int64_t train_left = args->train_count - t;
            if (pool_is_stopped(backend->pool)) return stop_error(error, "kNN");
            search->query_begin = q;
            search->train_begin = t;
            search->train_rows = (int)(train_left < TRAIN_TILE ? train_left : TRAIN_TILE);
            const struct matmul_args product = {
                .transpose_b = true,
                .m = queries,
                .n = search->train_rows,
                .k = args->dim,
                .alpha = 1,
                .a = args->query + q * args->dim,
                .lda = args->dim,
                .b = args->train + t * args->dim,
                .ldb = args->dim,
                .c = search->tile,
                .ldc = TRAIN_TILE,
            };
            backend->ops->matmul(backend, &product);
            pool_run(backend->pool, queries, search_row, search);
        }
    }
    for (int64_t q = 0; q < args->query_count; q++) heap_sort(search->heaps + q * search->k, search->counts[q]);
    return SIMCLR_OK;
}

static void search_free(struct search *search)
{
    memory_free(search->train_scale);
    memory_free(search->query_scale);
    memory_free(search->tile);
    memory_free(search->heaps);
    memory_free(search->counts);
}

static int search_open(struct search *search, const struct knn_args *args, struct error *error)
{
    const int64_t rows = args->train_count - (args->leave_out_self ? 1 : 0);
    *search = (struct search){.args = args, .k = (int)(args->k < rows ? args->k : rows)};
    if (args->dim < 1 || args->k < 1 || rows < 1 || args->query_count < 1) {
        error_set(error, SIMCLR_INVALID, "kNN needs at least one training row, one query and k >= 1");
        return SIMCLR_INVALID;
    }
    if (args->train_count > INT32_MAX) {
        error_set(error, SIMCLR_UNSUPPORTED, "kNN over more than %d rows is not supported", INT32_MAX);
        return SIMCLR_UNSUPPORTED;
    }
    search->train_scale = memory_array((size_t)args->train_count, sizeof(float));
    search->query_scale = memory_array((size_t)args->query_count, sizeof(float));
    search->tile = memory_array((size_t)QUERY_TILE * TRAIN_TILE, sizeof(float));
    search->heaps = memory_array((size_t)args->query_count * (size_t)search->k, sizeof(struct neighbour));
    search->counts = memory_array((size_t)args->query_count, sizeof(int));
    if (search->train_scale && search->query_scale && search->tile && search->heaps && search->counts) return SIMCLR_OK;
    search_free(search);
    return error_no_memory(error, "kNN search",
                           (size_t)args->query_count * (size_t)search->k * sizeof(struct neighbour));
}

int knn_neighbours(struct backend *backend, const struct knn_args *args, int32_t *neighbours, float *similarity,
                   struct error *error)
{
    struct search search;
    int status = search_open(&search, args, error);
    if (status != SIMCLR_OK) return status;
    status = search_run(backend, &search, error);
    for (int64_t q = 0; status == SIMCLR_OK && q < args->query_count; q++) {
        for (int i = 0; i < args->k; i++) {
            const bool found = i < search.counts[q];
            const struct neighbour *item = &search.heaps[q * search.k + i];
            neighbours[q * args->k + i] = found ? item->row : -1;
            if (similarity) similarity[q * args->k + i] = found ? item->similarity : 0.0f;
        }
    }
    search_free(&search);
    return status;
}

/* The best class and the best five, ties to the lower class. A class without a vote is not among them. */
static void rank_classes(const double *votes, int classes, int32_t *predicted, int32_t *top5)
{
    int32_t best[5] = {-1, -1, -1, -1, -1};
    for (int32_t c = 0; c < classes; c++) {
        int32_t item = c;
        if (!(votes[c] > 0)) continue;
        for (int i = 0; i < 5; i++) {
            if (item < 0) break;
            if (best[i] < 0 || votes[item] > votes[best[i]] || (item < best[i] && votes[item] == votes[best[i]])) {
                const int32_t swap = best[i];
                best[i] = item;
                item = swap;
            }
        }
    }
    if (predicted) *predicted = best[0];
    for (int i = 0; top5 && i < 5; i++) top5[i] = best[i];
}

/* exp(exponent) can be told from 0 and from infinity in a double where |exponent| is at most this. */
static const double EXPONENT_MAX = 700;

/* What all votes of a query may be multiplied by without changing their order, as an exponent: 0 unless the vote of the
 * nearest neighbour would overflow or vanish, which needs a temperature below 1 / 700. */
static double vote_shift(double nearest)
{
    return fabs(nearest) > EXPONENT_MAX ? -nearest : 0;
}

/* votes: [classes]. Every neighbour has a vote, however small. */
static void vote(double *votes, const struct knn_args *args, const struct neighbour *neighbours, int count)
{
    const double shift = count > 0 ? vote_shift((double)neighbours[0].similarity / args->temperature) : 0;
    for (int c = 0; c < args->classes; c++) votes[c] = 0;
    for (int i = 0; i < count; i++) {
        const double weight = exp((double)neighbours[i].similarity / args->temperature + shift);
        votes[args->train_labels[neighbours[i].row]] += weight > DBL_MIN ? weight : DBL_MIN;
    }
}

int knn_classify(struct backend *backend, const struct knn_args *args, struct error *error)
{
    if (args->classes < 1 || !(args->temperature > 0))
        return error_set(error, SIMCLR_INVALID, "kNN needs labels and a temperature above 0");
    for (int64_t i = 0; i < args->train_count; i++)
        if (args->train_labels[i] < 0 || args->train_labels[i] >= args->classes)
            return error_set(error, SIMCLR_DATA, "kNN: training row %lld has no label", (long long)i);
    struct search search;
    int status = search_open(&search, args, error);
    if (status != SIMCLR_OK) return status;
    double *scratch = memory_array((size_t)args->classes, sizeof(double));
    if (!scratch) {
        search_free(&search);
        return error_no_memory(error, "kNN votes", (size_t)args->classes * sizeof(double));
    }
    status = search_run(backend, &search, error);
    for (int64_t q = 0; status == SIMCLR_OK && q < args->query_count; q++) {
        double *votes = args->votes ? args->votes + q * args->classes : scratch;
        vote(votes, args, search.heaps + q * search.k, search.counts[q]);
        rank_classes(votes, args->classes, args->predicted ? args->predicted + q : NULL,
                     args->top5 ? args->top5 + q * 5 : NULL);
    }
    memory_free(scratch);
    search_free(&search);
    return status;
}
