/* page/page.c -- see page.h. */
#include "page/page.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "image/resize.h"
#include "page/base64.h"
#include "page/style.h"

enum { JPEG_QUALITY = 88 };

/* ---- escaping ---- */

void page_escape(struct text *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *form = *at == '&'    ? "&amp;"
                           : *at == '<'  ? "&lt;"
                           : *at == '>'  ? "&gt;"
                           : *at == '"'  ? "&quot;"
                           : *at == '\'' ? "&#39;"
                                         : NULL;
        if (form)
            text_add_bytes(out, form, strlen(form));
        else
            text_add_bytes(out, at, 1);
    }
}

void page_escape_name(struct text *out, const char *name)
{
    struct text plain = {0};
    escape_add(&plain, name, strlen(name));
    if (plain.failed) out->failed = true;
    if (plain.bytes) page_escape(out, plain.bytes);
    text_free(&plain);
}

/* What the format gives, its names escaped for people and the whole for HTML. */
static void add_formatted(struct page *page, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const size_t bytes = format_escaped(NULL, 0, format, arguments) + 1;
    char *plain = page->html.failed ? NULL : memory_allocate(bytes);
    if (plain) {
        format_escaped(plain, bytes, format, again);
        page_escape(&page->html, plain);
    } else {
        page->html.failed = true;
    }
    memory_free(plain);
    va_end(again);
}

/* ---- elements ---- */

void page_open(struct page *page, const char *tag, const char *attributes)
{
    if (page->depth == PAGE_DEEPEST) {
        page->html.failed = true;
        return;
    }
    page->open[page->depth++] = tag;
    text_add(&page->html, "<%s%s%s>", tag, attributes ? " " : "", attributes ? attributes : "");
}

void page_close(struct page *page)
{
    if (page->depth > 0) text_add(&page->html, "</%s>", page->open[--page->depth]);
    /* Lines end where words do not mind a gap. */
    if (page->depth > 0 && strcmp(page->open[page->depth], "span") != 0) text_add(&page->html, "\n");
}

void page_text(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_formatted(page, format, arguments);
    va_end(arguments);
}

static void add_element(struct page *page, const char *tag, const char *attributes, const char *format,
                        va_list arguments)
{
    page_open(page, tag, attributes);
    add_formatted(page, format, arguments);
    page_close(page);
}

void page_element(struct page *page, const char *tag, const char *attributes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, tag, attributes, format, arguments);
    va_end(arguments);
}

void page_paragraph(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "p", NULL, format, arguments);
    va_end(arguments);
}

void page_heading(struct page *page, int level, const char *format, ...)
{
    static const char *const tags[] = {"h1", "h2", "h3", "h4", "h5", "h6"};
    if (level > page->heading + 1) level = page->heading + 1;
    if (level < 2) level = 2;
    if (level > 6) level = 6;
    page->heading = level;
    va_list arguments;
    va_start(arguments, format);
    add_element(page, tags[level - 1], NULL, format, arguments);
    va_end(arguments);
}

void page_section(struct page *page, const char *id, const char *heading)
{
    char attributes[96];
    format_write(attributes, sizeof attributes, "id=\"%s\"", id);
    page_open(page, "section", attributes);
    page_heading(page, 2, "%s", heading);
}

void page_details(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    page_open(page, "details", NULL);
    add_element(page, "summary", NULL, format, arguments);
    va_end(arguments);
}

/* ---- the whole ---- */

