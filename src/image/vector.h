/* image/vector.h -- one vector of floats, as wide as the including file's instruction set makes it. The bodies of the
 * pixel loops (*_body.h) are written once against it and compiled once per instruction set. +, -, * work on vectors
 * directly. vec_ahead(p, here, next, n), n a constant: the vector at p + n, where here is at p and next behind it.
 * Variants may differ in the last bits: a multiply-add is rounded once where the CPU has it. */
#ifndef IMAGE_VECTOR_H
#define IMAGE_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define VECTOR_INLINE static inline __attribute__((always_inline))

/* ---- 512 bits ---- */
#if defined(__AVX512F__)
enum { VECTOR_WIDTH = 16 };
typedef __m512 vec;
typedef __mmask16 vec_mask;

VECTOR_INLINE vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}
VECTOR_INLINE vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
VECTOR_INLINE void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}
VECTOR_INLINE void vec_stream(float *p, vec v) /* past the caches; p is aligned to the vector */
{
    _mm512_stream_ps(p, v);
}
/* Rounded to bf16, to nearest even, which are the high halves of the result. In integers, since the CPU's own
 * conversion takes subnormal numbers for 0; not for what is not a number. */
VECTOR_INLINE __m512i vec_round_bf16(vec v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    return _mm512_mask_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd, bits,
                                 _mm512_set1_epi32(0x8000));
}
VECTOR_INLINE void vec_store_bf16(uint16_t *p, vec v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(vec_round_bf16(v), 16)));
}
/* Two vectors, the second behind the first, past the caches; p is aligned to a vector. */
VECTOR_INLINE void vec_stream_bf16(uint16_t *p, vec first, vec second)
{
    const __m512i order = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                                           25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    _mm512_stream_si512((void *)p, _mm512_permutex2var_epi16(vec_round_bf16(first), order, vec_round_bf16(second)));
}
VECTOR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
VECTOR_INLINE vec vec_min(vec a, vec b) /* b where either is not a number, as in all variants */
{
    return _mm512_min_ps(a, b);
}
VECTOR_INLINE vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}
VECTOR_INLINE vec vec_abs(vec a)
{
    return _mm512_abs_ps(a);
}
VECTOR_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
VECTOR_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}
VECTOR_INLINE vec vec_reverse(vec a)
{
    return _mm512_permutexvar_ps(_mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), a);
}
VECTOR_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
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
VECTOR_INLINE float vec_sum(vec a)
{
    return _mm512_reduce_add_ps(a);
}
VECTOR_INLINE void vec_stream_end(void) /* before another thread may read what was streamed */
{
    _mm_sfence();
}

/* ---- 256 bits ---- */
#elif defined(__AVX2__)
enum { VECTOR_WIDTH = 8 };
typedef __m256 vec;
typedef __m256 vec_mask;

VECTOR_INLINE vec vec_set(float value)
{
    return _mm256_set1_ps(value);
}
VECTOR_INLINE vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
VECTOR_INLINE void vec_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}
VECTOR_INLINE void vec_stream(float *p, vec v)
{
    _mm256_stream_ps(p, v);
}
VECTOR_INLINE __m256i vec_round_bf16(vec v) /* in the low halves */
{
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd), 16);
}
VECTOR_INLINE void vec_store_bf16(uint16_t *p, vec v)
{
    const __m256i rounded = vec_round_bf16(v);
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1)));
}
VECTOR_INLINE void vec_stream_bf16(uint16_t *p, vec first, vec second)
{
    const __m256i mixed = _mm256_packus_epi32(vec_round_bf16(first), vec_round_bf16(second));
    _mm256_stream_si256((__m256i *)(void *)p, _mm256_permute4x64_epi64(mixed, 0xD8));
}
VECTOR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
VECTOR_INLINE vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}
VECTOR_INLINE vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}
VECTOR_INLINE vec vec_abs(vec a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
VECTOR_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
VECTOR_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, mask);
}
VECTOR_INLINE vec vec_reverse(vec a)
{
    return _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}
VECTOR_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
{
    (void)here, (void)next;
    return vec_load(p + n);
}
VECTOR_INLINE float vec_sum(vec a)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
VECTOR_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}

/* ---- plain C with the compiler's vectors ---- */
#else
enum { VECTOR_WIDTH = 4 };
typedef float vec __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));

VECTOR_INLINE vec vec_set(float value)
{
    return (vec){value, value, value, value};
}
VECTOR_INLINE vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
VECTOR_INLINE void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}
VECTOR_INLINE void vec_stream(float *p, vec v)
{
    vec_store(p, v);
}
VECTOR_INLINE void vec_store_bf16(uint16_t *p, vec v)
{
    typedef uint32_t words __attribute__((vector_size(16)));
    typedef uint16_t halves __attribute__((vector_size(8)));
    const words bits = (words)v;
    const halves rounded = __builtin_convertvector((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, halves);
    memcpy(p, &rounded, sizeof rounded);
}
VECTOR_INLINE void vec_stream_bf16(uint16_t *p, vec first, vec second)
{
    vec_store_bf16(p, first);
    vec_store_bf16(p + VECTOR_WIDTH, second);
}
VECTOR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
VECTOR_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return (vec)(((vec_mask)yes & mask) | ((vec_mask)no & ~mask));
}
VECTOR_INLINE vec vec_min(vec a, vec b)
{
    return vec_select(a < b, a, b);
}
VECTOR_INLINE vec vec_max(vec a, vec b)
{
    return vec_select(a > b, a, b);
}
VECTOR_INLINE vec vec_abs(vec a)
{
    return (vec)((vec_mask)a & 0x7FFFFFFF);
}
VECTOR_INLINE vec_mask vec_equal(vec a, vec b)
{
    return a == b;
}
VECTOR_INLINE vec vec_reverse(vec a)
{
    return __builtin_shufflevector(a, a, 3, 2, 1, 0);
}
VECTOR_INLINE vec vec_ahead(const float *p, vec here, vec next, const int n)
{
    (void)here, (void)next;
    return vec_load(p + n);
}
VECTOR_INLINE float vec_sum(vec a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}
VECTOR_INLINE void vec_stream_end(void) {}
#endif

/* Into [0, 1]; what is not a number becomes 0. */
VECTOR_INLINE vec vec_clamp(vec a)
{
    return vec_min(vec_max(a, vec_set(0.0f)), vec_set(1.0f));
}

#endif
