/* The resize against the reference tensors, against a plain model in double, and its properties. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "image/resample.h"
#include "support/reference.h"

static const enum simd levels[] = {SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_AVX512_VBMI};
enum { LEVELS = 4 };

static struct image noise(int width, int height, uint32_t item)
{
    struct image image;
    assert_int_equal(image_create(width, height, &image, NULL), SIMCLR_OK);
    struct rng rng = rng_open(5, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) image.rgb[i] = (uint8_t)rng_word(&rng);
    return image;
}

/* Scratch of exactly the promised size, with canaries behind it. */
static void run(enum simd level, const struct image *image, struct box box, enum resample_filter filter, bool flip,
                int width, int height, float *out)
{
    enum { CANARY = 64 };
    const size_t bytes = resample_scratch_bytes(level, image->width, image->height, width, height);
    uint8_t *scratch = memory_allocate(bytes + CANARY);
    assert_non_null(scratch);
    memset(scratch, 0xFF, bytes); /* every float a NaN: nothing may be taken from old scratch */
    memset(scratch + bytes, 0xA5, CANARY);
    const struct resample_to to = {level, filter, width, height, flip};
    resample(&to, image, box, out, scratch);
    for (int i = 0; i < CANARY; i++) assert_int_equal(scratch[bytes + (size_t)i], 0xA5);
    memory_free(scratch);
}

/* ---- a plain model in double ---- */

static double kernel(enum resample_filter filter, double x)
{
    x = fabs(x);
    if (filter == RESAMPLE_BILINEAR) return x < 1.0 ? 1.0 - x : 0.0;
    const double a = -0.5;
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

/* The pixels that an interval of an axis touches. */
struct span {
    int first, count;
    double begin, length; /* begin: from `first` on */
};

static struct span span_of(double begin, double length)
{
    const int first = (int)floor(begin);
    return (struct span){first, (int)ceil(begin + length) - first, begin - first, length};
}

/* Weights of output i over all pixels of a span, as a dense row. */
static void dense_weights(enum resample_filter filter, struct span span, int output, int i, double *weight)
{
    const double scale = span.length / output, stretch = scale > 1.0 ? scale : 1.0;
    const double support = (filter == RESAMPLE_BICUBIC ? 2.0 : 1.0) * stretch, centre = span.begin + (i + 0.5) * scale;
    int low = (int)(centre - support + 0.5), high = (int)(centre + support + 0.5);
    low = low < 0 ? 0 : low;
    high = high > span.count ? span.count : high;
    double sum = 0.0;
    for (int x = 0; x < span.count; x++) {
        weight[x] = x >= low && x < high ? kernel(filter, (x + 0.5 - centre) / stretch) : 0.0;
        sum += weight[x];
    }
    for (int x = 0; x < span.count; x++) weight[x] /= sum;
}

/* Horizontal first, then vertical, everything in double. */
static void model_area(const struct image *image, struct resample_area area, enum resample_filter filter, bool flip,
                       int width, int height, double *out)
{
    const struct span across = span_of(area.x, area.width), down = span_of(area.y, area.height);
    double *weight = malloc(sizeof(double) * (size_t)(across.count > down.count ? across.count : down.count));
    double *middle = calloc((size_t)down.count * (size_t)width * 3, sizeof(double));
    assert_true(weight && middle);
    for (int x = 0; x < width; x++) {
        dense_weights(filter, across, width, flip ? width - 1 - x : x, weight);
        for (int y = 0; y < down.count; y++)
            for (int t = 0; t < across.count; t++)
                for (int c = 0; c < 3 && weight[t] != 0.0; c++)
                    middle[(y * width + x) * 3 + c] +=
                        weight[t] *
                        image->rgb[((size_t)(down.first + y) * (size_t)image->width + (size_t)(across.first + t)) * 3 +
                                   (size_t)c];
    }
    for (int y = 0; y < height; y++) {
        dense_weights(filter, down, height, y, weight);
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                double sum = 0.0;
                for (int t = 0; t < down.count; t++) sum += weight[t] * middle[(t * width + x) * 3 + c];
                out[((size_t)c * (size_t)height + (size_t)y) * (size_t)width + (size_t)x] =
                    fmin(1.0, fmax(0.0, sum / 255.0));
            }
    }
    free(middle);
    free(weight);
}

