/* backend/cpu/vector/simd.h -- one vector of floats, as wide as the file's instruction set makes it.
 *
 * Kernel bodies (*_body.h) are written once against this header and compiled once per instruction set
 * (kernels_*.c). A `vec` holds VEC_WIDTH floats; the 32 channels of one image in layout P are a row of VEC_ROW
 * vectors, in float32 or bf16. +, -, * and / work on vectors directly. */
#ifndef BACKEND_CPU_SIMD_H
#define BACKEND_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/tensor.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define SIMD_INLINE static inline __attribute__((always_inline))

/* ---- 512 bits ------------------------------------------------------------------------------------------------ */
#if defined(__AVX512F__)
#define VEC_WIDTH ((ptrdiff_t)16)
typedef __m512 vec;
typedef __mmask16 vec_mask;

SIMD_INLINE vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}
SIMD_INLINE vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
SIMD_INLINE void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}
SIMD_INLINE void vec_stream(float *p, vec v)
{
    _mm512_stream_ps(p, v);
} /* p aligned to the vector */
SIMD_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
SIMD_INLINE vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
} /* b if either is NaN */
SIMD_INLINE vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}
SIMD_INLINE vec vec_sqrt(vec a)
{
    return _mm512_sqrt_ps(a);
}
SIMD_INLINE vec vec_round(vec a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SIMD_INLINE vec vec_scale2(vec a, vec n)
{
    return _mm512_scalef_ps(a, n);
} /* a 2^n, n integral */
SIMD_INLINE vec_mask vec_above(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
SIMD_INLINE uint32_t vec_bits(vec_mask mask)
{
    return mask;
}
SIMD_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    return (vec_mask)bits;
} /* the low VEC_WIDTH bits */
SIMD_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
SIMD_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ);
} /* true for NaN */
SIMD_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm512_mask_mov_ps(no, mask, yes);
}
SIMD_INLINE vec vec_keep(vec_mask mask, vec a)
{
    return _mm512_maskz_mov_ps(mask, a);
}
SIMD_INLINE float vec_sum(vec a)
{
    return _mm512_reduce_add_ps(a);
}
SIMD_INLINE float vec_highest(vec a)
{
    return _mm512_reduce_max_ps(a);
}
typedef __m512i vec_words;
SIMD_INLINE vec_words vec_round_bf16(vec a) /* the upper halves are the nearest bf16, the lower halves rubbish */
{
    return _mm512_add_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(0x8000));
}
SIMD_INLINE vec vec_upper(vec_words a)
{
    return _mm512_castsi512_ps(_mm512_and_si512(a, _mm512_set1_epi32(-65536)));
}
SIMD_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high) /* the upper halves, in turn */
{
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(low, 16), high));
}
SIMD_INLINE vec vec_load_bytes(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
SIMD_INLINE void vec_store_bytes(uint8_t *p, vec a) /* values 0..255 */
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(a)));
}

SIMD_INLINE void simd_load_row_bf16(vec *row, const uint16_t *p)
{
    for (ptrdiff_t i = 0; i < 2; i++) {
        __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(p + 16 * i)));
        row[i] = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    }
}

SIMD_INLINE __m512i simd_pack_row(const vec *row)
{
#if defined(__AVX512BF16__)
    __m512bh pair = _mm512_cvtne2ps_pbh(row[1], row[0]);
    __m512i out;
    memcpy(&out, &pair, sizeof out);
    return out;
#else
    __m256i half[2];
    for (int i = 0; i < 2; i++) {
        __m512i bits = _mm512_castps_si512(row[i]);
        __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        __mmask16 nan = _mm512_cmp_ps_mask(row[i], row[i], _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        half[i] = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(half[0]), half[1], 1);
#endif
}
SIMD_INLINE void simd_store_row_bf16(uint16_t *p, const vec *row)
{
    _mm512_storeu_si512((void *)p, simd_pack_row(row));
}
SIMD_INLINE void simd_stream_row_bf16(uint16_t *p, const vec *row)
{
    _mm512_stream_si512((__m512i *)(void *)p, simd_pack_row(row));
}

/* ---- 256 bits ------------------------------------------------------------------------------------------------ */
#elif defined(__AVX2__)
#define VEC_WIDTH ((ptrdiff_t)8)
typedef __m256 vec;
typedef __m256 vec_mask;

SIMD_INLINE vec vec_set(float value)
{
    return _mm256_set1_ps(value);
}
SIMD_INLINE vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
SIMD_INLINE void vec_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}
SIMD_INLINE void vec_stream(float *p, vec v)
{
    _mm256_stream_ps(p, v);
}
SIMD_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
SIMD_INLINE vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}
SIMD_INLINE vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}
SIMD_INLINE vec vec_sqrt(vec a)
{
    return _mm256_sqrt_ps(a);
}
SIMD_INLINE vec vec_round(vec a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SIMD_INLINE vec vec_scale2(vec a, vec n) /* n <= 127; below 2^-126 counts as 0 */
{
    n = _mm256_max_ps(n, _mm256_set1_ps(-127.0f));
    __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(bits));
}
SIMD_INLINE vec_mask vec_above(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
SIMD_INLINE uint32_t vec_bits(vec_mask mask)
{
    return (uint32_t)_mm256_movemask_ps(mask);
}
SIMD_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int32_t)bits), each), each));
}
SIMD_INLINE vec_mask vec_equal(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
SIMD_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_NLE_UQ);
}
SIMD_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, mask);
}
SIMD_INLINE vec vec_keep(vec_mask mask, vec a)
{
    return _mm256_and_ps(mask, a);
}
SIMD_INLINE float vec_sum(vec a)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
SIMD_INLINE float vec_highest(vec a)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
typedef __m256i vec_words;
SIMD_INLINE vec_words vec_round_bf16(vec a)
{
    return _mm256_add_epi32(_mm256_castps_si256(a), _mm256_set1_epi32(0x8000));
}
SIMD_INLINE vec vec_upper(vec_words a)
{
    return _mm256_castsi256_ps(_mm256_and_si256(a, _mm256_set1_epi32(-65536)));
}
SIMD_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high)
{
    _mm256_storeu_si256((__m256i *)p, _mm256_blend_epi16(_mm256_srli_epi32(low, 16), high, 0xaa));
}
SIMD_INLINE vec vec_load_bytes(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
SIMD_INLINE void vec_store_bytes(uint8_t *p, vec a)
{
    __m256i bits = _mm256_cvttps_epi32(a);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packus_epi16(words, words));
}

