/* image/decode.c -- which codec? By the first bytes, never by the name. */
#include "image/decode.h"

#include <stdbool.h>
#include <string.h>

enum format { FORMAT_JPEG, FORMAT_PNG, FORMAT_OTHER };

/* Formats that people do have in their folders and that are worth naming. `offset` is where the magic lies. */
static const struct {
    const char *name, *magic;
    size_t offset, length;
} strangers[] = {
    {"a GIF", "GIF8", 0, 4},         {"a BMP", "BM", 0, 2},
    {"a WebP", "WEBP", 8, 4},        {"a TIFF", "II*\0", 0, 4},
    {"a TIFF", "MM\0*", 0, 4},       {"an AVIF or HEIC", "ftyp", 4, 4},
    {"a JPEG 2000", "\0\0\0\x0CjP", 0, 6}, {"a PDF", "%PDF", 0, 4},
    {"an HTML page, not", "<", 0, 1},
};

static bool starts_with(const uint8_t *bytes, size_t count, const char *magic, size_t offset, size_t length)
{
    return count >= offset + length && memcmp(bytes + offset, magic, length) == 0;
}

/* A sentence for what is neither JPEG nor PNG. */
static int refuse(const uint8_t *bytes, size_t count, const char *name, struct error *error)
{
    if (count == 0)
        return error_set(error, SIMCLR_CORRUPT, "%s: the file is empty; copy it again or remove it", name);
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        if (starts_with(bytes, count, strangers[i].magic, strangers[i].offset, strangers[i].length))
            return error_set(error, SIMCLR_UNSUPPORTED, "%s: this is %s picture; convert it to JPEG or PNG", name,
                             strangers[i].name);
    return error_set(error, SIMCLR_CORRUPT, "%s: neither a JPEG nor a PNG picture; copy it again or remove it", name);
}

static enum format sniff(const uint8_t *bytes, size_t count)
{
    if (starts_with(bytes, count, "\xFF\xD8\xFF", 0, 3))
        return FORMAT_JPEG;
    if (starts_with(bytes, count, "\x89PNG\r\n\x1A\n", 0, 8))
        return FORMAT_PNG;
    return FORMAT_OTHER;
}

int image_check_size(int64_t width, int64_t height, const struct image_limits *limits, const char *name,
                     struct error *error)
{
    const bool sides = width >= 1 && height >= 1 && width <= IMAGE_SIDE_MAX && height <= IMAGE_SIDE_MAX;
    if (sides && width * height <= limits->max_pixels)
        return SIMCLR_OK;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: a picture of %lld x %lld pixels is over the limit of %lld pixels (sides 1 to %d); "
                     "make it smaller or remove it",
                     name, (long long)width, (long long)height, (long long)limits->max_pixels, (int)IMAGE_SIDE_MAX);
}

int image_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                 struct image *out, struct error *error)
{
    *out = (struct image){0};
    if (count > limits->max_bytes)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %zu bytes are over the limit of %zu; make it smaller", name,
                         count, limits->max_bytes);
    switch (sniff(bytes, count)) {
    case FORMAT_JPEG:
        return jpeg_decode(bytes, count, limits, name, out, error);
    case FORMAT_PNG:
        return png_decode(bytes, count, limits, name, out, error);
    default:
        return refuse(bytes, count, name, error);
    }
}

int image_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    *width = *height = 0;
    switch (sniff(bytes, count)) {
    case FORMAT_JPEG:
        return jpeg_probe(bytes, count, name, width, height, error);
    case FORMAT_PNG:
        return png_probe(bytes, count, name, width, height, error);
    default:
        return refuse(bytes, count, name, error);
    }
}