static void model(const struct image *image, struct box box, enum resample_filter filter, bool flip, int width,
                  int height, double *out)
{
    model_area(image, (struct resample_area){box.x, box.y, box.width, box.height}, filter, flip, width, height, out);
}

/* Largest differences from the model: of the portable variant, which works in float32, and of those with weights of 15
 * bits. A crop may be off by 1/255; the limits are a thousandth and a tenth of that. */
static const double float_limit = 5e-6, fixed_limit = 0.1 / 255.0;
struct worst {
    double portable, fixed;
};

static void compare(const struct image *image, struct box box, enum resample_filter filter, bool flip, int width,
                    int height, struct worst *worst)
{
    const size_t count = (size_t)width * (size_t)height * 3;
    double *expected = malloc(count * sizeof *expected);
    float *out = malloc(count * sizeof *out);
    assert_true(expected && out);
    model(image, box, filter, flip, width, height, expected);
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        double *difference = level == 0 ? &worst->portable : &worst->fixed;
        memset(out, 0xFF, count * sizeof *out);
        run(levels[level], image, box, filter, flip, width, height, out);
        for (size_t i = 0; i < count; i++) {
            assert_true(out[i] >= 0.0f && out[i] <= 1.0f);
            *difference = fmax(*difference, fabs((double)out[i] - expected[i]));
        }
    }
    free(out);
    free(expected);
}

static void judge(struct worst worst)
{
    print_message("largest difference from the model: portable %.2e, others %.2e\n", worst.portable, worst.fixed);
    assert_true(worst.portable < float_limit);
    assert_true(worst.fixed < fixed_limit);
}

static void random_boxes_match_the_model(void **state)
{
    (void)state;
    struct rng rng = rng_open(9, RNG_TEST, 0, 0, 0);
    static const int sizes[][2] = {{1, 1},   {1, 9},     {9, 1},     {2, 3},   {17, 5},
                                   {64, 48}, {301, 203}, {5000, 37}, {37, 900}};
    struct worst worst = {0.0, 0.0};
    for (int i = 0; i < (int)(sizeof sizes / sizeof sizes[0]); i++) {
        struct image image = noise(sizes[i][0], sizes[i][1], (uint32_t)i);
        for (int round = 0; round < 6; round++) {
            struct box box = {0, 0, image.width, image.height};
            if (round > 0) {
                box.width = 1 + (int)rng_below(&rng, (uint32_t)image.width);
                box.height = 1 + (int)rng_below(&rng, (uint32_t)image.height);
                /* by turns in each corner, then anywhere */
                const int right = image.width - box.width, low = image.height - box.height;
                box.x = round == 1 || round == 3 ? 0 : round < 5 ? right : (int)rng_below(&rng, (uint32_t)right + 1);
                box.y = round < 3 ? 0 : round < 5 ? low : (int)rng_below(&rng, (uint32_t)low + 1);
            }
            const int width = 1 + (int)rng_below(&rng, 70), height = round % 2 ? width : 1 + (int)rng_below(&rng, 70);
            const enum resample_filter filter = rng_below(&rng, 2) ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR;
            compare(&image, box, filter, rng_below(&rng, 2), width, height, &worst);
        }
        image_free(&image);
    }
    judge(worst);
}

/* Numbers that the product of two sides could not hold, and outputs that are no multiple of a vector. */
static void large_reduction_and_odd_outputs(void **state)
{
    (void)state;
    struct image image = noise(2900, 700, 50);
    const struct box all = {0, 0, image.width, image.height};
    struct worst worst = {0.0, 0.0};
    compare(&image, all, RESAMPLE_BICUBIC, false, 1, 1, &worst);
    compare(&image, all, RESAMPLE_BILINEAR, true, 33, 31, &worst);
    compare(&image, all, RESAMPLE_BICUBIC, true, 224, 224, &worst);
    judge(worst);
    image_free(&image);
}

static void flip_is_the_mirror(void **state)
{
    (void)state;
    enum { S = 47 };
    struct image image = noise(90, 70, 60);
    static float plain[3 * S * S], mirrored[3 * S * S];
    const struct box box = {3, 5, 77, 40};
    for (int filter = 0; filter < 2; filter++) {
        run(simd_machine(), &image, box, (enum resample_filter)filter, false, S, S, plain);
        run(simd_machine(), &image, box, (enum resample_filter)filter, true, S, S, mirrored);
        for (int row = 0; row < 3 * S; row++)
            for (int x = 0; x < S; x++) assert_true(plain[row * S + x] == mirrored[row * S + S - 1 - x]);
    }
    image_free(&image);
}

