/* backend/cpu/nt_xent_body.h -- NT-Xent's tile kernels, compiled once per instruction set (kernels_*.c).
 *
 * A tile is NT_TILE x NT_TILE similarities of the row block I with the column block J, in float32. What the driver
 * (nt_xent.c) wants left out, an anchor with itself or its positive, is so negative that its power of two is 0. */
#ifndef BACKEND_CPU_NT_XENT_BODY_H
#define BACKEND_CPU_NT_XENT_BODY_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/simd.h"

enum { NT_ROWS = VEC_WIDTH == 16 ? 8 : 4, NT_VECS = 2, NT_COLUMNS = NT_VECS * VEC_WIDTH };

/* 2^x for x <= 1, with a relative error below 1.5e-7; 0 below 2^-126. Range reduction to [-1/2, 1/2], then a
 * near-minimax polynomial of degree 6 (its own error is 1.4e-8). NaN stays. */
SIMD_INLINE vec nt_exp2(vec x)
{
    const vec n = vec_round(x), f = x - n;
    vec p = vec_set(0x1.41fbbcp-13f);
    p = vec_fma(p, f, vec_set(0x1.5f3e54p-10f));
    p = vec_fma(p, f, vec_set(0x1.3b2d4cp-7f));
    p = vec_fma(p, f, vec_set(0x1.c6aee8p-5f));
    p = vec_fma(p, f, vec_set(0x1.ebfbdcp-3f));
    p = vec_fma(p, f, vec_set(0x1.62e430p-1f));
    p = vec_fma(p, f, vec_set(1.0f));
    return vec_scale2(p, n);
}

static void nt_powers(float *values, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += VEC_WIDTH) vec_store(values + i, nt_exp2(vec_load(values + i)));
}

/* NT_ROWS x NT_COLUMNS of C (+)= A B with a[row row_step + k k_step] and b[k b_step + column]. */
SIMD_INLINE void nt_block(float *c, ptrdiff_t c_step, const float *a, ptrdiff_t row_step, ptrdiff_t k_step,
                          const float *b, ptrdiff_t b_step, ptrdiff_t depth, int accumulate)
{
    vec sum[NT_ROWS][NT_VECS];
    for (int r = 0; r < NT_ROWS; r++)
        for (int v = 0; v < NT_VECS; v++)
            sum[r][v] = accumulate ? vec_load(c + r * c_step + v * VEC_WIDTH) : vec_set(0);
    for (ptrdiff_t k = 0; k < depth; k++) {
        vec right[NT_VECS];
        for (int v = 0; v < NT_VECS; v++) right[v] = vec_load(b + k * b_step + v * VEC_WIDTH);
        for (int r = 0; r < NT_ROWS; r++) {
            const vec left = vec_set(a[r * row_step + k * k_step]);
            for (int v = 0; v < NT_VECS; v++) sum[r][v] = vec_fma(left, right[v], sum[r][v]);
        }
    }
    for (int r = 0; r < NT_ROWS; r++)
        for (int v = 0; v < NT_VECS; v++) vec_store(c + r * c_step + v * VEC_WIDTH, sum[r][v]);
}

/* tile = rows panel: rows [NT_TILE][dim] row-major, panel [dim][NT_TILE] (the column block, transposed). */
static void nt_products(float *tile, const float *rows, const float *panel, ptrdiff_t dim)
{
    for (ptrdiff_t column = 0; column < NT_TILE; column += NT_COLUMNS)
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(tile + row * NT_TILE + column, NT_TILE, rows + row * dim, dim, 1, panel + column, NT_TILE, dim, 0);
}

/* d_rows += tile columns and, unless d_columns is NULL, d_columns += tile^T rows; all [NT_TILE][dim]. */
static void nt_spread(float *d_rows, float *d_columns, const float *tile, const float *rows, const float *columns,
                      ptrdiff_t dim)
{
    for (ptrdiff_t d = 0; d < dim; d += NT_COLUMNS) {
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(d_rows + row * dim + d, dim, tile + row * NT_TILE, NT_TILE, 1, columns + d, dim, NT_TILE, 1);
        if (!d_columns) continue;
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(d_columns + row * dim + d, dim, tile + row, 1, NT_TILE, rows + d, dim, NT_TILE, 1);
    }
}

