/* image/canvas.c -- drawing on a picture: enough to show people what the network sees. */
#include "image/canvas.h"

#include <stdbool.h>
#include <string.h>

#include "image/resize.h"

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7 };

/* Columns of the classic 5 x 7 character generator, lowest bit on top, from ' ' to '~'. */
static const uint8_t font[95][GLYPH_WIDTH] = {
    {0, 0, 0, 0, 0},
    {0, 0, 0x5F, 0, 0},
    {0, 7, 0, 7, 0},
    {0x14, 0x7F, 0x14, 0x7F, 0x14},
    {0x24, 0x2A, 0x7F, 0x2A, 0x12},
    {0x23, 0x13, 8, 0x64, 0x62},
    {0x36, 0x49, 0x55, 0x22, 0x50},
    {0, 5, 3, 0, 0},
    {0, 0x1C, 0x22, 0x41, 0},
    {0, 0x41, 0x22, 0x1C, 0},
    {8, 0x2A, 0x1C, 0x2A, 8},
    {8, 8, 0x3E, 8, 8},
    {0, 0x50, 0x30, 0, 0},
    {8, 8, 8, 8, 8},
    {0, 0x60, 0x60, 0, 0},
    {0x20, 0x10, 8, 4, 2},
    {0x3E, 0x51, 0x49, 0x45, 0x3E},
    {0, 0x42, 0x7F, 0x40, 0},
    {0x42, 0x61, 0x51, 0x49, 0x46},
    {0x21, 0x41, 0x45, 0x4B, 0x31},
    {0x18, 0x14, 0x12, 0x7F, 0x10},
    {0x27, 0x45, 0x45, 0x45, 0x39},
    {0x3C, 0x4A, 0x49, 0x49, 0x30},
    {1, 0x71, 9, 5, 3},
    {0x36, 0x49, 0x49, 0x49, 0x36},
    {6, 0x49, 0x49, 0x29, 0x1E},
    {0, 0x36, 0x36, 0, 0},
    {0, 0x56, 0x36, 0, 0},
    {0, 8, 0x14, 0x22, 0x41},
    {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x41, 0x22, 0x14, 8, 0},
    {2, 1, 0x51, 9, 6},
    {0x32, 0x49, 0x79, 0x41, 0x3E},
    {0x7E, 0x11, 0x11, 0x11, 0x7E},
    {0x7F, 0x49, 0x49, 0x49, 0x36},
    {0x3E, 0x41, 0x41, 0x41, 0x22},
    {0x7F, 0x41, 0x41, 0x22, 0x1C},
    {0x7F, 0x49, 0x49, 0x49, 0x41},
    {0x7F, 9, 9, 1, 1},
    {0x3E, 0x41, 0x41, 0x51, 0x32},
    {0x7F, 8, 8, 8, 0x7F},
    {0, 0x41, 0x7F, 0x41, 0},
    {0x20, 0x40, 0x41, 0x3F, 1},
    {0x7F, 8, 0x14, 0x22, 0x41},
    {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 2, 4, 2, 0x7F},
    {0x7F, 4, 8, 0x10, 0x7F},
    {0x3E, 0x41, 0x41, 0x41, 0x3E},
    {0x7F, 9, 9, 9, 6},
    {0x3E, 0x41, 0x51, 0x21, 0x5E},
    {0x7F, 9, 0x19, 0x29, 0x46},
    {0x46, 0x49, 0x49, 0x49, 0x31},
    {1, 1, 0x7F, 1, 1},
    {0x3F, 0x40, 0x40, 0x40, 0x3F},
    {0x1F, 0x20, 0x40, 0x20, 0x1F},
    {0x7F, 0x20, 0x18, 0x20, 0x7F},
    {0x63, 0x14, 8, 0x14, 0x63},
    {3, 4, 0x78, 4, 3},
    {0x61, 0x51, 0x49, 0x45, 0x43},
    {0, 0, 0x7F, 0x41, 0x41},
    {2, 4, 8, 0x10, 0x20},
    {0x41, 0x41, 0x7F, 0, 0},
    {4, 2, 1, 2, 4},
    {0x40, 0x40, 0x40, 0x40, 0x40},
    {0, 1, 2, 4, 0},
    {0x20, 0x54, 0x54, 0x54, 0x78},
    {0x7F, 0x48, 0x44, 0x44, 0x38},
    {0x38, 0x44, 0x44, 0x44, 0x20},
    {0x38, 0x44, 0x44, 0x48, 0x7F},
    {0x38, 0x54, 0x54, 0x54, 0x18},
    {8, 0x7E, 9, 1, 2},
    {8, 0x14, 0x54, 0x54, 0x3C},
    {0x7F, 8, 4, 4, 0x78},
    {0, 0x44, 0x7D, 0x40, 0},
    {0x20, 0x40, 0x44, 0x3D, 0},
    {0, 0x7F, 0x10, 0x28, 0x44},
    {0, 0x41, 0x7F, 0x40, 0},
    {0x7C, 4, 0x18, 4, 0x78},
    {0x7C, 8, 4, 4, 0x78},
    {0x38, 0x44, 0x44, 0x44, 0x38},
    {0x7C, 0x14, 0x14, 0x14, 8},
    {8, 0x14, 0x14, 0x18, 0x7C},
    {0x7C, 8, 4, 4, 8},
    {0x48, 0x54, 0x54, 0x54, 0x20},
    {4, 0x3F, 0x44, 0x40, 0x20},
    {0x3C, 0x40, 0x40, 0x20, 0x7C},
    {0x1C, 0x20, 0x40, 0x20, 0x1C},
    {0x3C, 0x40, 0x30, 0x40, 0x3C},
    {0x44, 0x28, 0x10, 0x28, 0x44},
    {0xC, 0x50, 0x50, 0x50, 0x3C},
    {0x44, 0x64, 0x54, 0x4C, 0x44},
    {0, 8, 0x36, 0x41, 0},
    {0, 0, 0x7F, 0, 0},
    {0, 0x41, 0x36, 8, 0},
    {8, 8, 0x2A, 0x1C, 8},
};

