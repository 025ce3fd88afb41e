/* image/image.h -- an RGB picture in memory, and the formats it comes from and goes to. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* 8-bit RGB, row-major [height][width][3], no padding between rows. Owns `rgb` (image_free). */
struct image {
    int width, height;
    uint8_t *rgb;
};

/* Limits against hostile files, checked on the header before anything is allocated. */
struct image_limits {
    int64_t max_pixels; /* default 1 << 27 */
    int max_scans;      /* progressive JPEG scans, default 100 */
    size_t max_bytes;   /* of the file, default 256 MiB */
};
struct image_limits image_limits_default(void);

/* Decodes JPEG (gray, YCbCr, CMYK, YCCK; baseline and progressive) or PNG (every colour type and depth; alpha
 * dropped, as PIL's convert("RGB") does; 16 bit to 8) by its magic bytes, never by
 * its name. EXIF orientation is not applied (torchvision's ImageFolder does not). `name` is only for the
 * sentence of an error. On failure *out is {0}. SIMCLR_CORRUPT, SIMCLR_UNSUPPORTED, SIMCLR_NO_MEMORY.
 * A truncated JPEG is corrupt, not a gray picture. */
int image_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                 struct image *out, struct error *error);

/* file_read, then image_decode. */
int image_load(const char *path, const struct image_limits *limits, struct image *out, struct error *error);

/* Width and height from the header alone. */
int image_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height,
                struct error *error);

int image_create(int width, int height, struct image *out, struct error *error); /* black */
void image_free(struct image *image);

/* Writes a PNG atomically. */
int image_write_png(const char *path, const struct image *image, struct error *error);

/* Encodes a JPEG into a new block (memory_free): used by tools and tests. quality 1 to 100. */
int image_encode_jpeg(const struct image *image, int quality, uint8_t **out, size_t *count,
                      struct error *error);

#endif
