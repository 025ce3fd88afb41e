/* Decoding: every kind of PNG and JPEG gives the right RGB, every bad file a status and a sentence, nothing leaks.
 * The inputs are made here with libpng and libjpeg. */
#include "support/run.h"

#include <jpeglib.h>
#include <malloc.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "image/image.h"

#include "support/no_memory.h"

enum { WIDTH = 37, HEIGHT = 29 };

/* A file in memory, in a block of exactly its size so that a sanitizer sees every over-read. */
struct blob {
    uint8_t *bytes;
    size_t count;
};

static void blob_append(png_structp png, png_bytep bytes, size_t count)
{
    struct blob *blob = png_get_io_ptr(png);
    blob->bytes = realloc(blob->bytes, blob->count + count);
    assert_non_null(blob->bytes);
    memcpy(blob->bytes + blob->count, bytes, count);
    blob->count += count;
}

static void blob_flush(png_structp png)
{
    (void)png;
}

static struct blob blob_copy(const uint8_t *bytes, size_t count)
{
    struct blob blob = {malloc(count ? count : 1), count};
    assert_non_null(blob.bytes);
    memcpy(blob.bytes, bytes, count);
    return blob;
}

/* A PNG of any kind from rows as libpng wants them (big-endian 16 bit, packed below 8). */
static struct blob make_png(int type, int depth, int interlace, bool transparent, uint8_t *pixels, size_t stride)
{
    struct blob blob = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_non_null(info);
    png_set_write_fn(png, &blob, blob_append, blob_flush);
    png_set_IHDR(png, info, WIDTH, HEIGHT, depth, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_color palette[256];
    png_byte alpha[256];
    for (int i = 0; i < 256; i++) {
        palette[i] = (png_color){(png_byte)(255 - i), (png_byte)(i * 7), (png_byte)(i ^ 0x5A)};
        alpha[i] = (png_byte)(i * 3);
    }
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 1 << depth);
    if (transparent && type == PNG_COLOR_TYPE_PALETTE) png_set_tRNS(png, info, alpha, 1 << depth, NULL);
    const png_color_16 key = {.red = 10, .green = 20, .blue = 30, .gray = 1};
    if (transparent && type != PNG_COLOR_TYPE_PALETTE) png_set_tRNS(png, info, NULL, 0, &key);
    png_set_gAMA(png, info, 1.0); /* PIL applies no gamma, so neither do we */
    png_write_info(png, info);
    uint8_t *rows[HEIGHT];
    for (int y = 0; y < HEIGHT; y++) rows[y] = pixels + (size_t)y * stride;
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return blob;
}

/* One channel's sample of `depth` bits at a place of a row. */
static unsigned sample_at(const uint8_t *row, int index, int depth)
{
    if (depth == 16) return row[2 * index]; /* the high byte */
    if (depth == 8) return row[index];
    const int per_byte = 8 / depth;
    return (unsigned)(row[index / per_byte] >> (8 - depth - index % per_byte * depth)) & ((1u << depth) - 1);
}

static void expect_rgb(int type, int depth, const uint8_t *row, int x, uint8_t rgb[3])
{
    const int channels = type == PNG_COLOR_TYPE_RGB          ? 3
                         : type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
                         : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                             : 1;
    const unsigned first = sample_at(row, x * channels, depth);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        rgb[0] = (uint8_t)(255 - first);
        rgb[1] = (uint8_t)(first * 7);
        rgb[2] = (uint8_t)(first ^ 0x5A);
    } else if (channels >= 3) {
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)sample_at(row, x * channels + c, depth);
    } else {
        const unsigned full = depth < 8 ? first * 255 / ((1u << depth) - 1) : first;
        rgb[0] = rgb[1] = rgb[2] = (uint8_t)full;
    }
}

