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
    struct box wanted; /* no width: all of it */
    struct image_store *store;
    struct image_part *part;
    uint8_t *line; /* one CMYK row */
};

/* Columns and rows around a box that make it exact: chroma is interpolated from its neighbours, two pixels away at
 * most, and at a border from fewer of them. */
enum { MARGIN = 2 };

/* Called between scans and rows: a file of thousands of scans would take hours to decode. */
static void watch_scans(j_common_ptr common)
{
    const struct reader *reader = common->client_data;
    if (((j_decompress_ptr)common)->input_scan_number > reader->max_scans) jpeg_errors_raise(common, "too many scans");
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
        for (int c = 0; c < 3; c++) rgb[3 * x + c] = light(cmyk[4 * x + c], cmyk[4 * x + 3]);
}

/* Prepares the decoder for four channels or three. */
static int prepare(struct reader *reader, const struct image_limits *limits)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const int width = (int)cinfo->image_width, height = (int)cinfo->image_height;
    int status = image_check_size(cinfo->image_width, cinfo->image_height, limits, reader->name, reader->error);
    if (status == SIMCLR_OK && reader->wanted.width > 0)
        status = image_check_box(reader->wanted, width, height, reader->name, reader->error);
    if (status != SIMCLR_OK) return status;
    reader->part->width = width;
    reader->part->height = height;
    cinfo->scale_num = 1;
    cinfo->scale_denom = (unsigned)reader->part->reduction;
    if (cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK) {
        cinfo->out_color_space = JCS_CMYK;
        reader->line = memory_array(cinfo->image_width, 4);
        if (reader->line == NULL)
            return error_no_memory(reader->error, "a row of a CMYK picture", (size_t)cinfo->image_width * 4);
    } else {
        cinfo->out_color_space = JCS_RGB;
    }
    return SIMCLR_OK;
}

/* The pixels of a reduced picture that a box of the whole touches. */
static struct box reduced(struct box box, int times)
{
    const int x = box.x / times, y = box.y / times;
    return (struct box){x, y, (box.x + box.width + times - 1) / times - x,
                        (box.y + box.height + times - 1) / times - y};
}

/* A progressive picture some of whose scans are missing is smoothed: across blocks, so that a pixel depends on blocks
 * that lie outside of a box. (libjpeg's condition is narrower.) */
static bool is_smoothed(const struct jpeg_decompress_struct *cinfo)
{
    if (!cinfo->progressive_mode || !cinfo->do_block_smoothing || cinfo->coef_bits == NULL) return false;
    for (int component = 0; component < cinfo->num_components; component++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (cinfo->coef_bits[component][k] != 0) /* bits that are not known yet; -1: nothing is */
                return true;
    return false;
}

/* Tells the started decoder which columns to make and to pass over the rows above the box, and makes the picture.
 * The columns begin where libjpeg lets them: at a block. */
static int choose_place(struct reader *reader, int *top)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const int whole_width = (int)cinfo->output_width, whole_height = (int)cinfo->output_height;
    const int times = reader->part->reduction;
    struct box place = {0, 0, whole_width, whole_height};
    if (reader->wanted.width > 0 && !is_smoothed(cinfo)) {
        const struct box wanted = reduced(reader->wanted, times);
        const int left = wanted.x > MARGIN ? wanted.x - MARGIN : 0;
        const int end = wanted.x + wanted.width, right = end < whole_width - MARGIN ? end + MARGIN : whole_width;
        JDIMENSION x = (JDIMENSION)left, width = (JDIMENSION)(right - left);
        if (left > 0 || right < whole_width) jpeg_crop_scanline(cinfo, &x, &width);
        place.x = (int)x;
        place.width = (int)width;
        place.y = wanted.y > MARGIN ? wanted.y - MARGIN : 0;
        place.height = wanted.y + wanted.height - place.y;
    }
    *top = place.y;
    const int status = image_store_reserve(reader->store, place.width, place.height, reader->error);
    if (status == SIMCLR_OK && place.y > 0 && jpeg_skip_scanlines(cinfo, (JDIMENSION)place.y) != (JDIMENSION)place.y)
        jpeg_errors_raise((j_common_ptr)cinfo, "rows are missing");
    reader->part->place = (struct box){place.x * times, place.y * times, place.width * times, place.height * times};
    return status;
}

/* The only place where libjpeg can jump out while pixels are read. */
static int read_pixels(struct reader *reader, const uint8_t *bytes, size_t count, const struct image_limits *limits)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    if (setjmp(reader->errors.jump)) return report(reader);
    jpeg_create_decompress(cinfo);
    cinfo->client_data = reader;
    reader->progress.progress_monitor = watch_scans;
    cinfo->progress = &reader->progress;
    jpeg_mem_src(cinfo, bytes, (unsigned long)count);
    jpeg_read_header(cinfo, TRUE);
    int status = prepare(reader, limits);
    if (status != SIMCLR_OK) return status;
    jpeg_start_decompress(cinfo);
    int top;
    status = choose_place(reader, &top);
    if (status != SIMCLR_OK) return status;
    const size_t width = (size_t)reader->store->image.width;
    while ((int)cinfo->output_scanline < top + reader->store->image.height) {
        uint8_t *row = reader->store->image.rgb + (size_t)((int)cinfo->output_scanline - top) * width * 3;
        JSAMPROW target = reader->line ? reader->line : row;
        if (jpeg_read_scanlines(cinfo, &target, 1) != 1) jpeg_errors_raise((j_common_ptr)cinfo, "rows are missing");
        if (reader->line) cmyk_to_rgb(reader->line, (int)width, row);
    }
    return SIMCLR_OK;
}

static int read_size(struct reader *reader, const uint8_t *bytes, size_t count)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    if (setjmp(reader->errors.jump)) return report(reader);
    jpeg_create_decompress(cinfo);
    cinfo->client_data = reader;
    jpeg_mem_src(cinfo, bytes, (unsigned long)count);
    jpeg_read_header(cinfo, TRUE);
    return SIMCLR_OK;
}

int jpeg_decode_box(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                    struct box box, int reduction, struct image_store *store, struct image_part *part,
                    struct error *error)
{
    struct reader reader = {
        .max_scans = limits->max_scans, .name = name, .error = error, .wanted = box, .store = store, .part = part};
    *part = (struct image_part){.reduction = reduction};
    reader.cinfo.err = jpeg_errors_open(&reader.errors);
    const int status = read_pixels(&reader, bytes, count, limits);
    jpeg_destroy_decompress(&reader.cinfo);
    memory_free(reader.line);
    return status;
}

int jpeg_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    struct image_store store = {.bytes = 0};
    struct image_part part;
    const int status = jpeg_decode_box(bytes, count, limits, name, (struct box){0, 0, 0, 0}, 1, &store, &part, error);
    if (status == SIMCLR_OK)
        *out = store.image;
    else
        image_store_free(&store);
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
