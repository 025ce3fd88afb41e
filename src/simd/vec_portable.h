/* simd/vec_portable.h -- the names of vec.h in plain C: vectors of four floats as the compiler knows them, which become
 * SSE2, NEON or scalars. */
#ifndef SIMD_VEC_PORTABLE_H
#define SIMD_VEC_PORTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bf16.h"
#include "simd/inline.h"

#define VEC_LANES 4
#define VEC_REGISTERS 16

typedef float vec __attribute__((vector_size(16)));
typedef uint32_t vec_words __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16))); /* all bits of a lane */

/* ---- memory ---- */
ALWAYS_INLINE vec vec_load(const void *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
ALWAYS_INLINE void vec_store(void *p, vec v)
{
    memcpy(p, &v, sizeof v);
}
ALWAYS_INLINE void vec_stream(void *p, vec v) /* C has no way past the caches */
{
    vec_store(p, v);
}
ALWAYS_INLINE void vec_stream_end(void) {}
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    uint16_t pair[2];
    memcpy(pair, p, sizeof pair);
    const float first = bf16_to_float(pair[0]), second = bf16_to_float(pair[1]);
    *low = (vec){first, first, first, first};
    *high = (vec){second, second, second, second};
}
ALWAYS_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
{
    (void)here, (void)next;
    return vec_load(p + n);
}
ALWAYS_INLINE vec vec_load_bytes(const void *p)
{
    const uint8_t *bytes = p;
    return (vec){bytes[0], bytes[1], bytes[2], bytes[3]};
}
ALWAYS_INLINE void vec_store_bytes(void *p, vec v)
{
    uint8_t *bytes = p;
    for (ptrdiff_t i = 0; i < VEC_LANES; i++) bytes[i] = (uint8_t)v[i];
}
ALWAYS_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high)
{
    const vec_words pairs = (low >> 16) | (high & 0xffff0000u);
    memcpy(p, &pairs, sizeof pairs);
}

/* ---- bf16 ---- */
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    uint16_t v[VEC_LANES];
    memcpy(v, p, sizeof v);
    return (vec){bf16_to_float(v[0]), bf16_to_float(v[1]), bf16_to_float(v[2]), bf16_to_float(v[3])};
}
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    const uint16_t out[VEC_LANES] = {bf16_from_float(v[0]), bf16_from_float(v[1]), bf16_from_float(v[2]),
                                     bf16_from_float(v[3])};
    memcpy(p, out, sizeof out);
}
ALWAYS_INLINE void vec_load_line_bf16(vec *line, const uint16_t *p)
{
    float values[32];
    for (int i = 0; i < 32; i++) values[i] = bf16_to_float(p[i]);
    for (ptrdiff_t i = 0; i < 8; i++) line[i] = vec_load(values + VEC_LANES * i);
}
ALWAYS_INLINE void vec_store_line_bf16(uint16_t *p, const vec *line)
{
    float values[32];
    for (ptrdiff_t i = 0; i < 8; i++) vec_store(values + VEC_LANES * i, line[i]);
    for (int i = 0; i < 32; i++) p[i] = bf16_from_float(values[i]);
}
ALWAYS_INLINE void vec_stream_line_bf16(uint16_t *p, const vec *line)
{
    vec_store_line_bf16(p, line);
}
ALWAYS_INLINE void vec_store_number_bf16(void *p, vec v)
{
    typedef uint16_t halves __attribute__((vector_size(8)));
    const vec_words bits = (vec_words)v;
    const halves rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, halves);
    memcpy(p, &rounded, sizeof rounded);
}
ALWAYS_INLINE void vec_stream_number_bf16(void *p, vec first, vec second)
{
    vec_store_number_bf16(p, first);
    vec_store_number_bf16((uint16_t *)p + VEC_LANES, second);
}

/* ---- arithmetic ---- */
ALWAYS_INLINE vec vec_set(float value)
{
    return (vec){value, value, value, value};
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
ALWAYS_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return (vec)(((vec_mask)yes & mask) | ((vec_mask)no & ~mask));
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    return vec_select(a < b, a, b);
}
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    return vec_select(a > b, a, b);
}
ALWAYS_INLINE vec vec_abs(vec v)
{
    return (vec)((vec_mask)v & 0x7fffffff);
}
ALWAYS_INLINE vec vec_round(vec v) /* adding 1.5 2^23 leaves no bit for a fraction */
{
    const vec big = vec_set(12582912.0f);
    return (v + big) - big;
}
ALWAYS_INLINE vec vec_scale2(vec v, vec n)
{
    vec_mask bits = {0};
    for (int i = 0; i < VEC_LANES; i++) bits[i] = n[i] > -127.0f ? ((int32_t)n[i] + 127) << 23 : 0;
    return v * (vec)bits;
}

/* ---- masks ---- */
ALWAYS_INLINE vec_mask vec_equal(vec a, vec b)
{
    return a == b;
}
ALWAYS_INLINE vec_mask vec_above(vec a, vec b)
{
    return a > b;
}
ALWAYS_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return ~(a <= b);
}
ALWAYS_INLINE vec vec_keep(vec_mask mask, vec v)
{
    return (vec)((vec_mask)v & mask);
}
ALWAYS_INLINE uint32_t vec_bits(vec_mask mask)
{
    return (mask[0] & 1u) | (mask[1] & 2u) | (mask[2] & 4u) | (mask[3] & 8u);
}
ALWAYS_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    const vec_mask each = {1, 2, 4, 8}, all = {(int32_t)bits, (int32_t)bits, (int32_t)bits, (int32_t)bits};
    return (all & each) == each;
}

/* ---- between lanes ---- */
ALWAYS_INLINE float vec_sum(vec v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}
ALWAYS_INLINE float vec_highest(vec v)
{
    float low = v[0] > v[1] ? v[0] : v[1], high = v[2] > v[3] ? v[2] : v[3];
    return low > high ? low : high;
}
ALWAYS_INLINE vec vec_reverse(vec v)
{
    return __builtin_shufflevector(v, v, 3, 2, 1, 0);
}
ALWAYS_INLINE void vec_transpose(vec rows[VEC_LANES])
{
    const vec a = rows[0], b = rows[1], c = rows[2], d = rows[3];
    rows[0] = (vec){a[0], b[0], c[0], d[0]};
    rows[1] = (vec){a[1], b[1], c[1], d[1]};
    rows[2] = (vec){a[2], b[2], c[2], d[2]};
    rows[3] = (vec){a[3], b[3], c[3], d[3]};
}

#endif
