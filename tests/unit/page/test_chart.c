/* Drawings: ticks are round and within the axis; points lie where their values say; gaps stay gaps; names do not lie
 * upon each other, and hold anything; what cannot be drawn is said. */

#include "support/run.h"

#include <math.h>

#include "page/axis.h"
#include "page/chart.h"
#include "support/html.h"

static void well_formed(struct page *page)
{
    while (page->depth > 0) page_close(page);
    text_add(&page->html, "</body>\n</html>\n");
    assert_false(page->html.failed);
    const char *problem = html_problem(page->html.bytes);
    if (problem) fail_msg("not well formed at: %.80s", problem);
}

static void ticks_are_round(void **state)
{
    (void)state;
    char label[AXIS_LABEL];
    struct axis axis = axis_make(0.13, 0.87, false, true, 100, 400);
    assert_int_equal(axis.count, 6); /* 0 to 1 */
    for (size_t i = 0; i < 6; i++) assert_true(fabs(axis.ticks[i] - 0.2 * (double)i) < 1e-12);
    assert_true(axis_at(&axis, 0) == 100 && axis_at(&axis, 1) == 500);
    axis_label(&axis, axis.ticks[2], label);
    assert_string_equal(label, "0.4");
    axis = axis_make(10, 50000, true, false, 0, 100);
    assert_int_equal(axis.count, 4); /* 10, 100, 1000, 10,000 */
    axis_label(&axis, axis.ticks[3], label);
    assert_string_equal(label, "10k");
    axis = axis_make(7, 7, false, true, 0, 100); /* one value has room around it */
    assert_true(axis.low < 7 && axis.high > 7 && isfinite(axis_at(&axis, 7)));
    axis = axis_make(0, 0, false, true, 0, 100);
    assert_true(axis.low < 0 && axis.high > 0);
    axis = axis_make(0.001, 0.5, true, false, 0, 100);
    for (size_t i = 0; i < axis.count; i++) {
        axis_label(&axis, axis.ticks[i], label);
        assert_true(atof(label) == axis.ticks[i] || fabs(atof(label) / axis.ticks[i] - 1) < 1e-9);
    }
    for (int power = -300; power <= 300; power += 25) { /* whatever the size, some ticks, all within */
        axis = axis_make(pow(10, power), 3 * pow(10, power), false, false, 0, 1);
        assert_true(axis.count >= 2 && axis.count <= AXIS_TICKS);
        for (size_t i = 0; i < axis.count; i++) assert_true(axis_at(&axis, axis.ticks[i]) <= 1.0001);
    }
}

static void points_lie_where_they_should(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4}, y[] = {0, 10, NAN, 30, 40}, low[] = {0, 5, 0, 25, NAN},
                 high[] = {0, 15, 0, 35, 50};
    const struct chart_series series[] = {
        {.name = "a<b", .x = x, .y = y, .low = low, .high = high, .count = 5, .dots = true}};
    const struct chart chart = {
        .title = "T & t", .summary = "s", .x_name = "x", .y_name = "y", .series = series, .count = 1};
    struct page page;
    page_begin(&page, "chart");
    page_chart(&page, &chart);
    well_formed(&page);
    const char *path = strstr(page.html.bytes, "<path class=\"series h0\" d=\"M");
    assert_non_null(path);
    double at[8];
    assert_int_equal(sscanf(path, "<path class=\"series h0\" d=\"M%lf %lfL%lf %lfM%lf %lfL%lf %lf\"", at, at + 1,
                            at + 2, at + 3, at + 4, at + 5, at + 6, at + 7),
                     8); /* a gap where the NaN is */
    const double step = at[2] - at[0];
    assert_true(step > 10 && fabs(at[4] - at[0] - 3 * step) < 0.3 && fabs(at[6] - at[0] - 4 * step) < 0.3);
    assert_true(at[1] > at[3] && fabs((at[1] - at[3]) - (at[5] - at[7])) < 0.3);
    assert_non_null(strstr(page.html.bytes, "a&lt;b: 30 at 3</title>"));
    assert_non_null(strstr(page.html.bytes, ">T &amp; t</title>"));
    page_free(&page);
}

