/* eval/taught.h -- the classes that have training rows. A set may name others: test images have them, or a folder is
 * empty. A classifier is fitted to the taught classes alone. Of the others its logit is -INFINITY: they have
 * probability 0, are never predicted, and as a label are never right (rank_of_label). */
#ifndef EVAL_TAUGHT_H
#define EVAL_TAUGHT_H

#include <stdint.h>

#include "base/error.h"

struct taught {
    int classes, count; /* of all, of those that are taught */
    int32_t *place;     /* [classes]: of a class among the taught ones, in their order; -1: it is none */
    int32_t *number;    /* [count]: of the taught classes among all */
};

/* labels: [rows]; one that is not in [0, classes) teaches nothing. SIMCLR_NO_MEMORY; nothing is left to free then. */
int taught_find(struct taught *out, const int32_t *labels, int64_t rows, int classes, struct error *error);
void taught_free(struct taught *taught);

#endif
