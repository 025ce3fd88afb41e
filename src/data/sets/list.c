/* data/sets/list.c -- a text list of images: one `path[<tab>label]` per line. Ten million lines are read in seconds and
 * kept in one block: no allocation per line, tables made for the right size at once. */
#include "data/sets/list.h"

#include <string.h>

#include "base/escape.h"
#include "base/lines.h"
#include "base/memory.h"
#include "data/names/class_names.h"
#include "data/names/labels.h"
#include "data/sets/files.h"
#include "data/sets/kind.h"

enum { CHUNK = 1 << 20 };

struct reading {
    const struct blob *text;
    const struct list_columns *columns;
    const char *path, *folder; /* of the list, for sentences; what relative paths start with */
    size_t folder_length;
    struct catalog *catalog;
    struct labels labels;
    long number; /* of the line, from 1 */
    uint8_t *chunk;
    size_t room;     /* of the chunk */
    size_t max_line; /* bytes of a line, its end included */
    bool escaped;    /* the first line is LINES_MARK */
};

/* Lines that may be images: not the empty ones. Ends at a NUL, where reading will end too. */
static int count_lines(struct reading *reading, size_t *lines, struct error *error)
{
    uint8_t before = '\n';
    *lines = 1;
    for (int64_t at = 0; at < reading->text->size; at += (int64_t)reading->room) {
        const int64_t left = reading->text->size - at;
        const size_t count = left < (int64_t)reading->room ? (size_t)left : reading->room;
        const int status = blob_read_named(reading->text, at, reading->chunk, count, reading->path, error);
        if (status != SIMCLR_OK) return status;
        for (size_t i = 0; i < count; i++) {
            *lines += reading->chunk[i] == '\n' && before != '\n';
            before = reading->chunk[i];
        }
        if (memchr(reading->chunk, 0, count) != NULL) break;
    }
    return SIMCLR_OK;
}

static int refuse_long_line(const struct reading *reading, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: line %ld is longer than %zu bytes: give one image path per line",
                     reading->path, reading->number, reading->max_line - 1);
}

static int add_item(struct reading *reading, struct list_field path, struct list_field label, struct error *error)
{
    int32_t id = -1;
    if (path.length == 0)
        return error_set(error, SIMCLR_CORRUPT, "%s: line %ld has no path in column %d", reading->path, reading->number,
                         reading->columns->path + 1);
    int status = label.length == 0 ? SIMCLR_OK : labels_intern(&reading->labels, label.text, label.length, &id, error);
    if (status) return status;
    return catalog_add_joined(reading->catalog, reading->folder, path.text[0] == '/' ? 0 : reading->folder_length,
                              path.text, path.length, id, error);
}

/* A line that is not plain, without its end; written over where it has quotes. */
static int add_columns(struct reading *reading, char *line, size_t length, struct error *error)
{
    struct list_field path, label;
    if (reading->number == reading->columns->heading) return SIMCLR_OK;
    list_columns_split(reading->columns, line, length, &path, &label);
    return add_item(reading, path, label, error);
}

/* Gives back, in place, what an escaped list has written for a path or a label. */
static int undo(const struct reading *reading, char *text, size_t *length, struct error *error)
{
    if (!reading->escaped) return SIMCLR_OK;
    *length = escape_undo(text, *length);
    if (*length != (size_t)-1 && memchr(text, 0, *length) == NULL) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT, "%s: line %ld: " ESCAPE_ADVICE, reading->path, reading->number);
}

/* A line without its end; written over where it is escaped. */
static int add_line(struct reading *reading, char *line, size_t length, struct error *error)
{
    if (memchr(line, 0, length) != NULL)
        return error_set(error, SIMCLR_CORRUPT, "%s: line %ld has a NUL byte: give a text file of image paths",
                         reading->path, reading->number);
    if (length > reading->max_line - 1) return refuse_long_line(reading, error);
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' ')) length--;
    if (length == 0) return SIMCLR_OK;
    if (!reading->columns->plain) return add_columns(reading, line, length, error);
    if (line[0] == '\t')
        return error_set(error, SIMCLR_CORRUPT, "%s: line %ld has a label, but no path", reading->path,
                         reading->number);
    char *tab = memchr(line, '\t', length);
    size_t name = tab == NULL ? length : (size_t)(tab - line), rest = name + 1 < length ? length - name - 1 : 0;
    int32_t label = -1;
    int status = undo(reading, line, &name, error);
    if (status == SIMCLR_OK && rest > 0) status = undo(reading, tab + 1, &rest, error);
    if (status == SIMCLR_OK && rest > 0) status = labels_intern(&reading->labels, tab + 1, rest, &label, error);
    if (status != SIMCLR_OK) return status;
    return catalog_add_joined(reading->catalog, reading->folder, line[0] == '/' ? 0 : reading->folder_length, line,
                              name, label, error);
}