static void check_png(int type, int depth, int interlace, bool transparent)
{
    static uint8_t pixels[HEIGHT][WIDTH * 8];
    struct rng rng = rng_open(3, RNG_TEST, 0, (uint32_t)(type * 100 + depth), 0);
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < WIDTH * 8; i++) pixels[y][i] = (uint8_t)rng_word(&rng);
    struct blob blob = make_png(type, depth, interlace, transparent, pixels[0], sizeof pixels[0]);
    struct image_limits limits = image_limits_default();
    struct image image;
    struct error error = {0};
    const int status = image_decode(blob.bytes, blob.count, &limits, "x", &image, &error);
    if (status != SIMCLR_OK) fail_msg("type %d depth %d: %s", type, depth, error.text);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t rgb[3];
            expect_rgb(type, depth, pixels[y], x, rgb);
            assert_memory_equal(rgb, image.rgb + 3 * (y * WIDTH + x), 3);
        }
    image_free(&image);
    free(blob.bytes);
}

static void every_kind_of_png(void **state)
{
    (void)state;
    for (int interlace = 0; interlace < 2; interlace++)
        for (int transparent = 0; transparent < 2; transparent++) {
            for (int depth = 1; depth <= 16; depth *= 2) check_png(PNG_COLOR_TYPE_GRAY, depth, interlace, transparent);
            for (int depth = 1; depth <= 8; depth *= 2)
                check_png(PNG_COLOR_TYPE_PALETTE, depth, interlace, transparent);
            for (int depth = 8; depth <= 16; depth *= 2) check_png(PNG_COLOR_TYPE_RGB, depth, interlace, transparent);
        }
    for (int depth = 8; depth <= 16; depth *= 2) {
        check_png(PNG_COLOR_TYPE_GRAY_ALPHA, depth, 0, false);
        check_png(PNG_COLOR_TYPE_RGB_ALPHA, depth, 1, false);
    }
}

/* A smooth picture of 1 to 4 channels, which JPEG keeps nearly as it is. */
static void paint(uint8_t *pixels, int channels)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++)
                pixels[(y * WIDTH + x) * channels + c] =
                    (uint8_t)(40 + 2 * x * (c != 1) + 3 * y * (c != 0) + 20 * c - (c == 3 ? 2 * x : 0));
}

static struct blob make_jpeg(J_COLOR_SPACE from, J_COLOR_SPACE stored, int channels, bool progressive)
{
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    paint(pixels, channels);
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr manager;
    cinfo.err = jpeg_std_error(&manager);
    jpeg_create_compress(&cinfo);
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    jpeg_mem_dest(&cinfo, &bytes, &count);
    cinfo.image_width = WIDTH;
    cinfo.image_height = HEIGHT;
    cinfo.input_components = channels;
    cinfo.in_color_space = from;
    jpeg_set_defaults(&cinfo);
    jpeg_set_colorspace(&cinfo, stored);
    jpeg_set_quality(&cinfo, 100, TRUE);
    for (int i = 0; i < cinfo.num_components; i++)
        cinfo.comp_info[i].h_samp_factor = cinfo.comp_info[i].v_samp_factor = 1;
    if (progressive) jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height) {
        JSAMPROW row = pixels + (size_t)cinfo.next_scanline * WIDTH * (size_t)channels;
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    struct blob blob = blob_copy(bytes, count);
    free(bytes);
    return blob;
}

static struct image decode(struct blob blob)
{
    struct image_limits limits = image_limits_default();
    struct image image;
    struct error error = {0};
    if (image_decode(blob.bytes, blob.count, &limits, "x", &image, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    return image;
}

/* Compares with the painted picture turned into RGB by the definition of each colour space. */
static void check_jpeg(J_COLOR_SPACE from, J_COLOR_SPACE stored, int channels, bool progressive)
{
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    paint(pixels, channels);
    struct blob blob = make_jpeg(from, stored, channels, progressive);
    struct image image = decode(blob);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < 3; c++) {
            const uint8_t *source = pixels + i * channels;
            const double expected = channels == 1   ? source[0]
                                    : channels == 3 ? source[c]
                                                    : source[c] * source[3] / 255.0; /* Adobe's inverted inks */
            assert_true(image.rgb[3 * i + c] <= expected + 4.0 && image.rgb[3 * i + c] >= expected - 4.0);
        }
    image_free(&image);
    free(blob.bytes);
}

static void every_kind_of_jpeg(void **state)
{
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        check_jpeg(JCS_GRAYSCALE, JCS_GRAYSCALE, 1, progressive);
        check_jpeg(JCS_RGB, JCS_YCbCr, 3, progressive);
        check_jpeg(JCS_RGB, JCS_RGB, 3, progressive);
        check_jpeg(JCS_CMYK, JCS_CMYK, 4, progressive);
        check_jpeg(JCS_CMYK, JCS_YCCK, 4, progressive);
    }
}

