/* backend/cpu/conv/conv_plan.h -- the planned convolution: what conv_create decides and the drivers follow. */
#ifndef BACKEND_CPU_CONV_PLAN_H
#define BACKEND_CPU_CONV_PLAN_H

#include "backend/cpu/conv/conv.h"
#include "backend/cpu/conv/conv_kernels.h"

/* Which loop is outermost: the operand that is not is read again and again, so it must be the cheaper one. */
enum conv_order {
    CONV_BY_STRIP, /* image group > strip of rows > panel of outputs: x stays in L2, weights are read per strip  */
    CONV_BY_PANEL  /* panel of outputs > image group > strip: the panel stays in L2, x is read once per panel    */
};

/* Forward, or backward data (where "x" is d_y and "y" is d_x). */
struct conv_pass {
    struct conv_tap *taps;
    struct conv_program *programs;
    struct conv_block *blocks;
    int *first_block; /* [rows + 1]: blocks of each row of y */
    int tap_count, program_count, block_count;
    int rows; /* that the blocks cover: all of y, or one strip if x are images */

    struct activation_layout x, y;
    ptrdiff_t x_group, x_block, x_image; /* bytes */
    ptrdiff_t y_group, y_block, y_row, y_image;
    int contraction_blocks, steps, last_steps;
    size_t weights_block, panel_bytes, weights_bytes;
    char *weights; /* [panel][contraction block][tap] tiles */

    int strips; /* of rows, sizes differing by at most one */
    enum conv_order order;
};

/* The images of the first layer as strips of padded, channel-interleaved rows. A strip is
 * [rows][images of a group, or pairs of them][(width + 2 padding) * channels], padding zero. For matrix tiles a small
 * group is followed by the same images shifted by one output position, which make up the 16 rows of a tile. */
struct conv_image_strip {
    enum conv_image_form form;
    int group_images;
    int lines; /* images, or pairs of them */
    int max_rows;
    size_t row_elements; /* per image, rounded up */
    size_t element_bytes;
    size_t bytes;
};

/* How the operands of backward weights are prepared. */
enum conv_operands {
    CONV_AS_THEY_ARE,  /* read from the activations                                           */
    CONV_BY_CELLS,     /* vector kernels' pack: cell by cell, in the activations' order       */
    CONV_BY_POSITIONS, /* tiles contract two groups of sixteen images at a position           */
    CONV_BY_QUADS      /* tiles contract one group of eight images at four positions of a row */
};

/* Backward weights. Lines are (cell group, output row) pairs, in that order; a cell group is what is contracted
 * together: one group of images, or two (CONV_BY_POSITIONS). */
struct conv_gradient {
    enum conv_operands operands;
    bool by_tile;               /* threads own blocks of d_weight; else lines, and partial sums are added up */
    bool by_x;                  /* by_tile: each thread has x blocks of its own, so that it prepares no other's */
    int unit_groups, unit_rows; /* lines of one visit of the d_weight blocks: whole images, or rows of one   */
    int groups_per_cell, cell_groups;
    size_t position_bytes;         /* of an operand of 32 channels, per position of a cell group */
    size_t x_position, y_position; /* of these operands, whose blocks may be of 16 */
    int x_blocks, y_blocks;        /* channel blocks; 1 x_block if x are images */
    size_t block_floats;           /* of d_weight per (x block, y block) */
    bool compact;                  /* x is packed at the output's positions only (kernel 1, stride > 1) */
    int phases;           /* quads: columns of x apart by the stride are packed together: stride rows for one */
    size_t phase_columns; /* quads: columns of a packed row, its padding included */
    int x_rows;           /* packed rows of x per unit at most */
    size_t x_row_bytes, y_row_bytes;       /* packed, of one channel block */
    size_t weight_bytes, x_bytes, y_bytes; /* parts of a thread's scratch, in this order, then the image strip */
    struct conv_image_strip images;        /* whose bytes are the last of x_bytes where x is packed from it */
};

/* How one pass of a plan is computed. */
struct conv_way {
    const struct conv_algorithm *algorithm; /* NULL: the pass is not planned */
    void *state;                            /* the algorithm's own; no other file knows what it is */
    size_t scratch_bytes;                   /* that it needs of a thread */
    bool in_parts; /* backward weights: threads leave partial sums of all blocks, which are still to be added up */
};

struct conv_plan {
    struct cpu_backend *cpu;
    const struct conv_kernels *kernels;
    struct conv_desc desc;
    int out_height, out_width;
    struct conv_pass forward, data;
    struct conv_image_strip images; /* of the forward pass */
    struct conv_gradient gradient;
    struct conv_way ways[CONV_PASSES];
    float *bias;          /* [panels * 32], padded copy */
    size_t scratch_bytes; /* per thread */
    char algorithm[64];
};

static inline int conv_panels(const struct conv_pass *pass)
{
    return pass->y.blocks;
}

/* Forward, inference or backward data, while it runs. */
struct conv_job {
    const struct conv_plan *plan;
    const struct conv_pass *pass;
    const char *x;
    char *y;
    const float *bias;
    double *statistics; /* the caller's; NULL: not wanted */
    const char *addend; /* laid out as y, may be y; or NULL */
    bool relu, images;
    int threads;
};

