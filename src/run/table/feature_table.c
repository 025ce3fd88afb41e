/* run/table/feature_table.c -- see feature_table.h. */
#include "run/table/feature_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "data/names/labels.h"
#include "run/table/arrays.h"

enum { LIST_BYTES_MAX = 1 << 30 };

void feature_table_free(struct feature_table *table)
{
    catalog_free(&table->catalog);
    memory_free(table->values);
    *table = (struct feature_table){0};
}

int64_t feature_table_leave_out_unlabelled(struct feature_table *table)
{
    struct catalog *catalog = &table->catalog;
    const size_t dim = (size_t)table->dim;
    int64_t kept = 0;
    for (int64_t i = 0; i < catalog->count; i++) {
        if (catalog->label[i] < 0) continue;
        if (kept < i)
            memmove(table->values + (size_t)kept * dim, table->values + (size_t)i * dim, dim * sizeof *table->values);
        catalog->offset[kept] = catalog->offset[i];
        catalog->label[kept++] = catalog->label[i];
    }
    const int64_t left_out = catalog->count - kept;
    catalog->count = kept;
    return left_out;
}

struct named_row {
    const char *name;
    int64_t row;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named_row *)a)->name, ((const struct named_row *)b)->name);
}

/* By their names; NULL, and the status: there is no memory for them, or two have one name. */
static struct named_row *sort_rows(const struct feature_table *table, const char *path, int *status,
                                   struct error *error)
{
    const size_t count = (size_t)table->catalog.count;
    struct named_row *rows = memory_array(count + 1, sizeof *rows);
    *status = rows ? SIMCLR_OK : error_no_memory(error, "the names of rows", count * sizeof *rows);
    if (!rows) return NULL;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct named_row){catalog_name(&table->catalog, (int64_t)i), (int64_t)i};
    qsort(rows, count, sizeof *rows, compare_names);
    for (size_t i = 1; i < count && !*status; i++)
        if (strcmp(rows[i - 1].name, rows[i].name) == 0)
            *status = error_set(error, SIMCLR_DATA, "%s: two rows are called %.120s: names must tell rows apart", path,
                                rows[i].name);
    if (!*status) return rows;
    memory_free(rows);
    return NULL;
}

int feature_table_align(struct feature_table *table, const struct feature_table *like, const char *path,
                        struct error *error)
{
    const size_t dim = (size_t)table->dim, wanted = (size_t)like->catalog.count;
    int status;
    struct named_row *rows = sort_rows(table, path, &status, error);
    if (!rows) return status;
    float *values = memory_array(wanted * dim, sizeof *values);
    if (!values) status = error_no_memory(error, "features in another order", wanted * dim * sizeof *values);
    for (size_t i = 0; !status && i < wanted; i++) {
        const struct named_row key = {catalog_name(&like->catalog, (int64_t)i), 0};
        const struct named_row *found = bsearch(&key, rows, (size_t)table->catalog.count, sizeof *rows, compare_names);
        if (found)
            memcpy(values + i * dim, table->values + (size_t)found->row * dim, dim * sizeof *values);
        else
            status = error_set(error, SIMCLR_DATA,
                               "%s: has no row called %.120s: it must have the images that it is compared on, by the "
                               "same names",
                               path, key.name);
    }
    memory_free(rows);
    if (status) {
        memory_free(values);
        return status;
    }
    memory_free(table->values);
    table->values = values;
    return SIMCLR_OK;
}

static int check_count(struct texts *texts, const char *what, int64_t rows, const char *name, struct error *error)
{
    const int status = texts_open(texts, name, error);
    if (status) return status;
    if (texts_count(texts) != rows)
        return error_set(error, SIMCLR_DATA, "%s: has %lld %s for %lld rows of features: row i must be name i", name,
                         (long long)texts_count(texts), what, (long long)rows);
    return SIMCLR_OK;
}

static int add_names(struct feature_table *table, struct arrays *arrays, const char *name, struct error *error)
{
    struct text text = {0};
    table->named = arrays->names.form != TEXTS_NONE;
    int status = table->named ? check_count(&arrays->names, "names", arrays->rows, name, error) : SIMCLR_OK;
    for (int64_t i = 0; !status && i < arrays->rows; i++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)i);
        if (table->named) status = texts_next(&arrays->names, &text, i, name, error);
        if (!status && table->named && text.length == 0)
            status = error_set(error, SIMCLR_DATA, "%s: row %lld has an empty name", name, (long long)i);
        if (!status) status = catalog_add(&table->catalog, table->named ? text.bytes : number, -1, error);
    }
    text_free(&text);
    return status;
}

