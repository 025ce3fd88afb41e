/* eval/cells.c -- see cells.h. */
#include "eval/cells.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/stop.h"
#include "eval/kmeans.h"
#include "eval/nearest.h"

enum {
    QUERY_TILE = 256,
    ROW_TILE = 4096,
    QUERY_TASK = 16,       /* queries of a task */
    ASSIGN_ROWS = 1 << 16, /* whose cells are found at once */
    EXACT_PLACES = CELLS_RECALL_K + 1
};

struct search {
    struct backend *backend;
    const struct cells_args *args;
    int cells, probes;
    float *centres;       /* [cells][dim] */
    int32_t *probe;       /* [count][probes] cells of a row, its own first */
    float *rows;          /* [count][dim], of length 1, by cell */
    int64_t *row_begin;   /* [cells + 1] */
    int32_t *row_number;  /* [count]: which row that is */
    int64_t *query_begin; /* [cells + 1] */
    int32_t *query;       /* [count * probes]: places in `rows` of those that are searched in a cell */
    float *block;         /* [QUERY_TILE][dim]: queries of a product */
    float *tile;          /* [QUERY_TILE][ROW_TILE] products */
    struct neighbour *list;
    int *counts; /* [count], by row */
    /* the product that is looked at */
    const int32_t *queries;
    int64_t row_first;
    int query_count, rows_count;
};

static void search_free(struct search *s)
{
    memory_free(s->centres);
    memory_free(s->probe);
    memory_free(s->rows);
    memory_free(s->row_begin);
    memory_free(s->row_number);
    memory_free(s->query_begin);
    memory_free(s->query);
    memory_free(s->block);
    memory_free(s->tile);
    memory_free(s->counts);
}

/* ---- cells ----------------------------------------------------------------------------------------------------- */

/* out: the row at length 1; a row of zeros stays one. */
static void make_unit(float *out, const float *row, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++) sum += (double)row[d] * (double)row[d];
    const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int d = 0; d < dim; d++) out[d] = (float)((double)row[d] * scale);
}

/* What is drawn: rows that k-means begins from, rows that the recall is counted on, and rows by which the number of
 * probes is chosen. If judged ones were among the first, the recall would be that of rows in the middle of their cells.
 */
enum draw { DRAW_STARTS, DRAW_JUDGED, DRAW_TRIED };

/* Row `number` of `drawn` that are spread over all: one of each stretch. */
static int64_t draw_row(enum draw what, int64_t number, int64_t drawn, int64_t count)
{
    const int64_t begin = number * count / drawn, end = (number + 1) * count / drawn;
    struct rng rng = rng_open(0, RNG_CELLS, 0, (uint32_t)number, what);
    return begin + rng_below(&rng, (uint32_t)(end - begin));
}

static int find_centres(struct search *s, struct error *error)
{
    const struct cells_args *args = s->args;
    const int64_t wanted = (int64_t)CELLS_SAMPLE * s->cells, sampled = wanted < args->count ? wanted : args->count;
    const size_t dim = (size_t)args->dim;
    float *sample = memory_array((size_t)sampled * dim, sizeof *sample);
    float *start = memory_array((size_t)s->cells * dim, sizeof *start);
    int32_t *cluster = memory_array((size_t)sampled, sizeof *cluster);
    int status = sample && start && cluster ? SIMCLR_OK
                                            : error_no_memory(error, "cells", (size_t)sampled * dim * sizeof *sample);
    for (int64_t i = 0; !status && i < sampled; i++)
        memcpy(sample + (size_t)i * dim, args->rows + (size_t)(i * args->count / sampled) * dim, dim * sizeof *sample);
    for (int64_t c = 0; !status && c < s->cells; c++)
        make_unit(start + (size_t)c * dim, args->rows + draw_row(DRAW_STARTS, c, s->cells, args->count) * args->dim,
                  args->dim);
    struct kmeans result;
    const struct kmeans_args means = {.rows = sample,
                                      .count = sampled,
                                      .dim = args->dim,
                                      .clusters = s->cells,
                                      .starts = 1,
                                      .iterations = CELLS_ROUNDS,
                                      .start = start};
    if (!status) status = kmeans_run(s->backend, &result, cluster, s->centres, &means, error);
    memory_free(sample);
    memory_free(start);
    memory_free(cluster);
    return status;
}