/* A thread's sums, double [2][panels * 32], at the beginning of its scratch; NULL where none are wanted. */
static inline double *conv_statistics(const struct conv_job *job, int thread)
{
    return job->statistics ? cpu_scratch(job->plan->cpu, thread) : NULL;
}

static inline size_t conv_statistics_bytes(const struct conv_pass *pass)
{
    return (size_t)conv_panels(pass) * BLOCK_CHANNELS * 2 * sizeof(double);
}

/* A thread's scratch behind its sums. */
static inline char *conv_scratch(const struct conv_job *job, int thread)
{
    return (char *)cpu_scratch(job->plan->cpu, thread) + (job->statistics ? conv_statistics_bytes(job->pass) : 0);
}

/* Backward weights, while it runs. */
struct conv_weights_job {
    struct conv_plan *plan;
    float *d_weight;
    float *d_bias;
    const char *d_y;
    const char *x;
    int threads;
};

/* A way to compute convolutions. What all of them share stands in struct conv_plan: layouts, packed weights, the
 * blocks of d_weight. */
struct conv_algorithm {
    const char *name; /* "direct", "winograd" */
    /* Looks at one pass of a plan that stands otherwise. If the pass is to go by this algorithm, fills in `way`, which
     * is {0} before. SIMCLR_NO_MEMORY. */
    int (*plan)(struct conv_way *way, const struct conv_plan *plan, enum conv_pass_kind pass, struct error *error);
    /* The part of one thread; every thread of the pool comes. `state` is the way's. */
    void (*forward)(const struct conv_job *job, const void *state, int thread, int threads); /* and inference */
    void (*backward_data)(const struct conv_job *job, const void *state, int thread, int threads);
    void (*backward_weights)(const struct conv_weights_job *job, const void *state, int thread, int threads);
    /* Fills in kernels, operands and flops of a pass. */
    void (*work)(struct conv_work *work, const struct conv_plan *plan, const void *state);
    void (*destroy)(void *state); /* NULL: there is no state */
};

/* All algorithms in the order in which they are asked, NULL at the end (cpu/conv_algorithms.c): the first that takes a
 * pass has it, and the direct one takes all. */
extern const struct conv_algorithm *const conv_algorithms[];
extern const struct conv_algorithm conv_direct; /* conv_direct.c */

/* Backward weights of the direct algorithm (conv_gradient.c), and what every algorithm ends with: the finished
 * accumulators of a block go to d_weight, [K][C][R][S]. */
void conv_direct_weights(const struct conv_weights_job *job, const void *state, int thread, int threads);
void conv_store_block(const struct conv_weights_job *job, const float *weights, int x_block, int y_block);

/* The kernels for a convolution of this type, kernel and input. */
const struct conv_kernels *conv_choose_kernels(const struct cpu_backend *cpu, const struct conv_desc *desc);

/* conv_taps.c: blocks, programs and taps of a pass; SIMCLR_NO_MEMORY. `backward`: positions are those of d_x. */
int conv_build_taps(struct conv_pass *pass, const struct conv_plan *plan, bool backward, struct error *error);
int conv_build_image_taps(struct conv_pass *pass, const struct conv_plan *plan, struct error *error);

/* conv_order.c: strips, order of loops, units of backward weights. */
void conv_choose_order(struct conv_pass *pass, const struct conv_plan *plan);
void conv_choose_units(struct conv_plan *plan);

/* What backward weights visits at once. */
struct conv_unit {
    int group, groups; /* cell groups       */
    int row, rows;     /* of the output     */
    int x_row, x_rows; /* of the input, as far as it is inside */
};

/* conv_operands.c: how operands are prepared; packs those of a unit into a thread's scratch (x: channel blocks
 * [first, end); y: one block); tells a kernel where they are. Images: prepared as padded strips, or packed from such
 * for tiles. conv_x_row: input row `row` of a channel block, from which run->x_tap counts. */
void conv_plan_operands(struct conv_plan *plan);
void conv_pack_x(const struct conv_plan *plan, char *out, const char *x, const struct conv_unit *unit, int first,
                 int end);
void conv_pack_y(const struct conv_plan *plan, char *out, const char *d_y, const struct conv_unit *unit, int block);
void conv_set_y(struct conv_weights_run *run, const struct conv_plan *plan, const char *packed, const char *d_y,
                const struct conv_unit *unit, int block);
void conv_set_x_strides(struct conv_weights_run *run, const struct conv_plan *plan);
void conv_pack_images(const struct conv_plan *plan, char *out, char *strip, const void *images,
                      const struct conv_unit *unit);
void conv_set_images(struct conv_weights_run *run, const struct conv_plan *plan);
const char *conv_x_row(const struct conv_plan *plan, const char *packed, const char *x, const struct conv_unit *unit,
                       int block, int row);

/* conv_images.c: a strip for out_rows rows of y, with at least `lines` lines, of whose rows a kernel may read `overrun`
 * elements past the last it needs (finite values). Fills `strip` with padded input rows [first_row, first_row + rows)
 * of image group `group`; rows outside the image are zero. */
void conv_plan_image_strip(struct conv_image_strip *strip, const struct conv_plan *plan, enum conv_image_form form,
                           int out_rows, int lines, int overrun);
void conv_fill_image_strip(void *out, const struct conv_image_strip *strip, const struct conv_plan *plan,
                           const void *images, int group, int first_row, int rows);

#endif
