/* Decoding of a part gives the same bits as decoding of the whole, whatever the kind of JPEG and wherever the box. */
#include "support/run.h"

#include <jpeglib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "image/image.h"

struct kind {
    const char *name;
    int across, down; /* sampling factors of luma */
    bool gray, progressive, cmyk, optimized;
    int restart; /* interval in blocks, 0: none */
};

static const struct kind kinds[] = {
    {"4:4:4", 1, 1, false, false, false, false, 0},
    {"4:2:0", 2, 2, false, false, false, false, 0},
    {"4:2:2", 2, 1, false, false, false, false, 0},
    {"4:4:0", 1, 2, false, false, false, false, 0},
    {"4:1:1", 4, 1, false, false, false, false, 0},
    {"gray", 1, 1, true, false, false, false, 0},
    {"4:2:0 progressive", 2, 2, false, true, false, true, 0},
    {"4:4:4 progressive", 1, 1, false, true, false, true, 0},
    {"gray progressive", 1, 1, true, true, false, true, 0},
    {"4:2:0 with restarts", 2, 2, false, false, false, false, 3},
    {"4:2:2 with restarts", 2, 1, false, false, false, true, 1},
    {"4:2:0 progressive with restarts", 2, 2, false, true, false, true, 2},
    {"CMYK", 1, 1, false, false, true, false, 0},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Smooth waves with noise over them: chroma differs from pixel to pixel, so that its interpolation shows. */
static void paint(uint8_t *row, int width, int channels, int y, struct rng *rng)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < channels; c++)
            row[x * channels + c] = (uint8_t)((x * (3 + 2 * c) + y * (5 - c)) + (int)(rng_word(rng) % 90));
}

