/* page/chart.c -- see chart.h: series over an axis. */
#include "page/chart.h"

#include <math.h>

#include "base/memory.h"
#include "page/axis.h"

enum {
    WIDTH = 460,
    HEIGHT = 270, /* at least: names at the right that need more room have it */
    LEFT = 48,
    TOP = 26,
    BOTTOM = 42,
    LABEL_LEADING = 14,
    LABEL_TOP = 12, /* of the highest name */
    DOTS_MOST = 80,
    PATH_MOST = 600
};

static bool is_fixed(const struct chart *chart)
{
    return chart->y_low < chart->y_high;
}

static bool has_room(const struct chart *chart, double y)
{
    return is_fixed(chart) ? axis_reaches(chart->y_low, chart->y_high, y) : axis_holds(y);
}

static bool is_point(const struct chart *chart, const struct chart_series *series, size_t i)
{
    return axis_holds(series->x[i]) && has_room(chart, series->y[i]) && (!chart->log_x || series->x[i] > 0);
}

struct range {
    double low, high;
};

static void widen(struct range *range, double value)
{
    if (!axis_holds(value)) return;
    if (value < range->low) range->low = value;
    if (value > range->high) range->high = value;
}

static void find_ranges(const struct chart *chart, struct range *x, struct range *y)
{
    *x = *y = (struct range){INFINITY, -INFINITY};
    for (size_t s = 0; s < chart->count; s++) {
        const struct chart_series *series = &chart->series[s];
        for (size_t i = 0; i < series->count; i++) {
            if (!is_point(chart, series, i)) continue;
            widen(x, series->x[i]);
            widen(y, series->y[i]);
            if (series->low) widen(y, series->low[i]);
            if (series->high) widen(y, series->high[i]);
        }
    }
    for (size_t i = 0; i < chart->rule_count; i++) widen(y, chart->rules[i].y);
}

static void draw_axes(struct page *page, const struct chart *chart, const struct axis *x, const struct axis *y)
{
    char label[AXIS_LABEL];
    for (size_t i = 0; i < y->count; i++) {
        const double at = axis_at(y, y->ticks[i]);
        text_add(&page->html, "<path class=\"rule\" d=\"M%d %.1fH%.1f\"/>", LEFT, at, x->start + x->length);
        axis_label(y, y->ticks[i], label);
        drawing_text(page, LEFT - 6, at + 4, "end", "small", "%s", label);
    }
    for (size_t i = 0; i < x->count; i++) {
        const double at = axis_at(x, x->ticks[i]);
        text_add(&page->html, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", at, y->start);
        axis_label(x, x->ticks[i], label);
        drawing_text(page, at, y->start + 17, "middle", "small", "%s", label);
    }
    text_add(&page->html, "<path class=\"axis\" d=\"M%d %.1fH%.1f\"/>", LEFT, y->start, x->start + x->length);
    drawing_text(page, x->start + x->length / 2, y->start + BOTTOM - 6, "middle", NULL, "%s", chart->x_name);
    drawing_text(page, 2, 13, "start", NULL, "%s", chart->y_name);
}

static void draw_series(struct page *page, const struct chart *chart, const struct chart_series *series,
                        const struct axis *x, const struct axis *y)
{
    const int hue = series->hue % PAGE_HUES;
    const size_t every = series->count / PATH_MOST + 1; /* a line of 460 pixels shows no more */
    bool pen = false;
    text_add(&page->html, "<path class=\"series h%d\" d=\"", hue);
    for (size_t i = 0; i < series->count; i++) {
        const bool point = is_point(chart, series, i);
        if (point && (i % every == 0 || i + 1 == series->count || !pen))
            text_add(&page->html, "%c%.1f %.1f", pen ? 'L' : 'M', axis_at(x, series->x[i]), axis_at(y, series->y[i]));
        pen = point;
    }
    text_add(&page->html, "\"/>\n");
    const bool dots = series->dots && series->count <= DOTS_MOST;
    for (size_t i = 0; i < series->count; i++) {
        if (!is_point(chart, series, i)) continue;
        const double across = axis_at(x, series->x[i]), up = axis_at(y, series->y[i]);
        if (series->low && series->high && has_room(chart, series->low[i]) && has_room(chart, series->high[i]))
            text_add(&page->html, "<path class=\"series h%d\" style=\"stroke-dasharray:none\" d=\"M%.1f %.1fV%.1f\"/>",
                     hue, across, axis_at(y, series->low[i]), axis_at(y, series->high[i]));
        if (!dots) continue;
        text_add(&page->html, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\">", hue, across, up);
        page_element(page, "title", NULL, "%s: %.6g at %.6g", series->name, series->y[i], series->x[i]);
        text_add(&page->html, "</circle>");
    }
}

/* ---- names at the ends of the lines ---- */

struct label {
    const char *name;
    double y;
    int hue; /* -1: of a rule */
};

static bool is_named(const struct chart_series *series)
{
    return series->name && *series->name;
}

/* Of the whole drawing: that of its curves, or more where their names and the rules' are many. */
static int find_height(const struct chart *chart)
{
    size_t names = chart->rule_count;
    for (size_t s = 0; s < chart->count; s++) names += is_named(&chart->series[s]);
    const int needed = LABEL_TOP + LABEL_LEADING * (int)names + BOTTOM;
    return needed > HEIGHT ? needed : HEIGHT;
}

static size_t find_labels(const struct chart *chart, const struct axis *y, struct label *labels)
{
    size_t count = 0;
    for (size_t i = 0; i < chart->rule_count; i++)
        if (has_room(chart, chart->rules[i].y))
            labels[count++] = (struct label){chart->rules[i].name, axis_at(y, chart->rules[i].y), -1};
    for (size_t s = 0; s < chart->count; s++) {
        const struct chart_series *series = &chart->series[s];
        size_t last = series->count;
        while (last > 0 && !is_point(chart, series, last - 1)) last--;
        if (last > 0 && is_named(series))
            labels[count++] = (struct label){series->name, axis_at(y, series->y[last - 1]), series->hue % PAGE_HUES};
    }
    /* From top to bottom, each at least a line below the one above, and the whole moved up where it ends too low. */
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && labels[k].y < labels[k - 1].y; k--) {
            const struct label other = labels[k];
            labels[k] = labels[k - 1];
            labels[k - 1] = other;
        }
    for (size_t i = 1; i < count; i++) labels[i].y = fmax(labels[i].y, labels[i - 1].y + LABEL_LEADING);
    double floor_of = y->start;
    for (size_t i = count; i > 0; i--) {
        labels[i - 1].y = fmin(labels[i - 1].y, floor_of);
        floor_of = labels[i - 1].y - LABEL_LEADING;
    }
    return count;
}

