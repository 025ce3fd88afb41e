/* image/image.h -- an RGB picture in memory, and the formats it comes from and goes to. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
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

enum { IMAGE_SIDE_MAX = 65535 }; /* JPEG's own limit, held for every format */

/* SIMCLR_OK when a picture of this size is within the limits, else SIMCLR_UNSUPPORTED and a sentence. */
int image_check_size(int64_t width, int64_t height, const struct image_limits *limits, const char *name,
                     struct error *error);

/* Decodes JPEG (gray, YCbCr, CMYK, YCCK; baseline and progressive, with restart markers), PNG (every colour type and
 * depth; 16 bit to 8), WebP (where the build found libwebp) or TIFF (where it found libtiff; the first page, 16 bit to
 * 8) by its magic bytes, never by its name. Alpha is dropped,
 * as PIL's convert("RGB") does; ICC profiles are ignored. The picture is turned upright as its EXIF orientation says
 * (a photo of a telephone held upright is stored lying; torchvision's ImageFolder leaves it so). `name` is only for the
 * sentence of an error. On failure *out is {0}. SIMCLR_CORRUPT, SIMCLR_UNSUPPORTED, SIMCLR_NO_MEMORY.
 * A truncated JPEG is corrupt, not a gray picture. */
int image_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                 struct image *out, struct error *error);

/* file_read, then image_decode. */
int image_load(const char *path, const struct image_limits *limits, struct image *out, struct error *error);

/* A rectangle of pixels. */
struct box {
    int x, y, width, height;
};

/* A picture whose memory is used again: start from {0}, image_store_free at the end. */
struct image_store {
    struct image image; /* rgb is the store's */
    size_t bytes;       /* that rgb has room for */
};
void image_store_free(struct image_store *store);

/* What of a picture is in a store, in pixels of the whole, upright picture. */
struct image_part {
    struct box place;
    int reduction;     /* the store's picture has so many times fewer pixels on each axis */
    int width, height; /* of the whole */
};

enum image_format { IMAGE_OTHER, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP, IMAGE_TIFF, IMAGE_FORMATS };
const char *image_format_name(enum image_format format); /* "JPEG", ... */
bool image_reads_webp(void);                             /* was libwebp there when this was built? */
bool image_reads_tiff(void);                             /* and libtiff? */

/* What the bytes before the pixels say (of a WebP with EXIF: the whole file). */
struct image_header {
    enum image_format format;
    int width, height;               /* as image_decode gives them: upright */
    int stored_width, stored_height; /* as the codec sees them */
    int orientation;                 /* EXIF's 1 to 8: image_orient makes the one of the other */
    bool profile;                    /* an ICC profile, which is ignored */
    bool sheet;                      /* image_write_sheet drew it: a sheet for people, no image of a set */
    int depth;                       /* bits of a channel: 8 (or fewer), 16 */
};
int image_read_header(const uint8_t *bytes, size_t count, const char *name, struct image_header *out,
                      struct error *error);

/* One encoded picture, and what its header says. What it points to is borrowed. */
struct image_encoded {
    const uint8_t *bytes;
    size_t count;
    const struct image_limits *limits;
    const char *name; /* for sentences */
    struct image_header header;
};
/* Reads the header of `count` bytes: once, whatever is decoded of them afterwards. Its size is within the limits. */
int image_open(struct image_encoded *out, const uint8_t *bytes, size_t count, const struct image_limits *limits,
               const char *name, struct error *error);

/* Decodes at least `box` of a picture, bit for bit as image_decode gives it. *part says what is in store->image.
 * SIMCLR_INVALID when the box does not lie inside the picture; else as image_decode.
 *
 * A JPEG is decoded only around the box. All other formats, and progressive JPEGs with missing scans, are decoded
 * whole. Damage above or left of the box, in the stored picture, is found as in a full decoding. Damage below it (a
 * truncated file) is not: those bytes are never read.
 *
 * reduction: 1; with 2, 4 or 8 a JPEG is decoded to so many times fewer pixels on each axis. Each is the mean of what
 * it stands for, as far as libjpeg's smaller inverse transforms give it. Other formats stay as they are: reduction 1. A
 * reduced picture's last pixels stand for some beyond the border, so `place` may reach past the picture by less than
 * one of them. */
int image_decode_box(const struct image_encoded *encoded, struct box box, int reduction, struct image_store *store,
                     struct image_part *part, struct error *error);

/* Turns and mirrors a picture that is stored in EXIF orientation 1 to 8 (others: as 1) so that it is upright. Takes a
 * second picture's memory meanwhile; on SIMCLR_NO_MEMORY the picture is as it was. */
int image_orient(struct image *image, int orientation, struct error *error);
bool image_is_turned(int orientation); /* do width and height change places? */
/* Where a box of the upright picture lies in the stored one of stored_width x stored_height, and the other way. */
struct box image_box_stored(struct box upright, int orientation, int stored_width, int stored_height);
struct box image_box_upright(struct box stored, int orientation, int stored_width, int stored_height);

/* Width and height of image_read_header. */
int image_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);

int image_create(int width, int height, struct image *out, struct error *error); /* black */
void image_free(struct image *image);

/* Writes a PNG atomically. */
int image_write_png(const char *path, const struct image *image, struct error *error);

/* The same for a sheet that people look at: it says in its header what it is, so that a data set in whose folder it
 * lies passes it over (image_header.sheet). */
int image_write_sheet(const char *path, const struct image *image, struct error *error);

/* Encodes a JPEG into a new block (memory_free): used by tools and tests. quality 1 to 100. */
int image_encode_jpeg(const struct image *image, int quality, uint8_t **out, size_t *count, struct error *error);

/* Encodes a PNG into a new block (memory_free). */
int image_encode_png(const struct image *image, uint8_t **out, size_t *count, struct error *error);

#endif
