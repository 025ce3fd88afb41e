/* data/sets/list_columns.h -- which columns of a text are the path and the label: `path<tab>label`, and what people
 * have besides: a space between them (Caffe, mmselfsup), or CSV with or without a heading. */
#ifndef DATA_LIST_COLUMNS_H
#define DATA_LIST_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "data/bytes/blob.h"

struct list_columns {
    bool plain;      /* path<tab>label without quotes; a line without a tab is a path */
    char separator;  /* a tab, a comma, a semicolon, or a space: then the label follows the last one */
    long heading;    /* the line of it, from 1; 0: none */
    int path, label; /* columns from 0; label -1: none */
};
extern const struct list_columns list_columns_plain;

/* Decides by the first lines: columns are those whose path names a file. Relative paths are in `folder`, which ends
 * with a slash. What was chosen is said where it is not plain; where nothing fits, it is plain, with a warning.
 * SIMCLR_IO, SIMCLR_NO_MEMORY. `path` is for sentences. */
int list_columns_find(struct list_columns *out, const struct blob *text, const char *path, const char *folder,
                      const struct log *log, struct error *error);

/* A field of a line; quotes around it are taken away in place (those of CSV, doubled inside). */
struct list_field {
    char *text;
    size_t length;
};

/* The path and the label of a line without its end; the label is empty where there is none. */
void list_columns_split(const struct list_columns *columns, char *line, size_t length, struct list_field *path,
                        struct list_field *label);

#endif