static void progressive_equals_baseline(void **state)
{
    (void)state;
    struct blob plain = make_jpeg(JCS_RGB, JCS_YCbCr, 3, false), scans = make_jpeg(JCS_RGB, JCS_YCbCr, 3, true);
    struct image a = decode(plain), b = decode(scans);
    assert_memory_equal(a.rgb, b.rgb, WIDTH * HEIGHT * 3);
    image_free(&a);
    image_free(&b);
    free(plain.bytes);
    free(scans.bytes);
}

/* Decodes bytes that must be refused: status, sentence with the name, empty result. */
static void refuse(const uint8_t *bytes, size_t count, int expected)
{
    struct blob exact = blob_copy(bytes, count);
    struct image_limits limits = image_limits_default();
    struct image image = {1, 1, NULL};
    struct error error = {0};
    const int status = image_decode(exact.bytes, exact.count, &limits, "photos/cat.jpg", &image, &error);
    assert_int_equal(status, expected);
    assert_int_equal(error.status, expected);
    assert_non_null(strstr(error.text, "photos/cat.jpg"));
    assert_true(strlen(error.text) > strlen("photos/cat.jpg") + 10);
    assert_int_equal(image.width, 0);
    assert_null(image.rgb);
    free(exact.bytes);
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        struct blob jpeg = make_jpeg(JCS_RGB, JCS_YCbCr, 3, progressive);
        for (size_t length = 3; length < jpeg.count - 8; length += 1 + length % 7)
            refuse(jpeg.bytes, length, SIMCLR_CORRUPT);
        /* cut in the middle of the pixels, then ended properly: pixels are still missing */
        struct blob ended = blob_copy(jpeg.bytes, jpeg.count / 2 + 2);
        memcpy(ended.bytes + ended.count - 2, "\xFF\xD9", 2);
        if (!progressive) /* a progressive file may be coarse but whole */
            refuse(ended.bytes, ended.count, SIMCLR_CORRUPT);
        free(ended.bytes);
        free(jpeg.bytes);
    }
    static uint8_t pixels[HEIGHT * WIDTH * 3];
    paint(pixels, 3);
    struct blob png = make_png(PNG_COLOR_TYPE_RGB, 8, 0, false, pixels, WIDTH * 3);
    for (size_t length = 8; length < png.count; length++) refuse(png.bytes, length, SIMCLR_CORRUPT);
    free(png.bytes);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    refuse((const uint8_t *)"", 0, SIMCLR_CORRUPT);
    refuse((const uint8_t *)"\xFF", 1, SIMCLR_CORRUPT);
    refuse((const uint8_t *)"\xFF\xD8\xFF", 3, SIMCLR_CORRUPT);
    refuse((const uint8_t *)"\x89PNG\r\n\x1A\n", 8, SIMCLR_CORRUPT);
    refuse((const uint8_t *)"GIF89a......", 12, SIMCLR_UNSUPPORTED);
    refuse((const uint8_t *)"RIFF....WEBPVP8 ", 16, image_reads_webp() ? SIMCLR_CORRUPT : SIMCLR_UNSUPPORTED);
    refuse((const uint8_t *)"<html>not found</html>", 22, SIMCLR_CORRUPT);
    refuse((const uint8_t *)"just some text", 14, SIMCLR_CORRUPT);
}

