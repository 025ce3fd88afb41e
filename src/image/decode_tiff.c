/* image/decode_tiff.c -- TIFF by libtiff where the build found it: the first page, of what libtiff's RGBA reader takes
 * (gray, palette, RGB, YCbCr, CMYK; 1 to 8 and 16 bits; strips and tiles). Alpha is dropped. */
#include "image/decode.h"

#include <string.h>

#include "base/format.h"
#include "base/memory.h"

bool tiff_is(const uint8_t *bytes, size_t count)
{
    return count >= 4 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                          memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

#ifdef SIMCLR_TIFF
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>

/* A file in memory, and libtiff's first complaint about it. */
struct reader {
    const uint8_t *bytes;
    size_t count, at;
    char text[160];
};

static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t size)
{
    struct reader *reader = handle;
    const size_t left = reader->at < reader->count ? reader->count - reader->at : 0;
    const size_t count = size < 0 ? 0 : (size_t)size < left ? (size_t)size : left;
    if (count > 0) memcpy(to, reader->bytes + reader->at, count);
    reader->at += count;
    return (tmsize_t)count;
}

static tmsize_t write_bytes(thandle_t handle, void *from, tmsize_t size)
{
    (void)handle, (void)from, (void)size;
    return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    struct reader *reader = handle;
    const uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? reader->at : reader->count;
    reader->at = (size_t)(base + offset);
    return reader->at;
}

static int close_nothing(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((const struct reader *)handle)->count;
}

static int keep_error(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments)
{
    struct reader *reader = data;
    (void)tiff, (void)module;
    if (reader->text[0] == '\0') format_plain(reader->text, sizeof reader->text, format, arguments);
    return 1; /* nobody else is told */
}

static int ignore_warning(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments)
{
    (void)tiff, (void)data, (void)module, (void)format, (void)arguments;
    return 1;
}

/* One allocation of libtiff is no larger than what the largest picture takes. */
enum { ALLOCATION_MAX = 1 << 30 };

static TIFF *open_tiff(struct reader *reader)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) {
        strcpy(reader->text, "no memory for options");
        return NULL;
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, ALLOCATION_MAX);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, reader);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, NULL);
    TIFF *tiff =
        TIFFClientOpenExt("", "rm", reader, read_bytes, write_bytes, seek, close_nothing, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* libtiff has no codes: where it got no memory its sentence says so. A damaged file brings it to such sentences too: a
 * directory of no entries is "Failed to allocate memory for to read TIFF directory (0 elements ...)". So memory is
 * lacking only where as much as libtiff may ask for at once cannot be had. */
static bool lacks_memory(const char *text)
{
    if (!strstr(text, "emory") && !strstr(text, "No space for")) return false;
    void *block = memory_allocate(ALLOCATION_MAX);
    const bool none = block == NULL;
    memory_free(block);
    return none;
}

/* libtiff says nothing at all of a file without a first directory. */
static int report(const struct reader *reader, const char *name, struct error *error)
{
    const char *text = reader->text[0] != '\0' ? reader->text : "no picture in it";
    if (lacks_memory(text)) return error_no_memory(error, "decoding a TIFF picture", reader->count);
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged TIFF (%s); copy it again or remove it", name, text);
}

static int read_size(TIFF *tiff, const struct reader *reader, const char *name, int64_t *width, int64_t *height,
                     struct error *error)
{
    uint32_t w = 0, h = 0;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &w) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &h) || w < 1 || h < 1 ||
        w > INT32_MAX || h > INT32_MAX)
        return reader->text[0] != '\0'
                   ? report(reader, name, error)
                   : error_set(error, SIMCLR_CORRUPT, "%s: damaged TIFF (no size); copy it again or remove it", name);
    *width = w;
    *height = h;
    return SIMCLR_OK;
}

int tiff_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    struct reader reader = {.bytes = bytes, .count = count};
    int64_t w = 0, h = 0;
    TIFF *tiff = open_tiff(&reader);
    if (!tiff) return report(&reader, name, error);
    const int status = read_size(tiff, &reader, name, &w, &h, error);
    TIFFClose(tiff);
    if (status) return status;
    *width = (int)w;
    *height = (int)h;
    return SIMCLR_OK;
}

