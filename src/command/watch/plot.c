/* command/watch/plot.c -- see plot.h. */
#include "command/watch/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/format.h"

enum { CELLS = PLOT_COLUMNS - PLOT_LABEL, COLUMNS = 2 * CELLS };

struct canvas {
    double sum[COLUMNS]; /* of the points of a column, each divided by their number */
    int64_t count[COLUMNS];
    uint8_t cells[PLOT_ROWS_MOST][CELLS];
    double low, high; /* of y */
    int dots;         /* rows of dots */
};

/* The column of x, or -1. */
static int column_of(const struct plot *plot, double x)
{
    if (!(x >= plot->low && x <= plot->high)) return -1;
    const double width = plot->high - plot->low;
    if (!(width > 0)) return 0;
    const double share = isfinite(width) ? (x - plot->low) / width : 0.5;
    return (int)(share * (COLUMNS - 1) + 0.5);
}

static void gather(struct canvas *canvas, const struct plot *plot)
{
    for (size_t i = 0; i < plot->count; i++) {
        const struct plot_point *point = &plot->points[i];
        const int column = isfinite(point->y) ? column_of(plot, point->x) : -1;
        if (column >= 0) canvas->count[column]++;
    }
    for (size_t i = 0; i < plot->count; i++) {
        const struct plot_point *point = &plot->points[i];
        const int column = isfinite(point->y) ? column_of(plot, point->x) : -1;
        if (column >= 0) canvas->sum[column] += point->y / (double)canvas->count[column];
    }
    canvas->low = INFINITY;
    canvas->high = -INFINITY;
    for (int i = 0; i < COLUMNS; i++) {
        if (canvas->count[i] == 0) continue;
        canvas->low = fmin(canvas->low, canvas->sum[i]);
        canvas->high = fmax(canvas->high, canvas->sum[i]);
    }
}

/* The row of dots of y, 0 at the top. Halves, so that no difference overflows. */
static double row_of(const struct canvas *canvas, double y)
{
    const double range = canvas->high / 2 - canvas->low / 2;
    if (!(range > 0)) return floor((canvas->dots - 1) / 2.0);
    return (canvas->high / 2 - y / 2) / range * (canvas->dots - 1);
}

static void set_dot(struct canvas *canvas, int column, int row)
{
    static const uint8_t bits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    canvas->cells[row / 4][column / 2] |= bits[column % 2][row % 4];
}

/* From the row of the column before to the row of this one, without the dot of that one. */
static void set_column(struct canvas *canvas, int column, int before, int row)
{
    const int step = row > before ? 1 : -1;
    for (int at = before; at != row; at += step)
        if (at != before) set_dot(canvas, column, at);
    set_dot(canvas, column, row);
}

static void draw(struct canvas *canvas)
{
    int last = -1, row_before = 0;
    for (int i = 0; i < COLUMNS; i++) {
        if (canvas->count[i] == 0) continue;
        const double to = row_of(canvas, canvas->sum[i]);
        if (last < 0) {
            row_before = (int)(to + 0.5);
            set_dot(canvas, i, row_before);
            last = i;
            continue;
        }
        const double from = row_of(canvas, canvas->sum[last]);
        for (int k = last + 1; k <= i; k++) {
            const int row = (int)(from + (to - from) * (k - last) / (i - last) + 0.5);
            set_column(canvas, k, row_before, row);
            row_before = row;
        }
        last = i;
    }
}

static void add_row(struct text *out, const struct canvas *canvas, const struct plot *plot, int row)
{
    char label[16] = "";
    int length = CELLS;
    if (row == 0 || row == plot->rows - 1) {
        const double value = (row == 0 ? canvas->high : canvas->low) * plot->scale;
        format_write(label, sizeof label, "%.4g", value);
        if (strlen(label) > PLOT_LABEL - 2) format_write(label, sizeof label, "%.0e", value);
    }
    while (length > 0 && canvas->cells[row][length - 1] == 0) length--;
    text_add(out, "%*s \xe2\x94\x82", PLOT_LABEL - 2, label);
    for (int i = 0; i < length; i++) {
        const uint8_t bits = canvas->cells[row][i];
        const char character[3] = {(char)0xe2, (char)(0xa0 | bits >> 6), (char)(0x80 | (bits & 0x3f))};
        text_add_bytes(out, character, sizeof character);
    }
    text_add(out, "\n");
}

void plot_add(struct text *out, const struct plot *plot)
{
    struct canvas canvas = {.dots = 4 * plot->rows};
    gather(&canvas, plot);
    if (!(canvas.low <= canvas.high)) return;
    draw(&canvas);
    for (int row = 0; row < plot->rows; row++) add_row(out, &canvas, plot, row);
}
