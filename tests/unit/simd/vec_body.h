/* Every name of simd/vec.h, held to plain C lane by lane. vec_*.c compile it, each for the instruction set of its
 * ending, after defining VEC_CASES, the name of its list of cases in vec_cases.h. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdbool.h>

#include "base/bf16.h"
#include "simd/vec.h"
#include "unit/simd/vec_cases.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Equal bits; any NaN is as good as another. */
static void same(float is, float should)
{
    if (isnan(is) && isnan(should)) return;
    assert_int_equal(bits_of(is), bits_of(should));
}

static void same_lanes(vec is, const float *should)
{
    float lanes[VEC_LANES];
    vec_store(lanes, is);
    for (int i = 0; i < VEC_LANES; i++) same(lanes[i], should[i]);
}

static const float VALUES[VEC_LANES + 20] = {1.5f,   -2.25f, 0.0f, -0.0f, 3e38f, 1e-41f,  0.75f,    -7.0f,
                                             100.5f, 2.5f,   3.5f, -0.5f, 1e-3f, -1e-20f, 12345.0f, 0.25f,
                                             -3.0f,  8.0f,   0.1f, 0.2f,  0.3f,  0.4f,    0.5f,     0.6f};

static void memory(void **state)
{
    (void)state;
    _Alignas(64) float out[VEC_LANES + 1];
    const vec v = vec_load(VALUES + 1), next = vec_load(VALUES + 1 + VEC_LANES);
    vec_store(out + 1, v);
    assert_memory_equal(out + 1, VALUES + 1, sizeof v);
    vec_stream(out, v);
    vec_stream_end();
    assert_memory_equal(out, VALUES + 1, sizeof v);
    float all[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) all[i] = VALUES[1];
    same_lanes(vec_broadcast(VALUES + 1), all);
    same_lanes(vec_set(VALUES[1]), all);
    memset(all, 0, sizeof all);
    same_lanes(vec_zero(), all);
    same_lanes(vec_ahead(VALUES + 1, v, next, 1), VALUES + 2);
    same_lanes(vec_ahead(VALUES + 1, v, next, 3), VALUES + 4);
    uint8_t bytes[VEC_LANES], back[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) all[i] = (float)(bytes[i] = (uint8_t)(255 - 17 * i));
    same_lanes(vec_load_bytes(bytes), all);
    vec_store_bytes(back, vec_load(all));
    assert_memory_equal(back, bytes, sizeof bytes);
}

static void arithmetic(void **state)
{
    (void)state;
    float a[VEC_LANES], b[VEC_LANES], out[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) a[i] = VALUES[i], b[i] = VALUES[(i + 5) % VEC_LANES];
    const vec x = vec_load(a), y = vec_load(b);
    for (int i = 0; i < VEC_LANES; i++) out[i] = a[i] + b[i];
    same_lanes(vec_add(x, y), out);
    for (int i = 0; i < VEC_LANES; i++) out[i] = fabsf(a[i]);
    same_lanes(vec_abs(x), out);
    for (int i = 0; i < VEC_LANES; i++) out[i] = a[i] > 0 ? a[i] < 1 ? a[i] : 1 : 0;
    vec_store(a, vec_clamp(x));
    for (int i = 0; i < VEC_LANES; i++) assert_true(a[i] == out[i]);
    float sums[VEC_LANES], whole[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) sums[i] = (float)(i * i - 9), whole[i] = (float)(3 * i - 7);
    for (int i = 0; i < VEC_LANES; i++) out[i] = sums[i] * whole[i] + 0.5f; /* exact: with and without fma */
    same_lanes(vec_fma(vec_load(sums), vec_load(whole), vec_set(0.5f)), out);
    for (int i = 0; i < VEC_LANES; i++) sums[i] = (float)i - 2.5f, out[i] = rintf(sums[i]);
    vec_store(a, vec_round(vec_load(sums)));
    for (int i = 0; i < VEC_LANES; i++) assert_true(a[i] == out[i]);
    for (int i = 0; i < VEC_LANES; i++) sums[i] = (float)(i % 4 * 40 - 100), out[i] = ldexpf(1.25f, (int)sums[i]);
    same_lanes(vec_scale2(vec_set(1.25f), vec_load(sums)), out);
    same_lanes(vec_scale2(vec_set(1.25f), vec_set(-200.0f)), (const float[VEC_LANES]){0});
}

