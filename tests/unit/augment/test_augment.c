/* The pixels of views: every operation against reference tensors, the variants against each other, no NaN ever. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/blur.h"
#include "augment/color.h"
#include "augment/views.h"
#include "base/memory.h"
#include "base/rng.h"
#include "support/reference.h"

static const enum simd levels[] = {SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_AVX512_VBMI};
enum { LEVELS = 4 };

/* ---- reference tensors ---- */

static void apply(const struct color_kernels *kernels, int operation, float *view, int pixels, double factor)
{
    void (*const change[4])(float *, int, float) = {kernels->brightness, kernels->contrast, kernels->saturation,
                                                    kernels->hue};
    change[operation](view, pixels, (float)factor);
}

/* All operations on photo p's base by one variant: the largest difference; counts what was compared. */
static double check_photo(const struct reference *file, int p, enum simd level, int *compared)
{
    static const char *const names[4] = {"brightness", "contrast", "saturation", "hue"};
    const struct color_kernels *kernels = color_kernels_of(level);
    const struct reference_tensor base = reference_get(file, "photo%d.base", p);
    const int size = (int)base.dim[0], pixels = size * size;
    double worst = 0.0;
    for (int operation = 0; operation < 4; operation++)
        for (int j = 0; reference_has(file, "photo%d.%s%d.out", p, names[operation], j); j++, ++*compared) {
            float *view = reference_planar(base);
            const struct reference_tensor factor = reference_get(file, "photo%d.%s%d.factor", p, names[operation], j);
            apply(kernels, operation, view, pixels, reference_number(factor, 0));
            worst =
                fmax(worst, reference_furthest(view, reference_get(file, "photo%d.%s%d.out", p, names[operation], j)));
            free(view);
        }
    for (int j = 0; reference_has(file, "photo%d.jitter%d.out", p, j); j++, ++*compared) {
        float *view = reference_planar(base);
        const struct reference_tensor order = reference_get(file, "photo%d.jitter%d.order", p, j);
        const struct reference_tensor factors = reference_get(file, "photo%d.jitter%d.factors", p, j);
        for (int i = 0; i < 4; i++) {
            const int operation = (int)reference_number(order, i);
            apply(kernels, operation, view, pixels, reference_number(factors, operation));
        }
        worst = fmax(worst, reference_furthest(view, reference_get(file, "photo%d.jitter%d.out", p, j)));
        free(view);
    }
    for (int j = 0; reference_has(file, "photo%d.blur%d.out", p, j); j++, ++*compared) {
        float *view = reference_planar(base);
        const struct reference_tensor kernel_sigma = reference_get(file, "photo%d.blur%d.kernel_sigma", p, j);
        const int radius = (int)reference_number(kernel_sigma, 0) / 2;
        void *scratch = memory_allocate(blur_scratch_bytes(size, radius));
        blur_gaussian(level, view, 3, size, radius, (float)reference_number(kernel_sigma, 1), scratch);
        worst = fmax(worst, reference_furthest(view, reference_get(file, "photo%d.blur%d.out", p, j)));
        memory_free(scratch);
        free(view);
    }
    float *view = reference_planar(base);
    kernels->gray(view, pixels);
    worst = fmax(worst, reference_furthest(view, reference_get(file, "photo%d.gray", p)));
    free(view);
    ++*compared;
    return worst;
}

static void check_file(const struct reference *file)
{
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        int compared = 0;
        double worst = 0.0;
        for (int p = 0; reference_has(file, "photo%d.base", p); p++)
            worst = fmax(worst, check_photo(file, p, levels[level], &compared));
        print_message("%s, %s: %d tensors, largest difference %.2e\n", file->path, simd_name(levels[level]), compared,
                      worst);
        assert_true(compared >= 32);
        assert_true(worst < 1e-4);
    }
}

static void golden_operations(void **state)
{
    (void)state;
    struct reference file;
    assert_true(reference_open_path(&file, "tests/golden/data/views.safetensors"));
    check_file(&file);
    reference_close(&file);
}

static void reference_operations(void **state)
{
    (void)state;
    struct reference file;
    if (!reference_open(&file, "augment")) skip_reference("augment");
    check_file(&file);
    reference_close(&file);
}

/* ---- whole views ---- */

static struct image noise(int width, int height, uint32_t item)
{
    struct image image;
    assert_int_equal(image_create(width, height, &image, NULL), SIMCLR_OK);
    struct rng rng = rng_open(5, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        const uint32_t word = rng_word(&rng);
        image.rgb[i] = (uint8_t)(word & 0x300 ? word : 0u - (word >> 31)); /* plenty of 0 and 255: gray, saturated */
    }
    return image;
}