/* The rows of a draw, and the exact CELLS_RECALL_K + 1 nearest of each, itself among them: *rows and *exact are new
 * blocks. */
static int search_exactly(struct backend *backend, float **rows, struct neighbour **exact, enum draw what,
                          int64_t drawn, const struct cells_args *args, struct error *error)
{
    const size_t dim = (size_t)args->dim;
    *rows = memory_array((size_t)drawn * dim, sizeof **rows);
    *exact = memory_array((size_t)drawn * EXACT_PLACES, sizeof **exact);
    if (!*rows || !*exact) return error_no_memory(error, "the exact search", (size_t)drawn * dim * sizeof **rows);
    for (int64_t i = 0; i < drawn; i++)
        memcpy(*rows + (size_t)i * dim, args->rows + draw_row(what, i, drawn, args->count) * args->dim,
               dim * sizeof **rows);
    const struct neighbours_args all = {.rows = args->rows,
                                        .query = *rows,
                                        .count = args->count,
                                        .query_count = drawn,
                                        .dim = args->dim,
                                        .k = EXACT_PLACES};
    return neighbours_search(backend, *exact, &all, error);
}

static int rows_to_draw(int64_t count)
{
    return count < CELLS_EXACT_ROWS ? (int)count : CELLS_EXACT_ROWS;
}

int64_t cells_judged_row(int64_t number, int64_t count)
{
    return draw_row(DRAW_JUDGED, number, rows_to_draw(count), count);
}

/* ---- how many cells a row is searched in ----------------------------------------------------------------------- */

static const int probe_counts[] = {CELLS_PROBES, 24, 32, 48, CELLS_PROBES_MOST};
enum { PROBE_COUNTS = sizeof probe_counts / sizeof *probe_counts };
static const double ENOUGH = 0.96; /* a little above the 0.95 that is meant: it is an estimate */

/* Rows that are tried: their nearest cells, and the cells of their nearest rows. */
struct trial {
    float *rows, *others;      /* [drawn][dim]; [drawn * EXACT_PLACES][dim] */
    struct neighbour *exact;   /* [drawn][EXACT_PLACES] */
    struct neighbour *nearest; /* [drawn][CELLS_PROBES_MOST] cells */
    struct neighbour *own;     /* [drawn * EXACT_PLACES]: the cell of each of exact */
};

static int find_cells(struct search *s, struct neighbour *list, const float *rows, int64_t count, int k,
                      struct error *error)
{
    const struct neighbours_args args = {
        .rows = s->centres, .query = rows, .count = s->cells, .query_count = count, .dim = s->args->dim, .k = k};
    return neighbours_search(s->backend, list, &args, error);
}

static int try_rows(struct trial *t, struct search *s, int drawn, struct error *error)
{
    const size_t dim = (size_t)s->args->dim, others = (size_t)drawn * EXACT_PLACES;
    int status = search_exactly(s->backend, &t->rows, &t->exact, DRAW_TRIED, drawn, s->args, error);
    if (status) return status;
    t->others = memory_array(others * dim, sizeof *t->others);
    t->nearest = memory_array((size_t)drawn * CELLS_PROBES_MOST, sizeof *t->nearest);
    t->own = memory_array(others, sizeof *t->own);
    if (!t->others || !t->nearest || !t->own) return error_no_memory(error, "cells", others * dim * sizeof *t->others);
    for (size_t i = 0; i < others; i++)
        memcpy(t->others + i * dim, s->args->rows + (t->exact[i].row < 0 ? 0 : (size_t)t->exact[i].row) * dim,
               dim * sizeof *t->others);
    status = find_cells(s, t->nearest, t->rows, drawn, CELLS_PROBES_MOST, error);
    return status ? status : find_cells(s, t->own, t->others, (int64_t)others, 1, error);
}

