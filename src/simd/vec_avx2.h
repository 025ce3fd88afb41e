/* simd/vec_avx2.h -- the names of vec.h for AVX2 with FMA. */
#ifndef SIMD_VEC_AVX2_H
#define SIMD_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/inline.h"

#define VEC_LANES 8
#define VEC_REGISTERS 16

typedef __m256 vec;
typedef uint32_t vec_words __attribute__((vector_size(32)));
typedef __m256 vec_mask; /* all bits of a lane */

/* ---- memory ---- */
ALWAYS_INLINE vec vec_load(const void *p)
{
    return _mm256_loadu_ps(p);
}
ALWAYS_INLINE void vec_store(void *p, vec v)
{
    _mm256_storeu_ps(p, v);
}
ALWAYS_INLINE void vec_stream(void *p, vec v)
{
    _mm256_stream_ps(p, v);
}
ALWAYS_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    const __m256i words = _mm256_set1_epi32(value);
    *low = (vec)_mm256_slli_epi32(words, 16);
    *high = (vec)_mm256_and_si256(words, _mm256_set1_epi32((int32_t)0xffff0000u));
}
ALWAYS_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
{
    (void)here, (void)next;
    return vec_load(p + n);
}
ALWAYS_INLINE vec vec_load_bytes(const void *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p)));
}
ALWAYS_INLINE void vec_store_bytes(void *p, vec v)
{
    const __m256i bits = _mm256_cvttps_epi32(v);
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    _mm_storel_epi64(p, _mm_packus_epi16(halves, halves));
}
ALWAYS_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high)
{
    _mm256_storeu_si256(p, _mm256_blend_epi16((__m256i)(low >> 16), (__m256i)high, 0xaa));
}

/* ---- bf16 ---- */
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16);
}
ALWAYS_INLINE void vec_load_line_bf16(vec *line, const uint16_t *p)
{
    for (ptrdiff_t i = 0; i < 4; i++) line[i] = vec_load_bf16(p + 8 * i);
}
ALWAYS_INLINE __m256i vec_bf16(vec v) /* in the lower halves of words */
{
    const __m256i bits = (__m256i)v;
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = (__m256i)_mm256_cmp_ps(v, v, _CMP_UNORD_Q);
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}
ALWAYS_INLINE __m256i vec_two_bf16(const vec *two)
{
    const __m256i mixed = _mm256_packus_epi32(vec_bf16(two[0]), vec_bf16(two[1]));
    return _mm256_permute4x64_epi64(mixed, 0xd8);
}
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    const __m256i rounded = vec_bf16(v);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0xd8);
    _mm_storeu_si128(p, _mm256_castsi256_si128(packed));
}
ALWAYS_INLINE void vec_store_line_bf16(uint16_t *p, const vec *line)
{
    _mm256_storeu_si256((void *)p, vec_two_bf16(line));
    _mm256_storeu_si256((void *)(p + 16), vec_two_bf16(line + 2));
}
ALWAYS_INLINE void vec_stream_line_bf16(uint16_t *p, const vec *line)
{
    _mm256_stream_si256((void *)p, vec_two_bf16(line));
    _mm256_stream_si256((void *)(p + 16), vec_two_bf16(line + 2));
}
ALWAYS_INLINE __m256i vec_number_bf16(vec v) /* in the lower halves of words */
{
    const __m256i bits = (__m256i)v;
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
}
ALWAYS_INLINE void vec_store_number_bf16(void *p, vec v)
{
    const __m256i rounded = vec_number_bf16(v);
    _mm_storeu_si128(p, _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1)));
}
ALWAYS_INLINE void vec_stream_number_bf16(void *p, vec first, vec second)
{
    const __m256i mixed = _mm256_packus_epi32(vec_number_bf16(first), vec_number_bf16(second));
    _mm256_stream_si256(p, _mm256_permute4x64_epi64(mixed, 0xd8));
}

/* ---- arithmetic ---- */
ALWAYS_INLINE vec vec_set(float value)
{
    return _mm256_set1_ps(value);
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}
ALWAYS_INLINE vec vec_abs(vec v)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}
ALWAYS_INLINE vec vec_round(vec v)
{
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ALWAYS_INLINE vec vec_scale2(vec v, vec n)
{
    n = _mm256_max_ps(n, _mm256_set1_ps(-127.0f));
    const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return v * (vec)bits;
}

/* ---- masks ---- */
ALWAYS_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
ALWAYS_INLINE vec_mask vec_above(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
ALWAYS_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_NLE_UQ);
}
ALWAYS_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, mask);
}
ALWAYS_INLINE vec vec_keep(vec_mask mask, vec v)
{
    return _mm256_and_ps(mask, v);
}
ALWAYS_INLINE uint32_t vec_bits(vec_mask mask)
{
    return (uint32_t)_mm256_movemask_ps(mask);
}
ALWAYS_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return (vec_mask)_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int32_t)bits), each), each);
}

/* ---- between lanes ---- */
ALWAYS_INLINE float vec_sum(vec v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
ALWAYS_INLINE float vec_highest(vec v)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
ALWAYS_INLINE vec vec_reverse(vec v)
{
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}
ALWAYS_INLINE void vec_transpose(vec rows[VEC_LANES])
{
    vec pairs[8];
    UNROLL for (int i = 0; i < 8; i += 2)
    {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int j = 0; j < 2; j++)
    {
        const __m256d a = _mm256_castps_pd(pairs[i + j]), b = _mm256_castps_pd(pairs[i + j + 2]);
        rows[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
        rows[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        pairs[i] = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x20);
        pairs[i + 4] = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x31);
    }
    UNROLL for (int i = 0; i < 8; i++) rows[i] = pairs[i];
}

#endif
