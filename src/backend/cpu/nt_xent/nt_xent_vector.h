/* backend/cpu/nt_xent/nt_xent_vector.h -- what a tile of cosines becomes, row by row: powers, sums, probabilities.
 * Shared by both kinds of NT-Xent kernels (nt_xent.h). */
#ifndef BACKEND_CPU_NT_XENT_VECTOR_H
#define BACKEND_CPU_NT_XENT_VECTOR_H

#include "backend/cpu/nt_xent/nt_xent.h"
#include "simd/vec.h"

/* 2^x for x <= 1, with a relative error below 1.5e-7; 0 below 2^-126. Range reduction to [-1/2, 1/2], then a
 * near-minimax polynomial of degree 6 (its own error is 1.4e-8). NaN stays. */
ALWAYS_INLINE vec nt_exp2(vec x)
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

/* The running sums of a tile's columns, in registers while its rows pass. */
enum { NT_VECTORS = NT_TILE / VEC_LANES };
struct nt_column_sums {
    vec total[NT_VECTORS], weighted[NT_VECTORS], highest[NT_VECTORS];
};

ALWAYS_INLINE void nt_column_sums_load(struct nt_column_sums *sums, const struct nt_step *step)
{
    for (ptrdiff_t v = 0; v < NT_VECTORS; v++) {
        sums->total[v] = vec_load(step->columns->total + v * VEC_LANES);
        sums->weighted[v] = vec_load(step->columns->weighted + v * VEC_LANES);
        sums->highest[v] = vec_load(step->columns->highest + v * VEC_LANES);
    }
}

ALWAYS_INLINE void nt_column_sums_store(const struct nt_step *step, const struct nt_column_sums *sums)
{
    for (ptrdiff_t v = 0; v < NT_VECTORS; v++) {
        vec_store(step->columns->total + v * VEC_LANES, sums->total[v]);
        vec_store(step->columns->weighted + v * VEC_LANES, sums->weighted[v]);
        vec_store(step->columns->highest + v * VEC_LANES, sums->highest[v]);
    }
}

/* A row of the tile joins the sums of its own and those of the columns; offsets are shared. */
ALWAYS_INLINE void nt_row_sums(const struct nt_step *step, ptrdiff_t row, struct nt_column_sums *columns)
{
    struct nt_sums *rows = step->rows;
    const vec factor = vec_set(step->scale), offset = vec_zero() - vec_set(step->row_offset[row]);
    vec total = vec_zero(), weighted = vec_zero(), highest = vec_set(rows->highest[row]);
    for (ptrdiff_t v = 0; v < NT_VECTORS; v++) {
        const vec s = vec_load(step->tile + row * NT_TILE + v * VEC_LANES), x = vec_fma(s, factor, offset);
        const vec e = nt_exp2(x);
        total = total + e;
        weighted = vec_fma(e, x, weighted);
        highest = vec_max(highest, s);
        columns->total[v] = columns->total[v] + e;
        columns->weighted[v] = vec_fma(e, x, columns->weighted[v]);
        columns->highest[v] = vec_max(columns->highest[v], s);
    }
    rows->total[row] += vec_sum(total);
    rows->weighted[row] += vec_sum(weighted);
    rows->highest[row] = vec_highest(highest);
}

/* p_ij + p_ji of one vector of a row. */
ALWAYS_INLINE vec nt_probabilities(const struct nt_step *step, ptrdiff_t row, ptrdiff_t column, int shared)
{
    const vec factor = vec_set(step->scale), s = vec_load(step->tile + row * NT_TILE + column);
    const vec e = nt_exp2(vec_fma(s, factor, vec_zero() - vec_set(step->row_offset[row])));
    if (shared) return e * (vec_set(step->row_factor[row]) + vec_load(step->column_factor + column));
    return e + nt_exp2(vec_fma(s, factor, vec_zero() - vec_load(step->column_offset + column)));
}

#endif