SIMD_INLINE void simd_load_row_bf16(vec *row, const uint16_t *p)
{
    for (ptrdiff_t i = 0; i < 4; i++) {
        __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p + 8 * i)));
        row[i] = _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    }
}
SIMD_INLINE __m256i simd_round_bf16(vec v) /* the sixteen high bits, moved low */
{
    __m256i bits = _mm256_castps_si256(v);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}
SIMD_INLINE __m256i simd_pack_row(const vec *pair) /* sixteen channels */
{
    __m256i mixed = _mm256_packus_epi32(simd_round_bf16(pair[0]), simd_round_bf16(pair[1]));
    return _mm256_permute4x64_epi64(mixed, 0xd8);
}
SIMD_INLINE void simd_store_row_bf16(uint16_t *p, const vec *row)
{
    _mm256_storeu_si256((__m256i *)(void *)p, simd_pack_row(row));
    _mm256_storeu_si256((__m256i *)(void *)(p + 16), simd_pack_row(row + 2));
}
SIMD_INLINE void simd_stream_row_bf16(uint16_t *p, const vec *row)
{
    _mm256_stream_si256((__m256i *)(void *)p, simd_pack_row(row));
    _mm256_stream_si256((__m256i *)(void *)(p + 16), simd_pack_row(row + 2));
}

/* ---- plain C with the compiler's vectors --------------------------------------------------------------------- */
#else
#define VEC_WIDTH ((ptrdiff_t)4)
typedef float vec __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));

