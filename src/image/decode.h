/* image/decode.h -- what decode.c asks of the codecs, and the checks that all of them make (image.c). Private to the
 * room. */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "image/exif.h"
#include "image/image.h"

/* SIMCLR_OK when the box holds a pixel and lies in the picture, else SIMCLR_INVALID and a sentence. */
int image_check_box(struct box box, int width, int height, const char *name, struct error *error);

/* Contracts as image_decode and image_probe, for bytes that start with the format's magic. */
int jpeg_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error);
/* Contract as image_decode_box, of the stored picture; a box of no width is the whole. */
int jpeg_decode_box(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                    struct box box, int reduction, struct image_store *store, struct image_part *part,
                    struct error *error);
int jpeg_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);
int png_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
               struct image *out, struct error *error);
int png_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);
int webp_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error);
int webp_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);
int tiff_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error);
int tiff_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);
/* Whether it begins as a TIFF does: in either order of bytes, with offsets of four bytes or eight. */
bool tiff_is(const uint8_t *bytes, size_t count);

/* Makes the store's picture one of width x height, contents undefined. */
int image_store_reserve(struct image_store *store, int width, int height, struct error *error);

#endif