/* Which operand a NaN chooses, and what masks say of it. */
static void not_a_number(void **state)
{
    (void)state;
    const vec nan = vec_set(NAN), one = vec_set(1.0f), two = vec_set(2.0f);
    float ones[VEC_LANES], nans[VEC_LANES], zeros[VEC_LANES] = {0};
    for (int i = 0; i < VEC_LANES; i++) ones[i] = 1, nans[i] = NAN;
    same_lanes(vec_min(nan, one), ones);
    same_lanes(vec_max(nan, one), ones);
    same_lanes(vec_min(one, nan), nans);
    same_lanes(vec_max(one, nan), nans);
    same_lanes(vec_min(one, two), ones);
    same_lanes(vec_max(vec_zero(), one), ones);
    same_lanes(vec_positive(nan), nans);
    same_lanes(vec_positive(vec_zero() - one), zeros);
    same_lanes(vec_clamp(nan), zeros);
    const uint32_t all = (uint32_t)((1ull << VEC_LANES) - 1);
    assert_int_equal(vec_bits(vec_equal(nan, nan)), 0);
    assert_int_equal(vec_bits(vec_equal(one, one)), all);
    assert_int_equal(vec_bits(vec_above(nan, one)), 0);
    assert_int_equal(vec_bits(vec_above(one, one)), 0);
    assert_int_equal(vec_bits(vec_above(two, one)), all);
    assert_int_equal(vec_bits(vec_not_at_most(nan, one)), all);
    assert_int_equal(vec_bits(vec_not_at_most(one, nan)), all);
    assert_int_equal(vec_bits(vec_not_at_most(one, one)), 0);
}

static void masks(void **state)
{
    (void)state;
    const vec yes = vec_load(VALUES), no = vec_load(VALUES + 3);
    for (uint32_t bits = 0; bits < 1u << VEC_LANES; bits += VEC_LANES == 16 ? 977 : 1) {
        const vec_mask mask = vec_mask_of(bits | 0xffff0000u); /* what is above the lanes counts for nothing */
        float select[VEC_LANES], keep[VEC_LANES];
        for (int i = 0; i < VEC_LANES; i++) {
            select[i] = bits >> i & 1 ? VALUES[i] : VALUES[i + 3];
            keep[i] = bits >> i & 1 ? VALUES[i] : 0;
        }
        assert_int_equal(vec_bits(mask), bits);
        same_lanes(vec_select(mask, yes, no), select);
        same_lanes(vec_keep(mask, yes), keep);
    }
}

static void between_lanes(void **state)
{
    (void)state;
    float a[VEC_LANES], out[VEC_LANES], total = 0, block[VEC_LANES * VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) a[i] = (float)((7 * i) % VEC_LANES - 3), total += a[i];
    for (int i = 0; i < VEC_LANES; i++) out[i] = a[VEC_LANES - 1 - i];
    same(vec_sum(vec_load(a)), total);
    same(vec_highest(vec_load(a)), (float)(VEC_LANES - 4));
    same_lanes(vec_reverse(vec_load(a)), out);
    vec rows[VEC_LANES];
    for (ptrdiff_t i = 0; i < VEC_LANES * VEC_LANES; i++) block[i] = (float)i;
    for (ptrdiff_t i = 0; i < VEC_LANES; i++) rows[i] = vec_load(block + i * VEC_LANES);
    vec_transpose(rows);
    for (int i = 0; i < VEC_LANES; i++) {
        for (int j = 0; j < VEC_LANES; j++) out[j] = (float)(j * VEC_LANES + i);
        same_lanes(rows[i], out);
    }
}

