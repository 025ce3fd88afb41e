/* backend/cpu/rows/pool_body.h -- pooling kernels, compiled once per instruction set (kernels_*.c). */
#ifndef BACKEND_CPU_POOL_BODY_H
#define BACKEND_CPU_POOL_BODY_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector/row.h"

/* Taps [*begin, *end) of a window at `start` that fall inside [0, size). */
static inline void inside_taps(int start, int kernel, int size, int *begin, int *end)
{
    *begin = start < 0 ? -start : 0;
    *end = size - start < kernel ? size - start : kernel;
}

/* The maximum over the window's taps and the tap it came from: the first wins a tie, a NaN always wins. */
ALWAYS_INLINE void max_pool_cell(const struct max_pool_args *a, int w, int bf16, int keep)
{
    const struct pool_window *p = a->window;
    const ptrdiff_t cell = (ptrdiff_t)a->cell_rows * ROW_ELEMENTS;
    const int top = a->row * p->stride - p->padding, left = w * p->stride - p->padding;
    int r0, r1, s0, s1;
    inside_taps(top, p->kernel, p->in_height, &r0, &r1);
    inside_taps(left, p->kernel, p->in_width, &s0, &s1);
    for (int line = 0; line < a->cell_rows; line++) {
        const ptrdiff_t inner = (ptrdiff_t)line * ROW_ELEMENTS, out = w * cell + inner;
        vec best[VEC_ROW], tap[VEC_ROW], row[VEC_ROW];
        row_load(best, a->x, ((ptrdiff_t)(top + r0) * p->in_width + left + s0) * cell + inner, bf16);
        row_fill(tap, (float)(r0 * p->kernel + s0));
        for (int r = r0; r < r1; r++) {
            for (int s = r == r0 ? s0 + 1 : s0; s < s1; s++) {
                row_load(row, a->x, ((ptrdiff_t)(top + r) * p->in_width + left + s) * cell + inner, bf16);
                const vec index = vec_set((float)(r * p->kernel + s));
                for (int i = 0; i < VEC_ROW; i++) {
                    /* a NaN in `best` would count as lower: a test of its own keeps it */
                    vec_mask higher = vec_not_at_most(row[i], best[i]);
                    vec_mask clean = vec_equal(best[i], best[i]);
                    vec candidate = vec_select(higher, row[i], best[i]);
                    vec from = vec_select(higher, index, tap[i]);
                    best[i] = vec_select(clean, candidate, best[i]);
                    tap[i] = vec_select(clean, from, tap[i]);
                }
            }
        }
        row_store(a->y, out, best, bf16);
        if (keep)
            for (int i = 0; i < VEC_ROW; i++) vec_store_bytes(a->saved + out + (ptrdiff_t)VEC_LANES * i, tap[i]);
    }
}

static void max_pool_row(const struct max_pool_args *a)
{
    for (int w = 0; w < a->window->out_width; w++) {
        if (a->bf16 && a->saved)
            max_pool_cell(a, w, 1, 1);
        else if (a->bf16)
            max_pool_cell(a, w, 1, 0);
        else if (a->saved)
            max_pool_cell(a, w, 0, 1);
        else
            max_pool_cell(a, w, 0, 0);
    }
}

/* The outputs whose window covers input coordinate `at`: [*begin, *end). */
static inline void covering_outputs(int at, const struct pool_window *p, int size, int *begin, int *end)
{
    const int low = at + p->padding - p->kernel + 1; /* first window start that still reaches `at` */
    *begin = low <= 0 ? 0 : (low + p->stride - 1) / p->stride;
    *end = (at + p->padding) / p->stride + 1;
    if (*end > size) *end = size;
}

/* Gathers: each input element sums the gradients of the windows whose maximum it was, in row-major order. */
ALWAYS_INLINE void max_pool_gradient_cell(const struct max_pool_args *a, int w, int bf16)
{
    const struct pool_window *p = a->window;
    const ptrdiff_t cell = (ptrdiff_t)a->cell_rows * ROW_ELEMENTS;
    int h0, h1, w0, w1;
    covering_outputs(a->row, p, p->out_height, &h0, &h1);
    covering_outputs(w, p, p->out_width, &w0, &w1);
    for (int line = 0; line < a->cell_rows; line++) {
        const ptrdiff_t inner = (ptrdiff_t)line * ROW_ELEMENTS;
        vec sum[VEC_ROW], row[VEC_ROW];
        row_fill(sum, 0);
        for (int oh = h0; oh < h1; oh++) {
            for (int ow = w0; ow < w1; ow++) {
                const int tap = (a->row - oh * p->stride + p->padding) * p->kernel + w - ow * p->stride + p->padding;
                const ptrdiff_t from = ((ptrdiff_t)oh * p->out_width + ow) * cell + inner;
                row_load(row, a->x, from, bf16);
                for (ptrdiff_t i = 0; i < VEC_ROW; i++) {
                    vec chosen = vec_load_bytes(a->saved_plane + from + VEC_LANES * i);
                    sum[i] = sum[i] + vec_keep(vec_equal(chosen, vec_set((float)tap)), row[i]);
                }
            }
        }
        row_store(a->y, w * cell + inner, sum, bf16);
    }
}