/* What lies outside the box counts for nothing. */
static void only_the_box_counts(void **state)
{
    (void)state;
    enum { S = 20 };
    struct image image = noise(40, 30, 70), cut;
    const struct box box = {7, 9, 25, 13}, all = {0, 0, 25, 13};
    assert_int_equal(image_create(box.width, box.height, &cut, NULL), SIMCLR_OK);
    for (int y = 0; y < box.height; y++)
        memcpy(cut.rgb + y * box.width * 3, image.rgb + ((box.y + y) * image.width + box.x) * 3, (size_t)box.width * 3);
    static float a[3 * S * S], b[3 * S * S];
    run(simd_machine(), &image, box, RESAMPLE_BICUBIC, false, S, S, a);
    run(simd_machine(), &cut, all, RESAMPLE_BICUBIC, false, S, S, b);
    assert_memory_equal(a, b, sizeof a);
    image_free(&image);
    image_free(&cut);
}

static void same_size_is_the_identity(void **state)
{
    (void)state;
    enum { S = 32 };
    struct image image = noise(S, S, 80);
    static float out[3 * S * S];
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        run(levels[level], &image, (struct box){0, 0, S, S}, RESAMPLE_BICUBIC, false, S, S, out);
        for (int i = 0; i < S * S; i++)
            for (int c = 0; c < 3; c++)
                assert_true(fabs((double)out[c * S * S + i] - image.rgb[3 * i + c] / 255.0) < 1e-6);
    }
    image_free(&image);
}

/* Sizes of which rounding gives some outputs a tap more than their interval has pixels: 31 to 47 and the like. */
static void borders_between_taps(void **state)
{
    (void)state;
    static const int sizes[] = {23, 39, 44, 46, 47, 55, 62};
    struct image image = noise(64, 64, 85);
    struct worst worst = {0.0, 0.0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int side = 1; side <= 64; side++)
            compare(&image, (struct box){64 - side, 0, side, side}, RESAMPLE_BICUBIC, side % 2, sizes[i], sizes[i],
                    &worst);
    judge(worst);
    image_free(&image);
}

/* Tables made once for all sizes of boxes give the same bits as tables made for one box. */
static void check_cached_tables(int outputs, int side)
{
    enum { MOST = 48 };
    struct image image = noise(side, side, 90);
    static float kept[3 * MOST * MOST], fresh[3 * MOST * MOST];
    const size_t stride = (size_t)(outputs + 15) / 16 * 16, plane = stride * (size_t)outputs, size = (size_t)outputs;
    struct rng rng = rng_open(9, RNG_TEST, 0, 1, 0);
    for (int level = 0; level < LEVELS; level++) {
        if (!simd_has(simd_machine(), levels[level])) continue;
        const size_t bytes = resample_cache_bytes(levels[level], side, side, outputs, outputs);
        assert_true(bytes > 0 && resample_cache_bytes(levels[level], 500, side, outputs, outputs) == 0);
        uint8_t *block = memory_allocate(bytes + 64);
        void *scratch = memory_allocate(resample_scratch_bytes(levels[level], side, side, outputs, outputs));
        assert_true(block && scratch);
        memset(block + bytes, 0xA5, 64);
        struct resample_cache cache;
        const struct resample_to tables = {levels[level], RESAMPLE_BICUBIC, outputs, outputs, false};
        resample_cache_make(&cache, &tables, side, side, block);
        for (int i = 0; i < 64; i++) assert_int_equal(block[bytes + (size_t)i], 0xA5);
        for (int round = 0; round < 300; round++) {
            struct box box = {0, 0, 1 + (int)rng_below(&rng, side), 1 + (int)rng_below(&rng, side)};
            const bool flip = rng_below(&rng, 2);
            struct resampler resampler;
            const struct resample_to to = {levels[level], RESAMPLE_BICUBIC, outputs, outputs, flip};
            resample_open(&resampler, &to, &image, box, &cache, scratch);
            for (int y = 0; y < outputs; y += RESAMPLE_BLOCK) {
                const int count = outputs - y < RESAMPLE_BLOCK ? outputs - y : RESAMPLE_BLOCK;
                resample_rows(&resampler, y, count, kept + (size_t)y * stride, stride, plane);
            }
            run(levels[level], &image, box, RESAMPLE_BICUBIC, flip, outputs, outputs, fresh);
            for (size_t row = 0; row < 3 * size; row++)
                assert_memory_equal(kept + row * stride, fresh + row * size, size * sizeof *fresh);
        }
        memory_free(scratch);
        memory_free(block);
    }
    image_free(&image);
}

