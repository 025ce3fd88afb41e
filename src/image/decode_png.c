/* image/decode_png.c -- PNG by libpng: every colour type and depth to 8-bit RGB, as PIL's convert("RGB") does it:
 * alpha and transparent colours are dropped, 16 bits become their high 8, no gamma is applied. */
#include <string.h>

#include "base/memory.h"
#include "image/decode.h"
#include "image/png_calls.h"

/* All that must survive a longjmp: owned by the function that calls the one with setjmp. */
struct reader {
    png_structp png;
    png_infop info;
    struct png_calls calls;
    const uint8_t *bytes;
    size_t count, used;
    struct image image;
    uint8_t **rows; /* where each row goes: interlaced files come in seven passes */
};

static void give_bytes(png_structp png, png_bytep to, size_t count)
{
    struct reader *reader = png_get_io_ptr(png);
    if (count > reader->count - reader->used) png_error(png, "the file ends too early");
    memcpy(to, reader->bytes + reader->used, count);
    reader->used += count;
}

/* Asks libpng for 8-bit RGB rows. */
static void ask_for_rgb(struct reader *reader)
{
    png_structp png = reader->png;
    const int type = png_get_color_type(png, reader->info);
    const int depth = png_get_bit_depth(png, reader->info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(png);
    if (depth == 16) png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
}

static int make_rows(struct reader *reader, struct error *error)
{
    const size_t height = (size_t)reader->image.height, stride = (size_t)reader->image.width * 3;
    reader->rows = memory_array(height, sizeof *reader->rows);
    if (reader->rows == NULL) return error_no_memory(error, "the rows of a PNG picture", height * sizeof *reader->rows);
    for (size_t y = 0; y < height; y++) reader->rows[y] = reader->image.rgb + y * stride;
    return SIMCLR_OK;
}

/* The only place where libpng can jump out. */
static int read_pixels(struct reader *reader, const char *name, struct error *error)
{
    if (setjmp(reader->calls.jump))
        return reader->calls.no_memory
                   ? error_no_memory(error, "decoding a PNG picture", 3 * (size_t)reader->image.width)
                   : error_set(error, SIMCLR_CORRUPT, "%s: damaged PNG (%s); copy it again or remove it", name,
                               reader->calls.text);
    reader->png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader->calls, png_calls_leave, png_calls_ignore_warning,
                                 &reader->calls, png_calls_allocate, png_calls_release);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    if (reader->info == NULL) return error_no_memory(error, "libpng's state", 1024);
    png_set_user_limits(reader->png, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* every ancillary chunk: unread */
    png_set_read_fn(reader->png, reader, give_bytes);
    png_read_info(reader->png, reader->info);
    ask_for_rgb(reader);
    if (png_get_rowbytes(reader->png, reader->info) != (size_t)reader->image.width * 3)
        png_error(reader->png, "rows of an unexpected length");
    png_read_image(reader->png, reader->rows);
    png_read_end(reader->png, NULL);
    return SIMCLR_OK;
}

static int64_t big_endian(const uint8_t *bytes)
{
    return (int64_t)bytes[0] << 24 | (int64_t)bytes[1] << 16 | (int64_t)bytes[2] << 8 | (int64_t)bytes[3];
}

/* Width and height stand at a fixed place: the first chunk must be IHDR. */
static int header_size(const uint8_t *bytes, size_t count, const char *name, int64_t *width, int64_t *height,
                       struct error *error)
{
    if (count < 33 || memcmp(bytes + 12, "IHDR", 4) != 0)
        return error_set(error, SIMCLR_CORRUPT, "%s: damaged PNG (no header); copy it again or remove it", name);
    *width = big_endian(bytes + 16);
    *height = big_endian(bytes + 20);
    return SIMCLR_OK;
}

int png_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    int64_t w = 0, h = 0;
    int status = header_size(bytes, count, name, &w, &h, error);
    if (status == SIMCLR_OK && (w < 1 || h < 1 || w > INT32_MAX || h > INT32_MAX))
        status = error_set(error, SIMCLR_CORRUPT, "%s: damaged PNG (a size of %lld x %lld); copy it again or remove it",
                           name, (long long)w, (long long)h);
    if (status == SIMCLR_OK) {
        *width = (int)w;
        *height = (int)h;
    }
    return status;
}

int png_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
               struct image *out, struct error *error)
{
    struct reader reader = {.bytes = bytes, .count = count};
    int64_t width = 0, height = 0;
    int status = header_size(bytes, count, name, &width, &height, error);
    if (status == SIMCLR_OK) status = image_check_size(width, height, limits, name, error);
    if (status == SIMCLR_OK) status = image_create((int)width, (int)height, &reader.image, error);
    if (status == SIMCLR_OK) status = make_rows(&reader, error);
    if (status == SIMCLR_OK) status = read_pixels(&reader, name, error);
    if (reader.png) png_destroy_read_struct(&reader.png, reader.info ? &reader.info : NULL, NULL);
    memory_free(reader.rows);
    if (status == SIMCLR_OK)
        *out = reader.image;
    else
        image_free(&reader.image);
    return status;
}
