/* backend/cpu/rows/batch_norm_body.h -- batch norm kernels, compiled once per instruction set (kernels_*.c).
 *
 * Sums run in float32 over at most FLUSH_CELLS cells, then join doubles: a sum of 128 terms keeps six digits and
 * the long sums lose nothing. */
#ifndef BACKEND_CPU_BATCH_NORM_BODY_H
#define BACKEND_CPU_BATCH_NORM_BODY_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector/row.h"

/* SUM_CHAINS: independent sums and sums of squares, as registers allow beside the shift. */
enum { FLUSH_CELLS = 8, SUM_CHAINS = 5 * VEC_ROW <= VEC_REGISTERS ? 2 : 1 };

ALWAYS_INLINE void row_load_floats(vec *row, const float *values)
{
    for (ptrdiff_t i = 0; i < VEC_ROW; i++) row[i] = vec_load(values + VEC_LANES * i);
}

/* Adds the chains to 32 doubles and clears them. */
ALWAYS_INLINE void flush_sums(double *sums, vec (*chains)[VEC_ROW])
{
    float values[ROW_ELEMENTS];
    for (int chain = 0; chain < SUM_CHAINS; chain++) {
        for (ptrdiff_t i = 0; i < VEC_ROW; i++) vec_store(values + VEC_LANES * i, chains[chain][i]);
        for (int c = 0; c < ROW_ELEMENTS; c++) sums[c] += (double)values[c];
        row_fill(chains[chain], 0);
    }
}

ALWAYS_INLINE void norm_sums_row(vec *sum, vec *square, const void *x, ptrdiff_t element, int bf16, const vec *shift)
{
    vec row[VEC_ROW];
    row_load(row, x, element, bf16);
    for (int i = 0; i < VEC_ROW; i++) {
        vec value = row[i] - shift[i];
        sum[i] = sum[i] + value;
        square[i] = vec_fma(value, value, square[i]);
    }
}

ALWAYS_INLINE void norm_sums_typed(const struct norm_sums_args *a, int bf16)
{
    vec shift[VEC_ROW], sum[SUM_CHAINS][VEC_ROW], square[SUM_CHAINS][VEC_ROW];
    row_load_floats(shift, a->shift);
    for (int chain = 0; chain < SUM_CHAINS; chain++) {
        row_fill(sum[chain], 0);
        row_fill(square[chain], 0);
    }
    for (ptrdiff_t cell = 0; cell < a->cells; cell++) {
        ptrdiff_t element = cell * a->cell_rows * ROW_ELEMENTS;
        int row = 0;
        for (; row + SUM_CHAINS <= a->rows; row += SUM_CHAINS)
            for (int chain = 0; chain < SUM_CHAINS; chain++, element += ROW_ELEMENTS)
                norm_sums_row(sum[chain], square[chain], a->x, element, bf16, shift);
        for (; row < a->rows; row++, element += ROW_ELEMENTS)
            norm_sums_row(sum[0], square[0], a->x, element, bf16, shift);
        if (cell % FLUSH_CELLS == FLUSH_CELLS - 1 || cell == a->cells - 1) {
            flush_sums(a->sums, sum);
            flush_sums(a->sums + ROW_ELEMENTS, square);
        }
    }
}

static void norm_sums(const struct norm_sums_args *a)
{
    if (a->bf16)
        norm_sums_typed(a, 1);
    else
        norm_sums_typed(a, 0);
}

ALWAYS_INLINE void row_put(void *base, ptrdiff_t element, const vec *row, int bf16, int stream)
{
    if (stream)
        row_stream(base, element, row, bf16);
    else
        row_store(base, element, row, bf16);
}

