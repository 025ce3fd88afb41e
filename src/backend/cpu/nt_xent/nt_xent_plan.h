/* backend/cpu/nt_xent/nt_xent_plan.h -- what both drivers of NT-Xent share. An anchor is a row whose loss and gradient
 * this process makes. nt_xent.c is the driver where all rows are anchors (triangles of the matrix), nt_xent_part.c the
 * one where only some are (rectangles). */
#ifndef BACKEND_CPU_NT_XENT_PLAN_H
#define BACKEND_CPU_NT_XENT_PLAN_H

#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/nt_xent/nt_xent.h"

#define LOG2_E 1.44269504088896340736

enum { BLOCK_TILES = 8 /* at most */ };

enum pass { PASS_HIGHEST, PASS_SUMS, PASS_GRADIENT };

/* Sums of one tile of rows, for the result. */
struct tile_result {
    double loss, top1, entropy, positive, square;
};

struct nt_part;

/* Arrays of rows are of the anchors, padded to whole tiles. */
struct nt_xent_plan {
    struct cpu_backend *cpu;
    const struct nt_kernels *kernels;
    int images, rows, dim;
    int anchors;                     /* rows, or fewer */
    struct activation_layout layout; /* of z and d_z: of the anchors */
    ptrdiff_t padded_dim;
    int tiles; /* of the anchors */
    int block_tiles, blocks;
    float scale;                 /* log2(e) / tau: cosine to exponent of two */
    float absent;                /* a cosine whose power is 0, for pairs that do not count */
    bool shared;                 /* one offset for all anchors */
    float *unit;                 /* [tiles][64][padded_dim] */
    char *packed;                /* the same as the kernels want it */
    float *d_unit;               /* its gradient as the kernels keep it; NULL without training */
    double *norm;                /* [padded rows] |z| */
    double *total, *weighted;    /* [padded rows]: sums over others of 2^(x - offset) and of that times x - offset */
    float *positive;             /* [padded rows] cosine with the positive, as the tiles have it */
    float *highest;              /* [padded rows] highest cosine with any other */
    float *offset;               /* [padded rows] */
    float *factor;               /* [padded rows] 1 / (total with the positive) */
    float *missing;              /* [padded rows] 1 - p of the positive */
    double *sums;                /* [tiles][padded_dim]: sum of the tile's unit rows */
    struct tile_result *results; /* [tiles] */
    struct nt_part *part;        /* NULL: all rows are anchors */
};

/* What one thread needs: two tiles, one being made while the other is worked on, and the sums of two blocks of rows.
 * The weights of a tile follow, and in the end one row of the gradient takes their place. */
struct workspace {
    float tile[2][NT_TILE * NT_TILE];
    struct nt_sums rows[BLOCK_TILES], columns[BLOCK_TILES], unwanted;
    _Alignas(64) char weights[];
};

struct nt_job {
    struct nt_xent_plan *plan;
    const float *z;
    float *unit;    /* [rows][padded_dim]: where the unit rows of a part go */
    void *all_sums; /* [rows] records: where the sums of a part go */
    float *d_z;
    enum pass pass;
    int round;
};

static inline const float *unit_of(const struct nt_xent_plan *plan, ptrdiff_t row)
{
    return plan->unit + row * plan->padded_dim;
}

static inline struct nt_rows rows_of(const struct nt_xent_plan *plan, int tile)
{
    const ptrdiff_t first = (ptrdiff_t)tile * NT_TILE * plan->padded_dim;
    return (struct nt_rows){plan->unit + first, plan->packed + first * plan->kernels->packed_bytes};
}

/* Row i and column j of the matrix of tiles. */
struct place {
    int i, j;
};

/* ---- sums of a block of tiles ---- */
static inline void clear_sums(const struct nt_xent_plan *plan, struct nt_sums *sums)
{
    memset(sums, 0, BLOCK_TILES * sizeof *sums);
    for (int tile = 0; tile < BLOCK_TILES; tile++)
        for (int r = 0; r < NT_TILE; r++) sums[tile].highest[r] = plan->absent;
}

static inline void add_sums(struct nt_xent_plan *plan, const struct nt_sums *sums, int first, int last)
{
    for (int tile = first; tile < last; tile++, sums++) {
        for (int r = 0; r < NT_TILE; r++) {
            const ptrdiff_t row = (ptrdiff_t)tile * NT_TILE + r;
            plan->total[row] += (double)sums->total[r];
            plan->weighted[row] += (double)sums->weighted[r];
            plan->highest[row] = fmaxf(plan->highest[row], sums->highest[r]);
        }
    }
}

/* ---- one row ---- */
/* In double, and in eight sums side by side, which compilers turn into vectors. */
static inline double dot(const float *a, const float *b, ptrdiff_t count)
{
    double sum[8] = {0};
    ptrdiff_t d = 0;
    for (; d + 8 <= count; d += 8)
        for (ptrdiff_t k = 0; k < 8; k++) sum[k] += (double)a[d + k] * (double)b[d + k];
    for (ptrdiff_t k = 0; d + k < count; k++) sum[k] += (double)a[d + k] * (double)b[d + k];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

#endif