/* Names of many series, and of a rule among them: all within the drawing, whatever their number. */
static void draw_names(int count_of_series, double height)
{
    enum { SERIES_MOST = 64 };
    const double x[] = {1, 10, 100}, y[] = {0.5, 0.5, 0.5};
    struct chart_series series[SERIES_MOST];
    for (int i = 0; i < count_of_series; i++)
        series[i] = (struct chart_series){.name = "name", .x = x, .y = y, .count = 3, .hue = i};
    const struct chart_rule rule = {"chance", 0.5};
    const struct chart chart = {.title = "t",
                                .x_name = "x",
                                .y_name = "y",
                                .log_x = true,
                                .series = series,
                                .count = (size_t)count_of_series,
                                .rules = &rule,
                                .rule_count = 1};
    struct page page;
    page_begin(&page, "names");
    page_chart(&page, &chart);
    well_formed(&page);
    double places[SERIES_MOST + 1], width, below;
    int count = 0;
    const char *box = strstr(page.html.bytes, "<svg viewBox=\"");
    assert_non_null(box);
    assert_int_equal(sscanf(box, "<svg viewBox=\"0 0 %lf %lf\"", &width, &below), 2);
    assert_true(below == height);
    for (const char *at = page.html.bytes; (at = strstr(at, "<text ")) != NULL; at++) {
        const char *end = strstr(at, "</text>");
        double left, y_at;
        if (strncmp(end - 4, "name", 4) != 0 && strncmp(end - 6, "chance", 6) != 0) continue;
        assert_int_equal(sscanf(at, "<text x=\"%lf\" y=\"%lf\"", &left, &y_at), 2);
        assert_true(count <= count_of_series);
        for (int i = 0; i < count; i++) assert_true(fabs(places[i] - y_at) > 12);
        assert_true(y_at > 10 && y_at < height - 30); /* a letter is 10 high; the names of x lie below */
        places[count++] = y_at;
    }
    assert_int_equal(count, count_of_series + 1);
    page_free(&page);
}

static void names_do_not_lie_upon_each_other(void **state)
{
    (void)state;
    draw_names(9, 270);
    draw_names(14, 270);
    draw_names(24, 12 + 25 * 14 + 42);
    draw_names(64, 12 + 65 * 14 + 42);
}

static void what_cannot_be_drawn_is_said(void **state)
{
    (void)state;
    const double x[] = {0, -1}, y[] = {1, 2};
    const struct chart_series series[] = {{.name = "s", .x = x, .y = y, .count = 2}};
    const struct chart chart = {
        .title = "Labels", .x_name = "x", .y_name = "y", .log_x = true, .series = series, .count = 1};
    struct page page;
    page_begin(&page, "nothing");
    page_chart(&page, &chart);
    page_chart(&page, &(struct chart){.title = "None"});
    page_cloud(&page, &(struct chart_cloud){.title = "Map"});
    assert_null(strstr(page.html.bytes, "<svg"));
    assert_non_null(strstr(page.html.bytes, "<p>Labels: there is no value to draw.</p>"));
    assert_non_null(strstr(page.html.bytes, "<p>None: there is no value to draw.</p>"));
    assert_non_null(strstr(page.html.bytes, "<p>Map: there are no points.</p>"));
    well_formed(&page);
    page_free(&page);
}

