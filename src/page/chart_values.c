/* page/chart_values.c -- see chart.h: values with intervals, one below the other. */
#include <math.h>

#include "page/axis.h"
#include "page/chart.h"

enum { WIDTH = 460, ROW = 20, TOP = 6, BOTTOM = 40, NAMES_MOST = 180, VALUES = 66 };

static void draw_value(struct page *page, const struct chart_values *chart, const struct chart_value *value,
                       const struct axis *x, double y)
{
    const int hue = value->hue % PAGE_HUES;
    if (axis_reaches(chart->x_low, chart->x_high, value->low) && axis_reaches(chart->x_low, chart->x_high, value->high))
        text_add(
            &page->html,
            "<path class=\"series h%d\" style=\"stroke-dasharray:none\" d=\"M%.1f %.1fH%.1fm0 -4v8M%.1f %.1fv8\"/>",
            hue, axis_at(x, value->low), y, axis_at(x, value->high), axis_at(x, value->low), y - 4);
    text_add(&page->html, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.2\"/>", hue,
             axis_at(x, value->value), y);
    drawing_text(page, WIDTH - 2, y + 4, "end", NULL, "%.*f%s", chart->decimals, value->value, chart->unit);
}

void page_values(struct page *page, const struct chart_values *chart)
{
    double names = 0;
    for (size_t i = 0; i < chart->count; i++)
        if (!chart->values[i].group) names = fmax(names, drawing_width(chart->values[i].name) + 24);
    names = fmin(names, NAMES_MOST);
    const int height = TOP + BOTTOM + ROW * (int)chart->count;
    const struct axis x = axis_make(chart->x_low, chart->x_high, false, false, names, WIDTH - VALUES - names);
    drawing_open(page, WIDTH, height, chart->title, chart->summary);
    for (size_t i = 0; i < x.count; i++) {
        char label[AXIS_LABEL];
        axis_label(&x, x.ticks[i], label);
        text_add(&page->html, "<path class=\"rule\" d=\"M%.1f %dV%d\"/>", axis_at(&x, x.ticks[i]), TOP,
                 height - BOTTOM);
        drawing_text(page, axis_at(&x, x.ticks[i]), height - BOTTOM + 15, "middle", "small", "%s", label);
    }
    drawing_text(page, x.start + x.length / 2, height - 6, "middle", NULL, "%s", chart->x_name);
    for (size_t i = 0; i < chart->count; i++) {
        const double y = TOP + ROW * ((double)i + 0.5);
        const struct chart_value *value = &chart->values[i];
        drawing_name(page, value->group ? 0 : 12, y + 4, "start", value->group ? "halo" : "small", value->name,
                     value->group ? WIDTH : names - 18);
        if (!value->group && axis_reaches(chart->x_low, chart->x_high, value->value))
            draw_value(page, chart, value, &x, y);
    }
    drawing_close(page);
}