struct metadata tiff_metadata(const uint8_t *bytes, size_t count)
{
    struct metadata found = {.orientation = 1, .whole = true};
    struct reader reader = {.bytes = bytes, .count = count};
    uint16_t orientation = 1, depth = 1;
    uint32_t length = 0;
    void *profile = NULL;
    TIFF *tiff = open_tiff(&reader);
    if (!tiff) return found;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &depth);
    found.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    found.depth = depth;
    found.profile = TIFFGetField(tiff, TIFFTAG_ICCPROFILE, &length, &profile) != 0;
    TIFFClose(tiff);
    return found;
}

/* What libtiff's RGBA reader does not take; damage where it had a complaint before. */
static int refuse_kind(const struct reader *reader, const char *reason, const char *name, struct error *error)
{
    if (reader->text[0] != '\0') return report(reader, name, error);
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: a kind of TIFF that this program does not read (%.120s); convert it", name, reason);
}

/* libtiff looks two things up in tables that its readers may change: a colour times its alpha, where the two are stored
 * apart (at 256 * alpha + colour), and 8 bits of 16, which it rounds. Colours stay as they are stored, and 16 bits
 * become their high 8, as in PNG. */
static void keep_colours(const TIFFRGBAImage *rgba)
{
    for (unsigned i = 0; rgba->UaToAa && i < 65536; i++) rgba->UaToAa[i] = (uint8_t)i;
    for (unsigned i = 0; rgba->Bitdepth16To8 && i < 65536; i++) rgba->Bitdepth16To8[i] = (uint8_t)(i >> 8);
}

/* The pixels as they are stored: turning them is the caller's. */
static int read_raster(TIFF *tiff, const struct reader *reader, uint32_t *raster, int width, int height,
                       const char *name, struct error *error)
{
    TIFFRGBAImage rgba;
    char reason[1024] = "";
    if (!TIFFRGBAImageOK(tiff, reason)) return refuse_kind(reader, reason, name, error);
    /* A tile may be larger than the picture, but not by much. */
    if (TIFFIsTiled(tiff) && TIFFTileSize64(tiff) > ((uint64_t)width * (uint64_t)height + (1 << 20)) * 16)
        return error_set(error, SIMCLR_CORRUPT, "%s: damaged TIFF (a tile much larger than the picture); remove it",
                         name);
    if (!TIFFRGBAImageBegin(&rgba, tiff, 1, reason)) return refuse_kind(reader, reason, name, error);
    keep_colours(&rgba);
    rgba.req_orientation = rgba.orientation;
    const bool good = TIFFRGBAImageGet(&rgba, raster, (uint32_t)width, (uint32_t)height);
    TIFFRGBAImageEnd(&rgba);
    if (good && reader->text[0] == '\0') return SIMCLR_OK;
    if (reader->text[0] != '\0') return report(reader, name, error);
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged TIFF; copy it again or remove it", name);
}

static int decode(TIFF *tiff, const struct reader *reader, const struct image_limits *limits, const char *name,
                  struct image *out, struct error *error)
{
    int64_t width = 0, height = 0;
    int status = read_size(tiff, reader, name, &width, &height, error);
    if (!status) status = image_check_size(width, height, limits, name, error);
    if (status) return status;
    const size_t pixels = (size_t)width * (size_t)height;
    uint32_t *raster = memory_array(pixels, sizeof *raster);
    if (!raster) return error_no_memory(error, "the pixels of a TIFF picture", pixels * sizeof *raster);
    status = read_raster(tiff, reader, raster, (int)width, (int)height, name, error);
    if (!status) status = image_create((int)width, (int)height, out, error);
    for (size_t i = 0; !status && i < pixels; i++) {
        out->rgb[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        out->rgb[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        out->rgb[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    memory_free(raster);
    return status;
}

int tiff_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    struct reader reader = {.bytes = bytes, .count = count};
    TIFF *tiff = open_tiff(&reader);
    if (!tiff) return report(&reader, name, error);
    const int status = decode(tiff, &reader, limits, name, out, error);
    TIFFClose(tiff);
    return status;
}

bool image_reads_tiff(void)
{
    return true;
}

#else

static int refuse(const char *name, struct error *error)
{
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: this is a TIFF picture, and this program was built without libtiff: install libtiff-dev and "
                     "build again, or convert it to JPEG or PNG",
                     name);
}

int tiff_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    (void)bytes, (void)count, (void)width, (void)height;
    return refuse(name, error);
}

int tiff_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    (void)bytes, (void)count, (void)limits, (void)out;
    return refuse(name, error);
}

struct metadata tiff_metadata(const uint8_t *bytes, size_t count)
{
    (void)bytes, (void)count;
    return (struct metadata){.orientation = 1, .whole = true};
}

bool image_reads_tiff(void)
{
    return false;
}

#endif