/* Ends that are 3.4e308 apart have no finite span; what is below the smallest normal number has one around it. */
static void what_is_too_large_is_a_gap(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4}, y[] = {1, -1.7e308, 1.7e308, 2, 3}, low[] = {0.5, 1, 1, -1.7e308, 2.5},
                 high[] = {1.5, 1, 1, 1.7e308, 3.5};
    const struct chart_series series[] = {
        {.name = "loss", .x = x, .y = y, .low = low, .high = high, .count = 5, .dots = true},
        {.name = "gone", .x = x, .y = y + 1, .count = 2}};
    const struct chart_rule rule = {"chance", 1.7e308};
    struct chart chart = {
        .title = "t", .x_name = "x", .y_name = "y", .series = series, .count = 1, .rules = &rule, .rule_count = 1};
    struct page page;
    for (int fixed = 0; fixed < 2; fixed++) {
        page_begin(&page, "large");
        chart.y_high = fixed ? 4 : 0;
        page_chart(&page, &chart);
        well_formed(&page);
        const char *const drawing = strstr(page.html.bytes, "<svg");
        assert_non_null(drawing);
        assert_null(strstr(drawing, "nan"));
        assert_null(strstr(drawing, "inf"));
        assert_null(strstr(drawing, "chance"));
        double at[6];
        const char *path = strstr(drawing, "<path class=\"series h0\" d=\"M");
        assert_non_null(path);
        assert_int_equal(sscanf(path, "<path class=\"series h0\" d=\"M%lf %lfM%lf %lfL%lf %lf\"", at, at + 1, at + 2,
                                at + 3, at + 4, at + 5),
                         6); /* the two are a gap */
        assert_true(at[1] > at[3] && fabs((at[1] - at[3]) - (at[3] - at[5])) < 0.3);
        int whiskers = 0;
        for (const char *w = drawing; (w = strstr(w, "stroke-dasharray:none")) != NULL; w++) whiskers++;
        assert_int_equal(whiskers, 2);
        page_free(&page);
    }
    page_begin(&page, "only");
    page_chart(&page, &(struct chart){.title = "Loss", .x_name = "x", .y_name = "y", .series = series + 1, .count = 1});
    assert_non_null(strstr(page.html.bytes, "<p>Loss: there is no value to draw.</p>"));
    page_free(&page);
}

static void axes_of_any_size_have_ticks(void **state)
{
    (void)state;
    static const double ends[][2] = {{-1e300, 1e300}, {1e300, 1e300}, {5e-324, 5e-324}, {1e-310, 3e-310}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int round = 0; round < 2; round++) {
            const struct axis axis = axis_make(ends[i][0], ends[i][1], false, round, 0, 1);
            assert_true(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high && axis.count >= 2);
            for (size_t k = 0; k < axis.count; k++) {
                char label[AXIS_LABEL];
                axis_label(&axis, axis.ticks[k], label);
                assert_null(strstr(label, "nan"));
                assert_true(isfinite(axis_at(&axis, axis.ticks[k])));
            }
        }
}

static void values_have_whiskers(void **state)
{
    (void)state;
    const struct chart_value values[] = {
        {.name = "group", .group = true},
        {.name = "<script>", .value = 50, .low = 40, .high = 60, .hue = 3},
        {.name = "without", .value = 75, .low = NAN, .high = NAN, .hue = 1},
        {.name = "beyond", .value = 1e300, .low = 1e299, .high = 1e301},
        {.name = "a name that is much longer than the room that there is for names", .value = NAN}};
    struct page page;
    page_begin(&page, "values");
    page_values(
        &page,
        &(struct chart_values){
            .title = "t", .x_name = "%", .decimals = 1, .unit = " %", .x_high = 100, .values = values, .count = 5});
    well_formed(&page);
    const char *const html = page.html.bytes;
    assert_non_null(strstr(html, ">50.0 %</text>"));
    assert_non_null(strstr(html, ">75.0 %</text>"));
    assert_null(strstr(html, "nan"));
    assert_null(strstr(html, "0000000000"));
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "…</text>"));
    const char *whisker = strstr(html, "<path class=\"series h3\"");
    const char *dot = strstr(html, "<circle class=\"dot f3\"");
    double left, y, right, middle;
    assert_non_null(whisker);
    assert_int_equal(sscanf(strstr(whisker, "d=\""), "d=\"M%lf %lfH%lf", &left, &y, &right), 3);
    assert_int_equal(sscanf(dot, "<circle class=\"dot f3\" cx=\"%lf\"", &middle), 1);
    assert_true(left < middle && middle < right && fabs(left + right - 2 * middle) < 0.3);
    page_free(&page);
}

