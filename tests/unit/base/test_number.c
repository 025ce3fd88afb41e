/* Floats as text, shortest and exact; half precision; CRCs that are put together; files that are gone back in. */
#include "support/run.h"

#include <math.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/half.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "support/folder.h"

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

/* Digits that are neither zeros before nor zeros behind all others. */
static int digits_of(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') continue;
        if (*text == '0') {
            zeros += count > 0;
            continue;
        }
        count += zeros + 1;
        zeros = 0;
    }
    return count;
}

/* Of a text whose reader rounds once, and of one whose reader makes a double of it first. */
static void assert_comes_back(float value)
{
    char text[NUMBER_TEXT], longer[NUMBER_TEXT];
    number_format_float(value, text);
    if (bits_of(strtof(text, NULL)) != bits_of(value) || bits_of((float)number_read(text, NULL)) != bits_of(value))
        fail_msg("%.9g became %s", (double)value, text);
    if (fabsf(value) < 1e-9f || fabsf(value) > 1e9f) return;
    for (int digits = 1; digits < digits_of(text); digits++) {
        snprintf(longer, sizeof longer, "%.*e", digits - 1, (double)value);
        if (bits_of(strtof(longer, NULL)) == bits_of(value)) fail_msg("%s is longer than %s", text, longer);
    }
}

static void floats_come_back(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0f, "-0"},
                 {1, "1"},
                 {-0.015625f, "-0.015625"},
                 {0.1f, "0.1"},
                 {1e-4f, "0.0001"},
                 {1e-5f, "1e-05"},
                 {1200, "1200"},
                 {16777216, "16777216"},
                 {1e15f, "1000000000000000"},
                 {1e16f, "1e+16"},
                 {9.5e-7f, "9.5e-07"},
                 {63040072, "63040070"},
                 {3.4028235e38f, "3.4028235e+38"},
                 {1e-45f, "1e-45"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_TEXT];
        number_format_float(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
    struct rng rng = rng_open(15, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 200000; i++) {
        const uint32_t bits = rng_word(&rng), usual = (bits & 0x807fffffu) | (110u + (bits >> 24) % 20u) << 23;
        if ((bits & 0x7f800000u) != 0x7f800000u) assert_comes_back(float_of(bits));
        assert_comes_back(float_of(usual));
        assert_comes_back(float_of(usual & 0xffffe000u));
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++) /* powers of two: neighbours at two distances */
        for (uint32_t near = 0; near < 3; near++) assert_comes_back(float_of((exponent << 23) + near - (exponent > 0)));
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t half;
    } cases[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3c00},
                 {65504, 0x7bff},
                 {65519.996f, 0x7bff},
                 {65520, 0x7c00},
                 {0x1p-24f, 1},
                 {0x1p-25f, 0},
                 {0x1.000002p-25f, 1},
                 {0x3p-25f, 2},
                 {2049, 0x6800},
                 {2051, 0x6802},
                 {0x1.ffep-15f, 0x0400},
                 {-1.5f, 0xbe00},
                 {INFINITY, 0x7c00}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (half_from_float(cases[i].value) != cases[i].half)
            fail_msg("%.9g became %04x, not %04x", (double)cases[i].value, half_from_float(cases[i].value),
                     cases[i].half);
    assert_true(isnan(half_to_float(half_from_float(NAN))));
    for (uint32_t half = 0; half < 0x10000; half++) {
        const float value = half_to_float((uint16_t)half);
        if (isnan(value)) continue;
        assert_int_equal(half_from_float(value), half);
        /* between two halves the nearer one is taken; the one that is even in the middle */
        if ((half & 0x7fff) >= 0x7bff) continue;
        const float next = half_to_float((uint16_t)(half + 1)), middle = (value + next) / 2;
        assert_int_equal(half_from_float(middle), half + (half & 1));
        assert_int_equal(half_from_float(nextafterf(middle, value)), half);
        assert_int_equal(half_from_float(nextafterf(middle, next)), half + 1);
    }
}

static void crcs_are_put_together(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * i + 3 * i);
    const uint32_t whole = crc32c(bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += cut < 20 ? 1 : 49)
        assert_int_equal(
            crc32c_combine(crc32c(bytes, cut), crc32c(bytes + cut, sizeof bytes - cut), sizeof bytes - cut), whole);
}

static void files_are_gone_back_in(void **state)
{
    (void)state;
    struct file_writer *writer;
    struct error error = {0};
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_writer_open(&writer, at("patched"), &error), SIMCLR_OK);
    assert_true(file_writer_goes_back(writer));
    file_writer_write(writer, "0123456789", 10);
    file_writer_patch(writer, 2, "ab", 2);
    file_writer_write(writer, "xyz", 3);
    assert_int_equal(file_writer_commit(&writer, &error), SIMCLR_OK);
    assert_int_equal(file_read(at("patched"), 100, &bytes, &count, &error), SIMCLR_OK);
    assert_int_equal(count, 13);
    assert_memory_equal(bytes, "01ab456789xyz", 13);
    memory_free(bytes);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(file_writer_open(&writer, at("../../proc/self/fd/%d", ends[1]), &error), SIMCLR_OK);
    assert_false(file_writer_goes_back(writer));
    file_writer_write(writer, "0123456789", 10);
    file_writer_patch(writer, 2, "ab", 2);
    assert_int_equal(file_writer_commit(&writer, &error), SIMCLR_IO);
    close(ends[0]);
    close(ends[1]);
}

static void names_beside_a_file(void **state)
{
    (void)state;
    static const char *const cases[][4] = {{"dir/features.npy", ".npy", ".txt", "dir/features.txt"},
                                           {"features.bin", ".npy", ".txt", "features.bin.txt"},
                                           {".npy", ".npy", ".txt", ".npy.txt"},
                                           {"features", "", ".npy", "features.npy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *name = file_beside(cases[i][0], cases[i][1], cases[i][2]);
        assert_string_equal(name, cases[i][3]);
        memory_free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_come_back),      cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(crcs_are_put_together), cmocka_unit_test(files_are_gone_back_in),
        cmocka_unit_test(names_beside_a_file),
    };
    return run_cases(tests, make_folder, remove_folder);
}
