/* support/poison.h -- a watcher that spoils what a network's plan calls dead, so that whoever reads it is found. */
#ifndef SUPPORT_POISON_H
#define SUPPORT_POISON_H

#include <string.h>

#include "base/memory.h"
#include "nn/watch.h"
#include "support/run.h"

/* Overwrites with NaN all of the arena that is not alive across the end of `step`. */
static inline void poison(struct network *network, int step, void *context)
{
    (void)context;
    const struct network_arena arena = network_arena(network);
    char *alive = memory_allocate(arena.bytes);
    assert_non_null(alive);
    for (int i = 0; i < arena.count; i++) {
        const struct arena_block *block = &arena.blocks[i];
        if (block->first <= step && block->last > step) memset(alive + block->offset, 1, block->bytes);
    }
    for (size_t i = 0; i < arena.bytes;) { /* in runs: this is called after every step */
        char *end = memchr(alive + i, !alive[i], arena.bytes - i);
        size_t length = end ? (size_t)(end - alive) - i : arena.bytes - i;
        if (!alive[i]) memset(arena.memory + i, 0xff, length);
        i += length;
    }
    memory_free(alive);
}

/* From now on, and now: nothing of a pass that is not alive before its first step survives. */
static inline void poison_always(struct network *network)
{
    network_watch(network, poison, NULL);
    poison(network, -1, NULL);
}

#endif
