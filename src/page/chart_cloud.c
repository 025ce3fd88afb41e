/* page/chart_cloud.c -- see chart.h: points in a plane. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "page/axis.h"
#include "page/chart.h"

enum { SIDE = 640, MARGIN = 14, NAME = 240, LINE = 17, TRIES = 9 };
static const double BIG = 16.0 / 12; /* the letters of names, beside those of other words */

struct frame {
    double left, top, scale;
};

static struct frame find_frame(const struct chart_cloud *cloud)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * cloud->count; i++) {
        low[i % 2] = fmin(low[i % 2], cloud->points[i]);
        high[i % 2] = fmax(high[i % 2], cloud->points[i]);
    }
    const double span = fmax(fmax(high[0] - low[0], high[1] - low[1]), 1e-30);
    const double scale = (SIDE - 2 * MARGIN) / span;
    return (struct frame){(low[0] + high[0]) / 2 - SIDE / scale / 2, (low[1] + high[1]) / 2 + SIDE / scale / 2, scale};
}

static double across(const struct frame *frame, const float *point)
{
    return (point[0] - frame->left) * frame->scale;
}

static double down(const struct frame *frame, const float *point)
{
    return (frame->top - point[1]) * frame->scale;
}

static int group_of(const struct chart_cloud *cloud, size_t i)
{
    const int group = cloud->groups ? cloud->groups[i] : 0;
    return group >= 0 && (!cloud->groups || group < cloud->group_count) ? group : -1;
}

/* All points of a group are one path: a dot is a line of no length with round ends, a square one with square ends. */
static void draw_group(struct page *page, const struct chart_cloud *cloud, const struct frame *frame, int group,
                       size_t every)
{
    const int hue = group < 0 ? PAGE_HUES - 1 : group % PAGE_HUES;
    bool any = false;
    for (size_t i = 0; i < cloud->count; i += every) {
        if (group_of(cloud, i) != group) continue;
        if (!any)
            text_add(&page->html, "<path class=\"h%d cloud%s\" d=\"", hue,
                     group >= 0 && group / PAGE_HUES % 2 == 1 ? " square" : "");
        any = true;
        const float *point = cloud->points + 2 * i;
        text_add(&page->html, "M%.1f %.1fh0", across(frame, point), down(frame, point));
    }
    if (any) text_add(&page->html, "\"/>\n");
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* A name that is written already, by its middle. */
struct written {
    double x, y, half;
};

/* The nearest place above or below `y` where no name lies. */
static double free_place(const struct written *written, size_t count, double x, double y, double half)
{
    for (int step = 0; step < TRIES; step++) {
        const int lines = (step + 1) / 2;
        const double at = y + LINE * (step % 2 ? -lines : lines);
        bool is_free = at > LINE && at < SIDE - 2;
        for (size_t i = 0; i < count && is_free; i++)
            is_free = fabs(written[i].y - at) >= LINE || fabs(written[i].x - x) >= written[i].half + half;
        if (is_free) return at;
    }
    return y;
}

/* The medians of a group's points on both axes; false without points. `place` has room for all. */
static bool find_middle(const struct chart_cloud *cloud, int group, float *place, float middle[2])
{
    for (int axis = 0; axis < 2; axis++) {
        size_t count = 0;
        for (size_t i = 0; i < cloud->count; i++)
            if (group_of(cloud, i) == group) place[count++] = cloud->points[2 * i + (size_t)axis];
        if (count == 0) return false;
        qsort(place, count, sizeof *place, compare);
        middle[axis] = place[count / 2];
    }
    return true;
}

static void write_names(struct page *page, const struct chart_cloud *cloud, const struct frame *frame, float *place,
                        struct written *written)
{
    size_t count = 0;
    for (int group = 0; group < cloud->group_count; group++) {
        float middle[2];
        if (!find_middle(cloud, group, place, middle)) continue;
        const double half = fmin(drawing_width(cloud->names[group]) * BIG, NAME) / 2 + 2;
        const double x = fmin(fmax(across(frame, middle), half), SIDE - half);
        const double y = free_place(written, count, x, down(frame, middle) + 5, half);
        written[count++] = (struct written){x, y, half};
        drawing_name(page, x, y, "middle", "halo big", cloud->names[group], NAME / BIG);
    }
}

void page_cloud(struct page *page, const struct chart_cloud *cloud)
{
    if (cloud->count == 0) {
        page_paragraph(page, "%s: there are no points.", cloud->title);
        return;
    }
    float *place = memory_array(cloud->count, sizeof *place);
    struct written *written = memory_array((size_t)cloud->group_count + 1, sizeof *written);
    if (!place || !written) page->html.failed = true;
    const struct frame frame = find_frame(cloud);
    const size_t every = cloud->most > 0 ? (cloud->count + cloud->most - 1) / cloud->most : 1;
    drawing_open(page, SIDE, SIDE, cloud->title, cloud->summary);
    for (int group = -1; group < (cloud->groups ? cloud->group_count : 1); group++)
        draw_group(page, cloud, &frame, group, every);
    if (cloud->names && place && written) write_names(page, cloud, &frame, place, written);
    memory_free(place);
    memory_free(written);
    drawing_close(page);
}
