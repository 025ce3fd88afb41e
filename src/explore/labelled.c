/* explore/labelled.c -- the list of what is labelled already (choice.h). */
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "data/names/labels.h"
#include "explore/choice.h"

enum { LIST_BYTES_MAX = 1 << 30, NOT_LABELLED = -1, LABELLED = -2 };

void labelled_free(struct labelled *labelled)
{
    memory_free(labelled->label);
    *labelled = (struct labelled){0};
}

/* ---- rows by name ---------------------------------------------------------------------------------------------- */

struct named {
    const char *name;
    int64_t row;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Names where the set lies here, and those that are the same wherever it lies. */
enum { SHORT, FULL, SPELLINGS };
struct index {
    struct named *by_name[SPELLINGS]; /* [rows] */
    int64_t rows;
};

static const char *full_name(const struct collection *c, int64_t row)
{
    const int part = collection_part(c, row);
    return c->model ? dataset_name(c->sets[part], row - c->begin[part]) : collection_name(c, row);
}

static void index_free(struct index *index)
{
    for (int i = 0; i < SPELLINGS; i++) memory_free(index->by_name[i]);
}

static int index_open(struct index *index, const struct collection *c, struct error *error)
{
    *index = (struct index){.rows = collection_count(c)};
    for (int i = 0; i < SPELLINGS; i++) {
        struct named *named = index->by_name[i] = memory_array((size_t)index->rows, sizeof *named);
        if (!named) return error_no_memory(error, "names", (size_t)index->rows * sizeof *named);
        for (int64_t row = 0; row < index->rows; row++)
            named[row] = (struct named){i == SHORT ? collection_name(c, row) : full_name(c, row), row};
        qsort(named, (size_t)index->rows, sizeof *named, by_name);
    }
    return SIMCLR_OK;
}

/* The rows of that name, *count of them; NULL: there is none. */
static const struct named *index_find(const struct index *index, const char *name, int64_t *count)
{
    const struct named key = {.name = name};
    for (int i = 0; i < SPELLINGS; i++) {
        const struct named *all = index->by_name[i], *end = all + index->rows;
        const struct named *first = bsearch(&key, all, (size_t)index->rows, sizeof *all, by_name), *last = first;
        if (!first) continue;
        while (first > all && strcmp(first[-1].name, name) == 0) first--;
        while (last < end && strcmp(last->name, name) == 0) last++;
        *count = last - first;
        return first;
    }
    return NULL;
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

struct reading {
    const struct collection *collection;
    const char *path;
    struct index index;
    struct labels classes; /* of the list's second column */
    struct labelled *out;
};

/* Undoes escapes in place, and drops what editors leave at the end. */
static int read_word(char *word, bool escaped, const char *path, long line, struct error *error)
{
    size_t length = strlen(word);
    while (length > 0 && (word[length - 1] == '\r' || word[length - 1] == ' ')) length--;
    if (escaped) length = escape_undo(word, length);
    if (length == (size_t)-1 || strnlen(word, length) < length)
        return error_set(error, SIMCLR_DATA, "%s:%ld: " ESCAPE_ADVICE, path, line);
    word[length] = '\0';
    return SIMCLR_OK;
}

static int take_line(struct reading *reading, const char *name, const char *class_name, long line, struct error *error)
{
    const struct collection *c = reading->collection;
    int64_t count;
    const struct named *found = index_find(&reading->index, name, &count);
    int32_t label = LABELLED;
    if (!found)
        return error_set(error, SIMCLR_DATA,
                         "%s:%ld: no image is called %.200s: give names as `simclr select` writes them", reading->path,
                         line, name);
    if (class_name && class_name[0]) {
        const int status = labels_intern(&reading->classes, class_name, strlen(class_name), &label, error);
        if (status) return status;
    }
    for (int64_t i = 0; i < count; i++) {
        int32_t *to = &reading->out->label[found[i].row];
        if (*to != NOT_LABELLED)
            return error_set(error, SIMCLR_DATA, "%s:%ld: %.200s is named twice: name each image once", reading->path,
                             line, name);
        *to = label >= 0 ? label : c->labels[found[i].row] >= 0 ? c->labels[found[i].row] : LABELLED;
        reading->out->count++;
    }
    return SIMCLR_OK;
}

static int read_lines(struct reading *reading, char *text, size_t bytes, struct error *error)
{
    const size_t order = lines_byte_order_length(text, bytes), mark = lines_mark_length(text + order, bytes - order);
    char *rest = text + order + mark;
    if (memchr(text, '\0', bytes))
        return error_set(error, SIMCLR_DATA, "%s: has a NUL byte: give a text with a name in each line", reading->path);
    for (long number = 1 + (mark > 0); rest; number++) {
        char *name = strsep(&rest, "\n"), *class_name = strchr(name, '\t');
        if (class_name) *class_name++ = '\0';
        int status = read_word(name, mark > 0, reading->path, number, error);
        if (!status && class_name) status = read_word(class_name, mark > 0, reading->path, number, error);
        if (!status && name[0]) status = take_line(reading, name, class_name, number, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

/* Classes of the list, or of the set: not of both. */
static int check_classes(struct reading *reading, struct error *error)
{
    const struct collection *c = reading->collection;
    const int listed = (int)reading->classes.names.count;
    int64_t without = 0;
    reading->out->classes = listed > 0 ? listed : collection_classes(c);
    if (listed == 0) return SIMCLR_OK;
    for (int64_t i = 0; i < collection_count(c); i++) without += reading->out->label[i] == LABELLED;
    if (collection_classes(c) > 0 && listed > 0) {
        /* Numbers of the set and of the list would mix: every line must have its own. */
        return error_set(error, SIMCLR_DATA,
                         "%s: has classes, and so has the set: leave the second column out, the set's labels are taken",
                         reading->path);
    }
    if (without > 0)
        log_warning(&c->session->log, "%s: %lld lines have no class: they count as labelled, and teach nothing",
                    reading->path, (long long)without);
    return SIMCLR_OK;
}

int labelled_parse(struct labelled *out, const struct collection *collection, const char *path, char *text,
                   size_t bytes, struct error *error)
{
    const int64_t rows = collection_count(collection);
    struct reading reading = {.collection = collection, .path = path, .out = out};
    *out = (struct labelled){.label = memory_array((size_t)rows, sizeof *out->label),
                             .classes = collection_classes(collection)};
    if (!out->label) return error_no_memory(error, "labels", (size_t)rows * sizeof *out->label);
    for (int64_t i = 0; i < rows; i++) out->label[i] = NOT_LABELLED;
    if (!text) return SIMCLR_OK;
    int status = index_open(&reading.index, collection, error);
    if (!status) status = read_lines(&reading, text, bytes, error);
    if (!status) status = check_classes(&reading, error);
    index_free(&reading.index);
    labels_free(&reading.classes);
    if (status) labelled_free(out);
    return status;
}

int labelled_read(struct labelled *out, const struct collection *collection, const char *path, struct error *error)
{
    uint8_t *text = NULL;
    size_t bytes = 0;
    *out = (struct labelled){0};
    int status = path[0] ? file_read(path, LIST_BYTES_MAX, &text, &bytes, error) : SIMCLR_OK;
    if (!status) status = labelled_parse(out, collection, path, (char *)text, bytes, error);
    memory_free(text);
    return status;
}
