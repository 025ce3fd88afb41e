/* data/sets/archive_set.h -- what sets that lie in archives share: what is inside, and which labels lie beside. */
#ifndef DATA_ARCHIVE_SET_H
#define DATA_ARCHIVE_SET_H

#include "data/archives/archive.h"
#include "data/sets/kind.h"

/* Fills the empty `archives` with those of a set (archive_set_add for each). */
typedef int archive_set_fill(struct archives *archives, const struct set_request *request, struct error *error);

/* archives_add as the request has it. */
int archive_set_add(struct archives *archives, const char *path, struct blob *unpacked, archive_indexer *indexer,
                    const struct set_request *request, struct error *error);

/* Opens the set: CIFAR or STL-10 where that is what a single tar archive holds, else images by layout_arrange. `what`
 * is for the description. Statuses as set_kind.open. */
int archive_set_open(struct source *out, struct catalog *catalog, const struct set_request *request, const char *what,
                     archive_set_fill *fill, struct error *error);

/* Whether what archive_set_open would make of `path` has a test part of its own. Statuses as those of `fill`. */
int archive_set_has_test(const char *path, archive_set_fill *fill, bool *out, struct error *error);

#endif
