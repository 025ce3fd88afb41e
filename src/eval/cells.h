/* eval/cells.h -- the graph of a large set, nearly: each row is searched in the cells of k-means nearest to it. That is
 * an inverted file (Jegou, Douze & Schmid 2011, "Product Quantization for Nearest Neighbor Search", section IV). */
#ifndef EVAL_CELLS_H
#define EVAL_CELLS_H

#include "eval/neighbours.h"

enum {
    CELLS_PROBES = 16,       /* cells that a row is searched in, at least, */
    CELLS_PROBES_MOST = 64,  /* and at most */
    CELLS_ROUNDS = 8,        /* of k-means */
    CELLS_SAMPLE = 100,      /* rows of each cell, in the mean, that k-means sees */
    CELLS_EXACT_ROWS = 1000, /* that the recall is counted on */
    CELLS_RECALL_K = 10
};

/* rows: [count][dim], finite. */
struct cells_args {
    const float *rows;
    int64_t count;
    int dim, k;
    int cells; /* 0: 4 sqrt(count), rounded up */
};

/* Of each row the k most similar others that lie in its nearest cells, most similar first, of equally
 * similar ones the lower row; the ends of lists are -1 where these cells have fewer rows. list: [count][k].
 * *recall: of CELLS_EXACT_ROWS rows (all where there are fewer), drawn one of each stretch, the share of the
 * CELLS_RECALL_K nearest of an exact search that are in the list's first so many; one that is as near as the last of
 * these counts.
 *
 * Cells: k-means (kmeans.h) from rows that are drawn likewise, apart from those. A row is searched
 * in as few cells as hold 96 % of the CELLS_RECALL_K nearest of a third draw of rows: 16, 24, 32, 48 or 64.
 * Similarities are products of rows scaled to length 1, by the backend in float32. The result depends on the backend,
 * not on the number of threads. Memory: a copy of the rows, and 200 bytes a row beside the lists. Errors as
 * neighbours_search and kmeans_run have them. */
int cells_search(struct backend *backend, struct neighbour *list, double *recall, const struct cells_args *args,
                 struct error *error);

/* Row `number` of those that the recall is counted on. */
int64_t cells_judged_row(int64_t number, int64_t count);

#endif
