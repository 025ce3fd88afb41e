/* eval/held_out.h -- training rows that are held out to choose a setting by: a seeded tenth of each class, or folds. */
#ifndef EVAL_HELD_OUT_H
#define EVAL_HELD_OUT_H

#include <stdint.h>

#include "base/error.h"

struct held_out {
    int64_t *order; /* [rows] a seeded permutation of the rows */
    int32_t *fold;  /* [rows] in which fold row i is held out; -1: in none */
    int folds;      /* 1: a tenth; 0: nothing can be held out, since no class has two rows */
    int64_t count;  /* rows that are held out, in all folds */
};

/* A tenth of every class, unless that holds out fewer than 50 rows in all, or nothing of classes that together have
 * more than a tenth of the rows. Then the rows of each class are dealt to folds, as many as the largest class has rows,
 * at most ten. A class of one row is never held out: without it nothing is known of the class.
 * labels: [rows] in [0, classes); at most 2^32 rows. SIMCLR_NO_MEMORY. */
int held_out_split(struct held_out *out, const int32_t *labels, int64_t rows, int classes, uint64_t seed,
                   struct error *error);
void held_out_free(struct held_out *held);

#endif
