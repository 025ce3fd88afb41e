/* nn/arena.h -- where blocks with known lifetimes lie in one piece of memory. */
#ifndef NN_ARENA_H
#define NN_ARENA_H

#include <stddef.h>

#include "base/error.h"

/* A block is alive in the steps first..last, both included: two blocks may share bytes only if these ranges do
 * not meet. */
struct arena_block {
    size_t bytes;
    int first, last;
    size_t offset; /* result: a multiple of 64, or of 4096 for blocks of a page and more */
};

/* Assigns every offset, greedily: the largest block first, each at the lowest offset that is free during its whole
 * life. *total: bytes needed. SIMCLR_NO_MEMORY when the bookkeeping cannot be allocated. */
int arena_place(struct arena_block *blocks, int count, size_t *total, struct error *error);

#endif
