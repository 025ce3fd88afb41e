/* simd/vec_avx512bf16.h -- the names of vec.h for AVX-512 with AVX512-BF16, whose instructions round to bf16. They take
 * a subnormal number for 0; vectors of the other sets do not. */
#ifndef SIMD_VEC_AVX512BF16_H
#define SIMD_VEC_AVX512BF16_H

#include "simd/vec_avx512_common.h"

ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    const __m256bh half = _mm512_cvtneps_pbh(v);
    memcpy(p, &half, sizeof half);
}
ALWAYS_INLINE __m512i vec_two_bf16(const vec *two)
{
    return (__m512i)_mm512_cvtne2ps_pbh(two[1], two[0]);
}
ALWAYS_INLINE void vec_store_line_bf16(uint16_t *p, const vec *line)
{
    _mm512_storeu_si512((void *)p, vec_two_bf16(line));
}
ALWAYS_INLINE void vec_stream_line_bf16(uint16_t *p, const vec *line)
{
    _mm512_stream_si512((void *)p, vec_two_bf16(line));
}

/* For products of pairs (_mm512_dpbf16_ps), which only this set has: the two bf16 of the word at p in all lanes. */
ALWAYS_INLINE __m512i vec_broadcast_words(const void *p)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    return _mm512_set1_epi32(value);
}

#endif
