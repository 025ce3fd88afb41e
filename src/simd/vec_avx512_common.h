/* simd/vec_avx512_common.h -- the names of vec.h in vectors of 512 bits, but for the rounding to bf16: vec_avx512.h
 * does it in integers, vec_avx512bf16.h by an instruction. */
#ifndef SIMD_VEC_AVX512_COMMON_H
#define SIMD_VEC_AVX512_COMMON_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/inline.h"

#define VEC_LANES 16
#define VEC_REGISTERS 32

typedef __m512 vec;
typedef uint32_t vec_words __attribute__((vector_size(64)));
typedef __mmask16 vec_mask;

/* ---- memory ---- */
ALWAYS_INLINE vec vec_load(const void *p)
{
    return _mm512_loadu_ps(p);
}
ALWAYS_INLINE void vec_store(void *p, vec v)
{
    _mm512_storeu_ps(p, v);
}
ALWAYS_INLINE void vec_stream(void *p, vec v)
{
    _mm512_stream_ps(p, v);
}
ALWAYS_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    const __m512i words = _mm512_set1_epi32(value);
    *low = (vec)_mm512_slli_epi32(words, 16);
    *high = (vec)_mm512_and_si512(words, _mm512_set1_epi32((int32_t)0xffff0000u));
}
ALWAYS_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
{
    (void)p;
    switch (n) { /* a load of 64 bytes that is not aligned costs two: registers are cheaper */
    case 1:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 1);
    case 2:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 2);
    case 3:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 3);
    case 4:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 4);
    case 5:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 5);
    case 6:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 6);
    case 7:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 7);
    case 8:
        return (vec)_mm512_alignr_epi32((__m512i)next, (__m512i)here, 8);
    default:
        return _mm512_loadu_ps(p + n);
    }
}
ALWAYS_INLINE vec vec_load_bytes(const void *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p)));
}
ALWAYS_INLINE void vec_store_bytes(void *p, vec v)
{
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)));
}
ALWAYS_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high)
{
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32((__m512i)low, 16), (__m512i)high));
}
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16);
}
ALWAYS_INLINE void vec_load_line_bf16(vec *line, const uint16_t *p)
{
    for (ptrdiff_t i = 0; i < 2; i++) line[i] = vec_load_bf16(p + 16 * i);
}
/* The nearest bf16 in the upper halves of words; for numbers only. */
ALWAYS_INLINE __m512i vec_number_bf16(vec v)
{
    const __m512i bits = (__m512i)v;
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    return _mm512_mask_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd, bits,
                                 _mm512_set1_epi32(0x8000));
}
ALWAYS_INLINE void vec_store_number_bf16(void *p, vec v)
{
    _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(vec_number_bf16(v), 16)));
}
ALWAYS_INLINE void vec_stream_number_bf16(void *p, vec first, vec second)
{
    const __m512i upper = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                                           25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    _mm512_stream_si512(p, _mm512_permutex2var_epi16(vec_number_bf16(first), upper, vec_number_bf16(second)));
}

/* ---- arithmetic ---- */
ALWAYS_INLINE vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}
ALWAYS_INLINE vec vec_abs(vec v)
{
    return _mm512_abs_ps(v);
}
ALWAYS_INLINE vec vec_round(vec v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ALWAYS_INLINE vec vec_scale2(vec v, vec n)
{
    return _mm512_scalef_ps(v, n);
}

/* ---- masks ---- */
ALWAYS_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
ALWAYS_INLINE vec_mask vec_above(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
ALWAYS_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ);
}
ALWAYS_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm512_mask_mov_ps(no, mask, yes);
}
ALWAYS_INLINE vec vec_keep(vec_mask mask, vec v)
{
    return _mm512_maskz_mov_ps(mask, v);
}
ALWAYS_INLINE uint32_t vec_bits(vec_mask mask)
{
    return mask;
}
ALWAYS_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    return (vec_mask)bits;
}

/* ---- between lanes ---- */
ALWAYS_INLINE float vec_sum(vec v)
{
    return _mm512_reduce_add_ps(v);
}
ALWAYS_INLINE float vec_highest(vec v)
{
    return _mm512_reduce_max_ps(v);
}
ALWAYS_INLINE vec vec_reverse(vec v)
{
    return _mm512_permutexvar_ps(_mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), v);
}
ALWAYS_INLINE void vec_transpose(vec rows[VEC_LANES])
{
    vec pairs[16];
    UNROLL for (int i = 0; i < 16; i += 2)
    {
        pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) UNROLL for (int j = 0; j < 2; j++)
    {
        const __m512d a = _mm512_castps_pd(pairs[i + j]), b = _mm512_castps_pd(pairs[i + j + 2]);
        rows[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
        rows[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
    UNROLL for (int i = 0; i < 4; i++)
    { /* 4 x 4 blocks of 128 bits */
        const vec a = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88);
        const vec b = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xdd);
        const vec c = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88);
        const vec d = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xdd);
        pairs[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        pairs[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        pairs[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        pairs[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
    UNROLL for (int i = 0; i < 16; i++) rows[i] = pairs[i];
}

#endif
