/* backend/cpu/rows/relu_body.h -- kernels that go over a tensor value by value, compiled once per instruction set
 * (kernels_*.c). */
#ifndef BACKEND_CPU_RELU_BODY_H
#define BACKEND_CPU_RELU_BODY_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector/row.h"

ALWAYS_INLINE void relu_typed(const struct relu_args *a, int bf16)
{
    for (ptrdiff_t r = 0; r < a->rows; r++) {
        vec row[VEC_ROW];
        row_load(row, a->x, r * ROW_ELEMENTS, bf16);
        for (int i = 0; i < VEC_ROW; i++) row[i] = vec_positive(row[i]);
        row_store(a->y, r * ROW_ELEMENTS, row, bf16);
    }
}

static void relu(const struct relu_args *a)
{
    if (a->bf16)
        relu_typed(a, 1);
    else
        relu_typed(a, 0);
}

ALWAYS_INLINE void relu_gradient_typed(const struct relu_gradient_args *a, int bf16)
{
    for (ptrdiff_t r = 0; r < a->rows; r++) {
        vec row[VEC_ROW], y[VEC_ROW];
        row_load(row, a->d_y, r * ROW_ELEMENTS, bf16);
        row_load(y, a->y, r * ROW_ELEMENTS, bf16);
        for (int i = 0; i < VEC_ROW; i++) row[i] = vec_keep(vec_not_at_most(y[i], vec_zero()), row[i]);
        row_store(a->d_x, r * ROW_ELEMENTS, row, bf16);
    }
}

static void relu_gradient(const struct relu_gradient_args *a)
{
    if (a->bf16)
        relu_gradient_typed(a, 1);
    else
        relu_gradient_typed(a, 0);
}

ALWAYS_INLINE void dropout_typed(const struct dropout_args *a, int bf16)
{
    for (ptrdiff_t r = 0; r < a->rows; r++) {
        vec row[VEC_ROW], mask[VEC_ROW];
        row_load(row, a->from, r * ROW_ELEMENTS, bf16);
        row_load(mask, a->mask, r * ROW_ELEMENTS, 0);
        for (int i = 0; i < VEC_ROW; i++) row[i] = row[i] * mask[i];
        row_store(a->to, r * ROW_ELEMENTS, row, bf16);
    }
}

static void dropout(const struct dropout_args *a)
{
    if (a->bf16)
        dropout_typed(a, 1);
    else
        dropout_typed(a, 0);
}

#endif
