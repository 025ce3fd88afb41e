/* image/sheet.h -- contact sheets: a grid of small pictures with frames and words, for people to look at. */
#ifndef IMAGE_SHEET_H
#define IMAGE_SHEET_H

#include <stdint.h>

#include "image/canvas.h"
#include "image/image.h"

/* A sheet of columns x rows cells of cell x cell pixels, a gap between them, and a line of text space above each row.
 */
struct sheet {
    struct image image; /* owned */
    int columns, rows, cell;
};

int sheet_create(struct sheet *sheet, int columns, int rows, int cell, struct error *error);
void sheet_free(struct sheet *sheet);

/* Draws `picture` into a cell, enlarged by whole pixels or reduced to fit, centred, with a two-pixel frame. */
void sheet_place(struct sheet *sheet, int column, int row, const struct image *picture, struct color frame);

/* The same for a view: planar float [3][size][size] in [0, 1]. */
void sheet_place_view(struct sheet *sheet, int column, int row, const float *view, int size, struct color frame);

/* Writes ASCII text (5 x 7 glyphs, twice enlarged) above row `row`, starting at column `column`; what does not fit is
 * cut. */
void sheet_text(struct sheet *sheet, int column, int row, const char *text, struct color color);

#endif
