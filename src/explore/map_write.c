/* explore/map_write.c -- a map as a file: numbers, a table, a drawing, or an atlas of pictures. */
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/letters.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/number.h"
#include "base/parquet.h"
#include "explore/collection_map.h"
#include "explore/names.h"
#include "page/style.h"

enum map_format collection_map_format(const char *path)
{
    static const char *const endings[] = {
        [MAP_NPY] = ".npy", [MAP_CSV] = ".csv", [MAP_PARQUET] = ".parquet", [MAP_SVG] = ".svg", [MAP_PNG] = ".png"};
    const size_t length = strlen(path);
    for (int i = MAP_NPY; i <= MAP_PNG; i++) {
        const size_t tail = strlen(endings[i]);
        if (length > tail && letters_equal(path + length - tail, endings[i])) return (enum map_format)i;
    }
    return MAP_OTHER;
}

static int write_npy(const char *path, const struct collection_map *map, const struct collection *c,
                     struct error *error)
{
    char *names = file_beside(path, ".npy", ".txt"), *labels = file_beside(path, ".npy", ".labels.txt");
    bool escaped = false;
    int status = names && labels ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path));
    if (!status) status = names_write_rows(names, c, &escaped, error);
    if (!status) status = file_remove_part(labels, "labels", path, error); /* of an earlier table of this name */
    if (!status) status = npy_write_float_beside(path, map->points, collection_count(c), 2, escaped, error);
    if (!status && escaped) lines_say_escaped(&c->session->log, names);
    memory_free(names);
    memory_free(labels);
    return status;
}

/* x and y as shortest texts that read back equal. */
static int write_csv(const char *path, const struct collection_map *map, const struct collection *c,
                     struct error *error)
{
    struct text text = {0};
    char x[NUMBER_TEXT], y[NUMBER_TEXT];
    text_add(&text, "name,x,y,label,class\r\n");
    for (int64_t i = 0; i < collection_count(c); i++) {
        number_format_shortest((double)map->points[2 * i], x);
        number_format_shortest((double)map->points[2 * i + 1], y);
        csv_add(&text, collection_name(c, i));
        if (c->labels[i] < 0) {
            text_add(&text, ",%s,%s,,\r\n", x, y);
            continue;
        }
        text_add(&text, ",%s,%s,%d,", x, y, (int)c->labels[i]);
        csv_add(&text, collection_class_name(c, c->labels[i]));
        text_add(&text, "\r\n");
    }
    const int status = text.failed ? error_no_memory(error, "the table", text.capacity)
                                   : file_write_atomic(path, text.bytes, text.length, error);
    text_free(&text);
    return status;
}

/* With the features too, so that a viewer can search and project anew. */
static int write_parquet(const char *path, const struct collection_map *map, const struct collection *c,
                         struct error *error)
{
    enum { PATH, LABEL, CLASS, X, Y, FEATURE, COLUMNS };
    const struct parquet_column columns[COLUMNS] = {
        [PATH] = {.name = "path", .type = PARQUET_TEXT},
        [LABEL] = {.name = "label", .type = PARQUET_INT32, .optional = true},
        [CLASS] = {.name = "class", .type = PARQUET_TEXT, .optional = true},
        [X] = {.name = "x", .type = PARQUET_FLOAT},
        [Y] = {.name = "y", .type = PARQUET_FLOAT},
        [FEATURE] = {.name = "feature", .type = PARQUET_FLOATS, .length = c->dim}};
    struct parquet *file;
    int status = parquet_open(&file, path, columns, COLUMNS, error);
    for (int64_t i = 0; !status && i < collection_count(c); i++) {
        parquet_text(file, PATH, collection_name(c, i));
        if (c->labels[i] >= 0) {
            parquet_int32(file, LABEL, c->labels[i]);
            parquet_text(file, CLASS, collection_class_name(c, c->labels[i]));
        } else {
            parquet_null(file, LABEL);
            parquet_null(file, CLASS);
        }
        parquet_float(file, X, map->points[2 * i]);
        parquet_float(file, Y, map->points[2 * i + 1]);
        parquet_floats(file, FEATURE, c->values + (size_t)i * (size_t)c->dim);
        status = parquet_end_row(file, error);
    }
    if (!status) status = parquet_commit(&file, error);
    parquet_abort(&file);
    return status;
}

/* The drawing of the page, with the page's colours, in a file of its own. */
static int write_svg(const char *path, const struct collection_map *map, const struct collection *c,
                     struct error *error)
{
    struct page page = {0};
    text_add(&page.html,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"960\" viewBox=\"0 0 640 640\">\n"
             "<style>\n");
    style_add(&page.html);
    text_add(&page.html, "</style>\n<rect width=\"640\" height=\"640\" fill=\"var(--ground)\"/>\n");
    collection_map_draw(&page, map, c, 0);
    text_add(&page.html, "</svg>\n");
    const int status = page.html.failed ? error_no_memory(error, "the drawing", page.html.capacity)
                                        : file_write_atomic(path, page.html.bytes, page.html.length, error);
    page_free(&page);
    return status;
}

static int write_atlas(const char *path, const struct collection_map *map, const struct collection *c,
                       struct error *error)
{
    struct image atlas;
    int64_t shown;
    int status = collection_map_atlas(&atlas, &shown, map, c, error);
    if (status) return status;
    if (shown < collection_count(c))
        log_info(&c->session->log, "%s: %lld of %lld images are shown, spread evenly over the set", path,
                 (long long)shown, (long long)collection_count(c));
    status = image_write_sheet(path, &atlas, error);
    image_free(&atlas);
    return status;
}

int collection_map_write(const char *path, const struct collection_map *map, const struct collection *collection,
                         struct error *error)
{
    const int64_t rows = collection_count(collection);
    switch (collection_map_format(path)) {
    case MAP_NPY:
        return write_npy(path, map, collection, error);
    case MAP_CSV:
        return write_csv(path, map, collection, error);
    case MAP_PARQUET:
        names_say_escaped(collection, path);
        return write_parquet(path, map, collection, error);
    case MAP_SVG:
        if (rows > MAP_POINTS_MOST)
            log_info(&collection->session->log, "%s: every %lldth of %lld points is drawn", path,
                     (long long)((rows + MAP_POINTS_MOST - 1) / MAP_POINTS_MOST), (long long)rows);
        return write_svg(path, map, collection, error);
    case MAP_PNG:
        return write_atlas(path, map, collection, error);
    case MAP_OTHER:
        break;
    }
    return error_set(error, SIMCLR_INVALID, "--out %s: give a name that ends in " MAP_ENDINGS, path);
}
