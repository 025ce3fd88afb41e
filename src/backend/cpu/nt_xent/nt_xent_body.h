/* backend/cpu/nt_xent/nt_xent_body.h -- NT-Xent's kernels on vectors, in float32, compiled once per instruction set
 * (kernels_*.c). `packed` is the transpose of the unit rows, [dim][NT_TILE]; weights are the tile itself. */
#ifndef BACKEND_CPU_NT_XENT_BODY_H
#define BACKEND_CPU_NT_XENT_BODY_H

#include "backend/cpu/nt_xent/nt_xent_vector.h"

enum { NT_ROWS = VEC_REGISTERS == 32 ? 8 : 4, NT_VECS = 2, NT_COLUMNS = NT_VECS * VEC_LANES };

static void nt_powers(float *values, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += VEC_LANES) vec_store(values + i, nt_exp2(vec_load(values + i)));
}

/* NT_ROWS x NT_COLUMNS of C (+)= A B with a[row row_step + k k_step] and b[k b_step + column]. */
ALWAYS_INLINE void nt_block(float *c, ptrdiff_t c_step, const float *a, ptrdiff_t row_step, ptrdiff_t k_step,
                            const float *b, ptrdiff_t b_step, ptrdiff_t depth, int accumulate)
{
    vec sum[NT_ROWS][NT_VECS];
    for (int r = 0; r < NT_ROWS; r++)
        for (ptrdiff_t v = 0; v < NT_VECS; v++)
            sum[r][v] = accumulate ? vec_load(c + r * c_step + v * VEC_LANES) : vec_zero();
    for (ptrdiff_t k = 0; k < depth; k++) {
        vec right[NT_VECS];
        for (ptrdiff_t v = 0; v < NT_VECS; v++) right[v] = vec_load(b + k * b_step + v * VEC_LANES);
        for (int r = 0; r < NT_ROWS; r++) {
            const vec left = vec_set(a[r * row_step + k * k_step]);
            for (int v = 0; v < NT_VECS; v++) sum[r][v] = vec_fma(left, right[v], sum[r][v]);
        }
    }
    for (int r = 0; r < NT_ROWS; r++)
        for (ptrdiff_t v = 0; v < NT_VECS; v++) vec_store(c + r * c_step + v * VEC_LANES, sum[r][v]);
}

static void nt_pack(void *packed, const float *unit, ptrdiff_t dim)
{
    float *panel = packed;
    for (ptrdiff_t r = 0; r < NT_TILE; r++)
        for (ptrdiff_t d = 0; d < dim; d++) panel[d * NT_TILE + r] = unit[r * dim + d];
}

static void nt_products(const struct nt_step *step)
{
    const ptrdiff_t dim = step->dim;
    const float *rows = step->next_rows.unit, *panel = step->next_columns.packed;
    for (ptrdiff_t column = 0; step->next && column < NT_TILE; column += NT_COLUMNS)
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(step->next + row * NT_TILE + column, NT_TILE, rows + row * dim, dim, 1, panel + column, NT_TILE,
                     dim, 0);
}

/* The highest similarity of each row and column joins sums->highest. */
static void nt_highest(const struct nt_step *step)
{
    nt_products(step);
    for (ptrdiff_t column = 0; step->tile && column < NT_TILE; column += VEC_LANES) {
        vec high = vec_load(step->columns->highest + column);
        for (ptrdiff_t row = 0; row < NT_TILE; row++) {
            const vec s = vec_load(step->tile + row * NT_TILE + column);
            const float top = vec_highest(s);
            if (top > step->rows->highest[row]) step->rows->highest[row] = top;
            high = vec_max(high, s);
        }
        vec_store(step->columns->highest + column, high);
    }
}

