/* image/decode_jpeg.c -- JPEG by libjpeg(-turbo): baseline and progressive, gray, YCbCr, RGB, CMYK and YCCK. */
#include <string.h>

#include <jerror.h>

#include "base/memory.h"
#include "image/decode.h"
#include "image/jpeg_errors.h"

/* All that must survive a longjmp: owned by the function that calls the one with setjmp. */
struct reader {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_errors errors;
    struct jpeg_progress_mgr progress;
    int max_scans;
    const char *name;
    struct error *error;
    struct image image;
    uint8_t *line; /* one CMYK row */
};

/* Called between scans and rows: a file of thousands of scans would take hours to decode. */
static void watch_scans(j_common_ptr common)
{
    const struct reader *reader = common->client_data;
    if (((j_decompress_ptr)common)->input_scan_number > reader->max_scans)
        jpeg_errors_raise(common, "too many scans");
}

/* libjpeg's complaint as one of our sentences. */
static int report(struct reader *reader)
{
    switch (reader->errors.code) {
    case JERR_OUT_OF_MEMORY:
        return error_no_memory(reader->error, "decoding a JPEG picture",
                               (size_t)reader->cinfo.image_width * reader->cinfo.image_height * 3);
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_ARITH_NOTIMPL:
        return error_set(reader->error, SIMCLR_UNSUPPORTED,
                         "%s: a kind of JPEG that this program does not read (%s); convert it", reader->name,
                         reader->errors.text);
    default:
        return error_set(reader->error, SIMCLR_CORRUPT, "%s: damaged JPEG (%s); copy it again or remove it",
                         reader->name, reader->errors.text);
    }
}

/* An ink value and the black, both stored inverted (Adobe's way, assumed as PIL does), to a light value. */
static inline uint8_t light(unsigned ink, unsigned black)
{
    const unsigned product = (255 - ink) * black + 128;
    return (uint8_t)(black - (((product >> 8) + product) >> 8));
}

static void cmyk_to_rgb(const uint8_t *cmyk, int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++)
            rgb[3 * x + c] = light(cmyk[4 * x + c], cmyk[4 * x + 3]);
}

/* Prepares the decoder for four channels or three, and makes the picture. */
static int prepare(struct reader *reader, const struct image_limits *limits)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const int status = image_check_size(cinfo->image_width, cinfo->image_height, limits, reader->name, reader->error);
    if (status != SIMCLR_OK)
        return status;
    if (cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK) {
        cinfo->out_color_space = JCS_CMYK;
        reader->line = memory_array(cinfo->image_width, 4);
        if (reader->line == NULL)
            return error_no_memory(reader->error, "a row of a CMYK picture", (size_t)cinfo->image_width * 4);
    } else {
        cinfo->out_color_space = JCS_RGB;
    }
    return image_create((int)cinfo->image_width, (int)cinfo->image_height, &reader->image, reader->error);
}

/* The only place where libjpeg can jump out while pixels are read. */
static int read_pixels(struct reader *reader, const uint8_t *bytes, size_t count, const struct image_limits *limits)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    if (setjmp(reader->errors.jump))
        return report(reader);
    jpeg_create_decompress(cinfo);
    cinfo->client_data = reader;
    reader->progress.progress_monitor = watch_scans;
    cinfo->progress = &reader->progress;
    jpeg_mem_src(cinfo, bytes, (unsigned long)count);
    jpeg_read_header(cinfo, TRUE);
    const int status = prepare(reader, limits);
    if (status != SIMCLR_OK)
        return status;
    jpeg_start_decompress(cinfo);
    while (cinfo->output_scanline < cinfo->output_height) {
        uint8_t *row = reader->image.rgb + (size_t)cinfo->output_scanline * (size_t)reader->image.width * 3;
        JSAMPROW target = reader->line ? reader->line : row;
        if (jpeg_read_scanlines(cinfo, &target, 1) != 1)
            jpeg_errors_raise((j_common_ptr)cinfo, "rows are missing");
        if (reader->line)
            cmyk_to_rgb(reader->line, reader->image.width, row);
    }
    return SIMCLR_OK;
}

static int read_size(struct reader *reader, const uint8_t *bytes, size_t count)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    if (setjmp(reader->errors.jump))
        return report(reader);
    jpeg_create_decompress(cinfo);
    cinfo->client_data = reader;
    jpeg_mem_src(cinfo, bytes, (unsigned long)count);
    jpeg_read_header(cinfo, TRUE);
    return SIMCLR_OK;
}

int jpeg_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    struct reader reader = {.max_scans = limits->max_scans, .name = name, .error = error};
    reader.cinfo.err = jpeg_errors_open(&reader.errors);
    const int status = read_pixels(&reader, bytes, count, limits);
    jpeg_destroy_decompress(&reader.cinfo);
    memory_free(reader.line);
    if (status == SIMCLR_OK)
        *out = reader.image;
    else
        image_free(&reader.image);
    return status;
}

int jpeg_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    struct reader reader = {.name = name, .error = error};
    reader.cinfo.err = jpeg_errors_open(&reader.errors);
    const int status = read_size(&reader, bytes, count);
    if (status == SIMCLR_OK) {
        *width = (int)reader.cinfo.image_width;
        *height = (int)reader.cinfo.image_height;
    }
    jpeg_destroy_decompress(&reader.cinfo);
    return status;
}
