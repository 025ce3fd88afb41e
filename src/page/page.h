/* page/page.h -- a page for people: one HTML file that needs nothing else. It holds no script and refers to nothing
 * outside of itself; its pictures are data, its colours variables for light, dark and print (page/style.h). */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "image/image.h"
#include "simd/simd.h"

enum { PAGE_DEEPEST = 32, PAGE_HUES = 8 };

/* A page being written. Start with page_begin. Memory that runs out is remembered (`html.failed`): what follows does
 * nothing, and page_finish says so. */
struct page {
    struct text html;
    const char *open[PAGE_DEEPEST]; /* elements that page_close has yet to close, the outermost first */
    int depth;
    int heading;  /* level of the last heading: the next is at most one deeper */
    int numbered; /* charts and tables so far: their titles have numbers */
};

/* Everything before the contents, up to <main> and <h1>. */
void page_begin(struct page *page, const char *title);
/* Closes what is open, and writes the file, whole or not at all. The page is freed. SIMCLR_NO_MEMORY, SIMCLR_IO. */
int page_finish(struct page *page, const char *path, struct error *error);
void page_free(struct page *page);

/* ---- words ----
 *
 * A format is ours. What its %s stand for may be any bytes: they are escaped for people first (base/escape.h: control
 * characters, marks of direction, bytes that are no UTF-8), then the whole for HTML. */

/* Words inside the element that is open. */
void page_text(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Opens an element. `attributes` is our own HTML ("class=\"tiles\""), or NULL. `tag` is a constant. */
void page_open(struct page *page, const char *tag, const char *attributes);
/* Closes the innermost open element. */
void page_close(struct page *page);
/* page_open, page_text, page_close. */
void page_element(struct page *page, const char *tag, const char *attributes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void page_paragraph(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* <h2> to <h6>; a level is never left out: what would be too deep is taken one deeper than the last. */
void page_heading(struct page *page, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* <section id> with its <h2>; closed by page_close. `id` is ours. */
void page_section(struct page *page, const char *id, const char *heading);
/* A part that is folded up: <details> with its <summary>; closed by page_close. */
void page_details(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- tables: they scroll in their box where the window is narrow ---- */

/* <table> with its caption and a head of `count` columns; then rows, then page_table_close. */
void page_table(struct page *page, const char *caption, const char *const *columns, size_t count);
void page_table_close(struct page *page);
void page_row(struct page *page); /* closed by page_close */
/* <th scope="row">: the name of a row. */
void page_row_name(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_cell(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A cell whose digits stand below each other. */
void page_number(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, shaded by `share` of [0, 1]. */
void page_shade(struct page *page, double share, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- pictures ---- */

/* A grid of figures whose pictures are shown `side` pixels wide, as many in a row as the window has room for; closed by
 * page_close. */
void page_grid(struct page *page, int side);
/* <figure> with its class (NULL: none); closed by page_figure_close. */
void page_figure(struct page *page, const char *class_name);
/* <figcaption>, and the end of the figure. */
void page_figure_close(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* <img> of a picture that is reduced to at most `side` pixels (never enlarged), as a JPEG of its own in the page. The
 * format is of its alt text: what is to be said where it is not seen. */
void page_picture(struct page *page, enum simd simd, const struct image *picture, int side, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- for whoever writes further kinds of elements ---- */

/* Appends a text with &, <, >, " and ' written as HTML wants them. It is UTF-8 without control characters. */
void page_escape(struct text *out, const char *text);
/* Appends a name, which may be any bytes. */
void page_escape_name(struct text *out, const char *name);

#endif