/* Labels are numbers of classes that have names. Empty texts at the end are no classes: they fill the file up. */
static int add_numbered(struct feature_table *table, struct arrays *arrays, const char *name, struct error *error)
{
    struct text text = {0};
    int64_t classes = texts_count(&arrays->classes);
    int status = texts_open(&arrays->classes, name, error);
    for (int64_t i = 0; !status && i < classes; i++) {
        status = texts_next(&arrays->classes, &text, i, name, error);
        if (!status && text.length == 0) classes = i;
        if (!status && text.length > 0) status = catalog_add_class(&table->catalog, text.bytes, error);
    }
    for (int64_t i = 0; !status && i < arrays->rows; i++) {
        int64_t label = -1;
        status = texts_next(&arrays->labels, &text, i, name, error);
        if (!status && (!number_parse_integer(text.bytes, &label) || label >= classes))
            status = error_set(error, SIMCLR_DATA,
                               "%s: row %" PRId64 " has the label %.40s, and there are %" PRId64
                               " names of classes: leave `classes` out, or give one for each label",
                               name, i, text.bytes, classes);
        table->catalog.label[i] = label < 0 ? -1 : (int32_t)label;
    }
    text_free(&text);
    return status;
}

static bool are_numbers(const struct texts *texts)
{
    return texts->form == TEXTS_INT64 ||
           (texts->form == TEXTS_ITEMS && (texts->array.type == 'i' || texts->array.type == 'u'));
}

static int add_labels(struct feature_table *table, struct arrays *arrays, const char *name, struct error *error)
{
    struct labels labels = {0};
    struct text text = {0};
    if (arrays->labels.form == TEXTS_NONE) return SIMCLR_OK;
    table->labelled = true;
    int status = check_count(&arrays->labels, "labels", arrays->rows, name, error);
    if (!status && arrays->classes.form != TEXTS_NONE && are_numbers(&arrays->labels))
        return add_numbered(table, arrays, name, error);
    for (int64_t i = 0; !status && i < arrays->rows; i++) {
        status = texts_next(&arrays->labels, &text, i, name, error);
        if (!status && text.length > 0)
            status = labels_intern(&labels, text.bytes, text.length, &table->catalog.label[i], error);
    }
    if (!status) status = labels_resolve(&labels, &table->catalog, false, error);
    labels_free(&labels);
    text_free(&text);
    return status;
}

static int check_values(const struct feature_table *table, const char *name, struct error *error)
{
    for (int64_t i = 0; i < table->catalog.count; i++)
        for (int d = 0; d < table->dim; d++)
            if (!isfinite(table->values[i * table->dim + d]))
                return error_set(error, SIMCLR_DATA,
                                 "%s: row %lld (%.200s) has a value that is not finite in column %d: leave the row out",
                                 name, (long long)i, catalog_name(&table->catalog, i), d);
    return SIMCLR_OK;
}

/* Where names and labels come from, for sentences. */
struct origin {
    const char *path, *names, *labels;
};

/* The arrays' values are the table's afterwards. */
static int assemble(struct feature_table *out, struct arrays *arrays, const struct origin *origin, struct error *error)
{
    out->dim = arrays->dim;
    out->values = arrays->values;
    arrays->values = NULL;
    out->ignored = arrays->ignored;
    memcpy(out->first_ignored, arrays->first_ignored, sizeof out->first_ignored);
    snprintf(out->catalog.what, sizeof out->catalog.what, "table of features");
    int status = add_names(out, arrays, origin->names, error);
    if (!status) status = add_labels(out, arrays, origin->labels, error);
    return status ? status : check_values(out, origin->path, error);
}

struct list {
    struct texts *texts;
    void **owned;
    const char *ending; /* ".txt": NAME.txt beside NAME.npy */
};

/* What is not there is no texts. *path: for sentences, memory_free. */
static int read_list(const struct list *list, char **path, const char *features, bool escaped, struct error *error)
{
    struct text text = {0};
    size_t length = strlen(features), bytes;
    uint8_t *lines;
    if (length > 4 && strcmp(features + length - 4, ".npy") == 0) length -= 4;
    text_add_bytes(&text, features, length);
    text_add(&text, "%s", list->ending);
    if (text.failed) return error_no_memory(error, "a path", length);
    *path = text.bytes;
    if (!file_exists(*path)) return SIMCLR_OK;
    const int status = file_read(*path, LIST_BYTES_MAX, &lines, &bytes, error);
    if (status) return status;
    *list->owned = lines;
    *list->texts = (struct texts){.form = TEXTS_LINES, .bytes = lines, .count = bytes, .escaped = escaped};
    return SIMCLR_OK;
}

