/* image/sheet.c -- nearest-neighbour enlargement and a bitmap font: enough to show what the network saw. */
#include "image/sheet.h"

#include <string.h>

enum { GAP = 8, TEXT = 24, FRAME = 2, GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, ENLARGE = 2 };

/* Columns of the classic 5 x 7 character generator, lowest bit on top, from ' ' to '~'. */
static const uint8_t font[95][GLYPH_WIDTH] = {
    {0, 0, 0, 0, 0}, {0, 0, 0x5F, 0, 0}, {0, 7, 0, 7, 0}, {0x14, 0x7F, 0x14, 0x7F, 0x14}, {0x24, 0x2A, 0x7F, 0x2A, 0x12},
    {0x23, 0x13, 8, 0x64, 0x62}, {0x36, 0x49, 0x55, 0x22, 0x50}, {0, 5, 3, 0, 0}, {0, 0x1C, 0x22, 0x41, 0}, {0, 0x41, 0x22, 0x1C, 0},
    {8, 0x2A, 0x1C, 0x2A, 8}, {8, 8, 0x3E, 8, 8}, {0, 0x50, 0x30, 0, 0}, {8, 8, 8, 8, 8}, {0, 0x60, 0x60, 0, 0},
    {0x20, 0x10, 8, 4, 2}, {0x3E, 0x51, 0x49, 0x45, 0x3E}, {0, 0x42, 0x7F, 0x40, 0}, {0x42, 0x61, 0x51, 0x49, 0x46}, {0x21, 0x41, 0x45, 0x4B, 0x31},
    {0x18, 0x14, 0x12, 0x7F, 0x10}, {0x27, 0x45, 0x45, 0x45, 0x39}, {0x3C, 0x4A, 0x49, 0x49, 0x30}, {1, 0x71, 9, 5, 3}, {0x36, 0x49, 0x49, 0x49, 0x36},
    {6, 0x49, 0x49, 0x29, 0x1E}, {0, 0x36, 0x36, 0, 0}, {0, 0x56, 0x36, 0, 0}, {0, 8, 0x14, 0x22, 0x41}, {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x41, 0x22, 0x14, 8, 0}, {2, 1, 0x51, 9, 6}, {0x32, 0x49, 0x79, 0x41, 0x3E}, {0x7E, 0x11, 0x11, 0x11, 0x7E}, {0x7F, 0x49, 0x49, 0x49, 0x36},
    {0x3E, 0x41, 0x41, 0x41, 0x22}, {0x7F, 0x41, 0x41, 0x22, 0x1C}, {0x7F, 0x49, 0x49, 0x49, 0x41}, {0x7F, 9, 9, 1, 1}, {0x3E, 0x41, 0x41, 0x51, 0x32},
    {0x7F, 8, 8, 8, 0x7F}, {0, 0x41, 0x7F, 0x41, 0}, {0x20, 0x40, 0x41, 0x3F, 1}, {0x7F, 8, 0x14, 0x22, 0x41}, {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 2, 4, 2, 0x7F}, {0x7F, 4, 8, 0x10, 0x7F}, {0x3E, 0x41, 0x41, 0x41, 0x3E}, {0x7F, 9, 9, 9, 6}, {0x3E, 0x41, 0x51, 0x21, 0x5E},
    {0x7F, 9, 0x19, 0x29, 0x46}, {0x46, 0x49, 0x49, 0x49, 0x31}, {1, 1, 0x7F, 1, 1}, {0x3F, 0x40, 0x40, 0x40, 0x3F}, {0x1F, 0x20, 0x40, 0x20, 0x1F},
    {0x7F, 0x20, 0x18, 0x20, 0x7F}, {0x63, 0x14, 8, 0x14, 0x63}, {3, 4, 0x78, 4, 3}, {0x61, 0x51, 0x49, 0x45, 0x43}, {0, 0, 0x7F, 0x41, 0x41},
    {2, 4, 8, 0x10, 0x20}, {0x41, 0x41, 0x7F, 0, 0}, {4, 2, 1, 2, 4}, {0x40, 0x40, 0x40, 0x40, 0x40}, {0, 1, 2, 4, 0},
    {0x20, 0x54, 0x54, 0x54, 0x78}, {0x7F, 0x48, 0x44, 0x44, 0x38}, {0x38, 0x44, 0x44, 0x44, 0x20}, {0x38, 0x44, 0x44, 0x48, 0x7F}, {0x38, 0x54, 0x54, 0x54, 0x18},
    {8, 0x7E, 9, 1, 2}, {8, 0x14, 0x54, 0x54, 0x3C}, {0x7F, 8, 4, 4, 0x78}, {0, 0x44, 0x7D, 0x40, 0}, {0x20, 0x40, 0x44, 0x3D, 0},
    {0, 0x7F, 0x10, 0x28, 0x44}, {0, 0x41, 0x7F, 0x40, 0}, {0x7C, 4, 0x18, 4, 0x78}, {0x7C, 8, 4, 4, 0x78}, {0x38, 0x44, 0x44, 0x44, 0x38},
    {0x7C, 0x14, 0x14, 0x14, 8}, {8, 0x14, 0x14, 0x18, 0x7C}, {0x7C, 8, 4, 4, 8}, {0x48, 0x54, 0x54, 0x54, 0x20}, {4, 0x3F, 0x44, 0x40, 0x20},
    {0x3C, 0x40, 0x40, 0x20, 0x7C}, {0x1C, 0x20, 0x40, 0x20, 0x1C}, {0x3C, 0x40, 0x30, 0x40, 0x3C}, {0x44, 0x28, 0x10, 0x28, 0x44}, {0xC, 0x50, 0x50, 0x50, 0x3C},
    {0x44, 0x64, 0x54, 0x4C, 0x44}, {0, 8, 0x36, 0x41, 0}, {0, 0, 0x7F, 0, 0}, {0, 0x41, 0x36, 8, 0}, {8, 8, 0x2A, 0x1C, 8},
};