/* The share of the nearest rows that lie in the `probes` nearest cells. */
static double share_within(const struct trial *t, const struct search *s, int drawn, int probes)
{
    int64_t found = 0, wanted = 0;
    for (int i = 0; i < drawn; i++) {
        const int64_t row = draw_row(DRAW_TRIED, i, drawn, s->args->count);
        const struct neighbour *nearest = t->nearest + (int64_t)i * CELLS_PROBES_MOST;
        for (int k = 0; k < EXACT_PLACES; k++) {
            const int64_t at = (int64_t)i * EXACT_PLACES + k;
            if (t->exact[at].row < 0 || t->exact[at].row == row) continue;
            wanted++;
            for (int p = 0; p < probes; p++) found += nearest[p].row == t->own[at].row;
        }
    }
    return wanted > 0 ? (double)found / (double)wanted : 1;
}

/* The fewest that are enough; the most where none are. */
static int choose_probes(struct search *s, struct error *error)
{
    const int drawn = rows_to_draw(s->args->count);
    struct trial trial = {0};
    const int status = s->cells <= CELLS_PROBES ? SIMCLR_OK : try_rows(&trial, s, drawn, error);
    s->probes = s->cells < CELLS_PROBES ? s->cells : CELLS_PROBES;
    for (int i = 1; !status && s->cells > CELLS_PROBES && i < PROBE_COUNTS; i++) {
        if (share_within(&trial, s, drawn, s->probes) >= ENOUGH) break;
        s->probes = s->cells < probe_counts[i] ? s->cells : probe_counts[i];
    }
    memory_free(trial.rows);
    memory_free(trial.others);
    memory_free(trial.exact);
    memory_free(trial.nearest);
    memory_free(trial.own);
    return status;
}

/* probe: the cells whose centres are most similar to each row. */
static int find_probes(struct search *s, struct error *error)
{
    const struct cells_args *args = s->args;
    struct neighbour *list = memory_array((size_t)ASSIGN_ROWS * (size_t)s->probes, sizeof *list);
    int status = list ? SIMCLR_OK : error_no_memory(error, "cells", (size_t)ASSIGN_ROWS * (size_t)s->probes * 8);
    for (int64_t first = 0; !status && first < args->count; first += ASSIGN_ROWS) {
        const int64_t left = args->count - first, rows = left < ASSIGN_ROWS ? left : ASSIGN_ROWS;
        status = find_cells(s, list, args->rows + first * args->dim, rows, s->probes, error);
        for (int64_t i = 0; !status && i < rows * s->probes; i++)
            s->probe[first * s->probes + i] = list[i].row >= 0 ? list[i].row : 0;
    }
    memory_free(list);
    return status;
}

/* begin: of each cell among items that were counted in begin[cell + 1]. */
static void sum_up(int64_t *begin, int cells)
{
    for (int c = 0; c < cells; c++) begin[c + 1] += begin[c];
}

/* Afterwards begin is what sum_up gave, where each place that was taken moved it on. */
static void move_back(int64_t *begin, int cells)
{
    for (int c = cells; c > 0; c--) begin[c] = begin[c - 1];
    begin[0] = 0;
}

