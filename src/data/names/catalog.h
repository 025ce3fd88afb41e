/* data/names/catalog.h -- what a set lists: names, labels, class names. Filled once at opening, then only read. */
#ifndef DATA_CATALOG_H
#define DATA_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"
#include "data/names/passed.h"

/* Start from {0}; release with catalog_free. */
struct catalog {
    char *bytes;             /* all names, each ended by NUL, one after another */
    size_t length, capacity; /* of bytes */
    size_t *offset;          /* [count]: of a name in bytes */
    int32_t *label;          /* [count]: -1 none */
    int64_t count, room;
    char **class_name; /* [classes] */
    int classes, class_room;
    char *prefix;         /* beginning of names that says only where the set lies, or NULL */
    uint64_t salt;        /* whatever else makes two sets different */
    uint64_t stamp;       /* of the archives that hold all items: their sizes and times, or checksums; 0: not known */
    char what[64];        /* "folder of images", "list of images", ... for the description */
    char place[96];       /* where in the set the images lie, "train/" for instance; empty: everywhere */
    struct passed passed; /* what is there and is none of the items */
    struct stop stop;     /* while it is filled: once it is asked for, nothing can be added */
};

void catalog_free(struct catalog *catalog);

/* Copies `name`. SIMCLR_NO_MEMORY; SIMCLR_INTERRUPTED; SIMCLR_UNSUPPORTED past 2^32 - 2 items (indices are 32 bits
 * wide). */
int catalog_add(struct catalog *catalog, const char *name, int32_t label, struct error *error);
/* The same for a name that is `head` followed by `tail`, neither ended by NUL nor holding one. */
int catalog_add_joined(struct catalog *catalog, const char *head, size_t head_length, const char *tail,
                       size_t tail_length, int32_t label, struct error *error);
/* Makes room for `items` more names of `bytes` bytes in all, NULs included: a large set then never moves its tables. */
int catalog_reserve(struct catalog *catalog, size_t items, size_t bytes, struct error *error);
int catalog_add_class(struct catalog *catalog, const char *name, struct error *error);

const char *catalog_name(const struct catalog *catalog, int64_t item);
/* The name without the prefix: the same wherever the set lies. */
const char *catalog_short_name(const struct catalog *catalog, int64_t item);

#endif
