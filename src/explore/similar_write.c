/* explore/similar_write.c -- lists of neighbours as files: for programs (.npz, .csv, .jsonl), and for people. */
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/letters.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/parquet.h"
#include "data/bytes/zip_write.h"
#include "explore/names.h"
#include "explore/similar_show.h"

enum similar_format similar_format(const char *path)
{
    static const struct {
        const char *ending;
        enum similar_format format;
    } endings[] = {{".npz", SIMILAR_NPZ},         {".csv", SIMILAR_CSV},   {".jsonl", SIMILAR_JSONL},
                   {".parquet", SIMILAR_PARQUET}, {".html", SIMILAR_HTML}, {".png", SIMILAR_PNG}};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t tail = strlen(endings[i].ending);
        if (length > tail && letters_equal(path + length - tail, endings[i].ending)) return endings[i].format;
    }
    return SIMILAR_OTHER;
}

bool similar_shows_images(enum similar_format format)
{
    return format == SIMILAR_HTML || format == SIMILAR_PNG;
}

static const char *class_of(const struct collection *c, int64_t row)
{
    return collection_class_name(c, c->labels[row]);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

/* A file that is written while it is made: the lists of a million images are no text to keep in memory. */
struct growing {
    struct file_writer *writer;
    struct text text;
};

enum { GROWN = 1 << 20 /* bytes from which the text goes out */ };

static int growing_open(struct growing *file, const char *path, struct error *error)
{
    *file = (struct growing){0};
    return file_writer_open(&file->writer, path, error);
}

static void growing_flush(struct growing *file, size_t least)
{
    if (file->text.failed || file->text.length < least) return;
    file_writer_write(file->writer, file->text.bytes, file->text.length);
    file->text.length = 0;
}

static int growing_end(struct growing *file, struct error *error)
{
    growing_flush(file, 1);
    const int status = file->text.failed ? error_no_memory(error, "the lists", file->text.capacity)
                                         : file_writer_commit(&file->writer, error);
    file_writer_abort(&file->writer);
    text_free(&file->text);
    return status;
}

static int write_csv(const char *path, const struct similar *similar, const struct collection *c, struct error *error)
{
    struct growing file;
    char number[NUMBER_TEXT];
    const int status = growing_open(&file, path, error);
    if (status) return status;
    text_add(&file.text, "query,rank,name,similarity,class\r\n");
    for (int64_t i = 0; i < similar->count; i++) {
        const struct neighbour *list = similar->list + i * similar->k;
        for (int k = 0; k < similar_length(similar, i); k++) {
            csv_add(&file.text, similar_name(similar, c, i));
            text_add(&file.text, ",%d,", k + 1);
            csv_add(&file.text, collection_name(c, list[k].row));
            number_format_shortest((double)list[k].similarity, number);
            text_add(&file.text, ",%s,", number);
            csv_add(&file.text, class_of(c, list[k].row));
            text_add(&file.text, "\r\n");
        }
        growing_flush(&file, GROWN);
    }
    return growing_end(&file, error);
}

void similar_json(struct text *json, const struct similar *similar, const struct collection *collection, int64_t query)
{
    const struct neighbour *list = similar->list + query * similar->k;
    text_json_open_object(json, NULL);
    text_json_string(json, "query", similar_name(similar, collection, query));
    text_json_open_array(json, "neighbours");
    for (int k = 0; k < similar_length(similar, query); k++) {
        text_json_open_object(json, NULL);
        text_json_string(json, "name", collection_name(collection, list[k].row));
        text_json_number(json, "similarity", (double)list[k].similarity);
        if (collection->labels[list[k].row] >= 0) text_json_string(json, "class", class_of(collection, list[k].row));
        text_json_close_object(json);
    }
    text_json_close_array(json);
    text_json_close_object(json);
}

static int write_jsonl(const char *path, const struct similar *similar, const struct collection *c, struct error *error)
{
    struct growing file;
    const int status = growing_open(&file, path, error);
    if (status) return status;
    for (int64_t i = 0; i < similar->count; i++) {
        similar_json(&file.text, similar, c, i);
        text_add(&file.text, "\n");
        growing_flush(&file, GROWN);
    }
    return growing_end(&file, error);
}

/* The columns of .csv. */
static int write_parquet(const char *path, const struct similar *similar, const struct collection *c,
                         struct error *error)
{
    enum { QUERY, RANK, NAME, SIMILARITY, CLASS, COLUMNS };
    static const struct parquet_column columns[COLUMNS] = {
        [QUERY] = {.name = "query", .type = PARQUET_TEXT},
        [RANK] = {.name = "rank", .type = PARQUET_INT32},
        [NAME] = {.name = "name", .type = PARQUET_TEXT},
        [SIMILARITY] = {.name = "similarity", .type = PARQUET_FLOAT},
        [CLASS] = {.name = "class", .type = PARQUET_TEXT, .optional = true}};
    struct parquet *file;
    int status = parquet_open(&file, path, columns, COLUMNS, error);
    for (int64_t i = 0; !status && i < similar->count; i++) {
        const struct neighbour *list = similar->list + i * similar->k;
        for (int k = 0; !status && k < similar_length(similar, i); k++) {
            parquet_text(file, QUERY, similar_name(similar, c, i));
            parquet_int32(file, RANK, k + 1);
            parquet_text(file, NAME, collection_name(c, list[k].row));
            parquet_float(file, SIMILARITY, list[k].similarity);
            if (c->labels[list[k].row] >= 0)
                parquet_text(file, CLASS, class_of(c, list[k].row));
            else
                parquet_null(file, CLASS);
            status = parquet_end_row(file, error);
        }
    }
    if (!status) status = parquet_commit(&file, error);
    parquet_abort(&file);
    return status;
}

/* ---- arrays ---------------------------------------------------------------------------------------------------- */

struct arrays {
    struct zip_writer *zip;
    const struct similar *similar;
    const struct collection *collection;
};

static const char *set_name(const struct arrays *out, int64_t i)
{
    return collection_name(out->collection, i);
}

static const char *query_name(const struct arrays *out, int64_t i)
{
    return similar_name(out->similar, out->collection, i);
}

/* Bytes of one width, as NumPy's S has them: names are any bytes. */
static int add_names(struct arrays *out, const char *array, const char *(*name)(const struct arrays *, int64_t),
                     int64_t count, struct error *error)
{
    size_t width = 1;
    char descr[24];
    for (int64_t i = 0; i < count; i++) {
        const size_t length = strlen(name(out, i));
        if (length > width) width = length;
    }
    char *bytes = memory_array((size_t)count, width);
    if (!bytes) return error_no_memory(error, "names", (size_t)count * width);
    for (int64_t i = 0; i < count; i++) {
        const char *text = name(out, i);
        for (size_t k = 0; text[k]; k++) bytes[(size_t)i * width + k] = text[k];
    }
    snprintf(descr, sizeof descr, "|S%zu", width);
    const struct zip_array names = {array, descr, bytes, count, 0, width};
    const int status = zip_writer_add_array(out->zip, &names, error);
    memory_free(bytes);
    return status;
}

static int add_lists(struct arrays *out, struct error *error)
{
    const struct similar *similar = out->similar;
    const size_t places = (size_t)similar->count * (size_t)similar->k;
    int32_t *rows = memory_array(places, sizeof *rows);
    float *similarities = memory_array(places, sizeof *similarities);
    int status = rows && similarities ? SIMCLR_OK : error_no_memory(error, "lists of neighbours", places * 8);
    for (size_t i = 0; !status && i < places; i++) {
        rows[i] = similar->list[i].row;
        similarities[i] = similar->list[i].similarity;
    }
    const struct zip_array neighbours = {"neighbours.npy", "<i4", rows, similar->count, similar->k, sizeof *rows};
    const struct zip_array how_similar = {"similarities.npy", "<f4",      similarities,
                                          similar->count,     similar->k, sizeof *similarities};
    if (!status) status = zip_writer_add_array(out->zip, &neighbours, error);
    if (!status) status = zip_writer_add_array(out->zip, &how_similar, error);
    memory_free(rows);
    memory_free(similarities);
    return status;
}

static int write_npz(const char *path, const struct similar *similar, const struct collection *c, struct error *error)
{
    struct arrays out = {.similar = similar, .collection = c};
    int status = zip_writer_open(&out.zip, path, error);
    if (!status) status = add_lists(&out, error);
    if (!status) status = add_names(&out, "names.npy", set_name, collection_count(c), error);
    if (!status && similar->set) status = add_names(&out, "queries.npy", query_name, similar->count, error);
    if (!status) status = zip_writer_commit(&out.zip, error);
    zip_writer_abort(&out.zip);
    return status;
}

int similar_write(const char *path, const struct similar *similar, const struct collection *collection,
                  struct error *error)
{
    const enum similar_format format = similar_format(path);
    switch (format) {
    case SIMILAR_NPZ:
        return write_npz(path, similar, collection, error);
    case SIMILAR_CSV:
        return write_csv(path, similar, collection, error);
    case SIMILAR_JSONL:
        return write_jsonl(path, similar, collection, error);
    case SIMILAR_PARQUET:
        names_say_escaped(collection, path);
        return write_parquet(path, similar, collection, error);
    case SIMILAR_HTML:
        return similar_write_page(path, similar, collection, error);
    case SIMILAR_PNG:
        return similar_write_sheet(path, similar, collection, error);
    case SIMILAR_OTHER:
        break;
    }
    return error_set(error, SIMCLR_INVALID, "--out %s: give a name that ends in " SIMILAR_ENDINGS, path);
}
