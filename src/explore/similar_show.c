/* explore/similar_show.c -- see similar_show.h. */
#include "explore/similar_show.h"

#include <inttypes.h>

#include "base/format.h"
#include "image/sheet.h"
#include "page/page.h"

/* Queries that are shown: number i of them. */
static int64_t shown_count(const struct similar *similar)
{
    return similar->count < SIMILAR_SHOWN ? similar->count : SIMILAR_SHOWN;
}

static int64_t shown(const struct similar *similar, int64_t i)
{
    return i * similar->count / shown_count(similar);
}

static int shown_length(const struct similar *similar, int64_t query)
{
    const int length = similar_length(similar, query);
    return length < SIMILAR_SHOWN_K ? length : SIMILAR_SHOWN_K;
}

static void say_shown(const char *path, const struct similar *similar, const struct collection *c)
{
    if (similar->count > SIMILAR_SHOWN)
        log_info(&c->session->log, "%s: %d of %" PRId64 " images are shown with their neighbours, spread evenly", path,
                 SIMILAR_SHOWN, similar->count);
    if (similar->k > SIMILAR_SHOWN_K)
        log_info(&c->session->log, "%s: the first %d neighbours of each are shown", path, SIMILAR_SHOWN_K);
}

static int query_image(const struct similar *similar, const struct collection *c, int64_t query, struct image *storage,
                       const struct image **out, struct error *error)
{
    return similar->set ? dataset_image(similar->set, query, storage, out, error)
                        : collection_image(c, query, storage, out, error);
}

/* ---- a page ---------------------------------------------------------------------------------------------------- */

enum { PICTURE = 96 };

static int show_query(struct page *page, const struct similar *similar, const struct collection *c, int64_t query,
                      struct image *storage, struct error *error)
{
    const enum simd simd = c->session->simd;
    const struct image *image;
    const char *name = similar_name(similar, c, query);
    int status = query_image(similar, c, query, storage, &image, error);
    if (status) return status;
    page_heading(page, 2, "%s", name);
    page_grid(page, PICTURE);
    page_figure(page, "query");
    page_picture(page, simd, image, PICTURE, "%s", name);
    if (!similar->set && c->labels[query] >= 0)
        page_figure_close(page, "this image: %s", collection_class_name(c, c->labels[query]));
    else
        page_figure_close(page, "this image");
    for (int k = 0; k < shown_length(similar, query); k++) {
        const struct neighbour *one = &similar->list[query * similar->k + k];
        const int32_t label = c->labels[one->row];
        status = collection_image(c, one->row, storage, &image, error);
        if (status) return status;
        page_figure(page, NULL);
        page_picture(page, simd, image, PICTURE, "%s", collection_name(c, one->row));
        page_figure_close(page, "%.3f %s%s%s", (double)one->similarity, collection_name(c, one->row),
                          label >= 0 ? ": " : "", collection_class_name(c, label));
    }
    page_close(page);
    return SIMCLR_OK;
}

int similar_write_page(const char *path, const struct similar *similar, const struct collection *collection,
                       struct error *error)
{
    struct page page = {0};
    struct image storage = {0};
    int status = SIMCLR_OK;
    page_begin(&page, "Neighbours");
    page_paragraph(
        &page,
        "Most similar first, by the cosine of the encoder's features, which stands below each picture; 1 is the "
        "same direction. %" PRId64 " images were searched.",
        collection_count(collection));
    for (int64_t i = 0; !status && i < shown_count(similar); i++)
        status = show_query(&page, similar, collection, shown(similar, i), &storage, error);
    image_free(&storage);
    if (status) {
        page_free(&page);
        return status;
    }
    say_shown(path, similar, collection);
    return page_finish(&page, path, error);
}

/* ---- a sheet --------------------------------------------------------------------------------------------------- */

enum { CELL = 96 };
static const struct color ink = {20, 20, 20}, pale = {150, 150, 150};

static int draw_query(struct sheet *sheet, int line, const struct similar *similar, const struct collection *c,
                      int64_t query, struct image *storage, struct error *error)
{
    const struct image *image;
    char number[16];
    int status = query_image(similar, c, query, storage, &image, error);
    if (status) return status;
    sheet_place(sheet, 0, line, image, ink);
    sheet_text(sheet, 0, line, "query", ink);
    for (int k = 0; k < shown_length(similar, query); k++) {
        const struct neighbour *one = &similar->list[query * similar->k + k];
        status = collection_image(c, one->row, storage, &image, error);
        if (status) return status;
        sheet_place(sheet, k + 1, line, image, pale);
        format_write(number, sizeof number, "%.3f", (double)one->similarity);
        sheet_text(sheet, k + 1, line, number, ink);
    }
    return SIMCLR_OK;
}

int similar_write_sheet(const char *path, const struct similar *similar, const struct collection *collection,
                        struct error *error)
{
    const int columns = 1 + (similar->k < SIMILAR_SHOWN_K ? similar->k : SIMILAR_SHOWN_K);
    struct sheet sheet;
    struct image storage = {0};
    int status = sheet_create(&sheet, columns, (int)shown_count(similar), CELL, error);
    for (int64_t i = 0; !status && i < shown_count(similar); i++)
        status = draw_query(&sheet, (int)i, similar, collection, shown(similar, i), &storage, error);
    if (!status) status = image_write_sheet(path, &sheet.image, error);
    if (!status) say_shown(path, similar, collection);
    image_free(&storage);
    sheet_free(&sheet);
    return status;
}