static void draw_labels(struct page *page, const struct chart *chart, const struct axis *x, const struct axis *y)
{
    struct label *labels = memory_array(chart->count + chart->rule_count, sizeof *labels);
    if (!labels) {
        page->html.failed = true;
        return;
    }
    const size_t count = find_labels(chart, y, labels);
    for (size_t i = 0; i < count; i++) {
        const double at = x->start + x->length + 6;
        if (labels[i].hue < 0) {
            drawing_name(page, at, labels[i].y + 4, "start", "small", labels[i].name, WIDTH - at);
            continue;
        }
        text_add(&page->html, "<path class=\"series h%d\" d=\"M%.1f %.1fh18\"/>", labels[i].hue, at, labels[i].y);
        drawing_name(page, at + 22, labels[i].y + 4, "start", NULL, labels[i].name, WIDTH - at - 22);
    }
    memory_free(labels);
}

/* Room for the names at the right. */
static double label_room(const struct chart *chart)
{
    double most = 0;
    for (size_t i = 0; i < chart->count; i++)
        if (is_named(&chart->series[i])) most = fmax(most, drawing_width(chart->series[i].name) + 28);
    for (size_t i = 0; i < chart->rule_count; i++) most = fmax(most, drawing_width(chart->rules[i].name) + 6);
    return fmin(most, WIDTH * 0.4) + 8;
}

void page_chart(struct page *page, const struct chart *chart)
{
    struct range across, up;
    find_ranges(chart, &across, &up);
    if (!(across.low <= across.high)) {
        page_paragraph(page, "%s: there is no value to draw.", chart->title);
        return;
    }
    const bool fixed = is_fixed(chart);
    const int height = find_height(chart);
    const struct axis x =
        axis_make(across.low, across.high, chart->log_x, false, LEFT, WIDTH - LEFT - label_room(chart));
    const struct axis y = axis_make(fixed ? chart->y_low : up.low, fixed ? chart->y_high : up.high, false, !fixed,
                                    height - BOTTOM, TOP + BOTTOM - height);
    drawing_open(page, WIDTH, height, chart->title, chart->summary);
    draw_axes(page, chart, &x, &y);
    for (size_t i = 0; i < chart->rule_count; i++)
        if (has_room(chart, chart->rules[i].y))
            text_add(&page->html, "<path class=\"named\" d=\"M%d %.1fH%.1f\"/>", LEFT, axis_at(&y, chart->rules[i].y),
                     x.start + x.length);
    for (size_t i = 0; i < chart->count; i++) draw_series(page, chart, &chart->series[i], &x, &y);
    draw_labels(page, chart, &x, &y);
    drawing_close(page);
}