/* EXIF with nothing but the orientation, as it stands in an APP1 segment. */
static void write_orientation(j_compress_ptr cinfo, int orientation)
{
    uint8_t exif[] = {'E', 'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                      1,   0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    exif[25] = (uint8_t)orientation;
    jpeg_write_marker(cinfo, JPEG_APP0 + 1, exif, sizeof exif);
}

static uint8_t *make_turned_jpeg(const struct kind *kind, int width, int height, int orientation, size_t *length)
{
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    struct rng rng = rng_open(6, RNG_TEST, 0, (uint32_t)width, (uint32_t)height);
    const int channels = kind->gray ? 1 : kind->cmyk ? 4 : 3;
    uint8_t *row = malloc((size_t)width * (size_t)channels);
    assert_non_null(row);
    cinfo.err = jpeg_std_error(&manager);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &bytes, &count);
    cinfo.image_width = (JDIMENSION)width;
    cinfo.image_height = (JDIMENSION)height;
    cinfo.input_components = channels;
    cinfo.in_color_space = kind->gray ? JCS_GRAYSCALE : kind->cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, 88, TRUE);
    if (channels == 3) {
        cinfo.comp_info[0].h_samp_factor = kind->across;
        cinfo.comp_info[0].v_samp_factor = kind->down;
    }
    cinfo.restart_interval = (unsigned)kind->restart;
    cinfo.optimize_coding = kind->optimized;
    if (kind->progressive) jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    if (orientation > 1) write_orientation(&cinfo, orientation);
    for (int y = 0; y < height; y++) {
        JSAMPROW line = row;
        paint(row, width, channels, y, &rng);
        jpeg_write_scanlines(&cinfo, &line, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(row);
    uint8_t *copy = malloc(count); /* of exactly its size: a sanitizer sees every over-read */
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    free(bytes);
    *length = count;
    return copy;
}

static uint8_t *make_jpeg(const struct kind *kind, int width, int height, size_t *length)
{
    return make_turned_jpeg(kind, width, height, 1, length);
}

static int decode_box(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                      struct box box, int reduction, struct image_store *store, struct image_part *part,
                      struct error *error)
{
    struct image_encoded encoded;
    const int status = image_open(&encoded, bytes, count, limits, name, error);
    return status ? status : image_decode_box(&encoded, box, reduction, store, part, error);
}

/* Decodes the box and compares it. Returns which part was decoded. */
static struct box check_pixels(const struct kind *kind, const uint8_t *bytes, size_t count, const struct image *whole,
                               struct box box, struct image_store *store)
{
    const struct image_limits limits = image_limits_default();
    struct error error = {0};
    struct image_part part;
    const int status = decode_box(bytes, count, &limits, kind->name, box, 1, store, &part, &error);
    if (status != SIMCLR_OK) fail_msg("%s: %s", kind->name, error.text);
    const struct box place = part.place;
    const int width = part.width, height = part.height;
    assert_int_equal(width, whole->width);
    assert_int_equal(height, whole->height);
    assert_int_equal(part.reduction, 1);
    assert_int_equal(place.width, store->image.width);
    assert_int_equal(place.height, store->image.height);
    assert_true(place.x >= 0 && place.x <= box.x && place.x + place.width >= box.x + box.width);
    assert_true(place.y >= 0 && place.y <= box.y && place.y + place.height >= box.y + box.height);
    for (int y = box.y; y < box.y + box.height; y++) {
        const uint8_t *expected = whole->rgb + ((size_t)y * (size_t)width + (size_t)box.x) * 3;
        const uint8_t *got =
            store->image.rgb + ((size_t)(y - place.y) * (size_t)place.width + (size_t)(box.x - place.x)) * 3;
        if (memcmp(expected, got, (size_t)box.width * 3) != 0) {
            int x = 0;
            while (expected[x] == got[x]) x++;
            fail_msg("%s %d x %d: box %d x %d at (%d, %d) differs first at (%d, %d)", kind->name, width, height,
                     box.width, box.height, box.x, box.y, box.x + x / 3, y);
        }
    }
    return place;
}

/* The same; a box that touches neither border must have saved something. */
static void check_box(const struct kind *kind, const uint8_t *bytes, size_t count, const struct image *whole,
                      bool turned, struct box box, struct image_store *store)
{
    const struct box place = check_pixels(kind, bytes, count, whole, box, store);
    const bool upright = place.width <= box.width + 4 + 64 && place.height <= box.height + 4;
    assert_true(upright ||
                (turned && place.height <= box.height + 4 + 64 && place.width <= box.width + 4)); /* a part */
}

/* Boxes at each edge and corner by turns. */
static struct box some_box(int round, int width, int height, struct rng *rng)
{
    struct box box = {0, 0, 1 + (int)rng_below(rng, (uint32_t)width), 1 + (int)rng_below(rng, (uint32_t)height)};
    const int right = width - box.width, low = height - box.height;
    box.x = round % 3 == 0 ? 0 : round % 3 == 1 ? right : (int)rng_below(rng, (uint32_t)right + 1);
    box.y = round / 3 % 3 == 0 ? 0 : round / 3 % 3 == 1 ? low : (int)rng_below(rng, (uint32_t)low + 1);
    return box;
}

static const int sizes[][2] = {{1, 1}, {3, 2}, {17, 16}, {40, 61}, {333, 215}, {16, 700}, {5000, 37}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void every_box_is_exact(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    struct rng rng = rng_open(4, RNG_TEST, 0, 0, 0);
    struct image_store store = {.bytes = 0};
    int boxes = 0;
    for (int k = 0; k < KINDS; k++)
        for (int s = 0; s < SIZES; s++) {
            size_t count;
            uint8_t *bytes = make_jpeg(&kinds[k], sizes[s][0], sizes[s][1], &count);
            struct image whole;
            assert_int_equal(image_decode(bytes, count, &limits, kinds[k].name, &whole, NULL), SIMCLR_OK);
            for (int round = 0; round < 27; round++, boxes++)
                check_box(&kinds[k], bytes, count, &whole, false, some_box(round, whole.width, whole.height, &rng),
                          &store);
            image_free(&whole);
            free(bytes);
        }
    image_store_free(&store);
    print_message("%d boxes of %d kinds of JPEG, bit for bit\n", boxes, (int)KINDS);
}

/* Photos that EXIF turns: only the box is decoded of them too, and it is the same. */
static void turned_boxes_are_exact(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    struct rng rng = rng_open(5, RNG_TEST, 0, 0, 0);
    struct image_store store = {.bytes = 0};
    for (int k = 0; k < KINDS; k++)
        for (int s = 0; s < SIZES; s++)
            for (int orientation = 2; orientation <= 9; orientation++) { /* 9 is none, and means 1 */
                size_t count;
                uint8_t *bytes = make_turned_jpeg(&kinds[k], sizes[s][0], sizes[s][1], orientation, &count);
                struct image whole;
                const bool turned = image_is_turned(orientation);
                assert_int_equal(image_decode(bytes, count, &limits, kinds[k].name, &whole, NULL), SIMCLR_OK);
                assert_int_equal(whole.width, sizes[s][turned]);
                for (int round = 0; round < 9; round++)
                    check_box(&kinds[k], bytes, count, &whole, turned, some_box(round, whole.width, whole.height, &rng),
                              &store);
                image_free(&whole);
                free(bytes);
            }
    image_store_free(&store);
}

static double luma(const uint8_t *rgb)
{
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/* The mean luma of the pixels of the whole that pixel (x, y) of a reduced picture stands for. */
static double mean_luma(const struct image *whole, const struct image_part *part, int x, int y)
{
    const int times = part->reduction, left = part->place.x + x * times, top = part->place.y + y * times;
    double sum = 0.0;
    for (int row = top; row < top + times; row++)
        for (int column = left; column < left + times; column++)
            sum += luma(whole->rgb + ((size_t)row * (size_t)whole->width + (size_t)column) * 3);
    return sum / (times * times);
}

/* A reduced box has the pixels of the reduced whole, lies where it says, and looks like the means of the full one. */
static void check_reduced(const struct kind *kind, const uint8_t *bytes, size_t count, const struct image *whole,
                          struct box box, int reduction, double tolerance, struct image_store *store)
{
    const struct image_limits limits = image_limits_default();
    struct image_store all = {.bytes = 0};
    struct image_part of_all, part;
    const struct box everything = {0, 0, whole->width, whole->height};
    assert_int_equal(decode_box(bytes, count, &limits, "all", everything, reduction, &all, &of_all, NULL), SIMCLR_OK);
    assert_int_equal(decode_box(bytes, count, &limits, "box", box, reduction, store, &part, NULL), SIMCLR_OK);
    assert_int_equal(part.reduction, reduction);
    assert_int_equal(part.width, whole->width);
    assert_int_equal(part.height, whole->height);
    assert_true(part.place.width == store->image.width * reduction &&
                part.place.height == store->image.height * reduction);
    assert_true(part.place.x <= box.x && part.place.x + part.place.width >= box.x + box.width);
    assert_true(part.place.y <= box.y && part.place.y + part.place.height >= box.y + box.height);
    assert_true((part.place.x - of_all.place.x) % reduction == 0 && (part.place.y - of_all.place.y) % reduction == 0);
    double sum = 0.0;
    int compared = 0;
    for (int y = 0; y < store->image.height; y++)
        for (int x = 0; x < store->image.width; x++) {
            const int left = part.place.x + x * reduction, top = part.place.y + y * reduction;
            if (left + reduction <= box.x || left >= box.x + box.width || top + reduction <= box.y ||
                top >= box.y + box.height)
                continue; /* the margin, and columns to the next block: not promised */
            const uint8_t *got = store->image.rgb + ((size_t)y * (size_t)store->image.width + (size_t)x) * 3;
            const size_t row = (size_t)((top - of_all.place.y) / reduction);
            const size_t column = (size_t)((left - of_all.place.x) / reduction);
            if (memcmp(got, all.image.rgb + (row * (size_t)all.image.width + column) * 3, 3) != 0)
                fail_msg("%s %d x %d, 1/%d: (%d, %d) of box %d x %d at (%d, %d) is not the whole's", kind->name,
                         whole->width, whole->height, reduction, x, y, box.width, box.height, box.x, box.y);
            const bool inside =
                left >= 0 && top >= 0 && left + reduction <= whole->width && top + reduction <= whole->height;
            if (!inside) continue; /* beyond the border lies anything */
            sum += fabs(luma(got) - mean_luma(whole, &part, x, y));
            compared++;
        }
    if (sum > tolerance * compared)
        fail_msg("%s %d x %d, 1/%d: luma %.2f from the means, on average", kind->name, whole->width, whole->height,
                 reduction, sum / compared);
    image_store_free(&all);
}

static void reduced_boxes(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    struct rng rng = rng_open(6, RNG_TEST, 0, 0, 0);
    struct image_store store = {.bytes = 0};
    for (int k = 0; k < KINDS; k++)
        for (int s = 0; s < SIZES; s++)
            for (int orientation = 1; orientation <= 8; orientation += 1 + (k + s) % 3) {
                /* Where chroma has fewer pixels other colours are cut off at 0 and 255 than in the whole; inks
                 * multiply. */
                const double tolerance = kinds[k].across * kinds[k].down == 1 && !kinds[k].cmyk ? 1.5 : 8.0;
                size_t count;
                uint8_t *bytes = make_turned_jpeg(&kinds[k], sizes[s][0], sizes[s][1], orientation, &count);
                struct image whole;
                assert_int_equal(image_decode(bytes, count, &limits, kinds[k].name, &whole, NULL), SIMCLR_OK);
                for (int round = 0; round < 9; round++)
                    check_reduced(&kinds[k], bytes, count, &whole, some_box(round, whole.width, whole.height, &rng),
                                  2 << round % 3, tolerance, &store);
                image_free(&whole);
                free(bytes);
            }
    image_store_free(&store);
}

/* A box in the stored picture and back. */
static void boxes_turn_and_come_back(void **state)
{
    (void)state;
    const struct box corner = {1, 2, 3, 4};
    static const struct box stored[9] = {[1] = {1, 2, 3, 4}, {16, 2, 3, 4}, {16, 24, 3, 4}, {1, 24, 3, 4},
                                         {2, 1, 4, 3},       {2, 26, 4, 3}, {14, 26, 4, 3}, {14, 1, 4, 3}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        const struct box box = image_box_stored(corner, orientation, 20, 30);
        assert_memory_equal(&box, &stored[orientation], sizeof box);
        const struct box back = image_box_upright(box, orientation, 20, 30);
        assert_memory_equal(&back, &corner, sizeof back);
    }
}

/* Cuts a progressive picture behind its first `scans` scans, where it ends as a whole one does. False: it has no more.
 */
static bool keep_scans(uint8_t *bytes, size_t *count, int scans)
{
    for (size_t at = 2; at + 4 <= *count; at++) {
        if (bytes[at] != 0xFF || bytes[at + 1] != 0xDA || scans-- > 0) continue;
        bytes[at + 1] = 0xD9;
        *count = at + 2;
        return true;
    }
    return false;
}

/* Where scans are missing libjpeg smooths across blocks: a box is still what the whole has there. (Found by fuzzing.)
 */
static void missing_scans(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    struct rng rng = rng_open(7, RNG_TEST, 0, 0, 0);
    struct image_store store = {.bytes = 0};
    int pictures = 0;
    for (int k = 0; k < KINDS; k++)
        for (int scans = 1; kinds[k].progressive && scans < 10; scans++) {
            size_t count;
            uint8_t *bytes = make_jpeg(&kinds[k], 90, 70, &count);
            struct image whole;
            if (keep_scans(bytes, &count, scans)) {
                pictures++;
                assert_int_equal(image_decode(bytes, count, &limits, kinds[k].name, &whole, NULL), SIMCLR_OK);
                for (int round = 0; round < 40; round++) {
                    const int width = 1 + (int)rng_below(&rng, 40), height = 1 + (int)rng_below(&rng, 40);
                    const struct box box = {(int)rng_below(&rng, (uint32_t)(91 - width)),
                                            (int)rng_below(&rng, (uint32_t)(71 - height)), width, height};
                    check_pixels(&kinds[k], bytes, count, &whole, box, &store);
                }
                image_free(&whole);
            }
            free(bytes);
        }
    assert_true(pictures >= 20);
    image_store_free(&store);
}

/* Damage in or above the box is found; below it, it is not looked at. */
static void damage_counts_where_it_is_read(void **state)
{
    (void)state;
    enum { W = 320, H = 240 };
    const struct image_limits limits = image_limits_default();
    struct image_store store = {.bytes = 0};
    struct image_part part;
    size_t count;
    uint8_t *bytes = make_jpeg(&kinds[1], W, H, &count);
    const struct box top = {10, 10, 50, 20}, bottom = {10, 200, 50, 40};
    const size_t cut = count * 2 / 3;
    assert_int_equal(decode_box(bytes, cut, &limits, "cut", bottom, 1, &store, &part, NULL), SIMCLR_CORRUPT);
    assert_int_equal(decode_box(bytes, cut, &limits, "cut", top, 1, &store, &part, NULL), SIMCLR_OK);
    memset(bytes + count / 2, 0xFF, 40); /* markers that are none */
    assert_int_equal(decode_box(bytes, count, &limits, "struck", bottom, 1, &store, &part, NULL), SIMCLR_CORRUPT);
    free(bytes);
    image_store_free(&store);
}

static void boxes_outside_are_refused(void **state)
{
    (void)state;
    const struct image_limits limits = image_limits_default();
    struct image_store store = {.bytes = 0};
    struct image_part part;
    size_t count;
    uint8_t *bytes = make_jpeg(&kinds[1], 30, 20, &count);
    static const struct box wrong[] = {{-1, 0, 5, 5}, {0, -1, 5, 5}, {0, 0, 31, 5},        {0, 0, 5, 21},
                                       {30, 0, 1, 1}, {0, 20, 1, 1}, {5, 5, INT32_MAX, 5}, {INT32_MAX, 0, 5, 5},
                                       {0, 0, 5, 0},  {0, 0, 0, 5},  {0, 0, -5, 5}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(decode_box(bytes, count, &limits, "x", wrong[i], 1, &store, &part, NULL), SIMCLR_INVALID);
    free(bytes);
    image_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_box_is_exact),
        cmocka_unit_test(missing_scans),
        cmocka_unit_test(turned_boxes_are_exact),
        cmocka_unit_test(boxes_turn_and_come_back),
        cmocka_unit_test(reduced_boxes),
        cmocka_unit_test(damage_counts_where_it_is_read),
        cmocka_unit_test(boxes_outside_are_refused),
    };
    return run_cases(tests, NULL, NULL);
}
