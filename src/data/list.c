/* data/list.c -- a text list of images: one `path[<tab>label]` per line. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/source.h"

enum { MAX_LINE = 16384, MAX_LABEL = 1000000 };

/* Reads a line without its end. *length: -1 at the end of the file. A line of a gigabyte costs no memory. */
static int read_line(FILE *file, const char *path, long number, char line[MAX_LINE], int *length, struct error *error)
{
    int byte = EOF;
    *length = 0;
    while ((byte = getc_unlocked(file)) != EOF && byte != '\n') {
        if (byte == 0)
            return error_set(error, SIMCLR_CORRUPT, "%s: line %ld has a NUL byte: give a text file of image paths",
                             path, number);
        if (*length == MAX_LINE - 1)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: line %ld is longer than %d bytes: give one image path per line", path, number,
                             MAX_LINE - 1);
        line[(*length)++] = (char)byte;
    }
    if (ferror(file)) return error_set(error, SIMCLR_IO, "%s: cannot read: %s", path, strerror(errno));
    while (*length > 0 && (line[*length - 1] == '\r' || line[*length - 1] == ' ')) (*length)--;
    line[*length] = '\0';
    if (byte == EOF && *length == 0) *length = -1;
    return SIMCLR_OK;
}

/* Labels as they are written, one per item of the catalog: their place in `names`, or -1. */
struct labels {
    struct catalog names;
    int64_t *of_item;
    int64_t room;
};

static int keep_label(struct labels *labels, int64_t item, const char *text, struct error *error)
{
    if (labels->of_item == NULL || item >= labels->room) {
        const size_t larger = labels->room == 0 ? 1024 : 2 * (size_t)labels->room;
        int64_t *grown = memory_grow(labels->of_item, (size_t)labels->room, larger, sizeof *grown);
        if (grown == NULL) return error_no_memory(error, "the labels of a list", larger * sizeof *grown);
        labels->of_item = grown;
        labels->room = (int64_t)larger;
    }
    labels->of_item[item] = text == NULL ? -1 : labels->names.count;
    return text == NULL ? SIMCLR_OK : catalog_add(&labels->names, text, 0, error);
}

static int add_line(struct catalog *catalog, struct labels *labels, const char *folder, char *line, struct error *error)
{
    char *label = strchr(line, '\t');
    if (label != NULL) *label++ = '\0';
    if (label != NULL && *label == '\0') label = NULL;
    int status = keep_label(labels, catalog->count, label, error);
    if (status != SIMCLR_OK) return status;
    char *full = line[0] == '/' ? memory_string(line) : file_join(folder, line);
    status = full == NULL ? error_no_memory(error, "a path", MAX_LINE) : catalog_add(catalog, full, -1, error);
    memory_free(full);
    return status;
}

static int read_lines(FILE *file, const char *path, const char *folder, struct catalog *catalog, struct labels *labels,
                      struct error *error)
{
    char line[MAX_LINE];
    for (long number = 1;; number++) {
        int length, status = read_line(file, path, number, line, &length, error);
        if (status != SIMCLR_OK) return status;
        if (length < 0) return SIMCLR_OK;
        if (length == 0) continue;
        if (line[0] == '\t')
            return error_set(error, SIMCLR_CORRUPT, "%s: line %ld has a label, but no path", path, number);
        status = add_line(catalog, labels, folder, line, error);
        if (status != SIMCLR_OK) return status;
    }
}

static bool is_integer(const char *text)
{
    if (*text == '-' || *text == '+') text++;
    if (*text == '\0') return false;
    while (isdigit((unsigned char)*text)) text++;
    return *text == '\0';
}

/* Integers are the class numbers themselves; a negative one means no label. */
static int number_labels(struct catalog *catalog, const struct labels *labels, const char *path, struct error *error)
{
    long largest = -1;
    for (int64_t i = 0; i < catalog->count; i++) {
        if (labels->of_item[i] < 0) continue;
        const char *text = catalog_name(&labels->names, labels->of_item[i]);
        errno = 0;
        const long value = strtol(text, NULL, 10);
        if (errno != 0 || value > MAX_LABEL)
            return error_set(error, SIMCLR_CORRUPT, "%s: label %.40s of %.200s is above %d", path, text,
                             catalog_name(catalog, i), MAX_LABEL);
        catalog->label[i] = value < 0 ? -1 : (int32_t)value;
        largest = value > largest ? value : largest;
    }
    for (long value = 0; value <= largest; value++) {
        char name[32];
        snprintf(name, sizeof name, "%ld", value);
        const int status = catalog_add_class(catalog, name, error);
        if (status != SIMCLR_OK) return status;
    }
    return SIMCLR_OK;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names are numbered in the order of their bytes, as folders are. */
static int name_labels(struct catalog *catalog, const struct labels *labels, struct error *error)
{
    const int64_t count = labels->names.count;
    const char **sorted = memory_array((size_t)count, sizeof *sorted);
    if (sorted == NULL) return error_no_memory(error, "the labels of a list", (size_t)count * sizeof *sorted);
    for (int64_t i = 0; i < count; i++) sorted[i] = catalog_name(&labels->names, i);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_text);
    int status = SIMCLR_OK;
    for (int64_t i = 0; status == SIMCLR_OK && i < count; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) status = catalog_add_class(catalog, sorted[i], error);
    memory_free(sorted);
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog->count; i++) {
        if (labels->of_item[i] < 0) continue;
        const char *text = catalog_name(&labels->names, labels->of_item[i]);
        char **found = bsearch(&text, catalog->class_name, (size_t)catalog->classes, sizeof(char *), compare_text);
        catalog->label[i] = (int32_t)(found - catalog->class_name);
    }
    return status;
}

static int resolve_labels(struct catalog *catalog, const struct labels *labels, const char *path, struct error *error)
{
    bool integers = true;
    for (int64_t i = 0; integers && i < labels->names.count; i++)
        integers = is_integer(catalog_name(&labels->names, i));
    if (labels->names.count == 0) return SIMCLR_OK;
    return integers ? number_labels(catalog, labels, path, error) : name_labels(catalog, labels, error);
}

/* The folder part of `path` with its slash, or "./" if it has none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = memory_string(slash == NULL ? "./" : path);
    if (folder != NULL && slash != NULL) folder[slash - path + 1] = '\0';
    return folder;
}

int list_open(struct source *out, struct catalog *catalog, const char *path, const struct image_limits *limits,
              struct error *error)
{
    int status = source_open_files(out, limits, error);
    if (status != SIMCLR_OK) return status;
    catalog->prefix = folder_of(path);
    if (catalog->prefix == NULL) return error_no_memory(error, "a path", strlen(path) + 1);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (file == NULL) {
        if (descriptor >= 0) close(descriptor);
        return error_set(error, SIMCLR_IO, "%s: cannot open: %s", path, strerror(errno));
    }
    struct labels labels = {0};
    status = read_lines(file, path, catalog->prefix, catalog, &labels, error);
    fclose(file);
    if (status == SIMCLR_OK) status = resolve_labels(catalog, &labels, path, error);
    catalog_free(&labels.names);
    memory_free(labels.of_item);
    strcpy(catalog->what, "list of images");
    if (status == SIMCLR_OK && catalog->count == 0)
        status = error_set(error, SIMCLR_DATA, "%s: the list is empty: give one image path per line", path);
    return status;
}
