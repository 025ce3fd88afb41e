/* backend/cpu/winograd/winograd.h -- convolution by Winograd's F(4x4, 3x3): 36 products where the direct sum has 144.
 *
 * A tile of 4 x 4 outputs needs 6 x 6 inputs d. With the 3 x 3 weights g, at the points 0, +-a, +-b and infinity:
 *     V = B^T d B     U = G g G^T     M = sum over channels of V U, point by point     y = A^T M A
 * Backward data is the same with turned weights; backward weights is dU = sum over tiles and images of V (A d_y A^T),
 * d_g = G^T dU G. (Lavin & Gray, arXiv:1509.09308, who take other points.)
 *
 * Points: a = sqrt(1/2), b = sqrt(2). Rounding is amplified by 5 where the usual 1 and 2 amplify it by 11.
 *
 * Stride 2 goes by phases. Of the three taps in a direction the outer two meet the odd rows of x (for padding 1), the
 * middle one the even rows. The two are F(4, 2) at +-a, +-b and infinity, five products for eight. The one is a plain
 * product. That is nine products for twelve, 81 for 144 in two directions. Plain products share their weights, so U has
 * 36 points as before. Backward data has the same sums: the odd rows of d_x are two turned taps over rows of d_y, the
 * even ones a plain product. A tile is then 8 x 8 of d_x from 5 x 5 of d_y.
 *
 * Layout of the transformed operands. A point is one of the 36, or of the 81, where those with the same U lie side by
 * side. A cell is [images][32 or 16 channels].
 *
 *     V   [point][tile][channel block][cell]           W = A d_y A^T likewise, its blocks being those of outputs
 *     U   [point][panel][channel][32 outputs]          M   [point][tile][panel][cell]
 *
 * So a transform is arithmetic on whole vectors without shuffles. The products of a point are the ordinary "images x 2
 * vectors of outputs" kernel at one position. Points lie a few lines more than a round number apart: else all 36 would
 * share a set of the cache.
 *
 * All are float32, with one exception: the backward passes and inference of bf16, where the instruction set multiplies
 * pairs of bf16. There V, U and W are bf16; M and dU never are. Neighbours in the contraction are one word:
 *
 *     U   [point][panel][pair of channels][32 outputs][2]
 *     V and W of backward weights: [pair of images][32 channels][2] in a cell */
#ifndef BACKEND_CPU_WINOGRAD_H
#define BACKEND_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/layout.h"

struct conv_algorithm; /* conv/conv_plan.h */

enum {
    WINOGRAD_WEIGHTS = 36,     /* points of U and dU */
    WINOGRAD_MOST_POINTS = 81, /* of V, W and M; also cells of a tile at most */
    WINOGRAD_MOST_TILES = 16
};

/* What a tile is. The same in both directions. */
enum winograd_kind { WINOGRAD_PLAIN, WINOGRAD_STRIDED, WINOGRAD_STRIDED_DATA, WINOGRAD_KINDS };
struct winograd_form {
    enum winograd_kind kind; /* PLAIN: all passes of stride 1; STRIDED: forward and backward weights of stride 2 */
    int points;
    int x_edge, x_step, x_from; /* tile t reads cells [t x_step + x_from, + x_edge) of x (backward data: of d_y) */
    int y_edge;                 /* and makes cells [t y_edge, + y_edge) of y (d_x; backward weights reads d_y there) */
    uint8_t first[WINOGRAD_WEIGHTS + 1]; /* V's points [first[u], first[u + 1]) are multiplied by U's point u */
};

/* ---- kernels: one table per instruction set (winograd_body.h) ------------------------------------------------ */

/* V of one tile and channel block, or W of one tile and block of outputs. Cells outside the image are zero cells. */
struct winograd_input {
    const char *cells[WINOGRAD_MOST_POINTS]; /* 6 x 6, or 4 x 4 of d_y; as the form has them */
    const char *const *next;                 /* as many cells that will be transformed next, to be fetched; or NULL */
    void *out;                               /* float32, or bf16 */
    ptrdiff_t point;                         /* elements from one point of `out` to the next */
    int images, channels;                    /* to transform, from the first */
    int block;                               /* channels of a cell, 32 or 16 */
    bool bf16;                               /* the cells are */
};

/* y of one tile and panel. */
struct winograd_output {
    const float *m;
    ptrdiff_t point;
    char *y;             /* the tile's first cell */
    ptrdiff_t cell, row; /* bytes from one position to the next, in a row and between rows */
    int rows, columns;   /* of the tile that are inside the image */
    int places, images;  /* of a cell; of which hold images */
    int block;           /* channels of a cell, 32 or 16 */
    int outputs;         /* real ones of the panel, 1..32 */
    const float *bias;   /* [32], or NULL */
    const char *addend;  /* what is added, laid out as y: y itself or a residual; or NULL */
    float *statistics;   /* [2][32] sums and sums of squares over the images, added to; or NULL */
    bool relu, bf16;
};