static int open_npy(struct feature_table *out, const struct blob *blob, const char *path, bool beside,
                    struct error *error)
{
    struct arrays arrays = {0};
    struct origin origin = {path, path, path};
    const struct list of_names = {&arrays.names, &arrays.owned[0], ".txt"};
    const struct list of_labels = {&arrays.labels, &arrays.owned[1], ".labels.txt"};
    char *names = NULL, *labels = NULL;
    int status = arrays_read_npy(&arrays, blob, path, error);
    if (!status && beside) status = read_list(&of_names, &names, path, arrays.escaped, error);
    if (!status && beside) status = read_list(&of_labels, &labels, path, arrays.escaped, error);
    if (names) origin.names = names;
    if (labels) origin.labels = labels;
    if (!status) status = assemble(out, &arrays, &origin, error);
    arrays_free(&arrays);
    memory_free(names);
    memory_free(labels);
    return status;
}

static int open_npz(struct feature_table *out, const struct blob *blob, const char *path, struct error *error)
{
    struct arrays arrays = {0};
    char names[512], labels[512];
    snprintf(names, sizeof names, "%s: names", path);
    snprintf(labels, sizeof labels, "%s: labels", path);
    const struct origin origin = {path, names, labels};
    int status = arrays_read_npz(&arrays, blob, path, error);
    if (!status) status = assemble(out, &arrays, &origin, error);
    arrays_free(&arrays);
    return status;
}

static int open_safetensors(struct feature_table *out, const struct safetensors *file, const char *path,
                            struct error *error)
{
    struct arrays arrays = {0};
    char names[512], labels[512];
    snprintf(names, sizeof names, "%s: names", path);
    snprintf(labels, sizeof labels, "%s: labels", path);
    const struct origin origin = {path, names, labels};
    int status = safetensors_verify(file, error);
    if (!status) status = arrays_read_safetensors(&arrays, file, path, error);
    if (!status) status = assemble(out, &arrays, &origin, error);
    arrays_free(&arrays);
    return status;
}

static bool is_zip(const uint8_t *head)
{
    return memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0;
}

/* *other: it may be safetensors, and is not read. beside: files beside it are looked for. */
static int open_blob(struct feature_table *out, const struct blob *blob, const char *path, bool beside, bool *other,
                     struct error *error)
{
    enum { HEAD = 9 }; /* a length of 8 bytes, and the '{' of safetensors */
    uint8_t head[HEAD] = {0};
    const size_t count = blob->size < HEAD ? (size_t)blob->size : HEAD;
    const int status = blob_read_named(blob, 0, head, count, path, error);
    *other = false;
    if (status) return status;
    if (npy_is(head, count)) return open_npy(out, blob, path, beside, error);
    if (is_zip(head)) return open_npz(out, blob, path, error);
    if (head[HEAD - 1] != '{')
        return error_set(error, SIMCLR_DATA, "%s: is no file of features: .npy, .npz and .safetensors are read", path);
    *other = true;
    return SIMCLR_OK;
}

int feature_table_open(struct feature_table *out, const char *path, struct error *error)
{
    struct blob blob;
    bool other;
    *out = (struct feature_table){0};
    int status = blob_open(&blob, path, NULL, error);
    if (status) return status;
    status = open_blob(out, &blob, path, true, &other, error);
    blob_close(&blob);
    if (!status && other) {
        struct safetensors *file = NULL;
        status = safetensors_open(&file, path, error);
        if (!status) status = open_safetensors(out, file, path, error);
        safetensors_close(&file);
    }
    if (status) feature_table_free(out);
    return status;
}

int feature_table_parse(struct feature_table *out, const uint8_t *bytes, size_t count, const char *name,
                        struct error *error)
{
    const struct blob blob = blob_of_memory(bytes, count);
    bool other;
    *out = (struct feature_table){0};
    int status = open_blob(out, &blob, name, false, &other, error);
    if (!status && other) {
        struct safetensors *file = NULL;
        status = safetensors_parse(&file, bytes, count, name, error);
        if (!status) status = open_safetensors(out, file, name, error);
        safetensors_close(&file);
    }
    if (status) feature_table_free(out);
    return status;
}