static void max_pool_gradient_row(const struct max_pool_args *a)
{
    for (int w = 0; w < a->window->in_width; w++) {
        if (a->bf16)
            max_pool_gradient_cell(a, w, 1);
        else
            max_pool_gradient_cell(a, w, 0);
    }
}

/* Half a cell of sixteen images stays in registers while the taps go by. */
ALWAYS_INLINE void average_pool_typed(const struct average_pool_args *a, int bf16, int add)
{
    enum { LINES = 4 };
    const ptrdiff_t cell = (ptrdiff_t)a->cell_rows * ROW_ELEMENTS;
    for (int w = 0; w < a->to_width; w++) {
        for (ptrdiff_t line = 0; line < a->cell_rows; line += LINES) {
            vec sum[LINES][VEC_ROW], row[VEC_ROW];
            for (int i = 0; i < LINES; i++) row_fill(sum[i], 0);
            for (int i = 0; i < LINES && add; i++) row_load(sum[i], a->to, w * cell + (line + i) * ROW_ELEMENTS, bf16);
            for (int r = 0; r < a->row_count; r++) {
                for (int c = a->column_start[w]; c < a->column_start[w + 1]; c++) {
                    const ptrdiff_t at = ((ptrdiff_t)a->rows[r].index * a->from_width + a->columns[c].index) * cell;
                    const vec share = vec_set(a->rows[r].share * a->columns[c].share);
                    for (int i = 0; i < LINES; i++) {
                        row_load(row, a->from, at + (line + i) * ROW_ELEMENTS, bf16);
                        for (int v = 0; v < VEC_ROW; v++) sum[i][v] = vec_fma(row[v], share, sum[i][v]);
                    }
                }
            }
            for (int i = 0; i < LINES; i++) row_store(a->to, w * cell + (line + i) * ROW_ELEMENTS, sum[i], bf16);
        }
    }
}

static void average_pool_row(const struct average_pool_args *a)
{
    if (a->bf16 && a->add)
        average_pool_typed(a, 1, 1);
    else if (a->bf16)
        average_pool_typed(a, 1, 0);
    else if (a->add)
        average_pool_typed(a, 0, 1);
    else
        average_pool_typed(a, 0, 0);
}

/* Four rows at a time, so that each read is a few lines long and the sums stay in registers. */
ALWAYS_INLINE void global_pool_typed(float *y, const void *x, ptrdiff_t cells, int cell_rows, int bf16)
{
    enum { LINES = 4 };
    const ptrdiff_t cell_elements = (ptrdiff_t)cell_rows * ROW_ELEMENTS;
    const vec share = vec_set(1.0f / (float)cells);
    for (ptrdiff_t line = 0; line < cell_rows; line += LINES) {
        vec sum[LINES][VEC_ROW], row[VEC_ROW];
        for (int i = 0; i < LINES; i++) row_fill(sum[i], 0);
        for (ptrdiff_t cell = 0; cell < cells; cell++) {
            for (int i = 0; i < LINES; i++) {
                row_load(row, x, cell * cell_elements + (line + i) * ROW_ELEMENTS, bf16);
                for (int v = 0; v < VEC_ROW; v++) sum[i][v] = sum[i][v] + row[v];
            }
        }
        for (int i = 0; i < LINES; i++) {
            for (int v = 0; v < VEC_ROW; v++) sum[i][v] = sum[i][v] * share;
            row_store(y, (line + i) * ROW_ELEMENTS, sum[i], 0);
        }
    }
}

static void global_pool(float *y, const void *x, ptrdiff_t cells, int cell_rows, bool bf16)
{
    if (bf16)
        global_pool_typed(y, x, cells, cell_rows, 1);
    else
        global_pool_typed(y, x, cells, cell_rows, 0);
}

ALWAYS_INLINE void global_pool_gradient_typed(void *d_x, const float *d_y, ptrdiff_t cells, int cell_rows, int rows,
                                              int bf16)
{
    const ptrdiff_t cell_elements = (ptrdiff_t)cell_rows * ROW_ELEMENTS;
    const vec share = vec_set(1.0f / (float)cells);
    for (ptrdiff_t cell = 0; cell < cells; cell++) {
        for (ptrdiff_t line = 0; line < cell_rows; line++) {
            vec row[VEC_ROW];
            row_fill(row, 0);
            if (line < rows) row_load(row, d_y, line * ROW_ELEMENTS, 0);
            for (int v = 0; v < VEC_ROW; v++) row[v] = row[v] * share;
            row_store(d_x, cell * cell_elements + line * ROW_ELEMENTS, row, bf16);
        }
    }
}

static void global_pool_gradient(void *d_x, const float *d_y, ptrdiff_t cells, int cell_rows, int rows, bool bf16)
{
    if (bf16)
        global_pool_gradient_typed(d_x, d_y, cells, cell_rows, rows, 1);
    else
        global_pool_gradient_typed(d_x, d_y, cells, cell_rows, rows, 0);
}

#endif
