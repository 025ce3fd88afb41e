/* data/names/keep.h -- encoded images kept in memory once they were read: of a set that does not fit in memory decoded,
 * the disk is read in the first epoch and not again. The pixels are decoded each time, from the same bytes. */
#ifndef DATA_KEEP_H
#define DATA_KEEP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct kept;

/* Start from {0}, which keeps nothing; any thread may find and add, without a lock. */
struct keep {
    _Atomic(struct kept *) *item; /* [items]: NULL while it is not kept */
    int64_t items;
    size_t limit;        /* of bytes, the table included */
    atomic_size_t bytes; /* taken */
};

/* Room for files of a set of `items` images in at most `limit` bytes; none if the table alone would take them. */
int keep_open(struct keep *keep, int64_t items, size_t limit, struct error *error);
void keep_close(struct keep *keep);

/* The bytes of an item, the keep's, or NULL. */
const uint8_t *keep_find(const struct keep *keep, int64_t item, size_t *count);

/* Keeps a copy of them where there is room for it. */
void keep_add(struct keep *keep, int64_t item, const uint8_t *bytes, size_t count);

/* What a file of that many bytes takes. */
size_t keep_cost(size_t count);

#endif
