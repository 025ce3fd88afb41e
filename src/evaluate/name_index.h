/* evaluate/name_index.h -- the images of a set by their names, or by the ends of these, as lists name them. */
#ifndef EVALUATE_NAME_INDEX_H
#define EVALUATE_NAME_INDEX_H

#include <stdint.h>

#include "base/error.h"

typedef const char *name_of(const void *set, int64_t index);

/* Start from {0}. The set and its names are borrowed. */
struct name_index {
    name_of *name;
    const void *set;
    struct name_place *place; /* [count] by the part behind the last slash, so that any list is matched by search */
    int64_t count;
};

int name_index_open(struct name_index *out, name_of *name, const void *set, int64_t count, struct error *error);
void name_index_close(struct name_index *index);

/* How many images `wanted` may mean (2 stands for more): those whose name is it, or ends in it behind a slash. *found
 * is the last of them. */
int name_index_find(const struct name_index *index, const char *wanted, int64_t *found);

#endif
