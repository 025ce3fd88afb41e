/* data/list.h -- the reader of lists apart from its file, for tests and fuzzing. */
#ifndef DATA_LIST_H
#define DATA_LIST_H

#include "base/error.h"
#include "data/blob.h"
#include "data/catalog.h"

/* Fills a catalog that holds nothing but its prefix, which relative paths start with. SIMCLR_CORRUPT for a line that
 * is none, SIMCLR_DATA when there are no images. `path` is for sentences. */
int list_parse(const struct blob *text, const char *path, struct catalog *catalog, struct error *error);

#endif