ALWAYS_INLINE void norm_apply_typed(const struct norm_apply_args *a, int bf16, int residual, int stream, int keep)
{
    vec mean[VEC_ROW], scale[VEC_ROW], shift[VEC_ROW];
    row_load_floats(mean, a->mean);
    row_load_floats(scale, a->scale);
    row_load_floats(shift, a->shift);
    const vec floor = vec_set(a->relu ? 0 : -__builtin_inff());
    const ptrdiff_t end = a->cells * a->cell_rows * ROW_ELEMENTS;
    for (ptrdiff_t element = 0; element < end; element += ROW_ELEMENTS) {
        vec row[VEC_ROW], other[VEC_ROW];
        row_load(row, a->x, element, bf16);
        if (residual) row_load(other, a->residual, element, bf16);
        for (int i = 0; i < VEC_ROW; i++) {
            row[i] = vec_fma(row[i] - mean[i], scale[i], shift[i]);
            if (residual) row[i] = row[i] + other[i];
            row[i] = vec_max(floor, row[i]); /* in this order a NaN stays */
        }
        row_put(a->y, element, row, bf16, stream);
        if (keep) row_store_signs(a->mask + element / 8, row);
    }
    if (stream) vec_stream_end();
}

ALWAYS_INLINE void norm_apply_kept(const struct norm_apply_args *a, int bf16, int keep)
{
    switch ((a->residual ? 2 : 0) + (a->stream ? 1 : 0)) {
    case 0:
        norm_apply_typed(a, bf16, 0, 0, keep);
        break;
    case 1:
        norm_apply_typed(a, bf16, 0, 1, keep);
        break;
    case 2:
        norm_apply_typed(a, bf16, 1, 0, keep);
        break;
    default:
        norm_apply_typed(a, bf16, 1, 1, keep);
        break;
    }
}

static void norm_apply(const struct norm_apply_args *a)
{
    if (a->bf16 && a->mask)
        norm_apply_kept(a, 1, 1);
    else if (a->bf16)
        norm_apply_kept(a, 1, 0);
    else if (a->mask)
        norm_apply_kept(a, 0, 1);
    else
        norm_apply_kept(a, 0, 0);
}

/* The gradient that reaches the normalised value: d_y where the ReLU let the forward pass through. */
ALWAYS_INLINE void masked_row(vec *g, const void *d_y, const uint8_t *mask, ptrdiff_t element, int bf16, int masked)
{
    row_load(g, d_y, element, bf16);
    if (masked) row_keep_signs(g, mask + element / 8);
}

ALWAYS_INLINE void norm_gradient_sums_row(vec *sum, vec *product, const struct norm_gradient_sums_args *a,
                                          ptrdiff_t element, int bf16, int masked, const vec *mean)
{
    vec g[VEC_ROW], row[VEC_ROW];
    masked_row(g, a->d_y, a->mask, element, bf16, masked);
    row_load(row, a->x, element, bf16);
    for (int i = 0; i < VEC_ROW; i++) {
        sum[i] = sum[i] + g[i];
        product[i] = vec_fma(g[i], row[i] - mean[i], product[i]);
    }
}

ALWAYS_INLINE void norm_gradient_sums_typed(const struct norm_gradient_sums_args *a, int bf16, int masked)
{
    vec mean[VEC_ROW], sum[SUM_CHAINS][VEC_ROW], product[SUM_CHAINS][VEC_ROW];
    row_load_floats(mean, a->mean);
    for (int chain = 0; chain < SUM_CHAINS; chain++) {
        row_fill(sum[chain], 0);
        row_fill(product[chain], 0);
    }
    for (ptrdiff_t cell = 0; cell < a->cells; cell++) {
        ptrdiff_t element = cell * a->cell_rows * ROW_ELEMENTS;
        int row = 0;
        for (; row + SUM_CHAINS <= a->rows; row += SUM_CHAINS)
            for (int chain = 0; chain < SUM_CHAINS; chain++, element += ROW_ELEMENTS)
                norm_gradient_sums_row(sum[chain], product[chain], a, element, bf16, masked, mean);
        for (; row < a->rows; row++, element += ROW_ELEMENTS)
            norm_gradient_sums_row(sum[0], product[0], a, element, bf16, masked, mean);
        if (cell % FLUSH_CELLS == FLUSH_CELLS - 1 || cell == a->cells - 1) {
            flush_sums(a->sums, sum);
            flush_sums(a->sums + ROW_ELEMENTS, product);
        }
    }
}

