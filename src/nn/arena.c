/* nn/arena.c -- greedy placement by size (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net
 * Inference", arXiv:2001.03288, section 4.2). */
#include "nn/arena.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

static size_t align(size_t offset, size_t bytes)
{
    size_t unit = bytes >= 4096 ? 4096 : 64;
    return (offset + unit - 1) / unit * unit;
}

/* Larger first; among equals the earlier one, so that the layout is the same in every run. */
static int by_size(const void *left, const void *right)
{
    const struct arena_block *const *a = left, *const *b = right;
    if ((*a)->bytes != (*b)->bytes) return (*a)->bytes < (*b)->bytes ? 1 : -1;
    return *a < *b ? -1 : *a > *b;
}

static bool meet(const struct arena_block *a, const struct arena_block *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* placed: blocks with offsets, sorted by offset. */
static size_t lowest_free(const struct arena_block *block, struct arena_block *const *placed, int count)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (!meet(block, placed[i])) continue;
        if (placed[i]->offset >= offset && placed[i]->offset - offset >= block->bytes) return offset;
        size_t end = align(placed[i]->offset + placed[i]->bytes, block->bytes);
        if (end > offset) offset = end;
    }
    return offset;
}

int arena_place(struct arena_block *blocks, int count, size_t *total, struct error *error)
{
    *total = 0;
    if (count == 0) return SIMCLR_OK;
    struct arena_block **order = memory_array((size_t)count * 2, sizeof(void *));
    if (!order) return error_no_memory(error, "the arena's block list", (size_t)count * 2 * sizeof(void *));
    struct arena_block **placed = order + count;
    for (int i = 0; i < count; i++) order[i] = &blocks[i];
    qsort(order, (size_t)count, sizeof(void *), by_size);
    for (int i = 0; i < count; i++) {
        struct arena_block *block = order[i];
        block->offset = lowest_free(block, placed, i);
        if (block->offset + block->bytes > *total) *total = block->offset + block->bytes;
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > block->offset; at--) placed[at] = placed[at - 1];
        placed[at] = block;
    }
    memory_free(order);
    *total = align(*total, 0);
    return SIMCLR_OK;
}
