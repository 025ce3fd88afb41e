/* EXIF orientation in every format, hostile EXIF, ICC profiles, restart markers and WebP. */
#include "support/run.h"

#include <jpeglib.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SIMCLR_WEBP
#include <webp/encode.h>
#endif

#include "base/memory.h"
#include "base/rng.h"
#include "image/exif.h"
#include "image/image.h"

enum { WIDTH = 45, HEIGHT = 34, EXIF_BYTES = 26 };

struct blob {
    uint8_t *bytes;
    size_t count;
};

static struct blob joined(const void *a, size_t a_count, const void *b, size_t b_count, const void *c, size_t c_count)
{
    struct blob blob = {malloc(a_count + b_count + c_count), a_count + b_count + c_count};
    assert_non_null(blob.bytes);
    if (a_count) memcpy(blob.bytes, a, a_count);
    if (b_count) memcpy(blob.bytes + a_count, b, b_count);
    if (c_count) memcpy(blob.bytes + a_count + b_count, c, c_count);
    return blob;
}

/* A TIFF structure whose only entry is the orientation. */
static void make_tiff(bool little, int orientation, uint8_t tiff[EXIF_BYTES])
{
    static const uint8_t intel[18] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0};
    static const uint8_t motorola[18] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    memset(tiff, 0, EXIF_BYTES);
    memcpy(tiff, little ? intel : motorola, 18);
    tiff[little ? 18 : 19] = (uint8_t)orientation;
}

/* Where EXIF 2.32 says that the stored rows and columns lie: 0th row at the {1 top, 3 bottom, 4 left, 2 right}. */
static const struct {
    char row, column;
} places[9] = {
    [1] = {'t', 'l'}, [2] = {'t', 'r'}, [3] = {'b', 'r'}, [4] = {'b', 'l'},
    [5] = {'l', 't'}, [6] = {'r', 't'}, [7] = {'r', 'b'}, [8] = {'l', 'b'},
};

/* The upright place of a stored pixel, from the standard's words: how far row y is from the side of row 0, and so on.
 */
static void upright_place(int orientation, int x, int y, int width, int height, int *to_x, int *to_y)
{
    const char sides[2] = {places[orientation].row, places[orientation].column};
    const int far[2] = {y, x};
    for (int i = 0; i < 2; i++) {
        if (sides[i] == 't') *to_y = far[i];
        if (sides[i] == 'b') *to_y = height - 1 - far[i];
        if (sides[i] == 'l') *to_x = far[i];
        if (sides[i] == 'r') *to_x = width - 1 - far[i];
    }
}

static struct image noise(uint32_t item)
{
    struct image image;
    assert_int_equal(image_create(WIDTH, HEIGHT, &image, NULL), SIMCLR_OK);
    struct rng rng = rng_open(1, RNG_TEST, 0, item, 0);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) image.rgb[i] = (uint8_t)rng_word(&rng);
    return image;
}

