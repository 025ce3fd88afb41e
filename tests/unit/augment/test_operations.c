/* The operations of the paper's study: against float64 tensors made by numpy, their properties, and their place in a
 * view's chain. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/blur.h"
#include "augment/color.h"
#include "augment/operations.h"
#include "augment/views.h"
#include "base/memory.h"
#include "base/rng.h"
#include "support/reference.h"

enum { S = 40, COUNT = 3 * S * S };

static void apply_golden(const struct reference *file, int p, const char *name, int j, float *view, int size)
{
    if (strcmp(name, "rotate") == 0)
        view_rotate(view, size, (int)reference_number(reference_get(file, "photo%d.rotate%d.quarters", p, j), 0));
    if (strcmp(name, "sobel") == 0)
        view_sobel(simd_machine(), view, size,
                   (float)reference_number(reference_get(file, "photo%d.sobel%d.strength", p, j), 0));
    if (strcmp(name, "noise") == 0) {
        const struct reference_tensor key = reference_get(file, "photo%d.noise%d.key", p, j);
        const uint64_t low = (uint64_t)reference_number(key, 0), high = (uint64_t)reference_number(key, 1);
        view_noise(view, size, high << 32 | low,
                   (float)reference_number(reference_get(file, "photo%d.noise%d.sigma", p, j), 0));
    }
    if (strcmp(name, "cutout") == 0) {
        const struct reference_tensor hole = reference_get(file, "photo%d.cutout%d.hole_xywh", p, j);
        const struct reference_tensor fill = reference_get(file, "photo%d.cutout%d.fill", p, j);
        const struct box box = {(int)reference_number(hole, 0), (int)reference_number(hole, 1),
                                (int)reference_number(hole, 2), (int)reference_number(hole, 3)};
        const float colors[3] = {(float)reference_number(fill, 0), (float)reference_number(fill, 1),
                                 (float)reference_number(fill, 2)};
        view_cutout(view, size, box, colors);
    }
}

static void golden_operations(void **state)
{
    (void)state;
    static const char *const names[] = {"rotate", "sobel", "noise", "cutout"};
    static const int expected[] = {8, 6, 4, 4};
    struct reference file;
    assert_true(reference_open_path(&file, "tests/golden/data/views.safetensors"));
    for (int operation = 0; operation < 4; operation++) {
        int compared = 0;
        double worst = 0.0;
        for (int p = 0; reference_has(&file, "photo%d.base", p); p++)
            for (int j = 0; reference_has(&file, "photo%d.%s%d.out", p, names[operation], j); j++, compared++) {
                const struct reference_tensor base = reference_get(&file, "photo%d.base", p);
                float *view = reference_planar(base);
                apply_golden(&file, p, names[operation], j, view, (int)base.dim[0]);
                worst = fmax(
                    worst, reference_furthest(view, reference_get(&file, "photo%d.%s%d.out", p, names[operation], j)));
                free(view);
            }
        print_message("%s: %d tensors, largest difference %.2e\n", names[operation], compared, worst);
        assert_int_equal(compared, expected[operation]);
        assert_true(worst < (operation % 3 == 0 ? 1e-12 : 1e-5)); /* rotation and cutout only move values */
    }
    reference_close(&file);
}

static void random_view(float *view, int count, uint32_t item)
{
    struct rng rng = rng_open(6, RNG_TEST, 0, item, 0);
    for (int i = 0; i < count; i++) view[i] = (float)rng_uniform(&rng);
}

static void rotations_form_a_circle(void **state)
{
    (void)state;
    static float view[3 * 17 * 17], before[3 * 17 * 17];
    for (int size = 1; size <= 17; size++) {
        random_view(before, 3 * size * size, (uint32_t)size);
        for (int quarters = 0; quarters < 4; quarters++) {
            memcpy(view, before, sizeof view);
            view_rotate(view, size, quarters);
            view_rotate(view, size, (4 - quarters) % 4);
            assert_memory_equal(view, before, (size_t)(3 * size * size) * sizeof *view);
        }
        memcpy(view, before, sizeof view);
        view_rotate(view, size, 1); /* counter-clockwise: what was right on top is now left on top */
        assert_true(view[0] == before[size - 1]);
        view_rotate(view, size, 1);
        assert_true(view[0] == before[size * size - 1]);
    }
}

