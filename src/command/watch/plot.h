/* command/watch/plot.h -- a curve as dots of braille characters: two columns and four rows of dots in each. Inside the
 * room only. */
#ifndef COMMAND_WATCH_PLOT_H
#define COMMAND_WATCH_PLOT_H

#include <stddef.h>

#include "base/text.h"

enum { PLOT_COLUMNS = 80, PLOT_LABEL = 10, PLOT_ROWS_MOST = 12 };

struct plot_point {
    double x, y; /* a point that is not finite is not drawn */
};

struct plot {
    const struct plot_point *points; /* in any order of x */
    size_t count;
    double low, high; /* of x: the first column and the last; points outside are not drawn */
    int rows;         /* of characters, 1 to PLOT_ROWS_MOST */
    double scale;     /* labels are y times this: 100 for percent */
};

/* Appends `rows` lines of at most PLOT_COLUMNS characters, with the highest and the lowest y beside them. A column has
 * the mean of its points; between columns with points there are straight lines. Without a point in range: nothing. */
void plot_add(struct text *out, const struct plot *plot);

#endif
