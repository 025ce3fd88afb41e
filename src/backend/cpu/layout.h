/* backend/cpu/layout.h -- how the cpu backend stores activations.
 *
 *     [N/16][C/32][H][W][16 images][32 channels]      bf16 or float32
 *
 * Sixteen images at one position are the rows of a register (or matrix) tile, so every tile is full at every
 * spatial size, and a kernel tap that falls outside the image is skipped instead of multiplied by zero. All the
 * values of one position and one channel block are contiguous: a "cell" of 512 elements. Channels are padded to
 * 32 with zeros; the images that pad the last group hold any finite value in activations, zero in gradients. */
#ifndef BACKEND_CPU_LAYOUT_H
#define BACKEND_CPU_LAYOUT_H

#include <stddef.h>

enum { GROUP_IMAGES = 16, BLOCK_CHANNELS = 32, CELL_ELEMENTS = GROUP_IMAGES * BLOCK_CHANNELS };

/* Strides in elements. The stride from one position to the next in a row is CELL_ELEMENTS. */
struct activation_layout {
    int batch, channels, height, width;
    int groups;              /* of 16 images   */
    int blocks;              /* of 32 channels */
    size_t row;              /* from (h, w) to (h + 1, w)             */
    size_t block;            /* from one channel block to the next    */
    size_t group;            /* from one group of images to the next  */
    size_t elements;         /* of the whole tensor, padding included */
};

static inline struct activation_layout activation_layout(int batch, int channels, int height, int width)
{
    struct activation_layout layout = {.batch = batch, .channels = channels, .height = height, .width = width};
    layout.groups = (batch + GROUP_IMAGES - 1) / GROUP_IMAGES;
    layout.blocks = (channels + BLOCK_CHANNELS - 1) / BLOCK_CHANNELS;
    layout.row = (size_t)width * CELL_ELEMENTS;
    layout.block = layout.row * (size_t)height;
    layout.group = layout.block * (size_t)layout.blocks;
    layout.elements = layout.group * (size_t)layout.groups;
    return layout;
}

/* Element index of (image, channel, h, w). */
static inline size_t activation_index(const struct activation_layout *layout, int image, int channel, int h, int w)
{
    return (size_t)(image / GROUP_IMAGES) * layout->group + (size_t)(channel / BLOCK_CHANNELS) * layout->block +
           (size_t)h * layout->row + (size_t)w * CELL_ELEMENTS +
           (size_t)(image % GROUP_IMAGES) * BLOCK_CHANNELS + (size_t)(channel % BLOCK_CHANNELS);
}

/* How many images of `group` are real: 16, or fewer in the last group. */
static inline int activation_group_images(const struct activation_layout *layout, int group)
{
    const int left = layout->batch - group * GROUP_IMAGES;
    return left < GROUP_IMAGES ? left : GROUP_IMAGES;
}

/* How many channels of `block` are real: 32, or fewer in the last block. */
static inline int activation_block_channels(const struct activation_layout *layout, int block)
{
    const int left = layout->channels - block * BLOCK_CHANNELS;
    return left < BLOCK_CHANNELS ? left : BLOCK_CHANNELS;
}

#endif
