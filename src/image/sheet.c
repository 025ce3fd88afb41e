/* image/sheet.c -- a grid of pictures, enlarged pixel by pixel: enough to show what the network saw. */
#include "image/sheet.h"

#include <string.h>

#include "image/canvas.h"

enum { GAP = 8, TEXT = 24, FRAME = 2 };

static int cell_x(const struct sheet *sheet, int column)
{
    return GAP + column * (sheet->cell + GAP);
}

static int cell_y(const struct sheet *sheet, int row)
{
    return GAP + TEXT + row * (sheet->cell + TEXT + GAP);
}

int sheet_create(struct sheet *sheet, int columns, int rows, int cell, struct error *error)
{
    *sheet = (struct sheet){.columns = columns, .rows = rows, .cell = cell};
    if (columns < 1 || rows < 1 || cell < 8 || columns > 1000 || rows > 1000 || cell > 1024)
        return error_set(error, SIMCLR_INVALID, "a sheet of %d x %d cells of %d pixels cannot be made", columns, rows,
                         cell);
    const int status =
        image_create(GAP + columns * (cell + GAP), GAP + rows * (cell + TEXT + GAP), &sheet->image, error);
    if (status == SIMCLR_OK)
        memset(sheet->image.rgb, 250, (size_t)sheet->image.width * (size_t)sheet->image.height * 3);
    return status;
}

void sheet_free(struct sheet *sheet)
{
    image_free(&sheet->image);
}

/* The rectangle of the cell that a width x height picture fills, frame excluded. */
struct place {
    int x, y, width, height;
};

static struct place place_of(const struct sheet *sheet, int column, int row, int width, int height)
{
    const int room = sheet->cell - 2 * FRAME, longest = width > height ? width : height;
    struct place place;
    if (longest <= room) {
        place.width = width * (room / longest);
        place.height = height * (room / longest);
    } else {
        place.width = width * room / longest > 0 ? width * room / longest : 1;
        place.height = height * room / longest > 0 ? height * room / longest : 1;
    }
    place.x = cell_x(sheet, column) + (sheet->cell - place.width) / 2;
    place.y = cell_y(sheet, row) + (sheet->cell - place.height) / 2;
    return place;
}

static void draw_frame(struct sheet *sheet, struct place place, struct color frame)
{
    canvas_frame(&sheet->image, place.x - FRAME, place.y - FRAME, place.width + 2 * FRAME, place.height + 2 * FRAME,
                 FRAME, frame);
}

void sheet_place(struct sheet *sheet, int column, int row, const struct image *picture, struct color frame)
{
    const struct place place = place_of(sheet, column, row, picture->width, picture->height);
    draw_frame(sheet, place, frame);
    for (int y = 0; y < place.height; y++)
        for (int x = 0; x < place.width; x++) {
            const size_t from_y = (size_t)(y * (int64_t)picture->height / place.height);
            const size_t from_x = (size_t)(x * (int64_t)picture->width / place.width);
            const uint8_t *from = picture->rgb + (from_y * (size_t)picture->width + from_x) * 3;
            canvas_pixel(&sheet->image, place.x + x, place.y + y, (struct color){from[0], from[1], from[2]});
        }
}

void sheet_place_view(struct sheet *sheet, int column, int row, const float *view, int size, struct color frame)
{
    const struct place place = place_of(sheet, column, row, size, size);
    const size_t plane = (size_t)size * (size_t)size;
    draw_frame(sheet, place, frame);
    for (int y = 0; y < place.height; y++)
        for (int x = 0; x < place.width; x++) {
            const size_t at = (size_t)(y * size / place.height) * (size_t)size + (size_t)(x * size / place.width);
            canvas_pixel(&sheet->image, place.x + x, place.y + y,
                         (struct color){canvas_byte(view[at]), canvas_byte(view[plane + at]),
                                        canvas_byte(view[2 * plane + at])});
        }
}

void sheet_text(struct sheet *sheet, int column, int row, const char *text, struct color color)
{
    canvas_text(&sheet->image, cell_x(sheet, column), cell_y(sheet, row) - TEXT + (TEXT - CANVAS_LETTER_HEIGHT) / 2,
                text, color);
}
