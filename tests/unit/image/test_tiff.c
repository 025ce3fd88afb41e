/* TIFF pictures, written here byte by byte: both orders of bytes, 8 and 16 bits, alpha, all orientations, damage. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/image.h"
#include "support/run.h"

#include "support/no_memory.h"

enum { WIDTH = 7, HEIGHT = 5, ENTRIES = 11, ROOM = 1024 };

struct file {
    uint8_t bytes[ROOM];
    size_t count;
    bool big;
};

static void put(struct file *file, size_t at, int bytes, uint32_t value)
{
    for (int i = 0; i < bytes; i++)
        file->bytes[at + (size_t)i] = (uint8_t)(value >> 8 * (file->big ? bytes - 1 - i : i));
}

/* What pixel (x, y) has in a channel: bits 8 to 15 of a sample of 16, whose others are ones. */
static uint8_t sample(int x, int y, int channel)
{
    return (uint8_t)(17 * x + 40 * y + 90 * channel);
}

/* One uncompressed strip: gray (1 channel), RGB (3), or RGB with an alpha that it was not multiplied by (4), of 8 or 16
 * bits. */
static struct file make(bool big, int channels, int depth, int orientation)
{
    struct file file = {.big = big};
    const size_t count = channels == 4 ? ENTRIES : ENTRIES - 1;
    const size_t directory = 8, pixels = directory + 2 + ENTRIES * 12 + 4 + 8;
    const size_t size = (size_t)WIDTH * HEIGHT * (size_t)channels * (size_t)(depth / 8);
    const uint32_t entries[ENTRIES][4] = {
        {256, 3, 1, WIDTH},
        {257, 3, 1, HEIGHT},
        {258, 3, 1, (uint32_t)depth},
        {259, 3, 1, 1},
        {262, 3, 1, channels >= 3 ? 2 : 1},
        {273, 4, 1, (uint32_t)pixels},
        {274, 3, 1, (uint32_t)orientation},
        {277, 3, 1, (uint32_t)channels},
        {278, 3, 1, HEIGHT},
        {279, 4, 1, (uint32_t)size},
        {338, 3, 1, 2},
    };
    memcpy(file.bytes, big ? "MM\0*" : "II*\0", 4);
    put(&file, 4, 4, (uint32_t)directory);
    put(&file, directory, 2, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const size_t at = directory + 2 + 12 * i;
        put(&file, at, 2, entries[i][0]);
        put(&file, at + 2, 2, entries[i][1]);
        put(&file, at + 4, 4, entries[i][2]);
        put(&file, at + 8, entries[i][1] == 3 ? 2 : 4, entries[i][3]);
    }
    if (channels >= 3) { /* so many depths do not fit into an entry */
        put(&file, directory + 2 + 24 + 4, 4, (uint32_t)channels);
        put(&file, directory + 2 + 24 + 8, 4, (uint32_t)pixels - 8);
        for (size_t i = 0; i < (size_t)channels; i++) put(&file, pixels - 8 + 2 * i, 2, (uint32_t)depth);
    }
    size_t at = pixels;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int channel = 0; channel < channels; channel++, at += (size_t)(depth / 8))
                put(&file, at, depth / 8, depth == 16 ? sample(x, y, channel) * 256u + 255 : sample(x, y, channel));
    file.count = pixels + size;
    return file;
}

#ifdef SIMCLR_TIFF

static void every_depth_and_order(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    for (int kind = 0; kind < 12; kind++) {
        static const int of[] = {1, 3, 4};
        const int channels = of[kind / 4], depth = kind & 1 ? 16 : 8;
        const struct file file = make((kind & 2) != 0, channels, depth, 1);
        struct image_header header;
        struct image image;
        assert_int_equal(image_read_header(file.bytes, file.count, "x", &header, NULL), SIMCLR_OK);
        assert_int_equal(header.format, IMAGE_TIFF);
        assert_int_equal(header.width, WIDTH);
        assert_int_equal(header.height, HEIGHT);
        assert_int_equal(header.depth, depth);
        assert_int_equal(image_decode(file.bytes, file.count, &limits, "x", &image, NULL), SIMCLR_OK);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < 3; c++)
                    assert_int_equal(image.rgb[3 * (y * WIDTH + x) + c], sample(x, y, channels >= 3 ? c : 0));
        image_free(&image);
    }
}

