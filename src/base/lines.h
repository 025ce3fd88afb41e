/* base/lines.h -- lists of names, one a line, that hold any name and come back. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

/* A list whose first line is this has its names escaped (base/escape.h). Other lists are taken as they are. */
#define LINES_MARK "#simclr-list 1"

/* Bytes of the byte order mark that a text begins with: 3 or 0. Editors of Windows put it there; it is no part of it.
 */
size_t lines_byte_order_length(const void *text, size_t count);

/* Bytes of the first line of a list, its end included, where it is the mark; else 0. */
size_t lines_mark_length(const char *text, size_t count);

/* Would a list without the mark not give this name back? So for a line end, a character that must not go out as it is,
 * or a blank at the end, which readers drop. */
bool lines_need_mark(const char *name);

/* The names of a list that was read whole: of each line what stands before a tab, without blanks and a carriage return
 * at its end. Empty lines are passed over. */
struct lines {
    char *rest;   /* NULL: there is no line more */
    char *after;  /* what of the line stands behind the tab; NULL: nothing */
    long number;  /* of the line that was read last, from 1 */
    bool escaped; /* the list has the mark */
};

/* Begins with `count` bytes, after which a NUL stands (file_read); lines_next writes into them. `path` is for the
 * sentence. SIMCLR_DATA: they are no text. */
int lines_open(struct lines *lines, char *text, size_t count, const char *path, struct error *error);
/* The next name, in the text; NULL at its end. SIMCLR_DATA, with path and line, for an escape that is none. */
int lines_next(struct lines *lines, const char *path, const char **name, struct error *error);

/* The next of the fields that stand behind the name, with tabs between, in the text; empty ones are passed over. NULL
 * where the line ends. SIMCLR_DATA as above. */
int lines_field(struct lines *lines, const char *path, const char **field, struct error *error);

/* Appends a line: the name, escaped where `marked`, and its end. */
void lines_add(struct text *list, const char *name, bool marked);

/* Says of a list without the mark that its names are escaped. */
void lines_say_escaped(const struct log *log, const char *path);

#endif