/* The highest similarity of each row and column joins sums->highest. */
static void nt_highest(struct nt_sums *rows, struct nt_sums *columns, const float *tile)
{
    for (ptrdiff_t column = 0; column < NT_TILE; column += VEC_WIDTH) {
        vec high = vec_load(columns->highest + column);
        for (ptrdiff_t row = 0; row < NT_TILE; row++) {
            const vec s = vec_load(tile + row * NT_TILE + column);
            const float top = vec_highest(s);
            if (top > rows->highest[row]) rows->highest[row] = top;
            high = vec_max(high, s);
        }
        vec_store(columns->highest + column, high);
    }
}

/* Joins the tile to the sums of its rows and of its columns (struct nt_sums). x = similarity * scale; offsets in the
 * units of x. shared: all offsets are equal, so that one power of two serves both sides. */
SIMD_INLINE void nt_sums_kind(struct nt_sums *rows, struct nt_sums *columns, const float *tile, float scale,
                              const float *row_offset, const float *column_offset, int shared)
{
    enum { STRIPE = VEC_WIDTH == 16 ? 4 : 2 };
    const vec factor = vec_set(scale);
    for (ptrdiff_t column = 0; column < NT_TILE; column += (ptrdiff_t)STRIPE * VEC_WIDTH) {
        vec total[STRIPE], weighted[STRIPE], highest[STRIPE], offset[STRIPE];
        for (int v = 0; v < STRIPE; v++) {
            const ptrdiff_t at = column + v * VEC_WIDTH;
            total[v] = vec_load(columns->total + at);
            weighted[v] = vec_load(columns->weighted + at);
            highest[v] = vec_load(columns->highest + at);
            offset[v] = vec_load(column_offset + at);
        }
        for (ptrdiff_t row = 0; row < NT_TILE; row++) {
            vec row_total = vec_set(0), row_weighted = vec_set(0), row_highest = vec_set(rows->highest[row]);
            const vec own = vec_set(row_offset[row]);
            for (int v = 0; v < STRIPE; v++) {
                const vec s = vec_load(tile + row * NT_TILE + column + v * VEC_WIDTH);
                const vec x = vec_fma(s, factor, vec_set(0) - own), e = nt_exp2(x);
                const vec y = shared ? x : vec_fma(s, factor, vec_set(0) - offset[v]), f = shared ? e : nt_exp2(y);
                row_total = row_total + e;
                row_weighted = vec_fma(e, x, row_weighted);
                row_highest = vec_max(row_highest, s);
                total[v] = total[v] + f;
                weighted[v] = vec_fma(f, y, weighted[v]);
                highest[v] = vec_max(highest[v], s);
            }
            rows->total[row] += vec_sum(row_total);
            rows->weighted[row] += vec_sum(row_weighted);
            rows->highest[row] = vec_highest(row_highest);
        }
        for (int v = 0; v < STRIPE; v++) {
            const ptrdiff_t at = column + v * VEC_WIDTH;
            vec_store(columns->total + at, total[v]);
            vec_store(columns->weighted + at, weighted[v]);
            vec_store(columns->highest + at, highest[v]);
        }
    }
}

static void nt_sums(struct nt_sums *rows, struct nt_sums *columns, const float *tile, float scale,
                    const float *row_offset, const float *column_offset, bool shared)
{
    if (shared) nt_sums_kind(rows, columns, tile, scale, row_offset, column_offset, 1);
    else nt_sums_kind(rows, columns, tile, scale, row_offset, column_offset, 0);
}

/* tile = p_ij + p_ji, the probabilities of row i's and column j's softmax. shared: offsets are equal and the factors
 * hold 1 / total; else the offsets hold the logarithm of the total too and factors are not read. */
static void nt_gradient(float *tile, float scale, const float *row_offset, const float *column_offset,
                        const float *row_factor, const float *column_factor, bool shared)
{
    const vec factor = vec_set(scale);
    for (ptrdiff_t row = 0; row < NT_TILE; row++) {
        const vec own = vec_set(row_offset[row]), share = vec_set(row_factor[row]);
        float *p = tile + row * NT_TILE;
        for (ptrdiff_t column = 0; column < NT_TILE; column += VEC_WIDTH) {
            const vec s = vec_load(p + column), e = nt_exp2(vec_fma(s, factor, vec_set(0) - own));
            if (shared) {
                vec_store(p + column, e * (share + vec_load(column_factor + column)));
            } else {
                const vec other = nt_exp2(vec_fma(s, factor, vec_set(0) - vec_load(column_offset + column)));
                vec_store(p + column, e + other);
            }
        }
    }
}

#endif
