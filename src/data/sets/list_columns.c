/* data/sets/list_columns.c -- see list_columns.h. */
#include "data/sets/list_columns.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/names/endings.h"

enum { HEAD = 1 << 16, LINES = 8, COLUMNS = 32, LINE_MAX_HERE = 4096 };

const struct list_columns list_columns_plain = {.plain = true, .separator = '\t', .path = 0, .label = 1};

/* ---- splitting ---- */

/* Whether a field that ends at a separator, or at the line's end, has quotes around it. */
static bool is_quoted(const char *at, const char *end, char separator)
{
    if (at >= end || *at != '"') return false;
    for (at++; at < end && (*at != '"' || (at + 1 < end && at[1] == '"')); at++) at += *at == '"';
    if (at >= end) return false;
    for (at++; at < end && *at != separator; at++)
        if (*at != ' ' && *at != '\r') return false;
    return true;
}

/* Takes the field at *at of a CSV line, which ends at `end`, and moves *at behind it and its separator. */
static struct list_field next_field(char **at, char *end, char separator)
{
    struct list_field field = {*at, 0};
    char *from = *at, *to = *at;
    const bool quoted = is_quoted(from, end, separator);
    if (quoted) from++;
    for (; from < end && (quoted || *from != separator); from++) {
        if (quoted && *from == '"') {
            if (from + 1 >= end || from[1] != '"') break;
            from++;
        }
        *to++ = *from;
    }
    field.length = (size_t)(to - field.text);
    while (from < end && *from != separator) from++;
    *at = from < end ? from + 1 : end;
    return field;
}

static struct list_field trimmed(struct list_field field)
{
    while (field.length > 0 && (field.text[0] == ' ' || field.text[0] == '\t')) field.text++, field.length--;
    while (field.length > 0 && strchr(" \t\r", field.text[field.length - 1])) field.length--;
    return field;
}

static void split_at_space(char *line, size_t length, struct list_field *path, struct list_field *label)
{
    size_t at = length;
    while (at > 0 && line[at - 1] != ' ') at--;
    *path = trimmed((struct list_field){line, at});
    *label = (struct list_field){line + at, length - at};
    if (path->length > 0) return;
    *path = *label; /* no space in it */
    *label = (struct list_field){line, 0};
}

void list_columns_split(const struct list_columns *columns, char *line, size_t length, struct list_field *path,
                        struct list_field *label)
{
    char *at = line, *end = line + length;
    *path = *label = (struct list_field){line, 0};
    if (columns->separator == ' ') {
        split_at_space(line, length, path, label);
        return;
    }
    for (int column = 0; at < end && (column <= columns->path || column <= columns->label); column++) {
        const struct list_field field = trimmed(next_field(&at, end, columns->separator));
        if (column == columns->path) *path = field;
        if (column == columns->label) *label = field;
    }
}

/* ---- finding ---- */

struct head {
    char *bytes; /* with a NUL at the end; lines are cut out of it */
    char *line[LINES];
    long number[LINES];
    int lines;
};

static int read_head(struct head *head, const struct blob *text, const char *path, struct error *error)
{
    const size_t count = text->size < HEAD ? (size_t)text->size : HEAD;
    head->bytes = memory_allocate(count + 1);
    if (!head->bytes) return error_no_memory(error, "a list", count + 1);
    const int status = blob_read_named(text, 0, head->bytes, count, path, error);
    if (status) return status;
    long number = 0;
    for (char *line = head->bytes, *end; head->lines < LINES && *line != '\0'; line = end + 1) {
        end = line + strcspn(line, "\n");
        if (*end == '\0' && (int64_t)count < text->size) break; /* cut */
        const bool last = *end == '\0';
        number++;
        *end = '\0';
        size_t length = strlen(line);
        while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' ')) line[--length] = '\0';
        if (length > 0 && length < LINE_MAX_HERE) {
            head->number[head->lines] = number;
            head->line[head->lines++] = line;
        }
        if (last) break;
    }
    return SIMCLR_OK;
}

static bool is_file(const char *folder, struct list_field field)
{
    char path[2 * LINE_MAX_HERE]; /* no memory that could be missing: the answer must not depend on it */
    const size_t prefix = field.length > 0 && field.text[0] == '/' ? 0 : strlen(folder);
    if (field.length == 0 || prefix + field.length >= sizeof path) return false;
    memcpy(path, folder, prefix);
    memcpy(path + prefix, field.text, field.length);
    path[prefix + field.length] = '\0';
    return file_exists(path) && !file_is_folder(path);
}

