/* eval/neighbours.h -- the exact nearest rows by cosine similarity: of queries, or of each row of a set (its graph). */
#ifndef EVAL_NEIGHBOURS_H
#define EVAL_NEIGHBOURS_H

#include <stdint.h>

#include "backend/backend.h"

/* rows: [count][dim], what is searched. query: [query_count][dim]. Both canonical float32, not necessarily normalised.
 * leave_out_self: query i is row i, and is not its own neighbour: with query = rows the result is the set's graph. */
struct neighbours_args {
    const float *rows, *query;
    int64_t count, query_count;
    int dim, k;
    bool leave_out_self;
};

struct neighbour {
    float similarity;
    int32_t row; /* -1: there is none, and similarity is 0 */
};

/* The k nearest of each query, most similar first, of equally similar ones the lower row: list [query_count][k]. The
 * ends of lists are -1 where there are fewer rows: of one row without itself the whole list. A row with a value that is
 * not finite is nobody's neighbour and has none itself. Similarities are the backend's product in float32, times both
 * rows' 1 / length. (Where a row is longer than 1e12 or shorter than 1e-12, all are scaled to length 1 first: their
 * products would overflow or vanish.) The result depends on the backend and its kernels, not on the number of threads.
 * SIMCLR_INVALID without a row, a query or a k; SIMCLR_UNSUPPORTED for more than 2^31 - 1 rows; SIMCLR_INTERRUPTED when
 * the pool is asked to stop. */
int neighbours_search(struct backend *backend, struct neighbour *list, const struct neighbours_args *args,
                      struct error *error);

/* Bytes that the search and its lists take, beside rows and queries. */
size_t neighbours_bytes(int64_t count, int64_t query_count, int k);

/* The same as arrays of their own: row [query_count][k], similarity [query_count][k] or NULL. */
int neighbours_find(struct backend *backend, int32_t *row, float *similarity, const struct neighbours_args *args,
                    struct error *error);

#endif
