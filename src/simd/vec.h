/* simd/vec.h -- one vector of floats, as wide as the instruction set makes it that the including file is compiled for.
 *
 * Kernel bodies (*_body.h) are written once against these names, and compiled once per instruction set: the ending of a
 * file's name chooses the set (cmake/backend_flags.cmake). Each set is one file with all of the names below, each with
 * the one meaning that it has here. Only this header chooses among them, and only kernels include it.
 *
 * Constants (macros, so that #if can ask):
 *     VEC_LANES                    floats in a vector
 *     VEC_REGISTERS                vectors that the processor holds in registers
 *
 * Types. +, -, * and / work on vec; +, -, &, | and shifts on vec_words; a cast between the two keeps the bits.
 *     vec, vec_words, vec_mask     floats; words of 32 bits, unsigned; yes or no for each lane
 *
 * Memory. A pointer need not be aligned, except to stream: there to the bytes that are written.
 *     vec_load(p), vec_store(p, v)               VEC_LANES floats
 *     vec_stream(p, v)                           past the caches
 *     vec_stream_end()                           after streaming, before another thread may read
 *     vec_broadcast(p)                           the float at p in all lanes
 *     vec_broadcast_pair(p, &low, &high)         the two bf16 of the word at p, each in all lanes of a vec
 *     vec_ahead(p, here, next, n)                the vector at p + n, n a constant; here is at p, next behind it
 *     vec_load_bytes(p), vec_store_bytes(p, v)   whole numbers 0..255 as bytes
 *     vec_store_pairs(p, low, high)              upper halves of words: lane i is low[i], then high[i]
 *
 * bf16 in memory. Rounding is to nearest, ties to even. A line is the 32 numbers of a line of cache, as 32 / VEC_LANES
 * vectors. AVX512-BF16's instructions take a subnormal number for 0; all other rounding gives the same bits.
 *     vec_load_bf16(p), vec_store_bf16(p, v)     a NaN stays one
 *     vec_load_line_bf16(line, p), vec_store_line_bf16(p, line), vec_stream_line_bf16(p, line)
 *     vec_store_number_bf16(p, v)                not for a NaN, which saves the test for one
 *     vec_stream_number_bf16(p, first, second)   the same, the second behind the first
 *
 * Arithmetic, by lanes.
 *     vec_set(x), vec_zero()       the same in all lanes
 *     vec_add(a, b)                a + b, for ?: and wherever a vec must come out, which + alone does not give
 *     vec_fma(a, b, c)             a b + c, rounded once where the instruction set can; plain C rounds twice
 *     vec_min(a, b), vec_max(a, b) b where either is a NaN
 *     vec_positive(v)              ReLU; a NaN stays
 *     vec_clamp(v)                 into [0, 1]; a NaN becomes 0
 *     vec_abs(v)                   without its sign
 *     vec_round(v)                 to the nearest whole number, ties to even; |v| < 2^22
 *     vec_scale2(v, n)             v 2^n, n whole and at most 127; below 2^-126 the power counts as 0
 *
 * Masks.
 *     vec_equal(a, b), vec_above(a, b)           no where either is a NaN
 *     vec_not_at_most(a, b)                      yes where either is a NaN
 *     vec_select(mask, yes, no), vec_keep(mask, v)   the second: else 0
 *     vec_bits(mask), vec_mask_of(bits)          bit i is lane i; of the bits only the low VEC_LANES count
 *
 * Between lanes.
 *     vec_sum(v), vec_highest(v)   of all lanes; sums of the halves, of their halves, ...
 *     vec_reverse(v)               the last lane first
 *     vec_transpose(rows)          rows[i][j] <-> rows[j][i], VEC_LANES rows */
#ifndef SIMD_VEC_H
#define SIMD_VEC_H

#include <stdint.h>
#include <string.h>

#include "simd/inline.h"

#if defined(__AVX512BF16__)
#include "simd/vec_avx512bf16.h"
#elif defined(__AVX512F__)
#include "simd/vec_avx512.h"
#elif defined(__AVX2__)
#include "simd/vec_avx2.h"
#else
#include "simd/vec_portable.h"
#endif

/* ---- what follows from the others ---- */
ALWAYS_INLINE vec vec_zero(void)
{
    return vec_set(0.0f);
}
ALWAYS_INLINE vec vec_broadcast(const void *p)
{
    float value;
    memcpy(&value, p, sizeof value);
    return vec_set(value);
}
ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return a + b;
}
ALWAYS_INLINE vec vec_positive(vec v)
{
    return vec_max(vec_zero(), v); /* in this order a NaN stays */
}
ALWAYS_INLINE vec vec_clamp(vec v)
{
    return vec_min(vec_max(v, vec_zero()), vec_set(1.0f));
}

#endif
