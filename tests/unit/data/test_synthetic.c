/* The drawn set: the same pictures everywhere, classes that pixels do not give away. */
#include <math.h>

#include "unit/data/data_support.h"

#include "data/sets/synthetic.h"

enum { SIDE = 32, BYTES = SIDE * SIDE * 3 };

static void stateless(void **state)
{
    (void)state;
    uint8_t a[BYTES], b[BYTES];
    synthetic_render(1, 0, 57, SIDE, a);
    synthetic_render(9, 1, 3, SIDE, b);
    synthetic_render(1, 0, 57, SIDE, b);
    assert_memory_equal(a, b, BYTES);
    synthetic_render(1, 1, 57, SIDE, b); /* the other part */
    assert_memory_not_equal(a, b, BYTES);
    synthetic_render(2, 0, 57, SIDE, b); /* another seed */
    assert_memory_not_equal(a, b, BYTES);
    synthetic_render(1, 0, 67, SIDE, b); /* the next of the class */
    assert_memory_not_equal(a, b, BYTES);
}

/* Bytes beyond the picture stay as they were, at odd sizes too. */
static void sizes(void **state)
{
    (void)state;
    static const int sides[] = {8, 9, 31, 97};
    for (int k = 0; k < 4; k++) {
        const size_t bytes = (size_t)sides[k] * (size_t)sides[k] * 3;
        uint8_t *block = memory_allocate(bytes + 64);
        memset(block, 0xA5, bytes + 64);
        for (uint32_t i = 0; i < SYNTHETIC_CLASSES; i++) synthetic_render(4, 0, i, sides[k], block + 32);
        for (size_t i = 0; i < 32; i++) {
            assert_int_equal(block[i], 0xA5);
            assert_int_equal(block[32 + bytes + i], 0xA5);
        }
        memory_free(block);
    }
}

static void opened_as_a_set(void **state)
{
    (void)state;
    struct pool *pool = support_pool(3);
    struct dataset_config config = dataset_config_default();
    struct dataset *set[2], *other;
    config.synthetic_count = 41;
    config.synthetic_size = 24;
    assert_int_equal(dataset_open(&set[0], &config, pool, NULL, NULL), SIMCLR_OK);
    config.cache_bytes = NOT_CACHED;
    assert_int_equal(dataset_open(&set[1], &config, pool, NULL, NULL), SIMCLR_OK);
    for (int k = 0; k < 2; k++) {
        struct image storage = {0};
        uint8_t expected[24 * 24 * 3];
        assert_int_equal(dataset_count(set[k]), 41);
        assert_int_equal(dataset_classes(set[k]), SYNTHETIC_CLASSES);
        assert_string_equal(dataset_class_name(set[k], 5), "star");
        assert_string_equal(dataset_name(set[k], 12), "synthetic/12");
        for (int64_t i = 0; i < 41; i++) {
            const struct image *image;
            assert_int_equal(dataset_image(set[k], i, &storage, &image, NULL), SIMCLR_OK);
            synthetic_render(config.synthetic_seed, 0, (uint32_t)i, 24, expected);
            assert_memory_equal(image->rgb, expected, sizeof expected);
            assert_int_equal(dataset_label(set[k], i), i % 10);
        }
        image_free(&storage);
    }
    assert_true(dataset_fingerprint(set[0]) == dataset_fingerprint(set[1]));
    config.synthetic_seed++;
    assert_int_equal(dataset_open(&other, &config, pool, NULL, NULL), SIMCLR_OK);
    assert_true(dataset_fingerprint(set[0]) != dataset_fingerprint(other));
    dataset_close(&other);
    for (int k = 0; k < 2; k++) dataset_close(&set[k]);
    config.synthetic_size = 4;
    assert_int_equal(dataset_open(&other, &config, pool, NULL, NULL), SIMCLR_INVALID);
    config.synthetic_size = 32;
    config.synthetic_count = -1;
    assert_int_equal(dataset_open(&other, &config, pool, NULL, NULL), SIMCLR_INVALID);
    pool_destroy(&pool);
}

struct pictures {
    int count;
    float *pixels;
}; /* [count][BYTES], minus 0.5, of length 1 */

