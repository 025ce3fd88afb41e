/* backend/cpu/kernels.h -- the vector kernels of every operation that is not a convolution: one table per
 * instruction set, filled by kernels_*.c from the bodies *_body.h. The drivers (batch_norm.c, max_pool.c, ...) split
 * the work over threads and call through the table; kernels see plain ranges.
 *
 * "Cells" are the elements [group images][32 channels] at one position of layout P (layout.h), of 16 or 8 images:
 * for kernels a number of rows of 32 elements. `bf16` selects the type of activation tensors. Coefficients are per
 * element of a row. */
#ifndef BACKEND_CPU_KERNELS_H
#define BACKEND_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "backend/cpu/layout.h"

/* ---- batch norm ---------------------------------------------------------------------------------------------- */
/* Adds to sums[0..31] the sum of (x - shift), to sums[32..63] the sum of its square, over the first `rows` rows of
 * each cell. */
struct norm_sums_args {
    const void *x;
    ptrdiff_t cells;
    int cell_rows, rows;
    bool bf16;
    const float *shift;
    double *sums;
};

/* y = (x - mean) scale + shift [+ residual], then max(0, .) if relu; whole cells. residual NULL: none.
 * mask: four bytes per row of 32 channels, a bit set where y > 0; NULL: not kept.
 * stream: y is written past the caches. */
struct norm_apply_args {
    void *y;
    uint8_t *mask;
    const void *x, *residual;
    ptrdiff_t cells;
    int cell_rows;
    bool bf16, relu, stream;
    const float *mean, *scale, *shift;
};

/* g = d_y where the mask has a bit (mask NULL: everywhere). Adds to sums[0..31] the sum of g, to sums[32..63] the sum
 * of g (x - mean), over the first `rows` rows. */
struct norm_gradient_sums_args {
    const void *d_y, *x;
    const uint8_t *mask;
    ptrdiff_t cells;
    int cell_rows, rows;
    bool bf16;
    const float *mean;
    double *sums;
};

/* d_x = a g + b (x - mean) + c; d_residual (NULL: none) = g, or += g if accumulate. Rows past `rows` get 0.
 * stream: d_x, and d_residual unless accumulated, are written past the caches. */
struct norm_gradient_args {
    void *d_x, *d_residual;
    const void *d_y, *x;
    const uint8_t *mask;
    ptrdiff_t cells;
    int cell_rows, rows;
    bool bf16, accumulate, stream;
    const float *mean, *a, *b, *c;
};

/* ---- pooling ------------------------------------------------------------------------------------------------- */
/* One output row of one plane (a group of images x 32 channels). x, d_x: the whole input plane. saved: one byte per
 * element, the window's tap (row-major) where the maximum was; NULL: not kept. */
struct pool_window {
    int in_height, in_width, out_height, out_width, kernel, stride, padding;
};
struct max_pool_args {
    const struct pool_window *window;
    bool bf16;
    int cell_rows;
    int row;                    /* forward: output row h; backward: input row h */
    void *y;                    /* forward: output row; backward: d_x row */
    const void *x;              /* forward: input plane; backward: d_y plane */
    uint8_t *saved;             /* forward: of the row */
    const uint8_t *saved_plane; /* backward */
};

/* One output row of one plane: `to` at w = sum over rows' and columns' taps of (share of both) times the cell of `from`
 * there. Column w's taps are [column_start[w], column_start[w + 1]). add: to what is there. */
struct average_tap {
    int index; /* row or column of `from` */
    float share;
};
struct average_pool_args {
    void *to;         /* a row */
    const void *from; /* a plane */
    bool bf16, add;
    int cell_rows, from_width, to_width;
    const struct average_tap *rows, *columns;
    int row_count;
    const int *column_start;
};

/* ---- ReLU and dropout ---------------------------------------------------------------------------------------- */
/* Over `rows` rows of 32 elements each. y = x where x is not at most 0, else 0. */
struct relu_args {
    void *y;
    const void *x;
    ptrdiff_t rows;
    bool bf16;
};
/* d_x = d_y where y is not at most 0, else 0; d_x may be d_y. */
struct relu_gradient_args {
    void *d_x;
    const void *d_y, *y;
    ptrdiff_t rows;
    bool bf16;
};
/* to = from mask; `to` may be `from`. */
struct dropout_args {
    void *to;
    const void *from;
    const float *mask;
    ptrdiff_t rows;
    bool bf16;
};

/* ---- optimisers ---------------------------------------------------------------------------------------------- */
struct adam_args {
    float *weight, *first, *second;
    const float *gradient;
    size_t count;
    float beta1, beta2, keep, rate, root, epsilon; /* optimizer_body.h */
};

/* ---- the table ----------------------------------------------------------------------------------------------- */
struct nt_kernels;
struct cpu_kernels {
    void (*norm_sums)(const struct norm_sums_args *args);
    void (*norm_apply)(const struct norm_apply_args *args);
    void (*norm_gradient_sums)(const struct norm_gradient_sums_args *args);
    void (*norm_gradient)(const struct norm_gradient_args *args);

    void (*max_pool_row)(const struct max_pool_args *args);
    void (*max_pool_gradient_row)(const struct max_pool_args *args);
    /* y: one float32 cell = the mean over `cells` cells of x, of `cell_rows` rows. */
    void (*global_pool)(float *y, const void *x, ptrdiff_t cells, int cell_rows, bool bf16);
    /* d_x: `cells` cells, each d_y / cells; rows past `rows` get 0. */
    void (*global_pool_gradient)(void *d_x, const float *d_y, ptrdiff_t cells, int cell_rows, int rows, bool bf16);

    void (*average_pool_row)(const struct average_pool_args *args);

    void (*relu)(const struct relu_args *args);
    void (*relu_gradient)(const struct relu_gradient_args *args);
    void (*dropout)(const struct dropout_args *args);

    void (*powers)(float *values, ptrdiff_t count); /* 2^x in place, for tests; count: a multiple of 16 */
    const struct nt_kernels *nt_xent;               /* nt_xent.h */

    double (*sum_squares)(const float *values, size_t count);
    void (*lars_norms)(double *weight_square, double *gradient_square, const float *weight, const float *gradient,
                       size_t count, float decay);
    void (*lars_update)(float *weight, float *velocity, const float *gradient, size_t count, float rate, float momentum,
                        float decay);
    void (*sgd_update)(float *weight, float *velocity, const float *gradient, size_t count, float rate, float momentum,
                       float decay);
    void (*adam_update)(const struct adam_args *args);
};

extern const struct cpu_kernels cpu_kernels_portable;
#if defined(__x86_64__)
extern const struct cpu_kernels cpu_kernels_avx2, cpu_kernels_avx512, cpu_kernels_avx512bf16;
#endif

#endif
