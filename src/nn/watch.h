/* nn/watch.h -- the one seam through which tests look into a network while it runs. The program does not use it.
 *
 * A watcher is called after each step of a pass, in time order: operation i runs forward at step i and backward at step
 * 2 n - 1 - i of n operations. It may read values with network_read, look at what is alive, and change what it finds
 * there: spoil bytes that the plan calls dead, or a mask that backward is going to read. */
#ifndef NN_WATCH_H
#define NN_WATCH_H

#include "nn/arena.h"
#include "nn/network.h"

typedef void network_watcher(struct network *network, int step, void *context);
/* In place of the watcher before; NULL: none. context is handed to each call. */
void network_watch(struct network *network, network_watcher *watcher, void *context);

/* The planned network's memory: blocks alive from step `first` to `last` lie at memory + offset. Empty while it is not
 * planned. Owned by the network. */
struct network_arena {
    char *memory;
    size_t bytes;
    const struct arena_block *blocks;
    int count;
};
struct network_arena network_arena(const struct network *network);

/* What operation i keeps for its backward pass besides values, as the backend lays it out: where a ReLU let through,
 * where a maximum came from. NULL: nothing. It is whole after the operation's forward step, and until its backward
 * step unless y is made again, which makes it anew. */
void *network_mask(const struct network *network, int i);

#endif