ALWAYS_INLINE void nt_sums_kind(const struct nt_step *step, int shared)
{
    enum { STRIPE = VEC_REGISTERS == 32 ? 4 : 2 };
    struct nt_sums *rows = step->rows, *columns = step->columns;
    const vec factor = vec_set(step->scale);
    for (ptrdiff_t column = 0; column < NT_TILE; column += (ptrdiff_t)STRIPE * VEC_LANES) {
        vec total[STRIPE], weighted[STRIPE], highest[STRIPE], offset[STRIPE];
        for (ptrdiff_t v = 0; v < STRIPE; v++) {
            const ptrdiff_t at = column + v * VEC_LANES;
            total[v] = vec_load(columns->total + at);
            weighted[v] = vec_load(columns->weighted + at);
            highest[v] = vec_load(columns->highest + at);
            offset[v] = vec_load(step->column_offset + at);
        }
        for (ptrdiff_t row = 0; row < NT_TILE; row++) {
            vec row_total = vec_zero(), row_weighted = vec_zero(), row_highest = vec_set(rows->highest[row]);
            const vec own = vec_set(step->row_offset[row]);
            for (ptrdiff_t v = 0; v < STRIPE; v++) {
                const vec s = vec_load(step->tile + row * NT_TILE + column + v * VEC_LANES);
                const vec x = vec_fma(s, factor, vec_zero() - own), e = nt_exp2(x);
                const vec y = shared ? x : vec_fma(s, factor, vec_zero() - offset[v]), f = shared ? e : nt_exp2(y);
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
        for (ptrdiff_t v = 0; v < STRIPE; v++) {
            const ptrdiff_t at = column + v * VEC_LANES;
            vec_store(columns->total + at, total[v]);
            vec_store(columns->weighted + at, weighted[v]);
            vec_store(columns->highest + at, highest[v]);
        }
    }
}

static void nt_sums(const struct nt_step *step)
{
    nt_products(step);
    if (!step->tile) return;
    if (step->shared)
        nt_sums_kind(step, 1);
    else
        nt_sums_kind(step, 0);
}

ALWAYS_INLINE void nt_gradient_kind(const struct nt_step *step, int shared)
{
    float *weights = step->weights;
    for (ptrdiff_t row = 0; row < NT_TILE; row++)
        for (ptrdiff_t column = 0; column < NT_TILE; column += VEC_LANES)
            vec_store(weights + row * NT_TILE + column, nt_probabilities(step, row, column, shared));
}

static void nt_gradient(const struct nt_step *step)
{
    nt_products(step);
    if (!step->tile) return;
    if (step->shared)
        nt_gradient_kind(step, 1);
    else
        nt_gradient_kind(step, 0);
}

static void nt_spread(float *d_rows, float *d_columns, const void *weights, const struct nt_rows *rows,
                      const struct nt_rows *columns, ptrdiff_t dim)
{
    const float *w = weights;
    for (ptrdiff_t d = 0; d < dim; d += NT_COLUMNS) {
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(d_rows + row * dim + d, dim, w + row * NT_TILE, NT_TILE, 1, columns->unit + d, dim, NT_TILE, 1);
        if (!d_columns) continue;
        for (ptrdiff_t row = 0; row < NT_TILE; row += NT_ROWS)
            nt_block(d_columns + row * dim + d, dim, w + row, 1, NT_TILE, rows->unit + d, dim, NT_TILE, 1);
    }
}

static void nt_gradient_row(float *out, const float *d_rows, ptrdiff_t row, ptrdiff_t dim)
{
    memcpy(out, d_rows + row * dim, (size_t)dim * sizeof *out);
}

static const struct nt_kernels nt_kernels = {
    .weights_bytes = sizeof(float[NT_TILE][NT_TILE]),
    .packed_bytes = sizeof(float),
    .gradient_floats = 1,
    .block_bytes = 200 << 10, /* of 1 MiB, where each side brings operands of both kinds */
    .pack = nt_pack,
    .highest = nt_highest,
    .sums = nt_sums,
    .gradient = nt_gradient,
    .spread = nt_spread,
    .gradient_row = nt_gradient_row,
};

#endif