static int read_lines(struct reading *reading, struct error *error)
{
    size_t kept = 0; /* bytes of a line whose end is still to come, at the beginning of the chunk */
    for (int64_t at = 0; at < reading->text->size;) {
        const int64_t left = reading->text->size - at;
        const size_t space = reading->room - kept, count = left < (int64_t)space ? (size_t)left : space;
        int status = blob_read_named(reading->text, at, reading->chunk + kept, count, reading->path, error);
        at += (int64_t)count;
        char *line = (char *)reading->chunk, *end = line + kept + count, *stop;
        while (status == SIMCLR_OK && (stop = memchr(line, '\n', (size_t)(end - line))) != NULL) {
            reading->number++;
            if (reading->number == 1 && lines_mark_length(line, (size_t)(stop + 1 - line)) > 0) {
                reading->escaped = true;
                line = stop + 1;
                continue;
            }
            status = add_line(reading, line, (size_t)(stop - line), error);
            line = stop + 1;
        }
        if (status != SIMCLR_OK) return status;
        kept = (size_t)(end - line);
        reading->number++; /* of the unfinished line, for sentences */
        if (kept > reading->max_line || at == reading->text->size) {
            if (kept > 0) status = add_line(reading, line, kept, error);
            if (status != SIMCLR_OK || at == reading->text->size) return status;
        }
        reading->number--;
        memmove(reading->chunk, line, kept);
    }
    return SIMCLR_OK;
}

int list_parse(const struct blob *text, const struct list_columns *columns, const char *path, struct catalog *catalog,
               struct error *error)
{
    return list_parse_in_pieces(text, columns, path, catalog, CHUNK, LIST_LINE_MAX, error);
}

int list_parse_in_pieces(const struct blob *text, const struct list_columns *columns, const char *path,
                         struct catalog *catalog, size_t piece, size_t max_line, struct error *error)
{
    struct reading reading = {.text = text,
                              .columns = columns,
                              .path = path,
                              .catalog = catalog,
                              .folder = catalog->prefix,
                              .max_line = max_line,
                              .room = text->size < (int64_t)piece ? (size_t)text->size : piece};
    reading.folder_length = strlen(reading.folder);
    reading.chunk = memory_allocate(reading.room);
    if (reading.chunk == NULL) return error_no_memory(error, "a list", reading.room);
    size_t lines;
    int status = count_lines(&reading, &lines, error);
    if (status == SIMCLR_OK)
        status = catalog_reserve(catalog, lines, (size_t)text->size + 1 + lines * (reading.folder_length + 1), error);
    if (status == SIMCLR_OK) status = read_lines(&reading, error);
    if (status == SIMCLR_OK) status = labels_resolve(&reading.labels, catalog, false, error);
    labels_free(&reading.labels);
    memory_free(reading.chunk);
    strcpy(catalog->what, "list of images");
    if (status == SIMCLR_OK && catalog->count == 0)
        status = error_set(error, SIMCLR_DATA, "%s: the list is empty: give one image path per line", path);
    return status;
}

/* The folder part of `path` with its slash, or "./" if it has none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = memory_string(slash == NULL ? "./" : path);
    if (folder != NULL && slash != NULL) folder[slash - path + 1] = '\0';
    return folder;
}

static int list_is(const struct set_place *place, bool *out, struct error *error)
{
    /* The last kind: any file whose first line is text, and that is nothing else. */
    const uint8_t *end = memchr(place->head, '\n', place->head_bytes);
    const size_t line = end ? (size_t)(end - place->head) : place->head_bytes;
    (void)error;
    return kind_answer(out, place->exists && !place->folder && memchr(place->head, 0, line) == NULL &&
                                kind_refuse_file(place->head, place->head_bytes, place->path, NULL) == SIMCLR_OK);
}

/* Editors of Windows put a mark before a text in UTF-8: no part of the first path. */
static int skip_mark(struct blob *text, const char *path, struct error *error)
{
    uint8_t head[3] = {0};
    const size_t count = text->size < 3 ? (size_t)text->size : 3;
    const int status = blob_read_named(text, 0, head, count, path, error);
    if (status) return status;
    const size_t mark = lines_byte_order_length(head, count);
    text->start += (int64_t)mark;
    text->size -= (int64_t)mark;
    return SIMCLR_OK;
}

static int read_list(struct blob *text, struct catalog *catalog, const struct set_request *request, struct error *error)
{
    struct list_columns columns;
    int status = skip_mark(text, request->path, error);
    if (!status) status = list_columns_find(&columns, text, request->path, catalog->prefix, request->log, error);
    return status ? status : list_parse(text, &columns, request->path, catalog, error);
}

static int list_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                     struct error *error)
{
    const char *path = request->path;
    struct blob text;
    source_open_files(out, &request->config->limits);
    catalog->prefix = folder_of(path);
    if (catalog->prefix == NULL) return error_no_memory(error, "a path", strlen(path) + 1);
    int status = blob_open(&text, path, NULL, error);
    if (status != SIMCLR_OK) return status;
    status = read_list(&text, catalog, request, error);
    blob_close(&text);
    if (!status) status = class_names_read(catalog, path, request->log, error);
    return status;
}

const struct set_kind list_kind = {.name = "list of images", .is = list_is, .open = list_open};