static struct image decode(struct blob blob)
{
    const struct image_limits limits = image_limits_default();
    struct image image;
    struct error error = {0};
    if (image_decode(blob.bytes, blob.count, &limits, "x", &image, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return image;
}

/* `blob` decodes to `stored` turned as `orientation` says, and its header says so too. */
static void check_upright(struct blob blob, const struct image *stored, int orientation, enum image_format format)
{
    struct image_header header;
    assert_int_equal(image_read_header(blob.bytes, blob.count, "x", &header, NULL), SIMCLR_OK);
    struct image image = decode(blob);
    assert_int_equal(header.format, format);
    assert_int_equal(header.orientation, orientation);
    assert_int_equal(header.stored_width, stored->width);
    assert_int_equal(header.stored_height, stored->height);
    assert_int_equal(header.width, image.width);
    assert_int_equal(header.height, image.height);
    assert_int_equal(image.width, orientation >= 5 ? stored->height : stored->width);
    for (int y = 0; y < stored->height; y++)
        for (int x = 0; x < stored->width; x++) {
            int to_x = -1, to_y = -1;
            upright_place(orientation, x, y, image.width, image.height, &to_x, &to_y);
            assert_memory_equal(image.rgb + 3 * (to_y * image.width + to_x), stored->rgb + 3 * (y * stored->width + x),
                                3);
        }
    image_free(&image);
}

/* A segment put behind the SOI of a JPEG. */
static struct blob with_segment(struct blob jpeg, uint8_t marker, const void *head, size_t head_count, const void *rest,
                                size_t rest_count)
{
    const size_t length = 2 + head_count + rest_count;
    const uint8_t start[6] = {0xFF, 0xD8, 0xFF, marker, (uint8_t)(length >> 8), (uint8_t)length};
    struct blob segment = joined(start, 6, head, head_count, rest, rest_count);
    struct blob whole = joined(segment.bytes, segment.count, jpeg.bytes + 2, jpeg.count - 2, NULL, 0);
    free(segment.bytes);
    return whole;
}

static struct blob encode(const struct image *image)
{
    struct blob blob;
    assert_int_equal(image_encode_jpeg(image, 90, &blob.bytes, &blob.count, NULL), SIMCLR_OK);
    return blob;
}

static void jpeg_orientations(void **state)
{
    (void)state;
    struct image image = noise(1);
    struct blob plain = encode(&image);
    struct image stored = decode(plain);
    check_upright(plain, &stored, 1, IMAGE_JPEG);
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int little = 0; little < 2; little++) {
            uint8_t tiff[EXIF_BYTES];
            make_tiff(little, orientation, tiff);
            struct blob turned = with_segment(plain, 0xE1, "Exif\0\0", 6, tiff, EXIF_BYTES);
            check_upright(turned, &stored, orientation, IMAGE_JPEG);
            /* the head of the file is enough to know the size; less than that is not taken for a whole one */
            struct image_header header;
            size_t enough = 0;
            while (image_read_header(turned.bytes, enough, "x", &header, NULL) != SIMCLR_OK) enough++;
            assert_true(enough > 6 + 6 + EXIF_BYTES && enough < turned.count);
            assert_int_equal(header.orientation, orientation);
            free(turned.bytes);
        }
    image_free(&stored);
    image_free(&image);
    memory_free(plain.bytes);
}

/* Entries that lie: the picture stays as it is stored, nothing outside of the segment is read. */
static void hostile_exif(void **state)
{
    (void)state;
    uint8_t tiff[EXIF_BYTES];
    for (int little = 0; little < 2; little++) {
        for (int value = 0; value < 256; value++) {
            make_tiff(little, value, tiff);
            assert_int_equal(exif_orientation(tiff, EXIF_BYTES), value >= 1 && value <= 8 ? value : 1);
        }
        for (size_t count = 0; count < EXIF_BYTES; count++) { /* cut anywhere; the sanitizer watches */
            make_tiff(little, 6, tiff);
            uint8_t *exact = malloc(count ? count : 1);
            assert_non_null(exact);
            memcpy(exact, tiff, count);
            assert_int_equal(exif_orientation(exact, count), count < 22 ? 1 : 6);
            free(exact);
        }
        for (int place = 0; place < 18; place++) /* one byte wrong: never anything but 1 or what is there */
            for (int value = 0; value < 256; value++) {
                make_tiff(little, 6, tiff);
                tiff[place] = (uint8_t)value;
                const int found = exif_orientation(tiff, EXIF_BYTES);
                assert_true(found >= 1 && found <= 8);
            }
    }
    struct rng rng = rng_open(2, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        for (int k = 0; k < 64; k++) bytes[k] = (uint8_t)rng_word(&rng);
        memcpy(bytes, i % 2 ? "II*\0\x08\0\0\0" : "MM\0*\0\0\0\x08", i % 3 ? 8 : 4);
        const int found = exif_orientation(bytes, 8 + rng_below(&rng, 57));
        assert_true(found >= 1 && found <= 8);
    }
}

static void profiles_are_noticed_and_ignored(void **state)
{
    (void)state;
    struct image image = noise(3);
    struct blob plain = encode(&image);
    struct blob profiled = with_segment(plain, 0xE2, "ICC_PROFILE\0\1\1", 14, "no real profile", 15);
    struct image a = decode(plain), b = decode(profiled);
    assert_memory_equal(a.rgb, b.rgb, WIDTH * HEIGHT * 3);
    struct image_header header;
    assert_int_equal(image_read_header(plain.bytes, plain.count, "x", &header, NULL), SIMCLR_OK);
    assert_false(header.profile);
    assert_int_equal(image_read_header(profiled.bytes, profiled.count, "x", &header, NULL), SIMCLR_OK);
    assert_true(header.profile);
    image_free(&a);
    image_free(&b);
    image_free(&image);
    free(profiled.bytes);
    memory_free(plain.bytes);
}

/* A segment whose length is below the two bytes that it takes itself: libjpeg passes over it, and so does the header's
 * reader. (Found by fuzzing: decoded, and refused by its header.) */
static void short_segments(void **state)
{
    (void)state;
    struct image image = noise(3);
    struct blob plain = encode(&image);
    for (uint8_t length = 0; length < 2; length++) {
        struct blob shorter = with_segment(plain, 0xEE, "", 0, "", 0);
        shorter.bytes[5] = length; /* FF D8, FF EE, length */
        struct image_header header;
        struct image a = decode(plain), b = decode(shorter);
        assert_memory_equal(a.rgb, b.rgb, WIDTH * HEIGHT * 3);
        assert_int_equal(image_read_header(shorter.bytes, shorter.count, "x", &header, NULL), SIMCLR_OK);
        assert_int_equal(header.width, WIDTH);
        image_free(&a);
        image_free(&b);
        free(shorter.bytes);
    }
    image_free(&image);
    memory_free(plain.bytes);
}

static void png_append(png_structp png, png_bytep bytes, size_t count)
{
    struct blob *blob = png_get_io_ptr(png);
    blob->bytes = realloc(blob->bytes, blob->count + count);
    assert_non_null(blob->bytes);
    memcpy(blob->bytes + blob->count, bytes, count);
    blob->count += count;
}

static void png_orientations(void **state)
{
    (void)state;
    struct image image = noise(4);
    for (int orientation = 1; orientation <= 8; orientation++) {
        struct blob blob = {NULL, 0};
        uint8_t tiff[EXIF_BYTES], *rows[HEIGHT];
        make_tiff(orientation % 2, orientation, tiff);
        png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
        png_infop info = png_create_info_struct(png);
        assert_non_null(info);
        png_set_write_fn(png, &blob, png_append, NULL);
        png_set_IHDR(png, info, WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
        png_set_eXIf_1(png, info, EXIF_BYTES, tiff);
        png_write_info(png, info);
        for (int y = 0; y < HEIGHT; y++) rows[y] = image.rgb + 3 * y * WIDTH;
        png_write_image(png, rows);
        png_write_end(png, NULL);
        png_destroy_write_struct(&png, &info);
        check_upright(blob, &image, orientation, IMAGE_PNG);
        struct image_header header; /* cut in the middle of the chunk: not taken for a picture without orientation */
        assert_int_equal(image_read_header(blob.bytes, 33 + 20, "x", &header, NULL), SIMCLR_CORRUPT);
        free(blob.bytes);
    }
    image_free(&image);
}

/* Restart markers after every MCU or row of them change nothing; a damaged one is a damaged picture. */
static void restart_markers(void **state)
{
    (void)state;
    struct image image = noise(5);
    struct blob blob[3];
    for (int kind = 0; kind < 3; kind++) {
        struct jpeg_compress_struct cinfo;
        struct jpeg_error_mgr manager;
        unsigned char *bytes = NULL;
        unsigned long count = 0;
        cinfo.err = jpeg_std_error(&manager);
        jpeg_create_compress(&cinfo);
        jpeg_mem_dest(&cinfo, &bytes, &count);
        cinfo.image_width = WIDTH;
        cinfo.image_height = HEIGHT;
        cinfo.input_components = 3;
        cinfo.in_color_space = JCS_RGB;
        jpeg_set_defaults(&cinfo);
        cinfo.restart_interval = kind == 1 ? 1 : 0;
        cinfo.restart_in_rows = kind == 2 ? 1 : 0;
        jpeg_start_compress(&cinfo, TRUE);
        while (cinfo.next_scanline < HEIGHT) {
            JSAMPROW row = image.rgb + (size_t)cinfo.next_scanline * WIDTH * 3;
            jpeg_write_scanlines(&cinfo, &row, 1);
        }
        jpeg_finish_compress(&cinfo);
        jpeg_destroy_compress(&cinfo);
        blob[kind] = joined(bytes, count, NULL, 0, NULL, 0);
        free(bytes);
    }
    struct image plain = decode(blob[0]);
    for (int kind = 1; kind < 3; kind++) {
        int markers = 0;
        for (size_t i = 0; i + 1 < blob[kind].count; i++)
            markers += blob[kind].bytes[i] == 0xFF && (blob[kind].bytes[i + 1] & 0xF8) == 0xD0;
        assert_int_equal(markers, kind == 1 ? 3 * 3 - 1 : 3 - 1); /* 4:2:0: MCUs of 16 x 16 */
        struct image same = decode(blob[kind]);
        assert_memory_equal(same.rgb, plain.rgb, WIDTH * HEIGHT * 3);
        image_free(&same);
    }
    image_free(&plain);
    image_free(&image);
    for (int kind = 0; kind < 3; kind++) free(blob[kind].bytes);
}

#ifdef SIMCLR_WEBP
/* The extended form: VP8X with a flag, the picture's own chunk, EXIF behind it. */
static struct blob extended(struct blob simple, const uint8_t tiff[EXIF_BYTES])
{
    uint8_t head[30] = "RIFF....WEBPVP8X\x0A\0\0\0\x08\0\0\0";
    head[24] = WIDTH - 1;
    head[27] = HEIGHT - 1;
    uint8_t tail[8 + EXIF_BYTES] = {'E', 'X', 'I', 'F', EXIF_BYTES};
    memcpy(tail + 8, tiff, EXIF_BYTES);
    struct blob blob = joined(head, 30, simple.bytes + 12, simple.count - 12, tail, sizeof tail);
    const size_t riff = blob.count - 8;
    for (int i = 0; i < 4; i++) blob.bytes[4 + i] = (uint8_t)(riff >> 8 * i);
    return blob;
}
#endif

static void webp_pictures(void **state)
{
    (void)state;
#ifdef SIMCLR_WEBP
    struct image image = noise(6);
    uint8_t *bytes = NULL;
    const size_t count = WebPEncodeLosslessRGB(image.rgb, WIDTH, HEIGHT, WIDTH * 3, &bytes);
    assert_true(count > 0);
    struct blob simple = joined(bytes, count, NULL, 0, NULL, 0);
    WebPFree(bytes);
    check_upright(simple, &image, 1, IMAGE_WEBP);
    for (int orientation = 1; orientation <= 8; orientation++) {
        uint8_t tiff[EXIF_BYTES];
        make_tiff(orientation % 2, orientation, tiff);
        struct blob turned = extended(simple, tiff);
        check_upright(turned, &image, orientation, IMAGE_WEBP);
        struct image_header header; /* its EXIF stands at the end */
        assert_int_equal(image_read_header(turned.bytes, turned.count - 20, "x", &header, NULL), SIMCLR_CORRUPT);
        free(turned.bytes);
    }
    const struct image_limits limits = image_limits_default();
    for (size_t length = 12; length < simple.count; length += 1 + length / 16) {
        struct blob cut = joined(simple.bytes, length, NULL, 0, NULL, 0);
        struct image none;
        assert_int_equal(image_decode(cut.bytes, cut.count, &limits, "x", &none, NULL), SIMCLR_CORRUPT);
        assert_null(none.rgb);
        free(cut.bytes);
    }
    struct image_limits small = limits;
    small.max_pixels = WIDTH * HEIGHT - 1;
    struct image none;
    assert_int_equal(image_decode(simple.bytes, simple.count, &small, "x", &none, NULL), SIMCLR_UNSUPPORTED);
    free(simple.bytes);
    image_free(&image);
#else
    const struct image_limits limits = image_limits_default();
    struct image none;
    struct error error = {0};
    assert_int_equal(image_decode((const uint8_t *)"RIFF....WEBPVP8 ", 16, &limits, "cat.webp", &none, &error),
                     SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "cat.webp"));
    assert_non_null(strstr(error.text, "libwebp"));
    print_message("built without libwebp: only the refusal is tested\n");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_orientations),
        cmocka_unit_test(hostile_exif),
        cmocka_unit_test(profiles_are_noticed_and_ignored),
        cmocka_unit_test(short_segments),
        cmocka_unit_test(png_orientations),
        cmocka_unit_test(restart_markers),
        cmocka_unit_test(webp_pictures),
    };
    return run_cases(tests, NULL, NULL);
}