/* rows, row_number: by cell, in their order within it. query: the same of those that are searched in it. */
static void sort_rows(struct search *s)
{
    const struct cells_args *args = s->args;
    const int64_t pairs = args->count * s->probes;
    for (int64_t i = 0; i < args->count; i++) s->row_begin[s->probe[i * s->probes] + 1]++;
    for (int64_t i = 0; i < pairs; i++) s->query_begin[s->probe[i] + 1]++;
    sum_up(s->row_begin, s->cells);
    sum_up(s->query_begin, s->cells);
    for (int64_t i = 0; i < args->count; i++) {
        const int64_t place = s->row_begin[s->probe[i * s->probes]]++;
        s->row_number[place] = (int32_t)i;
        make_unit(s->rows + place * args->dim, args->rows + i * args->dim, args->dim);
    }
    for (int64_t place = 0; place < args->count; place++) {
        const int32_t *probe = s->probe + (int64_t)s->row_number[place] * s->probes;
        for (int p = 0; p < s->probes; p++) s->query[s->query_begin[probe[p]]++] = (int32_t)place;
    }
    move_back(s->row_begin, s->cells);
    move_back(s->query_begin, s->cells);
}

/* ---- searching ------------------------------------------------------------------------------------------------- */

static void look_at_queries(void *context, int64_t task, int thread)
{
    struct search *s = context;
    (void)thread;
    const int end = (int)(task + 1) * QUERY_TASK < s->query_count ? (int)(task + 1) * QUERY_TASK : s->query_count;
    for (int q = (int)task * QUERY_TASK; q < end; q++) {
        const int32_t place = s->queries[q], row = s->row_number[place];
        struct neighbour *heap = s->list + (int64_t)row * s->args->k;
        const float *products = s->tile + (int64_t)q * ROW_TILE;
        for (int j = 0; j < s->rows_count; j++) {
            const int64_t other = s->row_first + j;
            if (other == place) continue;
            nearest_push(heap, &s->counts[row], s->args->k, (struct neighbour){products[j], s->row_number[other]});
        }
    }
}

static void search_tile(struct search *s)
{
    const int dim = s->args->dim;
    const struct matmul_args product = {
        .transpose_b = true,
        .m = s->query_count,
        .n = s->rows_count,
        .k = dim,
        .alpha = 1,
        .a = s->block,
        .lda = dim,
        .b = s->rows + s->row_first * dim,
        .ldb = dim,
        .c = s->tile,
        .ldc = ROW_TILE,
    };
    s->backend->ops->matmul(s->backend, &product);
    pool_run(s->backend->pool, (s->query_count + QUERY_TASK - 1) / QUERY_TASK, look_at_queries, s);
}

static int search_cell(struct search *s, int cell, struct error *error)
{
    const size_t dim = (size_t)s->args->dim;
    for (int64_t q = s->query_begin[cell]; q < s->query_begin[cell + 1]; q += QUERY_TILE) {
        const int64_t left = s->query_begin[cell + 1] - q;
        s->queries = s->query + q;
        s->query_count = (int)(left < QUERY_TILE ? left : QUERY_TILE);
        for (int i = 0; i < s->query_count; i++)
            memcpy(s->block + (size_t)i * dim, s->rows + (size_t)s->queries[i] * dim, dim * sizeof *s->block);
        for (int64_t row = s->row_begin[cell]; row < s->row_begin[cell + 1]; row += ROW_TILE) {
            const int64_t rows = s->row_begin[cell + 1] - row;
            if (pool_is_stopped(s->backend->pool)) return stop_error(error, "the search by cells");
            s->row_first = row;
            s->rows_count = (int)(rows < ROW_TILE ? rows : ROW_TILE);
            search_tile(s);
        }
    }
    return SIMCLR_OK;
}

/* ---- recall ---------------------------------------------------------------------------------------------------- */

/* Among products of float32 two rows that are equally near differ by so little. */
static const float ROUNDING = 1e-6F;

static double count_found(const struct neighbour *exact, const struct neighbour *list, int exact_places, int64_t row)
{
    int wanted = 0, found = 0;
    float last = 1;
    for (int i = 0; i < exact_places && wanted < CELLS_RECALL_K; i++) {
        if (exact[i].row < 0 || exact[i].row == row) continue;
        last = exact[i].similarity;
        wanted++;
    }
    for (int i = 0; i < wanted; i++) found += list[i].row >= 0 && list[i].similarity >= last - ROUNDING;
    return wanted > 0 ? (double)found / wanted : 1;
}