static void cached_tables_are_the_same(void **state)
{
    (void)state;
    check_cached_tables(32, 40);
    check_cached_tables(47, 64); /* rows that are no whole vectors; see borders_between_taps */
}

/* Parts that begin and end inside pixels, on every variant, the image's border included; whole ones are boxes, bit for
 * bit. */
static void areas_between_pixels(void **state)
{
    (void)state;
    enum { S = 40, WIDTH = 150, HEIGHT = 110 };
    struct image image = noise(WIDTH, HEIGHT, 91);
    static float out[3 * S * S], boxed[3 * S * S];
    static double expected[3 * S * S];
    const size_t stride = 48; /* of padded rows */
    float *rows = memory_array(3 * S * stride, sizeof *rows);
    size_t bytes = 0;
    for (int level = 0; level < LEVELS; level++)
        if (simd_has(simd_machine(), levels[level]))
            bytes = (size_t)fmax((double)bytes, (double)resample_scratch_bytes(levels[level], WIDTH, HEIGHT, S, S));
    void *scratch = memory_allocate(bytes);
    struct rng rng = rng_open(12, RNG_TEST, 0, 1, 0);
    for (int round = 0; round < 60; round++) {
        struct resample_area area = {.width = rng_between(&rng, 0.6, WIDTH), .height = rng_between(&rng, 0.6, HEIGHT)};
        area.x = round % 5 == 0 ? WIDTH - area.width : rng_between(&rng, 0.0, WIDTH - area.width);
        area.y = round % 5 == 1 ? HEIGHT - area.height : rng_between(&rng, 0.0, HEIGHT - area.height);
        const bool whole = round % 4 == 3, flip = rng_below(&rng, 2);
        const struct box box = {(int)area.x, (int)area.y, 1 + (int)(area.width / 2), 1 + (int)(area.height / 2)};
        if (whole) area = (struct resample_area){box.x, box.y, box.width, box.height};
        model_area(&image, area, RESAMPLE_BICUBIC, flip, S, S, expected);
        for (int level = 0; level < LEVELS; level++) {
            if (!simd_has(simd_machine(), levels[level])) continue;
            struct resampler resampler;
            const struct resample_to to = {levels[level], RESAMPLE_BICUBIC, S, S, flip};
            resample_open_area(&resampler, &to, &image, area, scratch);
            for (int y = 0; y < S; y += RESAMPLE_BLOCK)
                resample_rows(&resampler, y, RESAMPLE_BLOCK, rows + (size_t)y * stride, stride, S * stride);
            double worst = 0.0;
            for (int i = 0; i < 3 * S * S; i++) {
                out[i] = rows[(size_t)(i / S) * stride + (size_t)(i % S)];
                worst = fmax(worst, fabs((double)out[i] - expected[i]));
            }
            if (worst > 0.1 / 255.0)
                fail_msg("%s: %g x %g at (%g, %g): off by %g/255", simd_name(levels[level]), area.width, area.height,
                         area.x, area.y, 255.0 * worst);
            if (!whole) continue;
            run(levels[level], &image, box, RESAMPLE_BICUBIC, flip, S, S, boxed);
            assert_memory_equal(out, boxed, sizeof out);
        }
    }
    memory_free(scratch);
    memory_free(rows);
    image_free(&image);
}

