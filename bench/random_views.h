/* bench/random_views.h -- views for steps that are timed without a loader: random, and the same at each step. */
#ifndef BENCH_RANDOM_VIEWS_H
#define BENCH_RANDOM_VIEWS_H

#include "base/memory.h"
#include "nn/network.h"

/* `batches` of the network's, one after another; those of another `start` are others. The caller frees them
 * (memory_free). NULL: no memory. */
static inline void *random_views(const struct network *network, int batches, int start)
{
    const size_t values = tensor_elements(network_tensor(network, 0)), bytes = network_image_bytes(network);
    float *canonical = memory_array(values, sizeof *canonical);
    char *views = canonical ? memory_array((size_t)batches, bytes) : NULL;
    for (int b = 0; views && b < batches; b++) {
        for (size_t i = 0; i < values; i++)
            canonical[i] = (float)((i + (size_t)(start + b) * 7919) * 2654435761U >> 8 & 0xffff) / 65536;
        network_write_images(network, views + (size_t)b * bytes, canonical);
    }
    memory_free(canonical);
    return views;
}

#endif
