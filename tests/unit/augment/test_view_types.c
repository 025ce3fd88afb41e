/* Views of bf16: the float32 view of the same draw, each value rounded to nearest even once, bit for bit. */
#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/chain.h"
#include "augment/views.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/tensor.h" /* bf16_from_float: what the network's side means by bf16 */

static const enum simd levels[] = {SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_AVX512_VBMI};
enum { LEVELS = 4, MOST = 128, CANARY = 64 };

static struct image noise(int width, int height, uint32_t item)
{
    struct image image;
    assert_int_equal(image_create(width, height, &image, NULL), SIMCLR_OK);
    struct rng rng = rng_open(6, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        const uint32_t word = rng_word(&rng);
        image.rgb[i] = (uint8_t)(word & 0x300 ? word : 0u - (word >> 31));
    }
    return image;
}

/* Renders `bytes` of a view, `shift` bytes behind a line of the cache, with scratch full of NaN and canaries around
 * both; draw NULL: the evaluation view. */
static void render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, void *out,
                   size_t shift)
{
    static _Alignas(64) uint8_t guarded[2 * CANARY + 3 * MOST * MOST * sizeof(float) + 64];
    const size_t scratch_bytes = view_scratch_bytes(policy, image->width, image->height);
    const size_t bytes = 3 * (size_t)policy->size * (size_t)policy->size * view_type_bytes(policy->type);
    uint8_t *scratch = memory_allocate(scratch_bytes + CANARY), *view = guarded + CANARY + shift;
    assert_true(scratch != NULL && bytes + shift + 2 * CANARY <= sizeof guarded);
    memset(scratch, 0xFF, scratch_bytes);
    memset(scratch + scratch_bytes, 0xA5, CANARY);
    view_scratch_prepare(policy, image->width, image->height, scratch);
    memset(guarded, 0xA5, sizeof guarded);
    memset(view, 0xFF, bytes);
    for (int again = 0; again < 2; again++) { /* nothing is left in the scratch that matters */
        if (draw)
            view_render(policy, draw, image, view, scratch);
        else
            view_render_evaluation(policy, image, view, scratch);
    }
    for (size_t i = 0; i < CANARY; i++)
        assert_true(scratch[scratch_bytes + i] == 0xA5 && view[bytes + i] == 0xA5 && view[-1 - (ptrdiff_t)i] == 0xA5);
    memcpy(out, view, bytes);
    memory_free(scratch);
}

/* A policy of which every operation, its order and its numbers are drawn. */
static struct view_policy random_policy(struct rng *rng, int size)
{
    static const char *const orders[] = {"", "blur,jitter", "sobel", "cutout,noise,gray", "solarize,blur"};
    struct view_policy policy = rng_below(rng, 2) ? view_policy_imagenet(size) : view_policy_cifar(size);
    const bool plain = rng_below(rng, 2); /* half of them end in the fused path */
    policy.jitter_probability = rng_uniform(rng);
    policy.jitter_strength = rng_between(rng, 0.0, 3.0);
    policy.gray_probability = rng_uniform(rng);
    policy.blur_probability = rng_uniform(rng);
    policy.blur_radius = (int)rng_below(rng, 17) - 1; /* beyond 11: kernels that are not unrolled */
    policy.blur_sigma_max = rng_between(rng, 0.2, 8.0);
    policy.filter = rng_below(rng, 4) ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR;
    if (plain) return policy;
    policy.solarize_probability = rng_uniform(rng) * 0.5;
    policy.rotate_probability = rng_uniform(rng) * 0.5;
    policy.sobel_probability = rng_uniform(rng) * 0.5;
    policy.noise_probability = rng_uniform(rng) * 0.5;
    policy.cutout_probability = rng_uniform(rng) * 0.5;
    policy.normalize = rng_below(rng, 3) == 0;
    assert_true(view_policy_set_order(&policy, orders[rng_below(rng, 5)]));
    return policy;
}

static void compare(struct view_policy policy, const struct view_draw *draw, const struct image *image, size_t shift)
{
    static float floats[3 * MOST * MOST];
    static uint16_t halves[3 * MOST * MOST];
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        policy.simd = levels[level];
        policy.type = VIEW_FLOAT32;
        render(&policy, draw, image, floats, 0);
        policy.type = VIEW_BF16;
        render(&policy, draw, image, halves, shift);
        for (int i = 0; i < 3 * policy.size * policy.size; i++)
            if (halves[i] != bf16_from_float(floats[i]))
                fail_msg("%s, size %d, value %d: %#x of %.9g, should be %#x", simd_name(levels[level]), policy.size, i,
                         halves[i], (double)floats[i], bf16_from_float(floats[i]));
    }
}