SIMD_INLINE vec vec_set(float value)
{
    return (vec){value, value, value, value};
}
SIMD_INLINE vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
SIMD_INLINE void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}
SIMD_INLINE void vec_stream(float *p, vec v)
{
    vec_store(p, v);
}
SIMD_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
SIMD_INLINE vec_mask vec_above(vec a, vec b)
{
    return a > b;
}
SIMD_INLINE uint32_t vec_bits(vec_mask mask)
{
    return (mask[0] & 1u) | (mask[1] & 2u) | (mask[2] & 4u) | (mask[3] & 8u);
}
SIMD_INLINE vec_mask vec_mask_of(uint32_t bits)
{
    const vec_mask each = {1, 2, 4, 8}, all = {(int32_t)bits, (int32_t)bits, (int32_t)bits, (int32_t)bits};
    return (all & each) == each;
}
SIMD_INLINE vec_mask vec_equal(vec a, vec b)
{
    return a == b;
}
SIMD_INLINE vec_mask vec_not_at_most(vec a, vec b)
{
    return ~(a <= b);
}
SIMD_INLINE vec vec_select(vec_mask mask, vec yes, vec no)
{
    return (vec)(((vec_mask)yes & mask) | ((vec_mask)no & ~mask));
}
SIMD_INLINE vec vec_keep(vec_mask mask, vec a)
{
    return (vec)((vec_mask)a & mask);
}
SIMD_INLINE vec vec_max(vec a, vec b)
{
    return vec_select(a > b, a, b);
}
SIMD_INLINE vec vec_min(vec a, vec b)
{
    return vec_select(a < b, a, b);
}
SIMD_INLINE vec vec_sqrt(vec a)
{
    for (int i = 0; i < VEC_WIDTH; i++) a[i] = __builtin_sqrtf(a[i]);
    return a;
}
SIMD_INLINE vec vec_round(vec a) /* |a| < 2^22: adding 1.5 2^23 leaves no bit for a fraction */
{
    const vec big = vec_set(12582912.0f);
    return (a + big) - big;
}
SIMD_INLINE vec vec_scale2(vec a, vec n)
{
    vec_mask bits = {0};
    for (int i = 0; i < VEC_WIDTH; i++) bits[i] = n[i] > -127.0f ? ((int32_t)n[i] + 127) << 23 : 0;
    return a * (vec)bits;
}
SIMD_INLINE float vec_sum(vec a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}
SIMD_INLINE float vec_highest(vec a)
{
    float low = a[0] > a[1] ? a[0] : a[1], high = a[2] > a[3] ? a[2] : a[3];
    return low > high ? low : high;
}
typedef uint32_t vec_words __attribute__((vector_size(16)));
SIMD_INLINE vec_words vec_round_bf16(vec a)
{
    return (vec_words)a + 0x8000u;
}
SIMD_INLINE vec vec_upper(vec_words a)
{
    return (vec)(a & 0xffff0000u);
}
SIMD_INLINE void vec_store_pairs(void *p, vec_words low, vec_words high)
{
    const vec_words pairs = (low >> 16) | (high & 0xffff0000u);
    memcpy(p, &pairs, sizeof pairs);
}
SIMD_INLINE vec vec_load_bytes(const uint8_t *p)
{
    return (vec){p[0], p[1], p[2], p[3]};
}
SIMD_INLINE void vec_store_bytes(uint8_t *p, vec a)
{
    for (int i = 0; i < VEC_WIDTH; i++) p[i] = (uint8_t)a[i];
}
SIMD_INLINE void simd_load_row_bf16(vec *row, const uint16_t *p)
{
    float values[32];
    for (int i = 0; i < 32; i++) values[i] = bf16_to_float(p[i]);
    for (int i = 0; i < 8; i++) row[i] = vec_load(values + VEC_WIDTH * i);
}
SIMD_INLINE void simd_store_row_bf16(uint16_t *p, const vec *row)
{
    float values[32];
    for (int i = 0; i < 8; i++) vec_store(values + VEC_WIDTH * i, row[i]);
    for (int i = 0; i < 32; i++) p[i] = bf16_from_float(values[i]);
}
SIMD_INLINE void simd_stream_row_bf16(uint16_t *p, const vec *row)
{
    simd_store_row_bf16(p, row);
}
#endif

/* ---- rows of 32 channels, in either type --------------------------------------------------------------------- */
enum { VEC_ROW = 32 / VEC_WIDTH };

SIMD_INLINE void row_load(vec *row, const void *base, ptrdiff_t element, int bf16)
{
    if (bf16) {
        simd_load_row_bf16(row, (const uint16_t *)base + element);
    } else {
        for (ptrdiff_t i = 0; i < VEC_ROW; i++) row[i] = vec_load((const float *)base + element + VEC_WIDTH * i);
    }
}

SIMD_INLINE void row_store(void *base, ptrdiff_t element, const vec *row, int bf16)
{
    if (bf16) {
        simd_store_row_bf16((uint16_t *)base + element, row);
    } else {
        for (int i = 0; i < VEC_ROW; i++) vec_store((float *)base + element + VEC_WIDTH * i, row[i]);
    }
}

/* The same past the caches; simd_stream_end before another thread may read it. */
SIMD_INLINE void row_stream(void *base, ptrdiff_t element, const vec *row, int bf16)
{
    if (bf16) {
        simd_stream_row_bf16((uint16_t *)base + element, row);
    } else {
        for (int i = 0; i < VEC_ROW; i++) vec_stream((float *)base + element + VEC_WIDTH * i, row[i]);
    }
}
SIMD_INLINE void simd_stream_end(void)
{
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

/* Four bytes for a row: bit i is set where channel i is positive (not for a NaN). */
SIMD_INLINE void row_store_signs(uint8_t *p, const vec *row)
{
    uint32_t bits = 0;
    for (int i = 0; i < VEC_ROW; i++) bits |= vec_bits(vec_above(row[i], vec_set(0))) << (VEC_WIDTH * i);
    memcpy(p, &bits, sizeof bits);
}

/* Zero where the bit is not set. */
SIMD_INLINE void row_keep_signs(vec *row, const uint8_t *p)
{
    uint32_t bits;
    memcpy(&bits, p, sizeof bits);
    for (int i = 0; i < VEC_ROW; i++) row[i] = vec_keep(vec_mask_of(bits >> (VEC_WIDTH * i)), row[i]);
}

SIMD_INLINE void row_fill(vec *row, float value)
{
    for (int i = 0; i < VEC_ROW; i++) row[i] = vec_set(value);
}

#endif
