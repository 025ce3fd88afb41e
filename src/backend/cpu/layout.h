/* backend/cpu/layout.h -- how the cpu backend stores activations, and the words for their parts.
 *
 *     [N/16][C/32][H][W][16 images][32 channels]      bf16 or float32
 *
 * Sixteen images at one position are the rows of a register (or matrix) tile. So every tile is full at every spatial
 * size, and a kernel tap that falls outside the image is skipped instead of multiplied by zero. Channels are padded to
 * 32 with zeros. The images that pad the last group hold any finite value in activations, zero in gradients.
 *
 * Small batches have groups of eight images: most of a group of sixteen would be empty. The batch alone decides.
 * Up to 16 channels have blocks of 16, if the batch is even: half of each block would be empty.
 *
 *     cell    the values of one position, one group and one block; they lie together       16 images x 32 channels
 *     group   16 images whose cells lie together, or 8; an octet is 8: a small group, or half of a large one
 *     block   32 channels of a tensor, or 16; a conv_block is positions that are computed together
 *     row     32 elements of a cell: one image, or two in blocks of 16. Work that is the same for every channel goes by
 *             rows; elsewhere a row is one of the image
 *     tile    what one kernel call makes: images x outputs in registers, 16 x 16 in AMX, 4 x 4 positions in Winograd;
 *             a tile of weights is 32 x 32
 *     panel   32 outputs, and all weights that make them
 *     strip   rows of y that are computed while the rows of x that they read stay in the cache
 *     piece   one group x one strip x one panel: what a thread takes next
 *     unit    backward weights: groups x rows whose operands are prepared once; a line is one of these rows
 *     quad    backward weights, groups of eight: four neighbouring positions that are contracted at once
 *     chunk   Winograd: tiles that are transformed together
 */
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
