/* unit/data/data_support.h -- tests only: folders with pictures in them, and a log that can be read. */
#ifndef UNIT_DATA_SUPPORT_H
#define UNIT_DATA_SUPPORT_H

#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "image/image.h"
#include "support/folder.h"
#include "support/no_memory.h"

static inline int support_open(void **state)
{
    if (make_folder(state)) return 1;
    return setenv("SIMCLR_CACHE", at("user-cache"), 1); /* nothing of a test lands in the user's own */
}

static inline void put_folder(const char *path)
{
    assert_int_equal(file_make_folder(path, NULL), SIMCLR_OK);
}

static inline void put_bytes(const char *path, const void *bytes, size_t count)
{
    assert_int_equal(file_write_atomic(path, bytes, count, NULL), SIMCLR_OK);
}

static inline void put_text(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

/* Smooth colours that depend on `seed`. */
static inline struct image support_picture(int width, int height, uint32_t seed)
{
    struct image image;
    assert_int_equal(image_create(width, height, &image, NULL), SIMCLR_OK);
    struct rng rng = rng_open(7, RNG_TEST, 0, seed, 0);
    const uint32_t a = rng_below(&rng, 200), b = rng_below(&rng, 200), c = rng_below(&rng, 200);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *pixel = image.rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            pixel[0] = (uint8_t)(a + (uint32_t)(x * 55 / width));
            pixel[1] = (uint8_t)(b + (uint32_t)(y * 55 / height));
            pixel[2] = (uint8_t)c;
        }
    }
    return image;
}

static inline void put_png(const char *path, int width, int height, uint32_t seed)
{
    struct image image = support_picture(width, height, seed);
    assert_int_equal(image_write_png(path, &image, NULL), SIMCLR_OK);
    image_free(&image);
}

/* Noise does not compress: most of a file is pixels, so that a cut goes through them and not through the header. */
static inline struct image support_noise(int width, int height, uint32_t seed)
{
    struct image image = support_picture(width, height, seed);
    struct rng rng = rng_open(8, RNG_TEST, 0, seed, 0);
    for (int i = 0; i < width * height * 3; i++) image.rgb[i] = (uint8_t)rng_word(&rng);
    return image;
}

/* A JPEG, or its first bytes if share < 1. */
static inline void put_jpeg_share(const char *path, int width, int height, uint32_t seed, double share)
{
    struct image image = share < 1 ? support_noise(width, height, seed) : support_picture(width, height, seed);
    uint8_t *bytes;
    size_t count;
    assert_int_equal(image_encode_jpeg(&image, 90, &bytes, &count, NULL), SIMCLR_OK);
    put_bytes(path, bytes, (size_t)((double)count * share));
    memory_free(bytes);
    image_free(&image);
}

static inline void put_jpeg(const char *path, int width, int height, uint32_t seed)
{
    put_jpeg_share(path, width, height, seed, 1);
}

/* A log that keeps its lines. */
struct kept_log {
    char text[65536];
    size_t length;
    int lines;
};

static inline void keep_line(void *cookie, enum log_level level, const char *line)
{
    struct kept_log *kept = cookie;
    (void)level;
    const int used = snprintf(kept->text + kept->length, sizeof kept->text - kept->length, "%s\n", line);
    if (used > 0 && (size_t)used < sizeof kept->text - kept->length) kept->length += (size_t)used;
    kept->lines++;
}

static inline int times_in(const char *text, const char *word)
{
    int times = 0;
    for (const char *found = text; (found = strstr(found, word)) != NULL; found++) times++;
    return times;
}

static inline struct pool *support_pool(int threads)
{
    struct pool *pool;
    assert_int_equal(pool_create(&pool, threads, NULL), SIMCLR_OK);
    return pool;
}

enum { NOT_CACHED = 1 /* byte: nothing fits */ };

static inline int support_dataset(struct dataset **out, const char *path, enum dataset_part part, size_t cache_bytes,
                                  struct error *error)
{
    struct pool *pool = support_pool(2);
    struct dataset_config config = dataset_config_default();
    config.path = path;
    config.part = part;
    config.cache_bytes = cache_bytes;
    const int status = dataset_open(out, &config, pool, NULL, error);
    pool_destroy(&pool);
    return status;
}

/* Opens a set that must open. */
static inline struct dataset *open_set(const char *path, enum dataset_part part, size_t cache_bytes)
{
    struct dataset *set;
    struct error error = {0};
    if (support_dataset(&set, path, part, cache_bytes, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return set;
}

/* dataset_has_test_part where it must give an answer. */
static inline bool has_test_part(const char *path)
{
    struct error error = {0};
    bool found;
    if (dataset_has_test_part(path, &found, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return found;
}

/* Opens a set that must be refused, with `word` in the sentence. */
static inline void refuse_set(const char *path, enum dataset_part part, int status, const char *word)
{
    struct dataset *set;
    struct error error = {0};
    assert_int_equal(support_dataset(&set, path, part, 0, &error), status);
    assert_null(set);
    if (strstr(error.text, word) == NULL) fail_msg("`%s` is not in: %s", word, error.text);
}

/* Opens a set of which no image is kept, with its log in `kept`. */
static inline int open_logged(struct dataset **out, const char *path, enum dataset_part part, const char *cache_folder,
                              struct kept_log *kept, struct error *error)
{
    struct pool *pool = support_pool(2);
    struct dataset_config config = dataset_config_default();
    const struct log log = {keep_line, kept};
    memset(kept, 0, sizeof *kept);
    config.path = path;
    config.part = part;
    config.cache_bytes = NOT_CACHED;
    config.cache_folder = cache_folder;
    const int status = dataset_open(out, &config, pool, &log, error);
    pool_destroy(&pool);
    return status;
}

static inline int support_attempt(void *pool, const char *path, bool *opened, struct error *error)
{
    struct dataset *set;
    struct dataset_config config = dataset_config_default();
    config.path = path;
    const int status = dataset_open(&set, &config, pool, NULL, error);
    *opened = set != NULL && status != SIMCLR_OK;
    if (status == SIMCLR_OK) dataset_close(&set);
    return status;
}

/* A set that opens, opens or is refused whichever allocation fails; at least `least` times it is refused. */
static inline void survive_no_memory(const char *path, int least)
{
    struct pool *pool = support_pool(1);
    assert_true(no_memory_steps(support_attempt, pool, path) >= least);
    pool_destroy(&pool);
}

/* Asserts that image `index` is what `image_load` makes of `path`. */
static inline void expect_image(struct dataset *set, int64_t index, const char *path)
{
    struct image storage = {0}, expected;
    const struct image *image;
    assert_int_equal(dataset_image(set, index, &storage, &image, NULL), SIMCLR_OK);
    const struct image_limits limits = image_limits_default();
    assert_int_equal(image_load(path, &limits, &expected, NULL), SIMCLR_OK);
    assert_int_equal(image->width, expected.width);
    assert_int_equal(image->height, expected.height);
    assert_memory_equal(image->rgb, expected.rgb, (size_t)expected.width * (size_t)expected.height * 3);
    image_free(&expected);
    image_free(&storage);
}

#endif