/* The picture ends where readable memory ends: one byte read too many is a crash. */
static void nothing_is_read_behind_the_picture(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static float out[3 * 50 * 50];
    for (int width = 1; width < 40; width += 3) {
        const int height = 11;
        const size_t bytes = (size_t)width * (size_t)height * 3, room = (bytes + page - 1) / page * page;
        uint8_t *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(map != MAP_FAILED);
        assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
        struct image image = {width, height, map + room - bytes};
        memset(image.rgb, 200, bytes);
        for (int level = 0; level < LEVELS; level++)
            for (int size = 1; size < 50 && simd_has(simd_machine(), levels[level]); size += 16)
                for (int box = 1; box <= width; box += 5) {
                    run(levels[level], &image, (struct box){width - box, height - 3, box, 3}, RESAMPLE_BICUBIC, false,
                        size, size, out);
                    for (int i = 0; i < 3 * size * size; i++) /* a constant stays constant */
                        assert_true(fabs((double)out[i] - 200.0 / 255.0) < 1e-6);
                }
        munmap(map, room + page);
    }
}

/* ---- reference tensors ---- */

static double check_crop(const struct reference *file, const struct image *photo, int p, int j, enum simd level)
{
    struct reference_tensor box = reference_get(file, "photo%d.crop%d.box_xywh", p, j);
    struct reference_tensor expected = reference_get(file, "photo%d.crop%d.out", p, j);
    const int size = (int)reference_number(reference_get(file, "photo%d.crop%d.size", p, j), 0);
    const bool bicubic = reference_number(reference_get(file, "photo%d.crop%d.bicubic", p, j), 0) != 0.0;
    const struct box place = {(int)reference_number(box, 0), (int)reference_number(box, 1),
                              (int)reference_number(box, 2), (int)reference_number(box, 3)};
    float *out = malloc((size_t)size * (size_t)size * 3 * sizeof *out);
    assert_non_null(out);
    run(level, photo, place, bicubic ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR, false, size, size, out);
    double worst = 0.0;
    for (int i = 0; i < size * size; i++)
        for (int c = 0; c < 3; c++)
            worst = fmax(worst, fabs((double)out[c * size * size + i] - reference_number(expected, 3 * i + c)));
    free(out);
    return worst;
}

static void check_file(const struct reference *file)
{
    int crops = 0;
    struct worst worst = {0.0, 0.0};
    for (int p = 0; reference_has(file, "photo%d", p); p++) {
        struct reference_tensor tensor = reference_get(file, "photo%d", p);
        struct image photo = {(int)tensor.dim[1], (int)tensor.dim[0], NULL};
        photo.rgb = malloc((size_t)tensor.count);
        assert_non_null(photo.rgb);
        memcpy(photo.rgb, reference_u8(tensor), (size_t)tensor.count);
        for (int j = 0; reference_has(file, "photo%d.crop%d.out", p, j); j++, crops++)
            for (int level = 0; level < LEVELS; level++)
                if (simd_has(simd_machine(), levels[level])) {
                    double *difference = level == 0 ? &worst.portable : &worst.fixed;
                    *difference = fmax(*difference, check_crop(file, &photo, p, j, levels[level]));
                }
        free(photo.rgb);
    }
    print_message("%s: %d crops, largest difference: portable %.2e, others %.2e\n", file->path, crops, worst.portable,
                  worst.fixed);
    assert_true(crops >= 4);
    assert_true(worst.portable < 1e-5);
    assert_true(worst.fixed < fixed_limit);
}

static void golden_crops(void **state)
{
    (void)state;
    struct reference file;
    assert_true(reference_open_path(&file, "tests/golden/data/views.safetensors"));
    check_file(&file);
    reference_close(&file);
}

static void reference_crops(void **state)
{
    (void)state;
    struct reference file;
    if (!reference_open(&file, "augment")) skip_reference("augment");
    check_file(&file);
    reference_close(&file);
}

int main(void)
{
    static const char *const names[LEVELS] = {"portable", "avx2", "avx512", "avx512-vbmi"};
    for (int level = 0; level < LEVELS; level++)
        if (!simd_has(simd_machine(), levels[level])) skip_part("this CPU lacks %s", names[level]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_boxes_match_the_model),
        cmocka_unit_test(large_reduction_and_odd_outputs),
        cmocka_unit_test(flip_is_the_mirror),
        cmocka_unit_test(only_the_box_counts),
        cmocka_unit_test(same_size_is_the_identity),
        cmocka_unit_test(borders_between_taps),
        cmocka_unit_test(cached_tables_are_the_same),
        cmocka_unit_test(areas_between_pixels),
        cmocka_unit_test(nothing_is_read_behind_the_picture),
        cmocka_unit_test(golden_crops),
        cmocka_unit_test(reference_crops),
    };
    return run_cases(tests, NULL, NULL);
}
