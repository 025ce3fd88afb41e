/* explore/graph.c -- a collection's graph of neighbours: kept, exact, or by cells. */
#include <inttypes.h>

#include "base/memory.h"
#include "eval/cells.h"
#include "explore/keeping.h"

static bool is_exact(const struct collection *c)
{
    return collection_count(c) <= c->exact_rows;
}

static int search_exactly(struct collection *c, struct neighbour *list, struct error *error)
{
    const int64_t rows = collection_count(c);
    const struct neighbours_args args = {.rows = c->values,
                                         .query = c->values,
                                         .count = rows,
                                         .query_count = rows,
                                         .dim = c->dim,
                                         .k = COLLECTION_NEIGHBOURS,
                                         .leave_out_self = true};
    c->recall = 1;
    return neighbours_search(c->session->backend, list, &args, error);
}

static int search_by_cells(struct collection *c, struct neighbour *list, struct error *error)
{
    const struct cells_args args = {
        .rows = c->values, .count = collection_count(c), .dim = c->dim, .k = COLLECTION_NEIGHBOURS};
    return cells_search(c->session->backend, list, &c->recall, &args, error);
}

static int make(struct collection *c, struct neighbour *list, struct error *error)
{
    const bool exact = is_exact(c);
    const struct log *log = &c->session->log;
    struct kept kept;
    int status = SIMCLR_OK;
    keeping_open_graph(&kept, c, exact ? "exact" : "cells 2");
    if (keeping_load_graph(&kept, c, list, &c->recall)) {
        log_info(log, "the graph of neighbours comes from the cache, as it was made before");
    } else {
        log_info(log, "neighbours: of each of %" PRId64 " rows, %s", collection_count(c),
                 exact ? "among all" : "in its nearest cells of k-means (--exact searches all)");
        status = exact ? search_exactly(c, list, error) : search_by_cells(c, list, error);
        if (!status) keeping_store_graph(&kept, c, list, c->recall);
    }
    kept_close(&kept);
    if (!status && !exact)
        log_info(log,
                 "neighbours by cells: %.2f %% of the 10 nearest are found (counted on %d rows that were searched "
                 "exactly)",
                 100 * c->recall, CELLS_EXACT_ROWS);
    return status;
}

int collection_graph(struct collection *collection, const struct neighbour **out, double *recall, struct error *error)
{
    const int64_t rows = collection_count(collection);
    if (!collection->graph) {
        if (rows < 2)
            return error_set(error, SIMCLR_DATA, "there is one image: nothing can be its neighbour: give more");
        struct neighbour *graph = memory_array((size_t)rows * COLLECTION_NEIGHBOURS, sizeof *graph);
        if (!graph) return error_no_memory(error, "the graph", (size_t)rows * COLLECTION_NEIGHBOURS * sizeof *graph);
        const int status = make(collection, graph, error);
        if (status) {
            memory_free(graph);
            return status;
        }
        collection->graph = graph;
    }
    *out = collection->graph;
    *recall = collection->recall;
    return SIMCLR_OK;
}
