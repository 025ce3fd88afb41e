/* eval/nearest.h -- the nearest rows met so far, as a heap: what searches share. */
#ifndef EVAL_NEAREST_H
#define EVAL_NEAREST_H

#include <stdbool.h>

#include "eval/neighbours.h"

/* Ties are ordered by the higher row number, so that the result does not depend on the order in which tiles are
 * visited. */
static inline bool nearest_is_worse(struct neighbour a, struct neighbour b)
{
    return a.similarity < b.similarity || (a.similarity == b.similarity && a.row > b.row);
}

/* heap[0] is the worst of the `count` kept so far. */
static inline void nearest_sift_down(struct neighbour *heap, int count, int at)
{
    for (;;) {
        int child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && nearest_is_worse(heap[child + 1], heap[child])) child += 1;
        if (!nearest_is_worse(heap[child], heap[at])) return;
        const struct neighbour swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

static inline void nearest_push(struct neighbour *heap, int *count, int capacity, struct neighbour item)
{
    if (*count == capacity) {
        if (!nearest_is_worse(heap[0], item)) return;
        heap[0] = item;
        nearest_sift_down(heap, capacity, 0);
        return;
    }
    int at = (*count)++;
    heap[at] = item;
    while (at > 0 && nearest_is_worse(heap[at], heap[(at - 1) / 2])) {
        const struct neighbour swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

/* Sorts a heap in place, best first. */
static inline void nearest_sort(struct neighbour *heap, int count)
{
    for (int left = count; left > 1; left--) {
        const struct neighbour last = heap[left - 1];
        heap[left - 1] = heap[0];
        heap[0] = last;
        nearest_sift_down(heap, left - 1, 0);
    }
}

/* The list of a search that is over: best first, -1 in places that are left. */
static inline void nearest_end(struct neighbour *heap, int count, int places)
{
    nearest_sort(heap, count);
    for (int i = count; i < places; i++) heap[i] = (struct neighbour){0.0f, -1};
}

#endif
