/* image/canvas.h -- drawing on a picture: letters, frames, other pictures. What lies outside of it is cut. */
#ifndef IMAGE_CANVAS_H
#define IMAGE_CANVAS_H

#include <stdint.h>

#include "image/image.h"
#include "simd/simd.h"

struct color {
    uint8_t red, green, blue;
};

enum { CANVAS_LETTER_WIDTH = 12, CANVAS_LETTER_HEIGHT = 14 }; /* one letter with the gap behind it */

void canvas_pixel(struct image *canvas, int x, int y, struct color color);

/* ASCII text whose upper left corner is (x, y): a 5 x 7 font, doubled with rounded corners. Other bytes are gaps. */
void canvas_text(struct image *canvas, int x, int y, const char *text, struct color color);

/* The border, `thick` pixels inwards, of a rectangle. */
void canvas_frame(struct image *canvas, int x, int y, int width, int height, int thick, struct color color);

/* Size at which a width x height picture fills a square of `side`: enlarged by whole pixels, or reduced. */
void canvas_fit(int side, int *width, int *height);

/* Draws `picture` with its upper left corner at (x, y), at the size of canvas_fit: enlarged by whole pixels, so that
 * each can be seen, or reduced by the antialiased filter. SIMCLR_NO_MEMORY. */
int canvas_picture(enum simd simd, struct image *canvas, int x, int y, int side, const struct image *picture,
                   struct error *error);

/* A view, planar float [3][size][size] in [0, 1], as a new picture (image_free). */
int canvas_view(const float *view, int size, struct image *out, struct error *error);
uint8_t canvas_byte(float value); /* of [0, 1], rounded and clamped */

#endif
