/* backend/cpu/vector/row.h -- a row of layout P, 32 channels of one image (or 16 of two), as VEC_ROW vectors of
 * simd/vec.h; in memory float32 or bf16. `element` counts elements of that type. */
#ifndef BACKEND_CPU_ROW_H
#define BACKEND_CPU_ROW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu/layout.h"
#include "simd/vec.h"

enum { VEC_ROW = ROW_ELEMENTS / VEC_LANES };

ALWAYS_INLINE void row_load(vec *row, const void *base, ptrdiff_t element, int bf16)
{
    if (bf16) {
        vec_load_line_bf16(row, (const uint16_t *)base + element);
    } else {
        for (ptrdiff_t i = 0; i < VEC_ROW; i++) row[i] = vec_load((const float *)base + element + VEC_LANES * i);
    }
}

ALWAYS_INLINE void row_store(void *base, ptrdiff_t element, const vec *row, int bf16)
{
    if (bf16) {
        vec_store_line_bf16((uint16_t *)base + element, row);
    } else {
        for (ptrdiff_t i = 0; i < VEC_ROW; i++) vec_store((float *)base + element + VEC_LANES * i, row[i]);
    }
}

/* The same past the caches; vec_stream_end before another thread may read it. */
ALWAYS_INLINE void row_stream(void *base, ptrdiff_t element, const vec *row, int bf16)
{
    if (bf16) {
        vec_stream_line_bf16((uint16_t *)base + element, row);
    } else {
        for (ptrdiff_t i = 0; i < VEC_ROW; i++) vec_stream((float *)base + element + VEC_LANES * i, row[i]);
    }
}

/* Four bytes for a row: bit i is set where channel i is positive (not for a NaN). */
ALWAYS_INLINE void row_store_signs(uint8_t *p, const vec *row)
{
    uint32_t bits = 0;
    for (ptrdiff_t i = 0; i < VEC_ROW; i++) bits |= vec_bits(vec_above(row[i], vec_zero())) << (VEC_LANES * i);
    memcpy(p, &bits, sizeof bits);
}

/* Zero where the bit is not set. */
ALWAYS_INLINE void row_keep_signs(vec *row, const uint8_t *p)
{
    uint32_t bits;
    memcpy(&bits, p, sizeof bits);
    for (ptrdiff_t i = 0; i < VEC_ROW; i++) row[i] = vec_keep(vec_mask_of(bits >> (VEC_LANES * i)), row[i]);
}

ALWAYS_INLINE void row_fill(vec *row, float value)
{
    for (int i = 0; i < VEC_ROW; i++) row[i] = vec_set(value);
}

#endif
