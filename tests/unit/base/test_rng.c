/* Philox against the published known answers, and the distributions drawn from it. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

static void assert_block(struct philox_block block, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    assert_int_equal(block.word[0], a);
    assert_int_equal(block.word[1], b);
    assert_int_equal(block.word[2], c);
    assert_int_equal(block.word[3], d);
}

/* Random123's kat_vectors, philox4x32-10. */
static void known_answers(void **state)
{
    (void)state;
    const uint32_t ones = 0xFFFFFFFFu;
    assert_block(philox(0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
    assert_block(philox(UINT64_MAX, ones, ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
    assert_block(philox(0x299f31d0a4093822u, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), 0xd16cfe09, 0x94fdcceb,
                 0x5001e420, 0x24126ea1);
}

static void stream_is_the_documented_counter(void **state)
{
    (void)state;
    struct rng rng = rng_open(77, RNG_VIEW, 5, 1234, 1);
    for (uint32_t block = 0; block < 3; block++) {
        const struct philox_block expected = philox(77, block, (uint32_t)RNG_VIEW << 24 | 1, 1234, 5);
        for (int i = 0; i < 4; i++) assert_int_equal(rng_word(&rng), expected.word[i]);
    }
}

static void streams_differ_in_every_coordinate(void **state)
{
    (void)state;
    struct rng base = rng_open(1, RNG_VIEW, 2, 3, 0);
    struct rng other[] = {rng_open(2, RNG_VIEW, 2, 3, 0), rng_open(1, RNG_SHUFFLE, 2, 3, 0),
                          rng_open(1, RNG_VIEW, 3, 3, 0), rng_open(1, RNG_VIEW, 2, 4, 0),
                          rng_open(1, RNG_VIEW, 2, 3, 1)};
    const uint32_t first = rng_word(&base);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) assert_int_not_equal(rng_word(&other[i]), first);
}

static void uniform_has_the_right_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double draw = rng_uniform(&rng);
        assert_true(draw >= 0 && draw < 1);
        assert_true(draw * 0x1p24 == floor(draw * 0x1p24));
        sum += draw;
        squares += draw * draw;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 4 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(squares / DRAWS - 1.0 / 3) < 4 * sqrt(4.0 / 45 / DRAWS));
    const double between = rng_between(&rng, -3, -2);
    assert_true(between >= -3 && between < -2);
}

/* Chi-squared with 6 degrees of freedom; 22.46 is its 99.9 % point. */
static void below_is_unbiased(void **state)
{
    (void)state;
    enum { DRAWS = 70000, BOUND = 7 };
    struct rng rng = rng_open(4, RNG_TEST, 0, 0, 0);
    int counts[BOUND] = {0};
    for (int i = 0; i < DRAWS; i++) counts[rng_below(&rng, BOUND)]++;
    double chi = 0;
    for (int i = 0; i < BOUND; i++) chi += pow(counts[i] - DRAWS / BOUND, 2) / (DRAWS / BOUND);
    assert_true(chi < 22.46);
    /* bound = 3/4 of 2^32: without rejection, one residue in three would come twice as often (half of all draws). */
    const uint32_t bound = 0xC0000000u;
    int residue[3] = {0};
    for (int i = 0; i < 30000; i++) residue[rng_below(&rng, bound) % 3]++;
    for (int i = 0; i < 3; i++) assert_true(abs(residue[i] - 10000) < 400);
    assert_int_equal(rng_below(&rng, 1), 0);
    assert_int_equal(rng_below(&rng, 0), 0);
}

static void normal_has_the_right_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct rng rng = rng_open(5, RNG_TEST, 0, 0, 0);
    double moment[5] = {0};
    int beyond_two = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double draw = rng_normal(&rng);
        assert_true(isfinite(draw));
        for (int power = 1; power <= 4; power++) moment[power] += pow(draw, power) / DRAWS;
        beyond_two += fabs(draw) > 2;
    }
    assert_true(fabs(moment[1]) < 4 * sqrt(1.0 / DRAWS));
    assert_true(fabs(moment[2] - 1) < 4 * sqrt(2.0 / DRAWS));
    assert_true(fabs(moment[3]) < 4 * sqrt(15.0 / DRAWS));
    assert_true(fabs(moment[4] - 3) < 4 * sqrt(96.0 / DRAWS));
    assert_true(fabs((double)beyond_two / DRAWS - 0.0455) < 0.002);
}

static void name_hash_is_fnv1a(void **state)
{
    (void)state;
    assert_int_equal(rng_name_hash(""), 0x811c9dc5u);
    assert_int_equal(rng_name_hash("a"), 0xe40c292cu);
    assert_int_equal(rng_name_hash("foobar"), 0xbf9cf968u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(stream_is_the_documented_counter),
        cmocka_unit_test(streams_differ_in_every_coordinate),
        cmocka_unit_test(uniform_has_the_right_moments),
        cmocka_unit_test(below_is_unbiased),
        cmocka_unit_test(normal_has_the_right_moments),
        cmocka_unit_test(name_hash_is_fnv1a),
    };
    return run_cases(tests, NULL, NULL);
}
