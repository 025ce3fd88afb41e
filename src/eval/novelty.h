/* eval/novelty.h -- is a row unlike all that a classifier was taught? By its largest cosine similarity to rows that
 * were kept, against how alike those are to each other. */
#ifndef EVAL_NOVELTY_H
#define EVAL_NOVELTY_H

#include <stdint.h>

#include "backend/backend.h"

/* Start from {0}; release with novelty_free. */
struct novelty {
    float *rows;   /* [count][dim]: of length 1, each number a bf16; NULL: nothing was kept */
    int64_t count; /* of rows, or of centres */
    int dim;
    bool centres; /* the rows are centres of k-means */
    float least;  /* a similarity below this is unlike: the 1 % quantile of those that the rows have */
};
void novelty_free(struct novelty *novelty);

enum {
    NOVELTY_ROWS = 10000,   /* most rows that are kept as they are */
    NOVELTY_CENTRES = 1000, /* of more than that: so many centres instead, */
    NOVELTY_SAMPLE = 20000, /* of at most so many rows, spread evenly, */
    NOVELTY_ROUNDS = 10     /* after so many iterations at most */
};
struct novelty_limits {
    int64_t rows, sample;
    int centres, rounds;
};
struct novelty_limits novelty_limits_usual(void); /* those numbers */

/* Keeps rows [count][dim], finite, at length 1 and rounded to bf16; of more than limits.rows the centres of k-means,
 * from rows that are spread evenly. Then the similarity of each of these rows, which is not rounded, to the nearest of
 * what is kept, the row itself left out: of centres, its own is taken as it would be without the row. `least` is the
 * value that at most one row in a hundred is below: sorted[floor(count / 100)]. It is 1 - 2^-18 at most, so that rows
 * which are there twice are not unlike themselves. Nothing depends on the number of threads.
 * Fewer than two rows have no neighbours: *out is then {0}. SIMCLR_DATA for a value that is not finite;
 * SIMCLR_INTERRUPTED when the pool is asked to stop. */
int novelty_measure(struct backend *backend, struct novelty *out, const float *rows, int64_t count, int dim,
                    const struct novelty_limits *limits, struct error *error);

/* similarity: [count], each query's largest cosine to a kept row. queries: [count][dim]. A query has the same bits
 * whatever others stand beside it. Errors of neighbours_search. */
int novelty_search(struct backend *backend, const struct novelty *novelty, const float *queries, int64_t count,
                   float *similarity, struct error *error);

#endif