/* Renders with scratch full of NaN and canaries behind both buffers. */
static void render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image,
                   float *out)
{
    enum { CANARY = 64 };
    const size_t bytes = view_scratch_bytes(policy, image->width, image->height);
    const size_t floats = (size_t)policy->size * (size_t)policy->size * 3;
    uint8_t *scratch = memory_allocate(bytes + CANARY);
    float *guarded = malloc((floats + CANARY) * sizeof *guarded);
    assert_true(scratch && guarded);
    memset(scratch, 0xFF, bytes);
    memset(scratch + bytes, 0xA5, CANARY);
    view_scratch_prepare(policy, image->width, image->height, scratch);
    memset(guarded, 0xFF, floats * sizeof *guarded);
    for (int i = 0; i < CANARY; i++) guarded[floats + (size_t)i] = -7.0f;
    if (draw)
        view_render(policy, draw, image, guarded, scratch);
    else
        view_render_evaluation(policy, image, guarded, scratch);
    for (int i = 0; i < CANARY; i++) {
        assert_int_equal(scratch[bytes + (size_t)i], 0xA5);
        assert_true(guarded[floats + (size_t)i] == -7.0f);
    }
    memcpy(out, guarded, floats * sizeof *out);
    free(guarded);
    memory_free(scratch);
}

/* Every policy, image sizes from 1 x 1 to 3000 x 37, odd view sizes: in [0, 1] (so no NaN), the variants equal within
 * 1/255, although factors of up to 3.4 magnify what the resize differs by. */
static void views_stay_in_range_and_variants_agree(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 40}, {33, 2}, {50, 61}, {5000, 37}};
    static const int views[] = {1, 7, 32, 45, 96}; /* 32 and 96 are whole vectors */
    static float first[3 * 96 * 96], out[3 * 96 * 96];
    double worst = 0.0;
    for (uint32_t i = 0; i < 5 * 5 * 12; i++) {
        struct image image = noise(sizes[i % 5][0], sizes[i % 5][1], i);
        struct view_policy policy = view_policy_imagenet(views[i / 5 % 5]);
        policy.solarize_probability = 0.3;
        policy.jitter_strength = i % 3 ? 1.0 : 3.0; /* hue all the way round, factors up to 3.4 */
        policy.blur_radius = i % 2 ? -1 : 1000;     /* wider than the view: held back */
        policy.filter = i % 7 ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR;
        const struct view_draw draw = view_draw_random(&policy, 3, RNG_VIEW, 0, i, 0, image.width, image.height);
        const int count = 3 * policy.size * policy.size;
        policy.simd = SIMD_PORTABLE;
        render(&policy, &draw, &image, first);
        for (int k = 0; k < count; k++) assert_true(first[k] >= 0.0f && first[k] <= 1.0f);
        for (int level = 1; level < LEVELS; level++)
            if (simd_has(simd_machine(), levels[level])) {
                policy.simd = levels[level];
                render(&policy, &draw, &image, out);
                for (int k = 0; k < count; k++) {
                    assert_true(out[k] >= 0.0f && out[k] <= 1.0f);
                    worst = fmax(worst, fabs((double)out[k] - (double)first[k]));
                }
                if (draw.gray) assert_memory_equal(out, out + count / 3, (size_t)count / 3 * sizeof *out);
            }
        if (draw.gray) assert_memory_equal(first, first + count / 3, (size_t)count / 3 * sizeof *first);
        image_free(&image);
    }
    print_message("largest difference between variants: %.2e\n", worst);
    assert_true(worst < 1.0 / 255.0);
}

/* view_render is the operations of the method in their order, each by its public function. */
static void rendering_is_the_sum_of_its_operations(void **state)
{
    (void)state;
    enum { S = 40, COUNT = 3 * S * S };
    static float out[COUNT], expected[COUNT];
    static char scratch[1 << 20] __attribute__((aligned(64)));
    int grays = 0, blurs = 0, jitters = 0, solarized = 0;
    for (uint32_t i = 0; i < 60; i++) {
        struct image image = noise(70, 50, i);
        struct view_policy policy = view_policy_imagenet(S);
        policy.gray_probability = policy.solarize_probability = 0.5;
        policy.normalize = true;
        const struct view_draw draw = view_draw_random(&policy, 4, RNG_VIEW, 0, i, 1, 70, 50);
        render(&policy, &draw, &image, out);
        const struct resample_to to = {simd_machine(), RESAMPLE_BICUBIC, S, S, draw.flip};
        resample(&to, &image, draw.box, expected, scratch);
        for (int k = 0; k < 4 && draw.jitter; k++) {
            void (*const change[4])(float *, int, float) = {color_brightness, color_contrast, color_saturation,
                                                            color_hue};
            change[draw.order[k]](expected, S * S, (float)draw.factor[draw.order[k]]);
        }
        if (draw.gray) color_gray(expected, S * S);
        if (draw.blur) blur_gaussian(simd_machine(), expected, 3, S, 2, (float)draw.sigma, scratch); /* (40 / 10) / 2 */
        for (int k = 0; k < COUNT; k++) {
            double value = expected[k];
            value = draw.solarize && value > 0.5 ? 1.0 - value : value;
            const int channel = k / (S * S);
            value = (value - policy.mean[channel]) / policy.std[channel];
            assert_true(fabs(value - (double)out[k]) < 1e-5);
        }
        grays += draw.gray;
        blurs += draw.blur;
        jitters += draw.jitter;
        solarized += draw.solarize;
        image_free(&image);
    }
    assert_true(grays > 15 && blurs > 15 && jitters > 30 && solarized > 15); /* each branch was taken */
}

