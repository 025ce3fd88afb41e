/* The emulated tiles against the definition of their instructions, the packing of operands in both implementations, and
 * which convolutions take tiles. (Whole convolutions on emulated tiles are in the tests of every variant.) */
#include "ops/ops.h"

#include "backend/cpu/conv/conv_tiles.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/tiles/tile.h"
#include "backend/cpu/tiles/tile_pack.h"

static void fill_bf16(uint16_t *out, size_t count, uint32_t item)
{
    struct rng rng = rng_open(7, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) out[i] = bf16_from_float((float)rng_normal(&rng));
}

/* C += A B with A [16][pairs][2], B [pairs][16][2], as the manual writes it: even and odd sums apart, then joined. */
static void naive_product(float *c, const uint16_t *a, const uint16_t *b, int pairs, ptrdiff_t a_stride)
{
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 16; n++) {
            float sum[2] = {0, 0};
            for (int p = 0; p < pairs; p++)
                for (int odd = 0; odd < 2; odd++)
                    sum[odd] = fmaf(bf16_to_float(a[m * a_stride + 2 * p + odd]),
                                    bf16_to_float(b[(p * 16 + n) * 2 + odd]), sum[odd]);
            c[m * 16 + n] += sum[0] + sum[1];
        }
}

static void test_product(void **state)
{
    (void)state;
    enum { STRIDE = 50 };
    for (int pairs = 1; pairs <= 16; pairs += 5) {
        uint16_t a[16 * STRIDE], b[16 * 32];
        float c[256], got[256];
        struct tiles tiles;
        memset(a, 0xff, sizeof a); /* NaN past the pairs: must not be read */
        memset(b, 0xff, sizeof b);
        for (int row = 0; row < 16; row++) fill_bf16(a + row * STRIDE, (size_t)(2 * pairs), (uint32_t)row);
        fill_bf16(b, (size_t)(32 * pairs), 99);
        for (int i = 0; i < 256; i++) c[i] = (float)i / 16;
        tile_begin(&tiles, pairs);
        TILE_LOAD(&tiles, 3, c, 64);
        TILE_LOAD(&tiles, 6, a, STRIDE * 2);
        TILE_LOAD(&tiles, 7, b, 64);
        for (int i = 0; i < 3; i++) {
            TILE_DOT(&tiles, 3, 6, 7);
            naive_product(c, a, b, pairs, STRIDE);
        }
        TILE_STORE(&tiles, 3, got, 64);
        tile_end(&tiles);
        assert_memory_equal(got, c, sizeof c); /* bit for bit */
    }
}

/* Denormal operands and results are zeros; infinities and NaN go through. */
static void test_special_values(void **state)
{
    (void)state;
    uint16_t a[512] = {0}, b[512] = {0};
    float c[256];
    struct tiles tiles;
    a[0] = 0x0001; /* row 0: a denormal times 2^120 */
    b[0] = bf16_from_float(0x1p120f);
    a[32] = bf16_from_float(0x1p-100f); /* row 1: 2^-100 times 2^120 */
    b[2] = bf16_from_float(0x1p-40f);   /* column 1: row 1 gives 2^-140 */
    a[64] = bf16_from_float(INFINITY);
    a[96] = bf16_from_float(NAN);
    b[4] = bf16_from_float(1); /* column 2 */
    tile_begin(&tiles, 16);
    TILE_LOAD(&tiles, 6, a, 64);
    TILE_LOAD(&tiles, 7, b, 64);
    TILE_DOT(&tiles, 0, 6, 7);
    TILE_STORE(&tiles, 0, c, 64);
    assert_true(c[0] == 0);
    assert_true(c[16] == 0x1p20f);
    assert_true(c[17] == 0);
    assert_true(c[2 * 16 + 2] == INFINITY);
    assert_true(isnan(c[3 * 16 + 2]));
}

enum { PITCH = 192 }; /* bytes */