/* Whether these columns give the path of a file in one of the lines after `heading`. */
static bool fits(const struct list_columns *columns, const struct head *head, const char *folder)
{
    for (int i = 0; i < head->lines; i++) {
        struct list_field path, label;
        char copy[LINE_MAX_HERE];
        if (head->number[i] == columns->heading) continue;
        const size_t length = strnlen(head->line[i], sizeof copy - 1);
        memcpy(copy, head->line[i], length);
        list_columns_split(columns, copy, length, &path, &label);
        if (is_file(folder, path)) return true;
    }
    return false;
}

static bool is_one_of(struct list_field field, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == field.length) {
            char copy[32] = "";
            memcpy(copy, field.text, field.length < sizeof copy ? field.length : sizeof copy - 1);
            if (ending_is(copy, *words)) return true;
        }
    return false;
}

/* The columns that a heading names, where it names one of them; else the first two. */
static bool read_heading(struct list_columns *columns, const struct head *head)
{
    static const char *const paths[] = {"path",    "file",       "filename",   "file_name", "filepath", "file_path",
                                        "image",   "image_path", "image_name", "img",       "img_path", "filenames",
                                        "picture", "image_file", "imagepath",  "impath",    NULL};
    static const char *const labels[] = {"label",       "class",     "category", "target",     "labels",
                                         "class_name",  "classname", "species",  "label_name", "y",
                                         "class_label", "class_id",  NULL};
    char copy[LINE_MAX_HERE], *at = copy;
    const size_t length = strnlen(head->line[0], sizeof copy - 1);
    memcpy(copy, head->line[0], length);
    char *end = copy + length;
    int path = -1, label = -1, column = 0;
    for (; at < end && column < COLUMNS; column++) {
        const struct list_field field = trimmed(next_field(&at, end, columns->separator));
        if (path < 0 && is_one_of(field, paths)) path = column;
        if (label < 0 && is_one_of(field, labels)) label = column;
    }
    columns->path = path >= 0 ? path : label == 0 ? 1 : 0;
    columns->label = label >= 0 ? label : column < 2 ? -1 : columns->path == 0 ? 1 : 0;
    return path >= 0 || label >= 0;
}

/* With this separator: by its heading, or the first two columns in either order. */
static bool try_separator(struct list_columns *out, char separator, const struct head *head, const char *folder)
{
    const struct list_columns usual = {.separator = separator, .path = 0, .label = 1};
    const char *first = head->line[0];
    if (separator != ' ' && !is_file(folder, (struct list_field){(char *)first, strlen(first)})) {
        *out = usual;
        out->heading = head->number[0];
        if (read_heading(out, head) && fits(out, head, folder)) return true;
    }
    *out = usual;
    if (fits(out, head, folder)) {
        out->plain = separator == '\t' && first[0] != '"';
        return true;
    }
    out->path = 1;
    out->label = 0;
    return separator != ' ' && fits(out, head, folder);
}

static bool find(struct list_columns *out, const struct head *head, const char *folder)
{
    static const char separators[] = "\t,; ";
    for (const char *separator = separators; *separator != '\0'; separator++)
        if (try_separator(out, *separator, head, folder)) return true;
    *out = list_columns_plain;
    return false;
}

static void say(const struct list_columns *columns, const char *path, const struct log *log)
{
    const char *between = columns->separator == ',' ? "commas" : columns->separator == ';' ? "semicolons" : "tabs";
    const char *heading = columns->heading > 0 ? ", below a heading" : "";
    if (columns->plain) return;
    if (columns->separator == ' ')
        log_info(log, "%s: path and label have a space between them", path);
    else if (columns->label < 0)
        log_info(log, "%s: paths in column %d, no labels%s", path, columns->path + 1, heading);
    else
        log_info(log, "%s: paths in column %d and labels in column %d, %s between them%s", path, columns->path + 1,
                 columns->label + 1, between, heading);
}

int list_columns_find(struct list_columns *out, const struct blob *text, const char *path, const char *folder,
                      const struct log *log, struct error *error)
{
    struct head head = {0};
    *out = list_columns_plain;
    const int status = read_head(&head, text, path, error);
    const bool ours = head.lines > 0 && strncmp(head.line[0], "#simclr-list", 12) == 0;
    if (status == SIMCLR_OK && head.lines > 0 && !ours) {
        if (find(out, &head, folder))
            say(out, path, log);
        else if (strpbrk(head.line[0], " ,;") && !strchr(head.line[0], '\t'))
            log_warning(log,
                        "%s: its first lines name no file (`%.100s`): write path<tab>label, paths relative to the list",
                        path, head.line[0]);
    }
    memory_free(head.bytes);
    return status;
}
