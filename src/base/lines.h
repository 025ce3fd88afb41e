/* base/lines.h -- lists of names, one a line, that hold any name and come back. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>

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

/* Appends a line: the name, escaped where `marked`, and its end. */
void lines_add(struct text *list, const char *name, bool marked);

#endif
