/* image/exif.h -- what stands in a picture's metadata and matters for its pixels: EXIF's orientation, and whether there
 * is an ICC profile. Every length is checked against the bytes that are there. Private to the room. */
#ifndef IMAGE_EXIF_H
#define IMAGE_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHEET_KEYWORD "Software"
#define SHEET_WORDS "simclr sheet"

struct metadata {
    int orientation; /* 1 to 8; 1: as it is stored, which is also what an unreadable or absent entry means */
    bool profile;    /* an ICC profile: ignored, as by PIL's convert("RGB") */
    bool sheet;      /* a sheet that this program drew: SHEET_WORDS in a PNG */
    int depth;       /* bits of a channel, 0: 8 or fewer */
    bool whole;      /* all places where metadata may stand were among the bytes; else read more of the file */
};

/* Of a file that starts with the format's magic. In a JPEG and a PNG it stands before the pixels, so the bytes up to
 * them are enough; in a WebP it stands at the end. */
struct metadata jpeg_metadata(const uint8_t *bytes, size_t count);
struct metadata png_metadata(const uint8_t *bytes, size_t count);
struct metadata webp_metadata(const uint8_t *bytes, size_t count);
struct metadata tiff_metadata(const uint8_t *bytes, size_t count); /* decode_tiff.c */

/* The orientation in a TIFF structure: the contents of EXIF without the words "Exif\0\0". */
int exif_orientation(const uint8_t *tiff, size_t count);

#endif
