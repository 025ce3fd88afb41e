/* backend/cpu/conv/conv_kernels.h -- what a convolution driver asks of an instruction set: one table of functions.
 *
 * Forward and backward data are the same kernel: at each output position a list of taps says which input cells
 * meet which weight tiles. A tap outside the image is simply not in the list, so borders, strides and 1x1
 * kernels need no code of their own. Backward weights contracts over images and positions instead.
 *
 * All offsets and strides are in bytes. A "step" is what one multiply instruction contracts: one channel, or a
 * pair of channels (bf16), always 4 bytes of an activation row when activations are float32 or paired bf16. */
#ifndef BACKEND_CPU_CONV_KERNELS_H
#define BACKEND_CPU_CONV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/layout.h"

enum { CONV_MAX_POSITIONS = 3, CONV_MAX_KERNEL = 15, CONV_OUTSIDE = INT32_MIN };

/* One entry of a tap list: for each tile of rows of the block the input cell, relative to the block's x, and the
 * weight tile, relative to the panel. Bit u of mask: the tap is inside the image for tile u.
 *
 * The 16 rows of a matrix tile are two octets of images: those of one cell, or, where groups have eight images, those
 * of two positions. x names both octets; where they do not follow each other in memory (bit u of `gather`: a stride, or
 * one of them is CONV_OUTSIDE the image and counts as zeros) the kernel puts them together. Vector kernels have one
 * position per tile and read x[u][0] only; all their taps are inside for all tiles of the block. */
struct conv_tap {
    int32_t x[CONV_MAX_POSITIONS][2];
    int32_t weights;
    uint16_t mask, gather;
};

struct conv_program {
    int first, count; /* into the plan's taps */
};

/* Up to max_positions tiles of rows that are computed together. */
struct conv_block {
    int program, tiles;
    ptrdiff_t x;                        /* from the image group's start to where the taps count from */
    ptrdiff_t y[CONV_MAX_POSITIONS][2]; /* where each octet of a tile goes, from the start of the group's channel
                                         * block; negative: nowhere. Vector kernels read y[u][0] only. */
};

/* Memory to be fetched into the second-level cache while a run computes: `left` bytes in segments with gaps. */
struct conv_prefetch {
    const char *next;
    ptrdiff_t left, left_in_segment, segment, gap;
    int lines; /* to fetch per tap, or per position in backward weights */
};

/* One image group x one panel of 32 outputs x some blocks. */
struct conv_run {
    const struct conv_block *blocks;
    int count;
    const struct conv_program *programs;
    const struct conv_tap *taps;
    const char *x;           /* the image group                                              */
    char *y;                 /* the image group's block of 32 output channels                */
    const char *weights;     /* the panel: [contraction block][tap] tiles                    */
    const float *bias;       /* [32], or NULL                                                */
    const char *addend;      /* what is added, laid out as y: y itself or a residual; or NULL */
    double *sum, *squares;   /* [32] each, added to: sums over the real images; or NULL      */
    ptrdiff_t x_block;       /* from one contraction block of x to the next                  */
    ptrdiff_t x_image;       /* from one image of a cell to the next                         */
    ptrdiff_t y_image;       /* the same of y: 32 or 16 channels                             */
    ptrdiff_t weights_block; /* from one contraction block of the panel to the next          */
    ptrdiff_t weights_half;  /* tiles: from outputs 0..15 of a tap to outputs 16..31         */
    int contraction_blocks;
    int steps, last_steps;         /* per tap: in all contraction blocks but the last, in the last */
    int outputs;                   /* real outputs in this panel, 1..32                            */
    int group_images;              /* places in this group, 8 or 16                                */
    int images;                    /* real images in this group                                    */
    int octet_images[2];           /* real images in each octet of a tile of 16 rows               */
    bool relu;                     /* y = max(0, y) at the end; not with sums                     */
    struct conv_prefetch prefetch; /* the rows of x that come next; the kernel may ignore it   */
};

/* One row of kernel taps x one 32x32 block of weights, over a box of output positions:
 * d_weight[tap][c][k] (+)= sum over groups, rows, columns, images of x[...][c] y[...][k]. */
struct conv_weights_run {
    float *d_weight;                    /* [taps][32 c][32 k]                                            */
    const char *x;                      /* operand of tap 0 at the box's first row and y column 0 (may lie outside) */
    const char *y;                      /* operand at the box's first row and column 0                   */
    ptrdiff_t x_group, x_row, x_column; /* x_column already has the stride in it         */
    ptrdiff_t x_tap[CONV_MAX_KERNEL];   /* operand of each tap, from x                   */
    ptrdiff_t x_step; /* vectors: from one image (or pair) of x to the next; tiles: from one channel */
    ptrdiff_t y_group, y_row, y_column;
    ptrdiff_t y_step; /* vectors: from one image (or pair) of y to the next */
    bool narrow_y;    /* tiles: sixteen outputs, in one right operand   */
    int groups, rows;
    int group_images; /* places in a group, 8 or 16 */
    int last_images;  /* real images of the last group: the padding after them may be left out */
    int taps;
    int first_column[CONV_MAX_KERNEL], end_column[CONV_MAX_KERNEL]; /* steps of y_column, per tap: the tap is inside */
    int channels;                   /* real rows of the block, 1..32                                 */
    int outputs;                    /* real columns, 1..32                                           */
    bool first;                     /* overwrite d_weight instead of adding                          */
    bool images;                    /* x is a strip of images: rows of any number, at any address    */
    struct conv_prefetch *prefetch; /* what the next runs read; the kernel may ignore it        */
};

