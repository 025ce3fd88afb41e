/* ops/resnet_shapes.h -- the distinct layers of ResNet-18 and ResNet-50 (v1.5, both stems, projection head), written
 * out independently of the model room. */
#ifndef OPS_RESNET_SHAPES_H
#define OPS_RESNET_SHAPES_H

#include <stdbool.h>
#include <stddef.h>

struct layer_shape {
    int in, out, size, kernel, stride, padding; /* square images of size x size */
};

enum { LAYERS_MAX = 256 };
struct layer_shapes {
    int count;
    struct layer_shape item[LAYERS_MAX];
};

static inline void layers_add(struct layer_shapes *list, int in, int out, int size, int kernel, int stride)
{
    const struct layer_shape layer = {in, out, size, kernel, stride, kernel / 2};
    for (int i = 0; i < list->count; i++) {
        const struct layer_shape *old = &list->item[i];
        if (old->in == in && old->out == out && old->size == size && old->kernel == kernel && old->stride == stride)
            return;
    }
    if (list->count < LAYERS_MAX) list->item[list->count++] = layer;
}

/* Adds the convolutions of ResNet-`depth` (18 or 50) on images of size x size, and its head as 1x1 convolutions. */
static inline void layers_add_resnet(struct layer_shapes *list, int depth, int size)
{
    static const int BLOCKS[2][4] = {{2, 2, 2, 2}, {3, 4, 6, 3}};
    const bool bottleneck = depth == 50;
    int in = 64;
    if (size <= 32) {
        layers_add(list, 3, 64, size, 3, 1);
    } else {
        layers_add(list, 3, 64, size, 7, 2);
        size = (size + 1) / 2; /* the stem */
        size = (size + 1) / 2; /* max pool 3x3/2 */
    }
    for (int stage = 0; stage < 4; stage++) {
        const int width = 64 << stage, out = bottleneck ? 4 * width : width;
        for (int block = 0; block < BLOCKS[bottleneck][stage]; block++) {
            const int stride = stage > 0 && block == 0 ? 2 : 1, next = (size + stride - 1) / stride;
            if (bottleneck) {
                layers_add(list, in, width, size, 1, 1);
                layers_add(list, width, width, size, 3, stride);
                layers_add(list, width, out, next, 1, 1);
            } else {
                layers_add(list, in, width, size, 3, stride);
                layers_add(list, width, width, next, 3, 1);
            }
            if (in != out || stride > 1) layers_add(list, in, out, size, 1, stride);
            in = out;
            size = next;
        }
    }
    layers_add(list, in, in, 1, 1, 1);
    layers_add(list, in, 128, 1, 1, 1);
}

#endif
