/* backend/cpu/layout.h -- how the cpu backend stores activations.
 *
 *     [N/16][C/32][H][W][16 images][32 channels]      bf16 or float32
 *
 * Sixteen images at one position are the rows of a register (or matrix) tile, so every tile is full at every
 * spatial size, and a kernel tap that falls outside the image is skipped instead of multiplied by zero. All the
 * values of one position and one channel block are contiguous: a "cell" of 512 elements. Channels are padded to
 * 32 with zeros; the images that pad the last group hold any finite value in activations, zero in gradients.
 *
 * Small batches would leave most of a group of sixteen empty: they get groups of eight (an "octet"), cells of 256
 * elements, and a matrix tile then takes two neighbouring positions (conv_taps.c). The batch alone decides.
 *
 * Up to 16 channels (the first layers of narrow networks) would leave half of each block empty: they get blocks of 16,
 * if the batch is even. Two images are then the 32 elements of a "row", the unit of all work that is the same for every
 * channel; a row's coefficients are those of the 16 channels twice. */
#ifndef BACKEND_CPU_LAYOUT_H
#define BACKEND_CPU_LAYOUT_H

#include <stddef.h>

enum { OCTET_IMAGES = 8, MOST_GROUP_IMAGES = 16, BLOCK_CHANNELS = 32, NARROW_CHANNELS = 16, ROW_ELEMENTS = 32 };

/* Images in a group: eight where sixteen would leave at least eight more of at most 32 places empty. */
static inline int activation_group_size(int batch)
{
    return batch <= 8 || (batch > 16 && batch <= 24) ? OCTET_IMAGES : MOST_GROUP_IMAGES;
}

/* Strides in elements. */
struct activation_layout {
    int batch, channels, height, width;
    int group_images; /* places in a group: 8 or 16 */
    int groups;
    int block_channels; /* places in a block: 32 or 16 */
    int blocks;
    size_t cell;     /* from (h, w) to (h, w + 1)             */
    size_t row;      /* from (h, w) to (h + 1, w)             */
    size_t block;    /* from one channel block to the next    */
    size_t group;    /* from one group of images to the next  */
    size_t elements; /* of the whole tensor, padding included */
};

static inline struct activation_layout activation_layout(int batch, int channels, int height, int width)
{
    struct activation_layout layout = {.batch = batch, .channels = channels, .height = height, .width = width};
    layout.group_images = activation_group_size(batch);
    layout.groups = (batch + layout.group_images - 1) / layout.group_images;
    layout.block_channels = channels <= NARROW_CHANNELS && batch % 2 == 0 ? NARROW_CHANNELS : BLOCK_CHANNELS;
    layout.blocks = (channels + layout.block_channels - 1) / layout.block_channels;
    layout.cell = (size_t)layout.group_images * (size_t)layout.block_channels;
    layout.row = (size_t)width * layout.cell;
    layout.block = layout.row * (size_t)height;
    layout.group = layout.block * (size_t)layout.blocks;
    layout.elements = layout.group * (size_t)layout.groups;
    return layout;
}

/* Element index of (image, channel, h, w). */
static inline size_t activation_index(const struct activation_layout *layout, int image, int channel, int h, int w)
{
    return (size_t)(image / layout->group_images) * layout->group +
           (size_t)(channel / layout->block_channels) * layout->block + (size_t)h * layout->row +
           (size_t)w * layout->cell + (size_t)(image % layout->group_images) * (size_t)layout->block_channels +
           (size_t)(channel % layout->block_channels);
}

/* How many images of `group` are real: all of them, or fewer in the last group. */
static inline int activation_group_images(const struct activation_layout *layout, int group)
{
    const int left = layout->batch - group * layout->group_images;
    return left < layout->group_images ? left : layout->group_images;
}

/* How many channels of `block` are real: all of them, or fewer in the last block. */
static inline int activation_block_channels(const struct activation_layout *layout, int block)
{
    const int left = layout->channels - block * layout->block_channels;
    return left < layout->block_channels ? left : layout->block_channels;
}

/* Rows of 32 elements in a cell, and how many of them hold real images of `group`. */
static inline int activation_cell_rows(const struct activation_layout *layout)
{
    return (int)(layout->cell / ROW_ELEMENTS);
}

static inline int activation_group_rows(const struct activation_layout *layout, int group)
{
    return activation_group_images(layout, group) * layout->block_channels / ROW_ELEMENTS;
}

#endif
