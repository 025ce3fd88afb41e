/* support/images.h -- floats as the images that a planned network takes. */
#ifndef SUPPORT_IMAGES_H
#define SUPPORT_IMAGES_H

#include "base/memory.h"
#include "nn/network.h"
#include "support/run.h"

/* The caller frees them, after the backward pass. */
static inline void *images_of(const struct network *network, const float *canonical)
{
    void *images = memory_allocate(network_image_bytes(network));
    assert_non_null(images);
    network_write_images(network, images, canonical);
    return images;
}

#endif