static void check_packed(const char *x, const uint16_t *y, const void *const octets[4], int channels)
{
    for (int image = 0; image < 32; image++)
        for (int channel = 0; channel < channels; channel++) {
            const uint16_t *octet = octets[image / 8];
            const uint16_t want = octet ? octet[image % 8 * channels + channel] : 0;
            const int tile = channels == 32 ? channel % 2 : 0, column = channels == 32 ? channel / 2 : channel;
            uint16_t got;
            memcpy(&got, x + (ptrdiff_t)channel * PITCH + (ptrdiff_t)image * 2, sizeof got);
            assert_int_equal(got, want);
            assert_int_equal(y[tile * 512 + image / 2 * 32 + column * 2 + image % 2], want);
        }
    for (ptrdiff_t channel = 0; channel < 32; channel++) /* and nothing between the rows, nor after the last */
        for (ptrdiff_t i = channel < channels ? 64 : 0; i < PITCH; i++)
            assert_int_equal((unsigned char)x[channel * PITCH + i], 0xff);
}

static void check_packing(int channels, int absent)
{
    static uint16_t group[4][256], y[1024];
    static char x[32 * PITCH];
    const void *octets[4];
    for (int i = 0; i < 4 * 256; i++) group[i / 256][i % 256] = (uint16_t)(1 + i);
    for (int i = 0; i < 4; i++) octets[i] = absent >> i & 1 ? NULL : group[3 - i];
    memset(x, 0xff, sizeof x);
    tile_pack_x(x, PITCH, octets, 2 * (ptrdiff_t)channels, channels);
    tile_pack_y(y, octets, channels);
    check_packed(x, y, octets, channels);
#if defined(__x86_64__)
    if (!simd_runs("avx512")) {
        skip_part("this CPU lacks avx512");
        return;
    }
    memset(x, 0xff, sizeof x);
    memset(y, 0xff, sizeof y);
    tile_pack_x_avx512(x, PITCH, octets, 2 * (ptrdiff_t)channels, channels);
    tile_pack_y_avx512(y, octets, channels);
    check_packed(x, y, octets, channels);
#endif
}

static void test_packing(void **state)
{
    (void)state;
    for (int absent = 0; absent < 16; absent++) {
        check_packing(32, absent);
        check_packing(16, absent);
    }
}

static const char *algorithm_of(struct ops_target *target, const struct conv_desc *desc, char *out, size_t size)
{
    struct conv_plan *plan;
    struct error error;
    const int status = target->backend->ops->conv_create(target->backend, desc, &plan, &error);
    if (status != SIMCLR_OK) fail_msg("%s", error.text);
    snprintf(out, size, "%s", target->backend->ops->conv_algorithm(plan));
    target->backend->ops->conv_destroy(&plan);
    return out;
}

/* bf16 takes tiles, float32 never; images only if a kernel row fits into one. */
static void test_choice(void **state)
{
    (void)state;
    struct ops_target target;
    char text[64];
    struct conv_desc desc = {.dtype = DTYPE_BF16,
                             .batch = 16,
                             .in_channels = 32,
                             .out_channels = 32,
                             .in_height = 16,
                             .in_width = 16,
                             .kernel = 3,
                             .stride = 1,
                             .padding = 1,
                             .training = true};
    ops_open(&target, "cpu", "amx-emulated", 1);
    assert_non_null(strstr(algorithm_of(&target, &desc, text, sizeof text), "amx-emulated 3x2"));
    assert_int_equal(target.backend->ops->preferred(target.backend), DTYPE_BF16);
    desc.dtype = DTYPE_F32;
    assert_null(strstr(algorithm_of(&target, &desc, text, sizeof text), "amx"));
    desc.dtype = DTYPE_BF16;
    desc.input_layout = LAYOUT_IMAGES;
    desc.in_channels = 3;
    desc.kernel = 7;
    desc.padding = 3;
    assert_non_null(strstr(algorithm_of(&target, &desc, text, sizeof text), "amx-emulated"));
    desc.in_channels = 4;
    desc.kernel = 11;
    desc.padding = 5;
    assert_null(strstr(algorithm_of(&target, &desc, text, sizeof text), "amx"));
    ops_close(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_choice),
    };
    return run_cases(tests, NULL, NULL);
}