/* A header that promises 100,000 x 100,000 pixels must be refused before anything is allocated. */
static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    static uint8_t pixels[HEIGHT * WIDTH * 3];
    struct blob png = make_png(PNG_COLOR_TYPE_RGB, 8, 0, false, pixels, WIDTH * 3);
    const uint8_t huge[8] = {0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0}, none[8] = {0};
    memcpy(png.bytes + 16, huge, 8);
    memory_fail_after(1); /* the first allocation would fail with another status */
    refuse(png.bytes, png.count, SIMCLR_UNSUPPORTED);
    memory_fail_after(0);
    int width, height;
    assert_int_equal(image_probe(png.bytes, png.count, "x", &width, &height, NULL), SIMCLR_OK);
    assert_int_equal(width, 100000);
    memcpy(png.bytes + 16, none, 8);
    refuse(png.bytes, png.count, SIMCLR_UNSUPPORTED);
    free(png.bytes);

    struct blob jpeg = make_jpeg(JCS_RGB, JCS_YCbCr, 3, false);
    size_t frame = 2;
    while (jpeg.bytes[frame] == 0xFF && jpeg.bytes[frame + 1] != 0xC0)
        frame += 2 + ((size_t)jpeg.bytes[frame + 2] << 8 | jpeg.bytes[frame + 3]);
    memcpy(jpeg.bytes + frame + 5, "\xFF\xDC\xFF\xDC", 4); /* 65,500 each way */
    memory_fail_after(1);
    refuse(jpeg.bytes, jpeg.count, SIMCLR_UNSUPPORTED);
    memory_fail_after(0);
    free(jpeg.bytes);
}

static void limits_are_held(void **state)
{
    (void)state;
    struct blob jpeg = make_jpeg(JCS_RGB, JCS_YCbCr, 3, true);
    struct image image;
    struct error error;
    struct image_limits limits = image_limits_default();
    limits.max_scans = 3; /* simple progression has ten */
    assert_int_equal(image_decode(jpeg.bytes, jpeg.count, &limits, "x", &image, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "scans"));
    limits = image_limits_default();
    limits.max_pixels = WIDTH * HEIGHT - 1;
    assert_int_equal(image_decode(jpeg.bytes, jpeg.count, &limits, "x", &image, &error), SIMCLR_UNSUPPORTED);
    limits.max_pixels = WIDTH * HEIGHT;
    assert_int_equal(image_decode(jpeg.bytes, jpeg.count, &limits, "x", &image, &error), SIMCLR_OK);
    image_free(&image);
    limits.max_bytes = jpeg.count - 1;
    assert_int_equal(image_decode(jpeg.bytes, jpeg.count, &limits, "x", &image, &error), SIMCLR_UNSUPPORTED);
    int width = 0, height = 0;
    assert_int_equal(image_probe(jpeg.bytes, jpeg.count, "x", &width, &height, &error), SIMCLR_OK);
    assert_int_equal(width, WIDTH);
    assert_int_equal(height, HEIGHT);
    free(jpeg.bytes);
}

/* Real files with random damage, and random bytes behind each magic: never a crash, always a clean answer. */
static void damage_is_answered_cleanly(void **state)
{
    (void)state;
    static uint8_t pixels[HEIGHT * WIDTH * 3];
    paint(pixels, 3);
    struct blob whole[3] = {make_jpeg(JCS_RGB, JCS_YCbCr, 3, false), make_jpeg(JCS_CMYK, JCS_YCCK, 4, true),
                            make_png(PNG_COLOR_TYPE_RGB, 8, 1, false, pixels, WIDTH * 3)};
    struct rng rng = rng_open(11, RNG_TEST, 0, 0, 0);
    struct image_limits limits = image_limits_default();
    limits.max_pixels = 1 << 20;
    int refused = 0;
    for (int round = 0; round < 3000; round++) {
        const struct blob *source = &whole[round % 3];
        struct blob blob = blob_copy(source->bytes, source->count);
        if (round % 5 == 0)
            for (size_t i = 8; i < blob.count; i++) blob.bytes[i] = (uint8_t)rng_word(&rng);
        for (int flips = 1 + (int)rng_below(&rng, 4); flips > 0; flips--)
            blob.bytes[3 + rng_below(&rng, (uint32_t)blob.count - 3)] = (uint8_t)rng_word(&rng);
        struct image image = {1, 1, NULL};
        struct error error = {0};
        const int status = image_decode(blob.bytes, blob.count, &limits, "broken.png", &image, &error);
        if (status != SIMCLR_OK) {
            refused++;
            assert_true(status == SIMCLR_CORRUPT || status == SIMCLR_UNSUPPORTED);
            assert_non_null(strstr(error.text, "broken.png"));
            assert_null(image.rgb);
        }
        image_free(&image);
        free(blob.bytes);
    }
    assert_true(refused > 1000);
    for (int i = 0; i < 3; i++) free(whole[i].bytes);
}

