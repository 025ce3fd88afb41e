/* eval/retrieval.h -- are images of a class found by one of them? (Musgrave, Belongie & Lim 2020, "A Metric Learning
 * Reality Check".) */
#ifndef EVAL_RETRIEVAL_H
#define EVAL_RETRIEVAL_H

#include <stdint.h>

#include "base/error.h"

enum { RETRIEVAL_CUTS = 3 };
extern const int retrieval_cuts[RETRIEVAL_CUTS]; /* 1, 5, 10 */

/* neighbours: [rows][k], most similar first, without the row itself; -1 where there is none (neighbours.h). labels:
 * [rows]; -1: none. A row without a label is no query, and is nothing that a query looks for.
 * k: at least 10, and at least the number of rows of the largest class less 1; all other rows are always enough. */
struct retrieval_args {
    const int32_t *neighbours;
    const int32_t *labels;
    int64_t rows;
    int k, classes;
};

/* recall[i]: the share of queries that have a row of their class among their retrieval_cuts[i] nearest. map_r: the mean
 * of (1 / R) sum over i <= R, neighbour i relevant, of precision@i, where R is the number of other rows of the query's
 * class. NaN where there is no query. */
struct retrieval {
    double recall[RETRIEVAL_CUTS];
    double map_r;
    int64_t queries;
    int64_t lone; /* rows that are the only one of their class: nothing can be found, so they are no queries */
};

/* per_class: [classes], or NULL. per_query: [rows], the summand of map_r, NaN where the row is no query; or NULL.
 * SIMCLR_INVALID for a k that is too small or a list that has a row itself or a row that is not there; SIMCLR_DATA for
 * a label that is no class. */
int retrieval_measure(struct retrieval *out, struct retrieval *per_class, double *per_query,
                      const struct retrieval_args *args, struct error *error);

#endif