/* The scalar rounding, but that AVX512-BF16 takes a subnormal number for 0. */
static uint16_t rounded(float value)
{
#if defined(__AVX512BF16__)
    if (fpclassify(value) == FP_SUBNORMAL) return (uint16_t)(signbit(value) ? 0x8000 : 0);
#endif
    return bf16_from_float(value);
}

/* 32 floats from `bits` on, `step` apart, by all ways into bf16 and back. */
static void round_line(uint32_t bits, uint32_t step)
{
    enum { LINE = 32 / VEC_LANES };
    _Alignas(64) uint16_t stored[32], streamed[32], single[32], number[32], pair[32];
    float values[32];
    vec line[LINE], back[LINE];
    bool numbers = true;
    for (uint32_t i = 0; i < 32; i++) values[i] = float_of(bits + i * step), numbers = numbers && !isnan(values[i]);
    for (ptrdiff_t i = 0; i < LINE; i++) line[i] = vec_load(values + i * VEC_LANES);
    vec_store_line_bf16(stored, line);
    vec_stream_line_bf16(streamed, line);
    for (ptrdiff_t i = 0; i < LINE; i++) vec_store_bf16(single + i * VEC_LANES, line[i]);
    for (ptrdiff_t i = 0; i < LINE; i++) vec_store_number_bf16(number + i * VEC_LANES, line[i]);
    for (ptrdiff_t i = 0; i < LINE; i += 2) vec_stream_number_bf16(pair + i * VEC_LANES, line[i], line[i + 1]);
    vec_stream_end();
    for (int i = 0; i < 32; i++) {
        assert_int_equal(stored[i], rounded(values[i]));
        if (numbers) assert_int_equal(number[i], bf16_from_float(values[i]));
    }
    assert_memory_equal(streamed, stored, sizeof stored);
    assert_memory_equal(single, stored, sizeof stored);
    if (numbers) assert_memory_equal(pair, number, sizeof number);
    vec_load_line_bf16(back, stored);
    for (ptrdiff_t i = 0; i < LINE; i++) {
        float should[VEC_LANES];
        for (ptrdiff_t j = 0; j < VEC_LANES; j++) should[j] = bf16_to_float(stored[i * VEC_LANES + j]);
        same_lanes(back[i], should);
        same_lanes(vec_load_bf16(stored + i * VEC_LANES), should);
    }
}

/* Around every tie of every bf16, infinities and NaNs too. */
static void rounding(void **state)
{
    (void)state;
    static const uint32_t LOWER[] = {0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (size_t i = 0; i < sizeof LOWER / sizeof LOWER[0]; i++)
        for (uint32_t upper = 0; upper < 0x10000; upper += 32) round_line(upper << 16 | LOWER[i], 0x10000);
    for (uint32_t i = 0; i < 4096; i++) round_line(i * 2654435761u, 40503u * 65537u);
}

static void words(void **state)
{
    (void)state;
    vec low, high;
    const uint32_t word = 0xc0203f80u; /* -2.5 above, 1 below */
    vec_broadcast_pair(&word, &low, &high);
    float ones[VEC_LANES], others[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) ones[i] = 1.0f, others[i] = -2.5f;
    same_lanes(low, ones);
    same_lanes(high, others);
    uint32_t out[VEC_LANES];
    vec_store_pairs(out, (vec_words)low + 0x1234u, (vec_words)high + 0x1234u);
    for (int i = 0; i < VEC_LANES; i++) assert_int_equal(out[i], word);
}

const struct CMUnitTest VEC_CASES[VEC_CASE_COUNT] = {
    cmocka_unit_test(memory),   cmocka_unit_test(arithmetic), cmocka_unit_test(not_a_number),  cmocka_unit_test(masks),
    cmocka_unit_test(rounding), cmocka_unit_test(words),      cmocka_unit_test(between_lanes),
};