void canvas_pixel(struct image *canvas, int x, int y, struct color color)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
    uint8_t *pixel = canvas->rgb + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
    pixel[0] = color.red;
    pixel[1] = color.green;
    pixel[2] = color.blue;
}

static bool is_set(const uint8_t *glyph, int x, int y)
{
    return x >= 0 && y >= 0 && x < GLYPH_WIDTH && y < GLYPH_HEIGHT && (glyph[x] >> y & 1) != 0;
}

/* One quarter of a doubled pixel: its own value, or that of its two neighbours on this side if they agree with each
 * other and with nothing else around (the rule known as EPX or Scale2x): diagonals become smooth. */
static bool quarter(const uint8_t *glyph, int x, int y, int right, int below)
{
    const bool own = is_set(glyph, x, y);
    const bool side = is_set(glyph, x + (right ? 1 : -1), y), other_side = is_set(glyph, x - (right ? 1 : -1), y);
    const bool line = is_set(glyph, x, y + (below ? 1 : -1)), other_line = is_set(glyph, x, y - (below ? 1 : -1));
    return side == line && side != other_line && line != other_side ? side : own;
}

void canvas_text(struct image *canvas, int x, int y, const char *text, struct color color)
{
    for (; *text != '\0'; text++, x += CANVAS_LETTER_WIDTH) {
        const unsigned char letter = (unsigned char)*text;
        if (letter < ' ' || letter > '~') continue;
        const uint8_t *glyph = font[letter - ' '];
        for (int across = 0; across < 2 * GLYPH_WIDTH; across++)
            for (int down = 0; down < 2 * GLYPH_HEIGHT; down++)
                if (quarter(glyph, across / 2, down / 2, across % 2, down % 2))
                    canvas_pixel(canvas, x + across, y + down, color);
    }
}

void canvas_frame(struct image *canvas, int x, int y, int width, int height, int thick, struct color color)
{
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++)
            if (row < thick || column < thick || row >= height - thick || column >= width - thick)
                canvas_pixel(canvas, x + column, y + row, color);
}

void canvas_fit(int side, int *width, int *height)
{
    const int64_t w = *width, h = *height, longest = w > h ? w : h;
    const int64_t times = side / longest;
    *width = (int)(times > 0 ? w * times : w * side / longest > 0 ? w * side / longest : 1);
    *height = (int)(times > 0 ? h * times : h * side / longest > 0 ? h * side / longest : 1);
}

/* The picture at another size: pixel by pixel when larger, filtered when smaller. */
static int resize(enum simd simd, const struct image *picture, int width, int height, struct image *out,
                  struct error *error)
{
    if (width < picture->width) return image_resize(simd, picture, width, height, out, error);
    const int status = image_create(width, height, out, error);
    const size_t pixels = (size_t)width * (size_t)height;
    for (size_t i = 0; status == SIMCLR_OK && i < pixels; i++) {
        const size_t x = i % (size_t)width * (size_t)picture->width / (size_t)width;
        const size_t y = i / (size_t)width * (size_t)picture->height / (size_t)height;
        memcpy(out->rgb + 3 * i, picture->rgb + 3 * (y * (size_t)picture->width + x), 3);
    }
    return status;
}

int canvas_picture(enum simd simd, struct image *canvas, int x, int y, int side, const struct image *picture,
                   struct error *error)
{
    int width = picture->width, height = picture->height;
    struct image fitted;
    canvas_fit(side, &width, &height);
    const int status = resize(simd, picture, width, height, &fitted, error);
    if (status != SIMCLR_OK) return status;
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            const uint8_t *pixel = fitted.rgb + ((size_t)row * (size_t)width + (size_t)column) * 3;
            canvas_pixel(canvas, x + column, y + row, (struct color){pixel[0], pixel[1], pixel[2]});
        }
    image_free(&fitted);
    return SIMCLR_OK;
}

uint8_t canvas_byte(float value)
{
    const float scaled = value * 255.0f + 0.5f;
    return scaled > 255.0f ? 255 : scaled > 0.0f ? (uint8_t)scaled : 0;
}

int canvas_view(const float *view, int size, struct image *out, struct error *error)
{
    const int status = image_create(size, size, out, error);
    const size_t plane = (size_t)size * (size_t)size;
    for (size_t i = 0; status == SIMCLR_OK && i < 3 * plane; i++)
        out->rgb[i % plane * 3 + i / plane] = canvas_byte(view[i]);
    return status;
}