static int measure_recall(struct backend *backend, double *recall, const struct neighbour *list,
                          const struct cells_args *args, struct error *error)
{
    const int drawn = rows_to_draw(args->count);
    float *rows;
    struct neighbour *exact;
    const int status = search_exactly(backend, &rows, &exact, DRAW_JUDGED, drawn, args, error);
    double sum = 0;
    for (int i = 0; !status && i < drawn; i++) {
        const int64_t row = cells_judged_row(i, args->count);
        sum += count_found(exact + (int64_t)i * EXACT_PLACES, list + row * args->k, EXACT_PLACES, row);
    }
    *recall = sum / (double)drawn;
    memory_free(rows);
    memory_free(exact);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static int check(const struct cells_args *args, struct error *error)
{
    if (args->dim < 1 || args->k < CELLS_RECALL_K || args->count < 2)
        return error_set(error, SIMCLR_INVALID, "a search by cells needs two rows, and k >= %d", CELLS_RECALL_K);
    if (args->count > INT32_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED, "a graph of more than %d rows is not supported", INT32_MAX);
    return SIMCLR_OK;
}

static int search_open(struct search *s, struct backend *backend, struct neighbour *list, const struct cells_args *args,
                       struct error *error)
{
    const size_t dim = (size_t)args->dim;
    const int64_t cells = args->cells > 0 ? args->cells : (int64_t)ceil(4 * sqrt((double)args->count));
    *s = (struct search){.backend = backend, .args = args, .list = list};
    s->cells = (int)(cells < args->count ? cells : args->count);
    s->centres = memory_array((size_t)s->cells * dim, sizeof *s->centres);
    s->row_begin = memory_array((size_t)s->cells + 1, sizeof *s->row_begin);
    s->query_begin = memory_array((size_t)s->cells + 1, sizeof *s->query_begin);
    s->block = memory_array(QUERY_TILE * dim, sizeof *s->block);
    s->tile = memory_array((size_t)QUERY_TILE * ROW_TILE, sizeof *s->tile);
    if (s->centres && s->row_begin && s->query_begin && s->block && s->tile) return SIMCLR_OK;
    return error_no_memory(error, "cells", (size_t)s->cells * dim * sizeof *s->centres);
}

/* What the search needs and k-means does not: made when its memory is free again. */
static int open_rows(struct search *s, struct error *error)
{
    const size_t count = (size_t)s->args->count, dim = (size_t)s->args->dim;
    s->rows = memory_array(count * dim, sizeof *s->rows);
    s->probe = memory_array(count * (size_t)s->probes, sizeof *s->probe);
    s->row_number = memory_array(count, sizeof *s->row_number);
    s->query = memory_array(count * (size_t)s->probes, sizeof *s->query);
    s->counts = memory_array(count, sizeof *s->counts);
    if (s->rows && s->probe && s->row_number && s->query && s->counts) return SIMCLR_OK;
    return error_no_memory(error, "rows by cell", count * dim * sizeof *s->rows);
}

int cells_search(struct backend *backend, struct neighbour *list, double *recall, const struct cells_args *args,
                 struct error *error)
{
    struct search s;
    int status = check(args, error);
    if (status) return status;
    status = search_open(&s, backend, list, args, error);
    if (!status) status = find_centres(&s, error);
    if (!status) status = choose_probes(&s, error);
    if (!status) status = open_rows(&s, error);
    if (!status) status = find_probes(&s, error);
    if (!status) sort_rows(&s);
    for (int cell = 0; !status && cell < s.cells; cell++) status = search_cell(&s, cell, error);
    for (int64_t i = 0; !status && i < args->count; i++) nearest_end(list + i * args->k, s.counts[i], args->k);
    search_free(&s);
    return status ? status : measure_recall(backend, recall, list, args, error);
}