static void turned_upright(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    for (int orientation = 1; orientation <= 8; orientation++) {
        const struct file stored = make(false, 3, 8, 1), turned = make(orientation % 2, 3, 8, orientation);
        struct image expected, image;
        struct image_header header;
        assert_int_equal(image_decode(stored.bytes, stored.count, &limits, "x", &expected, NULL), SIMCLR_OK);
        assert_int_equal(image_orient(&expected, orientation, NULL), SIMCLR_OK);
        assert_int_equal(image_decode(turned.bytes, turned.count, &limits, "x", &image, NULL), SIMCLR_OK);
        assert_int_equal(image_read_header(turned.bytes, turned.count, "x", &header, NULL), SIMCLR_OK);
        assert_int_equal(header.orientation, orientation);
        assert_int_equal(image.width, expected.width);
        assert_int_equal(header.width, expected.width);
        assert_memory_equal(image.rgb, expected.rgb, WIDTH * HEIGHT * 3);
        image_free(&image);
        image_free(&expected);
    }
}

static void refuse(const struct file *file, size_t count, int expected, const char *word)
{
    const struct image_limits limits = image_limits_default();
    struct image image;
    struct error error = {0};
    uint8_t *exact = malloc(count);
    memcpy(exact, file->bytes, count);
    const int status = image_decode(exact, count, &limits, "cat.tif", &image, &error);
    if (status != expected) fail_msg("%zu bytes: status %d: %s", count, status, error.text);
    assert_null(image.rgb);
    if (!strstr(error.text, word) || !strstr(error.text, "cat.tif")) fail_msg("%s", error.text);
    free(exact);
}

static void damage_is_answered_cleanly(void **state)
{
    (void)state;
    struct file file = make(false, 3, 8, 1);
    for (size_t count = 4; count < file.count; count++) refuse(&file, count, SIMCLR_CORRUPT, "damaged TIFF");
    put(&file, 10 + 8, 2, 65000); /* pixels that are not there */
    refuse(&file, file.count, SIMCLR_CORRUPT, "damaged TIFF");
    file = make(false, 1, 8, 1);
    put(&file, 10 + 24 + 8, 2, 64); /* doubles */
    refuse(&file, file.count, SIMCLR_UNSUPPORTED, "convert");
    file = make(false, 3, 8, 1); /* more pixels than are accepted */
    put(&file, 10 + 8, 2, 60000);
    put(&file, 10 + 12 + 8, 2, 60000);
    refuse(&file, file.count, SIMCLR_UNSUPPORTED, "make it smaller");
}

/* libtiff has no words for the first of these, and takes the second for a lack of memory. */
static void no_directory_is_damage(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        const char *bytes, *word;
    } files[] = {
        {8, "II*\0\0\0\0\0", "no picture in it"},
        {8, "MM\0*\0\0\0\0", "no picture in it"},
        {16, "II+\0\x08\0\0\0\0\0\0\0\0\0\0\0", "no picture in it"},
        {14, "II*\0\x08\0\0\0\0\0\0\0\0\0", "damaged TIFF"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct file file = {.count = files[i].count};
        struct image_header header;
        struct error error = {0};
        memcpy(file.bytes, files[i].bytes, file.count);
        refuse(&file, file.count, SIMCLR_CORRUPT, files[i].word);
        assert_int_equal(image_read_header(file.bytes, file.count, "cat.tif", &header, &error), SIMCLR_CORRUPT);
    }
}

/* Where libtiff speaks of memory and there is none, the picture is not called damaged. */
static void lack_of_memory_is_told(void **state)
{
    (void)state;
    struct file file = {.count = 14};
    struct image_header header;
    struct error error = {0};
    memcpy(file.bytes, "II*\0\x08\0\0\0\0\0\0\0\0\0", file.count);
    memory_fail_after(1);
    const int status = image_read_header(file.bytes, file.count, "cat.tif", &header, &error);
    memory_fail_after(0);
    assert_int_equal(status, SIMCLR_NO_MEMORY);
}

static int attempt(void *cookie, const char *path, bool *opened, struct error *error)
{
    const struct image_limits limits = image_limits_default();
    const struct file *file = cookie;
    struct image image;
    const int status = image_decode(file->bytes, file->count, &limits, path, &image, error);
    *opened = image.rgb && status;
    image_free(&image);
    return status;
}

static void no_memory_is_no_damage(void **state)
{
    (void)state;
    struct file file = make(true, 3, 16, 6);
    assert_true(no_memory_steps(attempt, &file, "x") >= 2);
}

#else

static void only_refused(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    const struct file file = make(false, 3, 8, 1);
    struct image image;
    struct error error = {0};
    assert_int_equal(image_decode(file.bytes, file.count, &limits, "cat.tif", &image, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "libtiff"));
    print_message("built without libtiff: only the refusal is tested\n");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef SIMCLR_TIFF
        cmocka_unit_test(every_depth_and_order),      cmocka_unit_test(turned_upright),
        cmocka_unit_test(damage_is_answered_cleanly), cmocka_unit_test(no_directory_is_damage),
        cmocka_unit_test(lack_of_memory_is_told),     cmocka_unit_test(no_memory_is_no_damage),
#else
        cmocka_unit_test(only_refused),
#endif
    };
    return run_cases(tests, NULL, NULL);
}
