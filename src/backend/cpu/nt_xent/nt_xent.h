/* backend/cpu/nt_xent/nt_xent.h -- NT-Xent's kernels, on tiles of similarities of NT_TILE anchors with NT_TILE others.
 *
 * Two implementations: vectors (nt_xent_body.h, per instruction set) and matrix tiles (nt_xent_tiles_body.h). What
 * they need of the unit rows, and how they keep a gradient, is theirs: the driver (nt_xent.c) only holds the arrays. */
#ifndef BACKEND_CPU_NT_XENT_H
#define BACKEND_CPU_NT_XENT_H

#include <stdbool.h>
#include <stddef.h>

/* Rows and columns of one tile of similarities; what the dimension is padded to (zeros). */
enum { NT_TILE = 64, NT_DIM = 32 };

/* Running sums of NT_TILE anchors; x is the similarity times log2(e) / temperature, o the anchor's offset. */
struct nt_sums {
    float total[NT_TILE];    /* of 2^(x - o) */
    float weighted[NT_TILE]; /* of 2^(x - o) (x - o) */
    float highest[NT_TILE];  /* cosine, over all but the anchor and its positive */
};

/* NT_TILE unit rows, dim a multiple of NT_DIM. */
struct nt_rows {
    const float *unit;  /* [NT_TILE][dim] */
    const void *packed; /* by the kernels' pack */
};

/* One step of a pass: makes the next tile of cosines, and works on the tile that the step before made. The two are
 * independent, so that kernels may mix them. What the driver wants left out of a tile, such as an anchor with itself,
 * is by then so negative that its power of two is 0. */
struct nt_step {
    ptrdiff_t dim;

    float *next; /* [NT_TILE][NT_TILE]; NULL: none, and next_* are not read */
    struct nt_rows next_rows, next_columns;

    float *tile; /* NULL: none, and nothing below is read; destroyed by gradient */
    float scale; /* x = cosine * scale; offsets have the units of x */
    bool shared; /* all offsets are equal, so that one power of two serves both sides */
    const float *row_offset, *column_offset;
    struct nt_sums *rows, *columns; /* highest, sums */
    /* gradient: shared, the factors hold 1 / total; else the offsets hold the logarithm of the total too and factors
     * are not read. */
    const float *row_factor, *column_factor;
    void *weights; /* weights_bytes: p_ij + p_ji of the tile, as `spread` wants them */
};

struct nt_kernels {
    size_t weights_bytes;
    ptrdiff_t packed_bytes;    /* per element of the rows */
    ptrdiff_t gradient_floats; /* per element of the rows */
    ptrdiff_t block_bytes;     /* of operands and gradient that a block of rows may have, for two to fit in a cache */

    /* unit [NT_TILE][dim] */
    void (*pack)(void *packed, const float *unit, ptrdiff_t dim);

    /* The highest cosine of each row and column joins `highest` of their sums. NULL where offsets must be shared. */
    void (*highest)(const struct nt_step *step);
    /* The tile joins the sums of its rows and of its columns. */
    void (*sums)(const struct nt_step *step);
    /* weights = p_ij + p_ji, the probabilities of row i's and column j's softmax. */
    void (*gradient)(const struct nt_step *step);

    /* d_rows += W columns and, unless d_columns is NULL, d_columns += W^T rows. */
    void (*spread)(float *d_rows, float *d_columns, const void *weights, const struct nt_rows *rows,
                   const struct nt_rows *columns, ptrdiff_t dim);
    /* Row `row` of the gradient that the spreads have added up: out [dim]. */
    void (*gradient_row)(float *out, const float *d_rows, ptrdiff_t row, ptrdiff_t dim);
};

/* NULL where this build does not have it. */
#if defined(__x86_64__)
const struct nt_kernels *nt_kernels_amx(void);
#else /* their files are left out of the build */
static inline const struct nt_kernels *nt_kernels_amx(void)
{
    return NULL;
}
#endif
const struct nt_kernels *nt_kernels_amx_emulated(void);

#endif