static void norm_gradient_sums(const struct norm_gradient_sums_args *a)
{
    if (a->bf16 && a->mask)
        norm_gradient_sums_typed(a, 1, 1);
    else if (a->bf16)
        norm_gradient_sums_typed(a, 1, 0);
    else if (a->mask)
        norm_gradient_sums_typed(a, 0, 1);
    else
        norm_gradient_sums_typed(a, 0, 0);
}

enum residual_mode { RESIDUAL_NONE, RESIDUAL_WRITE, RESIDUAL_ADD };

ALWAYS_INLINE void norm_gradient_row(const struct norm_gradient_args *a, ptrdiff_t element, int bf16, int masked,
                                     enum residual_mode mode, int stream, const vec (*k)[VEC_ROW])
{
    vec g[VEC_ROW], row[VEC_ROW];
    masked_row(g, a->d_y, a->mask, element, bf16, masked);
    row_load(row, a->x, element, bf16);
    for (int i = 0; i < VEC_ROW; i++) row[i] = vec_fma(k[1][i], g[i], vec_fma(k[2][i], row[i] - k[0][i], k[3][i]));
    row_put(a->d_x, element, row, bf16, stream);
    if (mode == RESIDUAL_NONE) return;
    if (mode == RESIDUAL_ADD) {
        vec old[VEC_ROW];
        row_load(old, a->d_residual, element, bf16);
        for (int i = 0; i < VEC_ROW; i++) g[i] = old[i] + g[i];
    }
    row_put(a->d_residual, element, g, bf16, stream && mode == RESIDUAL_WRITE);
}

ALWAYS_INLINE void norm_gradient_typed(const struct norm_gradient_args *a, int bf16, int masked,
                                       enum residual_mode mode, int stream)
{
    vec k[4][VEC_ROW], zero[VEC_ROW];
    row_load_floats(k[0], a->mean);
    row_load_floats(k[1], a->a);
    row_load_floats(k[2], a->b);
    row_load_floats(k[3], a->c);
    row_fill(zero, 0);
    for (ptrdiff_t cell = 0; cell < a->cells; cell++) {
        ptrdiff_t element = cell * a->cell_rows * ROW_ELEMENTS;
        const ptrdiff_t end = element + (ptrdiff_t)a->cell_rows * ROW_ELEMENTS;
        const ptrdiff_t real = element + (ptrdiff_t)a->rows * ROW_ELEMENTS;
        for (; element < real; element += ROW_ELEMENTS)
            norm_gradient_row(a, element, bf16, masked, mode, stream, (const vec(*)[VEC_ROW])k);
        for (; element < end; element += ROW_ELEMENTS) {
            row_store(a->d_x, element, zero, bf16);
            if (mode != RESIDUAL_NONE) row_store(a->d_residual, element, zero, bf16);
        }
    }
    if (stream) vec_stream_end();
}

ALWAYS_INLINE void norm_gradient_mode(const struct norm_gradient_args *a, enum residual_mode mode)
{
    switch ((a->bf16 ? 4 : 0) + (a->mask ? 2 : 0) + (a->stream ? 1 : 0)) {
    case 0:
        norm_gradient_typed(a, 0, 0, mode, 0);
        break;
    case 1:
        norm_gradient_typed(a, 0, 0, mode, 1);
        break;
    case 2:
        norm_gradient_typed(a, 0, 1, mode, 0);
        break;
    case 3:
        norm_gradient_typed(a, 0, 1, mode, 1);
        break;
    case 4:
        norm_gradient_typed(a, 1, 0, mode, 0);
        break;
    case 5:
        norm_gradient_typed(a, 1, 0, mode, 1);
        break;
    case 6:
        norm_gradient_typed(a, 1, 1, mode, 0);
        break;
    default:
        norm_gradient_typed(a, 1, 1, mode, 1);
        break;
    }
}

static void norm_gradient(const struct norm_gradient_args *a)
{
    if (!a->d_residual)
        norm_gradient_mode(a, RESIDUAL_NONE);
    else if (a->accumulate)
        norm_gradient_mode(a, RESIDUAL_ADD);
    else
        norm_gradient_mode(a, RESIDUAL_WRITE);
}

#endif