static void a_cloud_has_all_its_points(void **state)
{
    (void)state;
    float points[40];
    int32_t groups[20];
    for (int i = 0; i < 20; i++) {
        points[2 * i] = (float)i;
        points[2 * i + 1] = (float)(i * i);
        groups[i] = i % 4 - 1;
    }
    const char *const names[] = {"a", "<b>", "c\xff"};
    struct page page;
    page_begin(&page, "cloud");
    page_cloud(&page,
               &(struct chart_cloud){
                   .title = "t", .points = points, .groups = groups, .names = names, .group_count = 3, .count = 20});
    size_t dots = 0;
    for (const char *at = page.html.bytes; (at = strstr(at, "h0M")) != NULL; at++) dots++;
    for (const char *at = page.html.bytes; (at = strstr(at, "h0\"/>")) != NULL; at++) dots++;
    assert_int_equal(dots, 20);
    assert_non_null(strstr(page.html.bytes, ">&lt;b&gt;</text>"));
    assert_non_null(strstr(page.html.bytes, ">c\\xff</text>"));
    well_formed(&page);
    page_free(&page);
    page_begin(&page, "fewer");
    page_cloud(&page, &(struct chart_cloud){.title = "t", .points = points, .count = 20, .most = 5});
    dots = 0;
    for (const char *at = page.html.bytes; (at = strstr(at, "h0M")) != NULL; at++) dots++;
    assert_int_equal(dots, 4); /* and the last */
    page_free(&page);
}

/* Of a class in three clouds: nine points about (10, 10), six each about (90, 90) and (90, 55). Its medians are in
 * none. */
static void a_name_stands_in_a_cloud(void **state)
{
    (void)state;
    float points[2 * 25];
    int32_t groups[25];
    for (int i = 0; i < 25; i++) {
        const float middle = i < 12   ? 90
                             : i < 21 ? 10
                             : i < 23 ? 0
                                      : 100; /* the last four are others, in the corners */
        points[2 * i] = middle + (i < 21 ? (float)(i % 3 - 1) : 0);
        points[2 * i + 1] = (i < 12 && i % 2 ? 55 : middle) + (i < 21 ? (float)(i % 2) : 0);
        groups[i] = i < 21 ? 0 : -1;
    }
    const char *const names[] = {"twice"};
    struct page page;
    page_begin(&page, "cloud");
    page_cloud(&page,
               &(struct chart_cloud){
                   .title = "t", .points = points, .groups = groups, .names = names, .group_count = 1, .count = 25});
    const char *name = strstr(page.html.bytes, ">twice</text>"), *x = NULL;
    assert_non_null(name);
    for (const char *at = page.html.bytes; (at = strstr(at, "<text x=\"")) != NULL && at < name; at++) x = at;
    double across, down;
    assert_int_equal(sscanf(x, "<text x=\"%lf\" y=\"%lf\"", &across, &down), 2);
    assert_true(fabs(across - (14 + 0.10 * 612)) < 15 && fabs(down - 5 - (626 - 0.10 * 612)) < 15);
    page_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_stands_in_a_cloud),     cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(points_lie_where_they_should), cmocka_unit_test(names_do_not_lie_upon_each_other),
        cmocka_unit_test(what_cannot_be_drawn_is_said), cmocka_unit_test(what_is_too_large_is_a_gap),
        cmocka_unit_test(axes_of_any_size_have_ticks),  cmocka_unit_test(values_have_whiskers),
        cmocka_unit_test(a_cloud_has_all_its_points),
    };
    return run_cases(tests, NULL, NULL);
}
