/* data/sets/list.h -- the reader of lists apart from its file, for tests and fuzzing. */
#ifndef DATA_LIST_H
#define DATA_LIST_H

#include "base/error.h"
#include "data/bytes/blob.h"
#include "data/names/catalog.h"
#include "data/sets/list_columns.h"

/* Fills a catalog that holds nothing but its prefix, which relative paths start with. SIMCLR_CORRUPT for a line that
 * is none, SIMCLR_DATA when there are no images. `path` is for sentences. */
int list_parse(const struct blob *text, const struct list_columns *columns, const char *path, struct catalog *catalog,
               struct error *error);

enum { LIST_LINE_MAX = 16384 }; /* bytes of a line, its end included */

/* The same, reading `piece` bytes at a time (more than max_line) and accepting lines of up to max_line: what tests
 * reach the borders of pieces with. */
int list_parse_in_pieces(const struct blob *text, const struct list_columns *columns, const char *path,
                         struct catalog *catalog, size_t piece, size_t max_line, struct error *error);

#endif