static void every_policy(void **state)
{
    (void)state;
    static const int sizes[] = {1, 7, 16, 31, 32, 33, 45, 47, 48, 64, 80, 96, 97, 112, MOST};
    static const int pictures[][2] = {{1, 1}, {40, 33}, {9, 70}, {160, 120}};
    int fused = 0, jitter = 0, gray = 0, blur = 0, others = 0, normalized = 0, reordered = 0;
    for (uint32_t i = 0; i < 600; i++) {
        struct rng rng = rng_open(9, RNG_TEST, 0, i, 0);
        const int *picture = pictures[rng_below(&rng, 4)];
        struct image image = noise(picture[0], picture[1], i);
        const int size = sizes[rng_below(&rng, sizeof sizes / sizeof *sizes)];
        const struct view_policy policy = random_policy(&rng, size);
        const struct view_draw draw = view_draw_random(&policy, 3, RNG_VIEW, 0, i, 0, image.width, image.height);
        const bool more = draw.quarters || draw.solarize || draw.sobel || draw.noise || draw.cutout;
        /* A row of a batch of odd views begins anywhere; whole vectors begin at a line, but need not. */
        const size_t shift = rng_below(&rng, 3) ? 0 : 2 * rng_below(&rng, 32);
        compare(policy, &draw, &image, shift);
        if (i % 8 == 0) compare(policy, NULL, &image, shift);
        fused += !more && !policy.normalize && !policy.reordered && size % 32 == 0 && shift == 0;
        jitter += draw.jitter, gray += draw.gray, blur += draw.blur, others += more;
        normalized += policy.normalize, reordered += policy.reordered;
        image_free(&image);
    }
    print_message("%d fused, %d with more operations, %d normalized, %d in another order\n", fused, others, normalized,
                  reordered);
    assert_true(fused > 60 && jitter > 200 && gray > 200 && blur > 200);
    assert_true(others > 150 && normalized > 60 && reordered > 150);
}

/* Views as they are in training: every kernel of the fused path at a size of many blocks of rows. */
static void usual_views(void **state)
{
    (void)state;
    struct image image = noise(150, 130, 1);
    const struct view_policy policy = view_policy_imagenet(MOST);
    for (uint32_t i = 0; i < 48; i++) {
        const struct view_draw draw = view_draw_random(&policy, 8, RNG_VIEW, 0, i, 0, image.width, image.height);
        compare(policy, &draw, &image, 0);
    }
    image_free(&image);
}

/* The rounding itself: numbers of every magnitude and sign, halfway cases both ways, subnormal ones; any count at any
 * address. */
static void rounding(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    static _Alignas(64) float from[COUNT];
    static _Alignas(64) uint16_t to[COUNT + 64];
    struct rng rng = rng_open(10, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = rng_word(&rng);
        const uint32_t kind = rng_below(&rng, 4);
        if (kind == 0) bits = (bits & 0xFFFF0000u) | 0x8000u;                     /* halfway */
        if (kind == 1) bits = (bits & 0xFFFF0000u) | (0x7FFFu + (bits & 1u) * 2); /* beside it */
        if (kind == 2) bits &= 0x807FFFFFu;                                       /* subnormal */
        if ((bits & 0x7F800000u) == 0x7F800000u) bits &= 0xBFFFFFFFu;
        memcpy(&from[i], &bits, sizeof bits);
    }
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        const struct chain_kernels *kernels = chain_kernels_of(levels[level]);
        for (size_t count = 0; count < COUNT; count = count < 70 ? count + 1 : count * 3 + 1)
            for (size_t shift = 0; shift < 34; shift += shift < 2 ? 1 : 15) {
                memset(to, 0xA5, sizeof to);
                kernels->to_bf16(from, to + shift, count);
                kernels->stream_end();
                for (size_t i = 0; i < COUNT + 64; i++) {
                    const bool inside = i >= shift && i < shift + count;
                    assert_int_equal(to[i], inside ? bf16_from_float(from[i - shift]) : 0xA5A5);
                }
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy),
        cmocka_unit_test(usual_views),
        cmocka_unit_test(rounding),
    };
    return run_cases(tests, NULL, NULL);
}