static void evaluation_views(void **state)
{
    (void)state;
    static float out[3 * 224 * 224], expected[3 * 224 * 224];
    static char scratch[4 << 20] __attribute__((aligned(64)));
    struct image small = noise(32, 32, 1), large = noise(300, 200, 2);
    struct view_policy policy = view_policy_cifar(32);
    render(&policy, NULL, &small, out); /* as it is */
    for (int i = 0; i < 32 * 32; i++)
        for (int c = 0; c < 3; c++) assert_true(fabs((double)out[c * 1024 + i] - small.rgb[3 * i + c] / 255.0) < 1e-6);
    policy.normalize = true;
    static float normalized[3 * 1024];
    render(&policy, NULL, &small, normalized);
    for (int i = 0; i < 3 * 1024; i++)
        assert_true(fabs(((double)out[i] - policy.mean[i / 1024]) / policy.std[i / 1024] - (double)normalized[i]) <
                    1e-5);
    policy = view_policy_imagenet(224);
    render(&policy, NULL, &large, out); /* 87.5 % of 200 is 175, centred */
    const struct resample_to to = {simd_machine(), RESAMPLE_BICUBIC, 224, 224, false};
    resample(&to, &large, (struct box){62, 12, 175, 175}, expected, scratch);
    assert_memory_equal(out, expected, sizeof out);
    image_free(&small);
    image_free(&large);
}

/* Hue: a whole turn is nothing, a third exchanges the channels, gray has none; no factor makes a NaN. */
static void color_properties(void **state)
{
    (void)state;
    enum { N = 101 };
    float view[3 * N], before[3 * N];
    struct rng rng = rng_open(8, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 3 * N; i++) before[i] = (float)rng_uniform(&rng);
    before[0] = before[N] = before[2 * N] = 0.4f;                     /* gray */
    before[1] = before[N + 1] = before[2 * N + 1] = 0.0f;             /* black */
    before[2] = 1.0f, before[N + 2] = 0.0f, before[2 * N + 2] = 0.0f; /* red */
    before[3] = before[N + 3] = 1e-30f, before[2 * N + 3] = 0.0f;     /* nearly black */
    for (int turn = -1; turn <= 1; turn++) {
        memcpy(view, before, sizeof view);
        color_hue(view, N, (float)turn);
        for (int i = 0; i < 3 * N; i++) assert_true(fabsf(view[i] - before[i]) < 1e-6f);
    }
    memcpy(view, before, sizeof view);
    color_hue(view, N, 1.0f / 3.0f);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 3; c++) /* red turns into green */
            assert_true(fabsf(view[(c + 1) % 3 * N + i] - before[c * N + i]) < 2e-6f);
    for (int operation = 0; operation < 4; operation++)
        for (int quarters = -2; quarters < 16; quarters++) {
            memcpy(view, before, sizeof view);
            apply(color_kernels_of(simd_machine()), operation, view, N, quarters / 4.0);
            for (int i = 0; i < 3 * N; i++) assert_true(view[i] >= 0.0f && view[i] <= 1.0f);
        }
}

/* The blur keeps a constant and the mean of a periodic picture, and does nothing for sigma 0. */
static void blur_properties(void **state)
{
    (void)state;
    enum { S = 31 };
    float view[3 * S * S], before[3 * S * S];
    struct rng rng = rng_open(9, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 3 * S * S; i++) view[i] = before[i] = i < S * S ? 1.0f : (float)rng_uniform(&rng);
    void *scratch = memory_allocate(blur_scratch_bytes(S, S - 1));
    blur_gaussian(simd_machine(), view, 3, S, 3, 0.0f, scratch);
    blur_gaussian(simd_machine(), view, 3, S, 0, 1.0f, scratch);
    assert_memory_equal(view, before, sizeof view);
    blur_gaussian(simd_machine(), view, 3, S, S - 1, 50.0f, scratch); /* the widest that a reflection allows */
    for (int i = 0; i < S * S; i++) assert_true(fabsf(view[i] - 1.0f) < 1e-6f && view[i] <= 1.0f);
    double low = 1.0, high = 0.0;
    for (int i = S * S; i < 2 * S * S; i++) {
        low = fmin(low, (double)view[i]);
        high = fmax(high, (double)view[i]);
    }
    assert_true(high - low < 0.1 && low > 0.4 && high < 0.6);
    memory_free(scratch);
}

int main(void)
{
    for (int level = 0; level < LEVELS; level++)
        if (!simd_has(simd_machine(), levels[level])) skip_part("this CPU lacks %s", simd_name(levels[level]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_operations),
        cmocka_unit_test(reference_operations),
        cmocka_unit_test(views_stay_in_range_and_variants_agree),
        cmocka_unit_test(rendering_is_the_sum_of_its_operations),
        cmocka_unit_test(evaluation_views),
        cmocka_unit_test(color_properties),
        cmocka_unit_test(blur_properties),
    };
    return run_cases(tests, NULL, NULL);
}
