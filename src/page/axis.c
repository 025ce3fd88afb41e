/* page/axis.c -- see axis.h. */
#include "page/axis.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "base/text.h"

static const double LETTER = 6.6; /* pixels of a letter, about */
static const double MOST = 1e300, LEAST_SPAN = 1e-300;

bool axis_holds(double value)
{
    return fabs(value) <= MOST; /* not of NaN */
}

bool axis_reaches(double low, double high, double value)
{
    return axis_holds(value) && value >= low - (high - low) && value <= high + (high - low);
}

/* 1, 2 or 5 times a power of ten: the smallest step of which `parts` cover the span. */
static double round_step(double span, int parts)
{
    const double power = pow(10, floor(log10(span / parts)));
    const double times = span / parts / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void linear_ticks(struct axis *axis, bool round)
{
    const double step = round_step(axis->high - axis->low, 5);
    if (round) {
        axis->low = floor(axis->low / step + 1e-9) * step;
        axis->high = ceil(axis->high / step - 1e-9) * step;
    }
    axis->decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    for (double i = ceil(axis->low / step - 1e-9); axis->count < AXIS_TICKS; i++) {
        if (i * step > axis->high + step * 1e-6) break;
        axis->ticks[axis->count++] = i * step + 0.0; /* no -0 */
    }
}

/* Powers of ten; within less than two decades 2 and 5 times these too. */
static void log_ticks(struct axis *axis)
{
    static const double times[] = {1, 2, 5};
    const bool few = axis->high - axis->low < 2;
    const int every = (int)fmax(ceil((axis->high - axis->low) / AXIS_TICKS), 1), last = (int)floor(axis->high + 1e-9);
    for (int power = (int)floor(axis->low); power <= last; power += every)
        for (int i = 0; i < (few ? 3 : 1); i++) {
            const double value = pow(10, power) * times[i], place = log10(value);
            if (place > axis->low - 1e-9 && place < axis->high + 1e-9 && axis->count < AXIS_TICKS)
                axis->ticks[axis->count++] = value;
        }
    axis->decimals = axis->low < 0 ? (int)ceil(-axis->low) : 0;
}

struct axis axis_make(double low, double high, bool log, bool round, double start, double length)
{
    struct axis axis = {.low = log ? log10(low) : low, .high = log ? log10(high) : high};
    axis.start = start;
    axis.length = length;
    axis.log = log;
    if (!(axis.high - axis.low > 1e-9 * fmax(fabs(axis.low), fabs(axis.high))) || axis.high - axis.low < LEAST_SPAN) {
        const double half = log ? 0.5 : axis.low == 0 ? 0.5 : fmax(fabs(axis.low) * 0.1, LEAST_SPAN);
        axis.low -= half;
        axis.high += half;
    }
    if (log)
        log_ticks(&axis);
    else
        linear_ticks(&axis, round);
    return axis;
}

double axis_at(const struct axis *axis, double value)
{
    return axis->start + ((axis->log ? log10(value) : value) - axis->low) / (axis->high - axis->low) * axis->length;
}

void axis_label(const struct axis *axis, double value, char out[AXIS_LABEL])
{
    const double size = fabs(value);
    if (size >= 1e7 || (size > 0 && size < 1e-4))
        format_write(out, AXIS_LABEL, "%.3g", value);
    else if (size >= 1000 && fmod(value, 1000) == 0)
        format_write(out, AXIS_LABEL, size >= 1e6 && fmod(value, 1e6) == 0 ? "%.0fM" : "%.0fk",
                     value / (size >= 1e6 && fmod(value, 1e6) == 0 ? 1e6 : 1e3));
    else
        format_write(out, AXIS_LABEL, "%.*f", axis->log ? (value < 1 ? axis->decimals : 0) : axis->decimals, value);
}

/* ---- drawings ---- */

void drawing_open(struct page *page, int width, int height, const char *title, const char *summary)
{
    const int number = ++page->numbered;
    char attributes[192];
    format_write(attributes, sizeof attributes,
                 "viewBox=\"0 0 %d %d\" style=\"max-width:%dpx\" role=\"img\" "
                 "aria-labelledby=\"drawing%d-title drawing%d-words\"",
                 width, height, width * 7 / 5, number, number);
    page_open(page, "svg", attributes);
    format_write(attributes, sizeof attributes, "id=\"drawing%d-title\"", number);
    page_element(page, "title", attributes, "%s", title);
    format_write(attributes, sizeof attributes, "id=\"drawing%d-words\"", number);
    page_element(page, "desc", attributes, "%s", summary ? summary : title);
}

void drawing_close(struct page *page)
{
    page_close(page);
}

static void open_text(struct page *page, double x, double y, const char *anchor, const char *class_name)
{
    text_add(&page->html, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    if (class_name) text_add(&page->html, " class=\"%s\"", class_name);
    text_add(&page->html, ">");
}

void drawing_text(struct page *page, double x, double y, const char *anchor, const char *class_name, const char *format,
                  ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    format_escaped(line, sizeof line, format, arguments);
    va_end(arguments);
    open_text(page, x, y, anchor, class_name);
    page_escape(&page->html, line);
    text_add(&page->html, "</text>\n");
}

void drawing_name(struct page *page, double x, double y, const char *anchor, const char *class_name, const char *name,
                  double width)
{
    struct text plain = {0};
    escape_add(&plain, name, strlen(name));
    if (plain.failed) page->html.failed = true;
    size_t fits = 0, letters = 0;
    const size_t most = width > 3 * LETTER ? (size_t)(width / LETTER) : 3;
    while (fits < plain.length && letters < most) {
        fits += escape_utf8_length((const unsigned char *)plain.bytes + fits, plain.length - fits);
        letters++;
    }
    open_text(page, x, y, anchor, class_name);
    const bool cut = fits < plain.length;
    if (cut) page_element(page, "title", NULL, "%s", name);
    if (plain.bytes) plain.bytes[fits] = '\0';
    if (plain.bytes) page_escape(&page->html, plain.bytes);
    text_add(&page->html, "%s</text>\n", cut ? "…" : "");
    text_free(&plain);
}

double drawing_width(const char *name)
{
    double letters = 0;
    for (const char *at = name; *at != '\0'; at++) letters += ((unsigned char)*at & 0xC0) != 0x80;
    return letters * LETTER;
}
