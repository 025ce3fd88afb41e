/* page/chart_cloud.c -- see chart.h: points in a plane. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "page/axis.h"
#include "page/chart.h"

enum { SIDE = 640, MARGIN = 14, NAME = 240, LINE = 17, TRIES = 9, GRID = 20 };
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

/* How many points of a group lie in each cell of a grid over the drawing. */
struct density {
    int points[GRID][GRID];
};

static int cell_of(double at)
{
    return (int)fmin(fmax(at / SIDE * GRID, 0), GRID - 1);
}

/* Points in the cell and the cells around it. */
static int around(const struct density *density, int row, int column)
{
    int sum = 0;
    for (int r = row > 0 ? row - 1 : 0; r <= row + 1 && r < GRID; r++)
        for (int c = column > 0 ? column - 1 : 0; c <= column + 1 && c < GRID; c++) sum += density->points[r][c];
    return sum;
}

/* Where a group is densest: the mean of its points in the cell that has most of them around it. A group that fell into
 * two clouds so has its name in one of them, not between. False without points. */
static bool find_middle(const struct chart_cloud *cloud, const struct frame *frame, int group, double middle[2])
{
    struct density density = {0};
    int most = 0, row = 0, column = 0;
    double sum[2] = {0, 0}, count = 0;
    for (size_t i = 0; i < cloud->count; i++)
        if (group_of(cloud, i) == group)
            density
                .points[cell_of(down(frame, cloud->points + 2 * i))][cell_of(across(frame, cloud->points + 2 * i))]++;
    for (int r = 0; r < GRID; r++)
        for (int c = 0; c < GRID; c++)
            if (around(&density, r, c) > most) most = around(&density, r, c), row = r, column = c;
    for (size_t i = 0; i < cloud->count; i++) {
        const double x = across(frame, cloud->points + 2 * i), y = down(frame, cloud->points + 2 * i);
        if (group_of(cloud, i) != group || abs(cell_of(x) - column) > 1 || abs(cell_of(y) - row) > 1) continue;
        sum[0] += x;
        sum[1] += y;
        count++;
    }
    middle[0] = sum[0] / fmax(count, 1);
    middle[1] = sum[1] / fmax(count, 1);
    return count > 0;
}

static void write_names(struct page *page, const struct chart_cloud *cloud, const struct frame *frame,
                        struct written *written)
{
    size_t count = 0;
    for (int group = 0; group < cloud->group_count; group++) {
        double middle[2];
        if (!find_middle(cloud, frame, group, middle)) continue;
        const double half = fmin(drawing_width(cloud->names[group]) * BIG, NAME) / 2 + 2;
        const double x = fmin(fmax(middle[0], half), SIDE - half);
        const double y = free_place(written, count, x, middle[1] + 5, half);
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
    struct written *written = memory_array((size_t)cloud->group_count + 1, sizeof *written);
    if (!written) page->html.failed = true;
    const struct frame frame = find_frame(cloud);
    const size_t every = cloud->most > 0 ? (cloud->count + cloud->most - 1) / cloud->most : 1;
    drawing_open(page, SIDE, SIDE, cloud->title, cloud->summary);
    for (int group = -1; group < (cloud->groups ? cloud->group_count : 1); group++)
        draw_group(page, cloud, &frame, group, every);
    if (cloud->names && written) write_names(page, cloud, &frame, written);
    memory_free(written);
    drawing_close(page);
}
