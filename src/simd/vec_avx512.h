/* simd/vec_avx512.h -- the names of vec.h for AVX-512 (F, BW, DQ, VL). The rounding to bf16 is done in integers. */
#ifndef SIMD_VEC_AVX512_H
#define SIMD_VEC_AVX512_H

#include "simd/vec_avx512_common.h"

ALWAYS_INLINE __m256i vec_bf16(vec v)
{
    const __m512i bits = (__m512i)v;
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
ALWAYS_INLINE __m512i vec_two_bf16(const vec *two)
{
    __m256i half[2];
    for (int i = 0; i < 2; i++) half[i] = vec_bf16(two[i]);
    return _mm512_inserti64x4(_mm512_castsi256_si512(half[0]), half[1], 1);
}
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    _mm256_storeu_si256(p, vec_bf16(v));
}
ALWAYS_INLINE void vec_store_line_bf16(uint16_t *p, const vec *line)
{
    _mm512_storeu_si512((void *)p, vec_two_bf16(line));
}
ALWAYS_INLINE void vec_stream_line_bf16(uint16_t *p, const vec *line)
{
    _mm512_stream_si512((void *)p, vec_two_bf16(line));
}

#endif