/* How the images of the first layer are stored for a kernel. */
enum conv_image_form {
    CONV_IMAGE_F32,         /* float32                                                    */
    CONV_IMAGE_BF16,        /* bf16                                                       */
    CONV_IMAGE_ROUNDED_F32, /* float32 that went through bf16                             */
    CONV_IMAGE_BF16_PAIRS   /* bf16 of image 2i in the low half of a word, 2i + 1 above   */
};

/* 32 outputs x 32 inputs of the master weights and where they go. */
struct conv_pack_block {
    const float *weight; /* [outputs][inputs][taps]                                    */
    size_t row;          /* floats from one output to the next                         */
    int outputs, inputs; /* real ones, 1..32: the rest is packed as zeros              */
    int taps;            /* at most CONV_PACK_MOST_TAPS                                */
    char *forward;       /* [taps] tiles, contraction over inputs                      */
    char *data;          /* [taps] tiles in reverse, over outputs; NULL: not wanted    */
};
enum { CONV_PACK_MOST_TAPS = 9 };

/* Where backward weights leaves the sum of input c and output k of a tap: in a tile of 1024 floats. */
enum conv_accumulators {
    CONV_ROWS,        /* [32 c][32 k]                                  */
    CONV_TILES,       /* [2 halves of c][even, odd k][16 c][16 k]      */
    CONV_NARROW_TILES /* [2 halves of c][sixteen k, nothing][16 c][16 k] */
};

struct conv_kernels {
    const char *name;    /* "avx512-bf16 8x2" */
    enum dtype dtype;    /* of activations */
    int max_tiles;       /* per block */
    int octet_positions; /* vectors: positions per block where groups have eight images; 0: one, as everywhere else */
    int tile_rows;       /* 16: matrix tiles, full at any group size; 0: vectors, as many rows as a group has images */
    int pair;            /* channels per step: 1 or 2 */
    size_t tile_bytes;   /* of 32 x 32 packed weights */
    size_t step_bytes;   /* of packed weights in one step of 32 outputs: tile_bytes / (32 / pair) */

    void (*forward)(const struct conv_run *run);
    /* tile: float [32 contraction][32 outputs], of which `rows` rows are used (a multiple of pair). */
    void (*pack_weights)(void *out, const float *tile, int rows);
    /* The same for all taps of a block at once; NULL: by load_weights, tile by tile. */
    void (*pack_block)(const struct conv_pack_block *block);
    /* tiles: float [taps][32 inputs][32 outputs], zero outside the real ones. */
    void (*load_weights)(float *tiles, const struct conv_pack_block *block);

    void (*weights)(const struct conv_weights_run *run);
    int weights_tiles; /* vectors: how often that goes over the operands of a block of 32 x 32 */
    /* Vector kernels: backward weights reads operands prepared by this, cell_bytes for 16 images of 32 channels: of
     * `images` contiguous ones (an even number) of 32 or 16 channels. NULL: it reads activations as they are, or the
     * next two are set. */
    void (*pack)(void *out, const void *in, size_t images, int channels);
    /* Tiles: contract four octets at a time, each NULL (zeros) or [8 images][32 or 16 channels]. x: a row for each
     * channel, `pitch` bytes apart, of 32 images, that are `image` bytes apart in the octets; y: cell_bytes, or half of
     * that. */
    void (*pack_x_octets)(void *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t image, int channels);
    void (*pack_y_octets)(void *out, const void *const octets[4], int channels);
    size_t cell_bytes;
    /* Finished accumulators of a block to rows of the gradient: out[k * row + c * taps + t] for the real k < outputs
     * and c < inputs. tiles: one per tap. */
    void (*store_weights)(float *out, size_t row, const float *tiles, int taps, int inputs, int outputs,
                          enum conv_accumulators order);
    /* Packing and store_weights write past the caches: to be called before another thread may read. */
    void (*stream_end)(void);
    enum conv_accumulators accumulators;

    /* out[j][i] = in[i][j], 32 x 32 floats. */
    void (*transpose)(float *out, const float *in);

    enum conv_image_form forward_images, weights_images;
    /* out[w * channels + c] = in[c][w], converted from `type` (float32, or bf16 for another form than F32) to the form;
     * in1: the odd image of a pair, NULL elsewhere or when there is none (zeros). plane: elements from one channel to
     * the next. */
    void (*interleave)(void *out, const void *in0, const void *in1, enum dtype type, size_t plane, int channels,
                       int width, enum conv_image_form form);

    /* Multiplies registers only, as fast as this instruction set can; returns the floating-point operations done.
     * What `bench` calls the peak. */
    double (*multiply_registers)(long rounds);
};

/* The tables, one per instruction set; NULL where this build does not have it. Whether the CPU can run one is
 * the caller's business. avx2 and avx512 keep bf16 in memory and compute in float32. */
const struct conv_kernels *conv_kernels_portable(enum dtype dtype);
#if defined(__x86_64__)
const struct conv_kernels *conv_kernels_avx2(enum dtype dtype);
const struct conv_kernels *conv_kernels_avx512(enum dtype dtype);
const struct conv_kernels *conv_kernels_avx512bf16(enum dtype dtype); /* bf16 only */
#else                                                                 /* their files are left out of the build */
static inline const struct conv_kernels *conv_kernels_avx2(enum dtype dtype)
{
    (void)dtype;
    return NULL;
}
static inline const struct conv_kernels *conv_kernels_avx512(enum dtype dtype)
{
    (void)dtype;
    return NULL;
}
static inline const struct conv_kernels *conv_kernels_avx512bf16(enum dtype dtype)
{
    (void)dtype;
    return NULL;
}
#endif

/* conv_pack_avx512bf16.c: pack_block of matrix tiles, and of vectors of pairs. */
void conv_pack_tiles(const struct conv_pack_block *block);
void conv_pack_pairs(const struct conv_pack_block *block);

#endif