static void no_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    static uint8_t pixels[HEIGHT * WIDTH * 3];
    struct blob whole[3] = {make_jpeg(JCS_RGB, JCS_YCbCr, 3, false), make_jpeg(JCS_CMYK, JCS_YCCK, 4, true),
                            make_png(PNG_COLOR_TYPE_RGB, 8, 1, false, pixels, WIDTH * 3)};
    const int allocations[3] = {1, 2, 2};
    struct image_limits limits = image_limits_default();
    size_t before = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++) {
            struct image image;
            struct error error;
            for (int n = 1; n <= allocations[i]; n++) {
                memory_fail_after(n);
                assert_int_equal(image_decode(whole[i].bytes, whole[i].count, &limits, "x", &image, &error),
                                 SIMCLR_NO_MEMORY);
                assert_null(image.rgb);
            }
            memory_fail_after(0);
            assert_int_not_equal(image_decode(whole[i].bytes, whole[i].count / 2, &limits, "x", &image, &error), 0);
        }
        if (round == 1) before = mallinfo2().uordblks; /* libraries have set up what they keep */
    }
    assert_int_equal(mallinfo2().uordblks, before);
    for (int i = 0; i < 3; i++) free(whole[i].bytes);
}

static int decode_blob(void *context, const char *name, bool *opened, struct error *error)
{
    const struct image_limits limits = image_limits_default();
    const struct blob *blob = context;
    struct image image;
    const int status = image_decode(blob->bytes, blob->count, &limits, name, &image, error);
    *opened = image.rgb && status;
    image_free(&image);
    return status;
}

/* libpng's own allocations too: what it complains of then is no damage of the file. */
static void no_memory_in_libpng_is_no_damage(void **state)
{
    (void)state;
    static uint8_t pixels[HEIGHT * WIDTH * 3];
    struct blob png = make_png(PNG_COLOR_TYPE_RGB, 8, 1, false, pixels, WIDTH * 3);
    assert_true(no_memory_steps(decode_blob, &png, "x") > 4); /* two are the picture's and its rows' */
    free(png.bytes);
}

/* A PNG under a JPEG's name loads; a missing file and a folder do not. */
static void files(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/simclr_test_decode_%ld.jpg", (long)getpid());
    struct image image, again;
    struct error error;
    struct image_limits limits = image_limits_default();
    assert_int_equal(image_create(WIDTH, HEIGHT, &image, &error), SIMCLR_OK);
    paint(image.rgb, 3);
    assert_int_equal(image_write_png(path, &image, &error), SIMCLR_OK);
    assert_int_equal(image_load(path, &limits, &again, &error), SIMCLR_OK);
    assert_int_equal(again.width, WIDTH);
    assert_memory_equal(again.rgb, image.rgb, WIDTH * HEIGHT * 3);
    image_free(&again);
    unlink(path);
    assert_int_equal(image_load(path, &limits, &again, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, path));
    assert_int_not_equal(image_load("/tmp", &limits, &again, &error), SIMCLR_OK);
    assert_int_equal(image_write_png("/nonexistent/folder/x.png", &image, &error), SIMCLR_IO);

    uint8_t *bytes;
    size_t count;
    assert_int_equal(image_encode_jpeg(&image, 95, &bytes, &count, &error), SIMCLR_OK);
    assert_int_equal(image_decode(bytes, count, &limits, "x", &again, &error), SIMCLR_OK);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) assert_true(abs(again.rgb[i] - image.rgb[i]) < 16);
    image_free(&again);
    memory_free(bytes);
    const struct image wide = {70000, 1, image.rgb};
    assert_int_equal(image_encode_jpeg(&wide, 90, &bytes, &count, &error), SIMCLR_INVALID);
    assert_int_equal(image_create(0, 5, &again, &error), SIMCLR_INVALID);
    image_free(&image);
    assert_null(image.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_png),
        cmocka_unit_test(every_kind_of_jpeg),
        cmocka_unit_test(progressive_equals_baseline),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(limits_are_held),
        cmocka_unit_test(damage_is_answered_cleanly),
        cmocka_unit_test(no_memory_is_reported_and_nothing_leaks),
        cmocka_unit_test(no_memory_in_libpng_is_no_damage),
        cmocka_unit_test(files),
    };
    return run_cases(tests, NULL, NULL);
}
