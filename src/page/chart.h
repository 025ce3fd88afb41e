/* page/chart.h -- drawings of a page as SVG. Words stay words, and colours are the page's variables. Each series has a
 * dash of its own and its name at its end. The whole has a title and a description for who does not see it. */
#ifndef PAGE_CHART_H
#define PAGE_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page/page.h"

/* Values over an axis. Points that a drawing has no room for (axis_holds; axis_reaches where y_low and y_high are
 * given) are gaps; on a logarithmic axis those of x <= 0 too. Rules and whiskers of such values are left out. */
struct chart_series {
    const char *name;         /* any bytes, as all names here */
    const double *x, *y;      /* [count] */
    const double *low, *high; /* [count] ends of whiskers; NULL: none */
    size_t count;
    int hue;   /* its colour and dash, modulo PAGE_HUES */
    bool dots; /* a dot on each point, which says its value when pointed at */
};

/* A horizontal line with a name, such as chance. */
struct chart_rule {
    const char *name;
    double y;
};

struct chart {
    const char *title;
    const char *summary; /* what it shows, in words */
    const char *x_name, *y_name;
    bool log_x;
    double y_low, y_high; /* equal: of the data */
    const struct chart_series *series;
    size_t count;
    const struct chart_rule *rules;
    size_t rule_count;
};

/* Draws the chart into the element that is open: in a <figure>, as a rule. Nothing but a sentence where no series has a
 * point. */
void page_chart(struct page *page, const struct chart *chart);

/* One row of a chart of values with intervals. */
struct chart_value {
    const char *name;
    double value, low,
        high; /* low, high: NaN without an interval. A value that the axis does not reach leaves the row empty */
    int hue;
    bool group; /* a heading above the rows that follow; it has no value */
};
struct chart_values {
    const char *title, *summary;
    const char *x_name;
    int decimals;     /* of the values, which are written at the right */
    const char *unit; /* behind each, "" for none */
    double x_low, x_high;
    const struct chart_value *values;
    size_t count;
};
void page_values(struct page *page, const struct chart_values *chart);

/* Points in a plane, by group where they have some. */
struct chart_cloud {
    const char *title, *summary;
    const float *points;      /* [count][2], finite */
    const int32_t *groups;    /* [count]: 0 ... group_count - 1; others are drawn gray. NULL: no groups */
    const char *const *names; /* [group_count], written where their points are densest; NULL: none */
    int group_count;
    size_t count;
    size_t most; /* points that are drawn at most, every n-th; 0: all */
};
void page_cloud(struct page *page, const struct chart_cloud *cloud);

#endif
