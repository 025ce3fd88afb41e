/* backend/cpu/vector/conv_vector.h -- the vector of the instruction set that a file is compiled for: 16, 8 or 4 floats.
 * Everything is static inline, so that nothing compiled with one file's flags is shared with another. */
#ifndef BACKEND_CPU_CONV_VECTOR_H
#define BACKEND_CPU_CONV_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "tensor/tensor.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

/* Loops over registers must vanish, or the accumulators live in memory. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(n)
#else
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL_BY(n) UNROLL_PRAGMA(GCC unroll n)
#define UNROLL_PRAGMA(text) _Pragma(#text)
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE static __attribute__((noinline))

#if defined(__AVX512F__)

typedef __m512 vec;
enum { LANES = 16 };
ALWAYS_INLINE vec vec_zero(void)
{
    return _mm512_setzero_ps();
}
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
} /* past the caches; p aligned */
ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}
ALWAYS_INLINE vec vec_positive(vec v)
{
    return _mm512_max_ps(vec_zero(), v);
} /* ReLU; in this order a NaN stays */
ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
ALWAYS_INLINE vec vec_broadcast(const void *p)
{
    float value;
    memcpy(&value, p, sizeof value);
    return _mm512_set1_ps(value);
}
ALWAYS_INLINE __m512i vec_words(const void *p)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    return _mm512_set1_epi32(value);
}
/* The two bf16 of a word, each broadcast as floats. */
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    const __m512i word = vec_words(p);
    *low = _mm512_castsi512_ps(_mm512_slli_epi32(word, 16));
    *high = _mm512_castsi512_ps(_mm512_and_si512(word, _mm512_set1_epi32((int32_t)0xffff0000u)));
}
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
/* Round to nearest even, NaN stays NaN. */
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
#if defined(__AVX512BF16__)
    const __m256bh half = _mm512_cvtneps_pbh(v);
    memcpy(p, &half, sizeof half);
#else
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
#endif
}

/* rows[i][j] <-> rows[j][i] */
ALWAYS_INLINE void vec_transpose(vec rows[16])
{
    __m512 pairs[16];
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
        const __m512 a = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88);
        const __m512 b = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xdd);
        const __m512 c = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88);
        const __m512 d = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xdd);
        pairs[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        pairs[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        pairs[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        pairs[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
    UNROLL for (int i = 0; i < 16; i++) rows[i] = pairs[i];
}

#elif defined(__AVX2__)

typedef __m256 vec;
enum { LANES = 8 };
ALWAYS_INLINE vec vec_zero(void)
{
    return _mm256_setzero_ps();
}
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
ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}
ALWAYS_INLINE vec vec_positive(vec v)
{
    return _mm256_max_ps(vec_zero(), v);
} /* ReLU; in this order a NaN stays */
ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
ALWAYS_INLINE vec vec_broadcast(const void *p)
{
    float value;
    memcpy(&value, p, sizeof value);
    return _mm256_set1_ps(value);
}
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    const __m256i word = _mm256_set1_epi32(value);
    *low = _mm256_castsi256_ps(_mm256_slli_epi32(word, 16));
    *high = _mm256_castsi256_ps(_mm256_and_si256(word, _mm256_set1_epi32((int32_t)0xffff0000u)));
}
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    rounded = _mm256_blendv_epi8(rounded, _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)), nan);
    rounded = _mm256_srli_epi32(rounded, 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0xd8);
    _mm_storeu_si128(p, _mm256_castsi256_si128(packed));
}

ALWAYS_INLINE void vec_transpose(vec rows[8])
{
    __m256 pairs[8];
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

#else /* vectors of four floats as the compiler knows them: SSE2, NEON, or plain scalars */

typedef float vec __attribute__((vector_size(16)));
enum { LANES = 4 };
ALWAYS_INLINE vec vec_zero(void)
{
    return (vec){0};
}
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
ALWAYS_INLINE void vec_stream(void *p, vec v)
{
    vec_store(p, v);
}
ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return a + b;
}
ALWAYS_INLINE vec vec_positive(vec v) /* ReLU; a NaN stays */
{
    typedef int32_t words __attribute__((vector_size(16)));
    return (vec)((words)v & ~(words)(v < vec_zero()));
}
ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    return a * b;
}
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
ALWAYS_INLINE vec vec_broadcast(const void *p)
{
    float value;
    memcpy(&value, p, sizeof value);
    return (vec){value, value, value, value};
}
ALWAYS_INLINE void vec_broadcast_pair(const void *p, vec *low, vec *high)
{
    uint16_t pair[2];
    memcpy(pair, p, sizeof pair);
    const float first = bf16_to_float(pair[0]), second = bf16_to_float(pair[1]);
    *low = (vec){first, first, first, first};
    *high = (vec){second, second, second, second};
}
ALWAYS_INLINE vec vec_load_bf16(const void *p)
{
    uint16_t v[4];
    memcpy(v, p, sizeof v);
    return (vec){bf16_to_float(v[0]), bf16_to_float(v[1]), bf16_to_float(v[2]), bf16_to_float(v[3])};
}
ALWAYS_INLINE void vec_store_bf16(void *p, vec v)
{
    const uint16_t out[4] = {bf16_from_float(v[0]), bf16_from_float(v[1]), bf16_from_float(v[2]),
                             bf16_from_float(v[3])};
    memcpy(p, out, sizeof out);
}
ALWAYS_INLINE void vec_transpose(vec rows[4])
{
    const vec a = rows[0], b = rows[1], c = rows[2], d = rows[3];
    rows[0] = (vec){a[0], b[0], c[0], d[0]};
    rows[1] = (vec){a[1], b[1], c[1], d[1]};
    rows[2] = (vec){a[2], b[2], c[2], d[2]};
    rows[3] = (vec){a[3], b[3], c[3], d[3]};
}

#endif

/* To be called after vec_stream, before another thread may read. */
ALWAYS_INLINE void vec_stream_end(void)
{
#if defined(__AVX2__)
    _mm_sfence();
#endif
}
#endif