/* Cells to be fetched into the second-level cache while products are computed, evenly spread over the time. */
struct winograd_fetch {
    const char *const *cells;
    int count;
    ptrdiff_t bytes; /* of a cell */
};

/* M = V U for all points of some tiles and panels. */
struct winograd_products {
    const struct winograd_form *form;
    const void *v, *u;
    float *m;
    ptrdiff_t v_point, v_tile, u_point, u_panel, m_point, m_tile; /* elements */
    int tiles, panels, places;
    int block;                       /* channels of a cell of V and of M, 32 or 16 */
    int images[WINOGRAD_MOST_TILES]; /* of each tile */
    int channels;                    /* real ones */
    int last_outputs;                /* real ones of the last panel */
    const char *const *next;         /* [tiles][points] cells to fetch into L2 meanwhile, or NULL */
    ptrdiff_t next_block;            /* bytes from one channel block of such a cell to the next */
    ptrdiff_t next_bytes;            /* of a cell */
    struct winograd_fetch outputs;   /* the cells that the products will be stored to */
};

/* dU = V^T W over some tiles: all points of one panel; dU [point][channel block][32 channels][32 outputs]. */
struct winograd_gradient {
    const struct winograd_form *form;
    const void *v, *w;
    float *du;
    ptrdiff_t v_point, v_tile, w_point, w_tile, du_point; /* elements */
    int tiles, places;
    int block; /* channels of a cell of V and of W, 32 or 16 */
    int images[WINOGRAD_MOST_TILES];
    int channels, outputs; /* real ones */
};

/* To and from the points of one kind of tile. */
struct winograd_transforms {
    void (*input)(const struct winograd_input *args);    /* out = V */
    void (*gradient)(const struct winograd_input *args); /* out = W; NULL in backward data's form */
    void (*output)(const struct winograd_output *args);
    /* U of one channel block and panel from 9 tiles of packed weights, as the direct kernels of the same instruction
     * set and type have them. */
    void (*weights)(void *u, ptrdiff_t point, const void *taps, int channels);
    /* [9][32][32] = or += G^T dU G of one channel block and panel. */
    void (*gradient_weights)(float *taps, const float *du, ptrdiff_t point, int channels, bool add);
    /* The same for operands in bf16 (winograd_pairs_body.h), or NULL: input_pairs is V of backward data, input_images
     * V of backward weights. */
    void (*input_pairs)(const struct winograd_input *args);
    void (*weights_pairs)(void *u, ptrdiff_t point, const void *taps, int channels);
    void (*input_images)(const struct winograd_input *args);
    void (*gradient_images)(const struct winograd_input *args);
};

struct winograd_kernels {
    const char *name;
    /* How many images of a cell of `places` the products compute for `images` real ones. */
    int (*computed_images)(int images, int places);
    struct winograd_transforms transforms[WINOGRAD_KINDS];
    void (*products)(const struct winograd_products *args);
    void (*gradient_products)(const struct winograd_gradient *args);
    void (*products_pairs)(const struct winograd_products *args); /* of bf16, or NULL */
    void (*gradient_products_pairs)(const struct winograd_gradient *args);
};

const struct winograd_kernels *winograd_kernels_portable(void);
#if defined(__x86_64__)
const struct winograd_kernels *winograd_kernels_avx2(void);
const struct winograd_kernels *winograd_kernels_avx512(void);
const struct winograd_kernels *winograd_kernels_avx512bf16(void); /* for bf16 only */
#else                                                             /* their files are left out of the build */
static inline const struct winograd_kernels *winograd_kernels_avx2(void)
{
    return NULL;
}
static inline const struct winograd_kernels *winograd_kernels_avx512(void)
{
    return NULL;
}
static inline const struct winograd_kernels *winograd_kernels_avx512bf16(void)
{
    return NULL;
}
#endif

/* Costs, about thousands of cycles with AVX-512 (fitted to both algorithms at 16 to 512 channels, 2 x 2 to 16 x 16
 * positions, 8 and 32 images: within 15 % mostly). For a tile of 16 images: the products of a 32 x 32 block of weights;
 * the transforms of a block of inputs, and of a block of outputs. For a chunk of tiles: making U of a 32 x 32 block.
 * The direct sum: such a block at one position and tap; storing a block of outputs at one position. Other instruction
 * sets have about the same proportions. */
#define WINOGRAD_PRODUCT_COST 26.0
#define WINOGRAD_INPUT_COST 2.2
#define WINOGRAD_OUTPUT_COST 1.8
#define WINOGRAD_WEIGHTS_COST 16.0
#define DIRECT_TAP_COST 0.58
#define DIRECT_OUTPUT_COST 0.15

extern const struct conv_algorithm conv_winograd; /* winograd_plan.c: a row of cpu/conv_algorithms.c */

#endif