void page_begin(struct page *page, const char *title)
{
    *page = (struct page){.heading = 1};
    text_add(&page->html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
                          "style-src 'unsafe-inline'\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    page_escape_name(&page->html, title);
    text_add(&page->html, "</title>\n<style>\n");
    style_add(&page->html);
    text_add(&page->html, "</style>\n</head>\n<body>\n");
    page_open(page, "main", NULL);
    page_element(page, "h1", NULL, "%s", title);
}

int page_finish(struct page *page, const char *path, struct error *error)
{
    while (page->depth > 0) page_close(page);
    text_add(&page->html, "</body>\n</html>\n");
    const int status = page->html.failed ? error_no_memory(error, "the page", page->html.length)
                                         : file_write_atomic(path, page->html.bytes, page->html.length, error);
    page_free(page);
    return status;
}

void page_free(struct page *page)
{
    text_free(&page->html);
    *page = (struct page){0};
}

/* ---- tables ---- */

void page_table(struct page *page, const char *caption, const char *const *columns, size_t count)
{
    char attributes[96];
    const int number = ++page->numbered;
    format_write(attributes, sizeof attributes,
                 "class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"table%d\"", number);
    page_open(page, "div", attributes);
    page_open(page, "table", NULL);
    format_write(attributes, sizeof attributes, "id=\"table%d\"", number);
    page_open(page, "caption", attributes);
    page_element(page, "span", NULL, "%s", caption); /* stays in sight where the table is wider than the window */
    page_close(page);
    page_open(page, "thead", NULL);
    page_row(page);
    for (size_t i = 0; i < count; i++) page_element(page, "th", "scope=\"col\"", "%s", columns[i]);
    page_close(page);
    page_close(page);
    page_open(page, "tbody", NULL);
}

void page_table_close(struct page *page)
{
    page_close(page);
    page_close(page);
    page_close(page);
}

void page_row(struct page *page)
{
    page_open(page, "tr", NULL);
}

void page_row_name(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "th", "scope=\"row\"", format, arguments);
    va_end(arguments);
}

void page_cell(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "td", NULL, format, arguments);
    va_end(arguments);
}

void page_number(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "td", "class=\"number\"", format, arguments);
    va_end(arguments);
}

void page_shade(struct page *page, double share, const char *format, ...)
{
    char attributes[64];
    const double shade = share > 0 ? fmin(share, 1) * STYLE_SHADE / 100 : 0; /* a NaN is no shade */
    format_write(attributes, sizeof attributes, "class=\"number shade\" style=\"--shade:%.3f\"", shade);
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "td", attributes, format, arguments);
    va_end(arguments);
}

/* ---- pictures ---- */

void page_grid(struct page *page, int side)
{
    char attributes[64];
    format_write(attributes, sizeof attributes, "class=\"grid\" style=\"--side:%dpx\"", side);
    page_open(page, "div", attributes);
}

void page_figure(struct page *page, const char *class_name)
{
    char attributes[96];
    format_write(attributes, sizeof attributes, "class=\"%s\"", class_name ? class_name : "");
    page_open(page, "figure", class_name ? attributes : NULL);
}

void page_figure_close(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_element(page, "figcaption", NULL, format, arguments);
    va_end(arguments);
    page_close(page);
}

/* The picture, or a smaller one in *made. */
static int reduce(enum simd simd, const struct image *picture, int side, struct image *made, struct error *error)
{
    const int longest = picture->width > picture->height ? picture->width : picture->height;
    if (longest <= side) return SIMCLR_OK;
    const int width = (int)((int64_t)picture->width * side / longest);
    const int height = (int)((int64_t)picture->height * side / longest);
    return image_resize(simd, picture, width > 0 ? width : 1, height > 0 ? height : 1, made, error);
}

void page_picture(struct page *page, enum simd simd, const struct image *picture, int side, const char *format, ...)
{
    struct image small = {0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    int status = reduce(simd, picture, side, &small, NULL);
    const struct image *shown = small.rgb ? &small : picture;
    if (!status) status = image_encode_jpeg(shown, JPEG_QUALITY, &bytes, &count, NULL);
    if (status) page->html.failed = true; /* a picture of that size is refused for want of memory only */
    text_add(&page->html, "<img width=\"%d\" height=\"%d\"%s src=\"data:image/jpeg;base64,", shown->width,
             shown->height, shown->width < side / 2 ? " class=\"pixels\"" : "");
    if (bytes) base64_add(&page->html, bytes, count);
    text_add(&page->html, "\" alt=\"");
    va_list arguments;
    va_start(arguments, format);
    add_formatted(page, format, arguments);
    va_end(arguments);
    text_add(&page->html, "\">");
    memory_free(bytes);
    image_free(&small);
}