static struct pictures draw(int part, int count)
{
    struct pictures pictures = {count, memory_array((size_t)count, BYTES * sizeof(float))};
    for (int i = 0; i < count; i++) {
        uint8_t rgb[BYTES];
        float *row = pictures.pixels + (size_t)i * BYTES, square = 0;
        synthetic_render(1, part, (uint32_t)i, SIDE, rgb);
        for (int k = 0; k < BYTES; k++) {
            row[k] = (float)rgb[k] / 255 - 0.5f;
            square += row[k] * row[k];
        }
        for (int k = 0; k < BYTES; k++) row[k] /= sqrtf(square);
    }
    return pictures;
}

/* Top-1 of weighted kNN (cosine, k, temperature 0.1) as the evaluation does it. */
static double knn_on_pixels(const struct pictures *train, const struct pictures *test, int k)
{
    int right = 0;
    float *similarity = memory_array((size_t)train->count, sizeof *similarity);
    for (int i = 0; i < test->count; i++) {
        double score[SYNTHETIC_CLASSES] = {0};
        for (int j = 0; j < train->count; j++) {
            float sum[8] = {0};
            const float *a = test->pixels + (size_t)i * BYTES, *b = train->pixels + (size_t)j * BYTES;
            for (int p = 0; p < BYTES; p += 8)
                for (int q = 0; q < 8; q++) sum[q] += a[p + q] * b[p + q];
            similarity[j] = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
        }
        for (int n = 0; n < k; n++) {
            int best = 0;
            for (int j = 1; j < train->count; j++)
                if (similarity[j] > similarity[best]) best = j;
            score[best % SYNTHETIC_CLASSES] += exp(similarity[best] / 0.1);
            similarity[best] = -2;
        }
        int guess = 0;
        for (int c = 1; c < SYNTHETIC_CLASSES; c++)
            if (score[c] > score[guess]) guess = c;
        right += guess == i % SYNTHETIC_CLASSES;
    }
    memory_free(similarity);
    return (double)right / test->count;
}

static void pixels_do_not_tell(void **state)
{
    (void)state;
    struct pictures train = draw(0, 2000), test = draw(1, 300);
    const double many = knn_on_pixels(&train, &test, 100), few = knn_on_pixels(&train, &test, 5);
    print_message("kNN on pixels: %.1f %% (k = 100), %.1f %% (k = 5)\n", 100 * many, 100 * few);
    assert_true(many < 0.35);
    assert_true(few < 0.35);
    memory_free(train.pixels);
    memory_free(test.pixels);
}

/* Neither brightness nor colour nor contrast alone decides the class: class means lie within a fraction of the
 * spread inside a class. And no picture is blank. */
static void simple_statistics_do_not_tell(void **state)
{
    (void)state;
    enum { PER_CLASS = 150 };
    double mean[SYNTHETIC_CLASSES][3] = {{0}}, square[3] = {0};
    for (uint32_t i = 0; i < PER_CLASS * SYNTHETIC_CLASSES; i++) {
        uint8_t rgb[BYTES];
        double sum[3] = {0}, low = 1, high = 0;
        synthetic_render(1, 0, i, SIDE, rgb);
        for (int p = 0; p < BYTES; p++) {
            const double value = rgb[p] / 255.0;
            sum[p % 3] += value / (SIDE * SIDE);
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        assert_true(high - low > 0.4);
        for (int c = 0; c < 3; c++) {
            mean[i % SYNTHETIC_CLASSES][c] += sum[c] / PER_CLASS;
            square[c] += (sum[c] - 0.5) * (sum[c] - 0.5) / (PER_CLASS * SYNTHETIC_CLASSES);
        }
    }
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < SYNTHETIC_CLASSES; k++) assert_true(fabs(mean[k][c] - 0.5) < 0.5 * sqrt(square[c]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stateless),
        cmocka_unit_test(sizes),
        cmocka_unit_test(opened_as_a_set),
        cmocka_unit_test(pixels_do_not_tell),
        cmocka_unit_test(simple_statistics_do_not_tell),
    };
    return run_cases(tests, support_open, remove_folder);
}
