/* explore/names.h -- lists of a collection's names, one a line (base/lines.h). */
#ifndef EXPLORE_NAMES_H
#define EXPLORE_NAMES_H

#include "explore/collection.h"

/* The names of rows[0] to rows[count - 1], or of all rows where `rows` is NULL, as a list that --subset and --labels
 * read back, and --data where the list lies in the set's folder: escaped behind its mark where a name needs it. Whole
 * or not at all. */
int names_write(const char *path, const struct collection *collection, const int64_t *rows, int64_t count,
                struct error *error);

/* The names of all rows, a line for each row whatever they are. *escaped: one is no line as it is, so all are escaped.
 * What the list lies beside has to say it (npy_header_beside). */
int names_write_rows(const char *path, const struct collection *collection, bool *escaped, struct error *error);

/* Says how many names hold bytes that are no UTF-8, which a file of texts in UTF-8 has escaped (escape_add_bytes). */
void names_say_escaped(const struct collection *collection, const char *path);

#endif