static void sobel_finds_edges_only(void **state)
{
    (void)state;
    enum { N = 12 };
    float view[3 * N * N];
    for (int i = 0; i < 3 * N * N; i++) view[i] = 0.7f; /* as flat as can be */
    view_sobel(simd_machine(), view, N, 5.0f);
    for (int i = 0; i < 3 * N * N; i++) assert_true(view[i] == 0.0f);
    for (int vertical = 0; vertical < 2; vertical++) {
        for (int i = 0; i < 3 * N * N; i++) view[i] = (vertical ? i % N : i / N % N) >= N / 2 ? 1.0f : 0.0f;
        view_sobel(simd_machine(), view, N, 1.0f);
        for (int i = 0; i < 3 * N * N; i++) {
            const int place = vertical ? i % N : i / N % N;
            const bool edge = place == N / 2 - 1 || place == N / 2;
            assert_true(fabs((double)view[i] - (edge ? 0.9999 : 0.0)) <
                        1e-5); /* the weights of gray add up to 0.9999 */
        }
    }
    for (int size = 1; size <= 3; size++) { /* nothing outside of the smallest views is read */
        float *small = malloc((size_t)(3 * size * size) * sizeof *small);
        assert_non_null(small);
        random_view(small, 3 * size * size, 9);
        view_sobel(simd_machine(), small, size, 100.0f);
        for (int i = 0; i < 3 * size * size; i++) assert_true(small[i] >= 0.0f && small[i] <= 1.0f);
        free(small);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Noise on a flat gray is N(0.5, sigma^2): Kolmogorov and Smirnov at p > 0.001; neighbours and keys are independent. */
static void noise_follows_its_law(void **state)
{
    (void)state;
    enum { SIZE = 200, VALUES = 3 * SIZE * SIZE };
    const double sigma = 0.05, root = sqrt((double)VALUES);
    float *view = malloc(VALUES * sizeof *view), *other = malloc(VALUES * sizeof *other);
    double *sample = malloc(VALUES * sizeof *sample);
    assert_true(view && other && sample);
    for (int i = 0; i < VALUES; i++) view[i] = other[i] = 0.5f;
    view_noise(view, SIZE, 1234567890123u, (float)sigma);
    view_noise(other, SIZE, 1234567890124u, (float)sigma);
    double along[4] = {0.0}, between = 0.0;
    for (int i = 0; i < VALUES; i++) {
        sample[i] = ((double)view[i] - 0.5) / sigma;
        between += sample[i] * ((double)other[i] - 0.5) / sigma / VALUES;
        for (int lag = 1; lag <= 3 && lag <= i; lag++)
            along[lag] += sample[i] * ((double)view[i - lag] - 0.5) / sigma / VALUES;
    }
    for (int lag = 1; lag <= 3; lag++) assert_true(fabs(along[lag]) < 5.0 / root);
    assert_true(fabs(between) < 5.0 / root);
    qsort(sample, VALUES, sizeof *sample, ascending);
    double distance = 0.0;
    for (int i = 0; i < VALUES; i++) {
        const double law = 0.5 * erfc(-sample[i] / sqrt(2.0));
        distance = fmax(distance, fmax(fabs(law - (double)i / VALUES), fabs(law - (i + 1.0) / VALUES)));
    }
    print_message("noise: distance %.5f over %d values, largest %.2f sigma\n", distance, (int)VALUES,
                  sample[VALUES - 1]);
    assert_true(distance < 1.9495 / root); /* p = 0.001 */
    free(view);
    free(other);
    free(sample);
}

static void noise_is_clamped_and_repeats(void **state)
{
    (void)state;
    static float view[COUNT], again[COUNT];
    for (int turn = 0; turn < 2; turn++) {
        float *out = turn ? again : view;
        random_view(out, COUNT, 2);
        view_noise(out, S, 99, 10.0f);
        int ends = 0;
        for (int i = 0; i < COUNT; i++) {
            assert_true(out[i] >= 0.0f && out[i] <= 1.0f);
            ends += out[i] == 0.0f || out[i] == 1.0f;
        }
        assert_true(ends > COUNT * 9 / 10);
    }
    assert_memory_equal(view, again, sizeof view);
    random_view(again, COUNT, 2);
    random_view(view, COUNT, 2);
    view_noise(view, S, 99, 0.0f);
    assert_memory_equal(view, again, sizeof view);
}

/* The whole chain with everything on is the operations one after another in the order of views.h. */
static void the_order_of_the_chain(void **state)
{
    (void)state;
    static float out[COUNT], expected[COUNT];
    int seen[4] = {0};
    for (uint32_t i = 0; i < 80; i++) {
        struct image image;
        assert_int_equal(image_create(70, 50, &image, NULL), SIMCLR_OK);
        struct rng rng = rng_open(5, RNG_TEST, 0, i, 0);
        for (int k = 0; k < 70 * 50 * 3; k++) image.rgb[k] = (uint8_t)rng_word(&rng);
        struct view_policy policy = view_policy_imagenet(S);
        policy.solarize_probability = policy.rotate_probability = policy.sobel_probability = 0.5;
        policy.noise_probability = policy.cutout_probability = 0.5;
        policy.normalize = i % 2;
        const struct view_draw draw = view_draw_random(&policy, 4, RNG_VIEW, 0, i, 0, 70, 50);
        void *scratch = memory_allocate(view_scratch_bytes(&policy, 70, 50));
        view_scratch_prepare(&policy, 70, 50, scratch);
        view_render(&policy, &draw, &image, out, scratch);
        const struct resample_to to = {simd_machine(), RESAMPLE_BICUBIC, S, S, draw.flip};
        resample(&to, &image, draw.box, expected, scratch);
        view_rotate(expected, S, draw.quarters);
        void (*const change[4])(float *, int, float) = {color_brightness, color_contrast, color_saturation, color_hue};
        for (int k = 0; k < 4 && draw.jitter; k++)
            change[draw.order[k]](expected, S * S, (float)draw.factor[draw.order[k]]);
        if (draw.gray) color_gray(expected, S * S);
        if (draw.blur) blur_gaussian(simd_machine(), expected, 3, S, 2, (float)draw.sigma, scratch);
        for (int k = 0; k < COUNT && draw.solarize; k++)
            expected[k] = expected[k] > 0.5f ? 1.0f - expected[k] : expected[k];
        if (draw.sobel) view_sobel(simd_machine(), expected, S, 1.0f);
        if (draw.noise) view_noise(expected, S, draw.noise_key, 0.1f);
        for (int k = 0; k < COUNT; k++) {
            const int x = k % S - draw.hole.x, y = k / S % S - draw.hole.y, channel = k / (S * S);
            const bool cut = draw.cutout && x >= 0 && x < draw.hole.width && y >= 0 && y < draw.hole.height;
            double value = cut ? 0.0 : (double)expected[k];
            if (policy.normalize && !cut) value = (value - policy.mean[channel]) / policy.std[channel];
            assert_true(fabs(value - (double)out[k]) <
                        2e-4); /* Sobel and 1 / std enlarge the last bits of the colour */
        }
        const bool on[4] = {draw.quarters != 0, draw.sobel, draw.noise, draw.cutout};
        for (int k = 0; k < 4; k++) seen[k] += on[k];
        memory_free(scratch);
        image_free(&image);
    }
    for (int k = 0; k < 4; k++) assert_true(seen[k] > 20 && seen[k] < 60);
}

/* One operation by itself, on a view that is there. The scratch has room for the blur. */
static void apply(const struct view_draw *draw, enum view_operation operation, float *view, void *scratch)
{
    void (*const change[4])(float *, int, float) = {color_brightness, color_contrast, color_saturation, color_hue};
    const float black[3] = {0};
    if (operation == VIEW_ROTATE) view_rotate(view, S, draw->quarters);
    for (int k = 0; k < 4 && operation == VIEW_JITTER && draw->jitter; k++)
        change[draw->order[k]](view, S * S, (float)draw->factor[draw->order[k]]);
    if (operation == VIEW_GRAY && draw->gray) color_gray(view, S * S);
    if (operation == VIEW_BLUR && draw->blur) blur_gaussian(simd_machine(), view, 3, S, 2, (float)draw->sigma, scratch);
    for (int k = 0; k < COUNT && operation == VIEW_SOLARIZE && draw->solarize; k++)
        view[k] = view[k] > 0.5f ? 1.0f - view[k] : view[k];
    if (operation == VIEW_SOBEL && draw->sobel) view_sobel(simd_machine(), view, S, 1.0f);
    if (operation == VIEW_NOISE && draw->noise) view_noise(view, S, draw->noise_key, 0.1f);
    if (operation == VIEW_CUTOUT && draw->cutout) view_cutout(view, S, draw->hole, black);
}

/* Other orders: the same operations one after another in that order; the draws are those of any order. */
static void chosen_orders(void **state)
{
    (void)state;
    static const char *const lists[] = {"",
                                        "rotate,jitter,gray,blur,solarize,sobel,noise,cutout",
                                        "sobel",
                                        "blur,jitter",
                                        "gray,blur,jitter",
                                        "cutout,noise,sobel,solarize,blur,gray,jitter,rotate",
                                        "noise,gray,jitter,cutout,rotate,blur",
                                        "solarize,jitter,blur"};
    static float out[COUNT], expected[COUNT], usual[COUNT];
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        int others = 0;
        for (uint32_t i = 0; i < 60; i++) {
            struct image image;
            assert_int_equal(image_create(70, 50, &image, NULL), SIMCLR_OK);
            struct rng rng = rng_open(5, RNG_TEST, 1, i, 0);
            for (int k = 0; k < 70 * 50 * 3; k++) image.rgb[k] = (uint8_t)rng_word(&rng);
            struct view_policy policy = view_policy_imagenet(S);
            policy.gray_probability = policy.blur_probability = policy.jitter_probability = 0.5;
            policy.solarize_probability = policy.rotate_probability = policy.sobel_probability = 0.5;
            policy.noise_probability = policy.cutout_probability = 0.5;
            const struct view_draw draw = view_draw_random(&policy, 4, RNG_VIEW, 0, i, 0, 70, 50);
            void *scratch = memory_allocate(view_scratch_bytes(&policy, 70, 50));
            view_scratch_prepare(&policy, 70, 50, scratch);
            view_render(&policy, &draw, &image, usual, scratch);
            assert_true(view_policy_set_order(&policy, lists[l]));
            const struct view_draw again = view_draw_random(&policy, 4, RNG_VIEW, 0, i, 0, 70, 50);
            assert_memory_equal(&again, &draw, sizeof draw);
            view_render(&policy, &draw, &image, out, scratch);
            others += memcmp(out, usual, sizeof out) != 0;
            const struct resample_to to = {simd_machine(), RESAMPLE_BICUBIC, S, S, draw.flip};
            resample(&to, &image, draw.box, expected, scratch);
            int seen = 0;
            for (int k = 0; k < VIEW_OPERATIONS; k++) {
                seen |= 1 << view_policy_operation(&policy, k);
                apply(&draw, view_policy_operation(&policy, k), expected, scratch);
            }
            assert_int_equal(seen, 255);
            /* The blur leaves 8e-5 of a view out, and what follows it may enlarge that: half of 1/255. */
            for (int k = 0; k < COUNT; k++) assert_true(fabsf(expected[k] - out[k]) < (l < 2 ? 2e-4f : 2e-3f));
            memory_free(scratch);
            image_free(&image);
        }
        assert_in_range(others, l < 2 ? 0 : 10, l < 2 ? 0 : 60);
    }
}

static void order_lists(void **state)
{
    (void)state;
    static const char *const bad[] = {"sobell",      "sobel,",     ",sobel", "sobel,,blur",
                                      "sobel,sobel", "sobel blur", "Sobel",  ","};
    struct view_policy policy = view_policy_imagenet(S), before = policy;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(view_policy_set_order(&policy, bad[i]));
    assert_memory_equal(&policy, &before, sizeof policy);
    assert_true(view_policy_set_order(&policy, "sobel,gray"));
    static const enum view_operation order[VIEW_OPERATIONS] = {VIEW_SOBEL, VIEW_GRAY,     VIEW_ROTATE, VIEW_JITTER,
                                                               VIEW_BLUR,  VIEW_SOLARIZE, VIEW_NOISE,  VIEW_CUTOUT};
    for (int i = 0; i < VIEW_OPERATIONS; i++) assert_int_equal(view_policy_operation(&policy, i), order[i]);
    assert_true(view_policy_set_order(&policy, ""));
    for (int i = 0; i < VIEW_OPERATIONS; i++) assert_int_equal(view_policy_operation(&policy, i), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_operations),
        cmocka_unit_test(rotations_form_a_circle),
        cmocka_unit_test(sobel_finds_edges_only),
        cmocka_unit_test(noise_follows_its_law),
        cmocka_unit_test(noise_is_clamped_and_repeats),
        cmocka_unit_test(the_order_of_the_chain),
        cmocka_unit_test(chosen_orders),
        cmocka_unit_test(order_lists),
    };
    return run_cases(tests, NULL, NULL);
}