static void set_pixel(struct image *image, int x, int y, struct color color)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height) return;
    uint8_t *pixel = image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    pixel[0] = color.red;
    pixel[1] = color.green;
    pixel[2] = color.blue;
}

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
        return error_set(error, SIMCLR_INVALID, "a sheet of %d x %d cells of %d pixels cannot be made", columns, rows, cell);
    const int status = image_create(GAP + columns * (cell + GAP), GAP + rows * (cell + TEXT + GAP), &sheet->image, error);
    if (status == SIMCLR_OK) memset(sheet->image.rgb, 250, (size_t)sheet->image.width * (size_t)sheet->image.height * 3);
    return status;
}

void sheet_free(struct sheet *sheet)
{
    image_free(&sheet->image);
}

/* The rectangle of the cell that a width x height picture fills, frame excluded. */
struct place { int x, y, width, height; };

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
    for (int y = place.y - FRAME; y < place.y + place.height + FRAME; y++)
        for (int x = place.x - FRAME; x < place.x + place.width + FRAME; x++)
            if (x < place.x || y < place.y || x >= place.x + place.width || y >= place.y + place.height)
                set_pixel(&sheet->image, x, y, frame);
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
            set_pixel(&sheet->image, place.x + x, place.y + y, (struct color){from[0], from[1], from[2]});
        }
}

static uint8_t to_byte(float value)
{
    const float scaled = value * 255.0f + 0.5f;
    return scaled > 255.0f ? 255 : scaled > 0.0f ? (uint8_t)scaled : 0;
}

void sheet_place_view(struct sheet *sheet, int column, int row, const float *view, int size, struct color frame)
{
    const struct place place = place_of(sheet, column, row, size, size);
    const size_t plane = (size_t)size * (size_t)size;
    draw_frame(sheet, place, frame);
    for (int y = 0; y < place.height; y++)
        for (int x = 0; x < place.width; x++) {
            const size_t at = (size_t)(y * size / place.height) * (size_t)size + (size_t)(x * size / place.width);
            set_pixel(&sheet->image, place.x + x, place.y + y,
                      (struct color){to_byte(view[at]), to_byte(view[plane + at]), to_byte(view[2 * plane + at])});
        }
}

void sheet_text(struct sheet *sheet, int column, int row, const char *text, struct color color)
{
    int left = cell_x(sheet, column);
    const int top = cell_y(sheet, row) - TEXT + (TEXT - GLYPH_HEIGHT * ENLARGE) / 2;
    for (; *text != '\0'; text++, left += (GLYPH_WIDTH + 1) * ENLARGE) {
        const unsigned char letter = (unsigned char)*text;
        if (letter < ' ' || letter > '~') continue;
        for (int x = 0; x < GLYPH_WIDTH * ENLARGE; x++)
            for (int y = 0; y < GLYPH_HEIGHT * ENLARGE; y++)
                if (font[letter - ' '][x / ENLARGE] >> (y / ENLARGE) & 1) set_pixel(&sheet->image, left + x, top + y, color);
    }
}
