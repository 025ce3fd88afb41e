/* page/axis.h -- from values to places on a drawing, and round values to write beside it. */
#ifndef PAGE_AXIS_H
#define PAGE_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#include "page/page.h"

enum { AXIS_TICKS = 12, AXIS_LABEL = 24 };

struct axis {
    double low, high;     /* values, low < high; of log10 where log */
    double start, length; /* on the drawing: where `low` lies, and how far `high` is from there (negative: upwards) */
    bool log;
    double ticks[AXIS_TICKS]; /* values */
    size_t count;
    int decimals; /* of their labels */
};

/* Whether a drawing has room for the value: it is finite, and its size at most 1e300, so that spans are finite too. */
bool axis_holds(double value);
/* The same of an axis whose ends are given: the value lies at most the axis's length beyond them. */
bool axis_reaches(double low, double high, double value);

/* An axis from `low` to `high`, which axis_holds. It is widened where both are equal, and to round values where
 * `round`. Values of a logarithmic axis are positive. */
struct axis axis_make(double low, double high, bool log, bool round, double start, double length);
double axis_at(const struct axis *axis, double value);
void axis_label(const struct axis *axis, double value, char out[AXIS_LABEL]);

/* ---- what all drawings share ---- */

/* <svg> with title and description, which have numbers of their own in the page; closed by drawing_close. */
void drawing_open(struct page *page, int width, int height, const char *title, const char *summary);
void drawing_close(struct page *page);
/* <text>: anchor "start", "middle" or "end". class_name: NULL, or of the style sheet. */
void drawing_text(struct page *page, double x, double y, const char *anchor, const char *class_name, const char *format,
                  ...) __attribute__((format(printf, 6, 7)));
/* The same for a name that is cut where it takes more than `width`; the whole is shown when it is pointed at. */
void drawing_name(struct page *page, double x, double y, const char *anchor, const char *class_name, const char *name,
                  double width);
/* Pixels that a name takes, about. */
double drawing_width(const char *name);

#endif
