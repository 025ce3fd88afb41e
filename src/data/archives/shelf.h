/* data/archives/shelf.h -- files found by name, in a folder or inside an archive: what sets of a few known files are
 * opened from. */
#ifndef DATA_SHELF_H
#define DATA_SHELF_H

#include <stdbool.h>

#include "base/error.h"
#include "data/bytes/blob.h"
#include "data/names/catalog.h"

struct member;

/* A value; what it points to is borrowed. */
struct shelf {
    const char *path;            /* of the folder or the archive, for sentences */
    const struct blob *archive;  /* NULL: a folder */
    bool zip;                    /* the archive is one: only whole files can be read */
    const struct catalog *names; /* of an archive: paths of its entries, */
    const struct member *entry;  /* and where they lie */
};

struct shelf shelf_of_folder(const char *path);

/* Whether there is a file of this name, in an archive in whatever folder. SIMCLR_IO: it cannot be told. */
int shelf_has(const struct shelf *shelf, const char *name, bool *out, struct error *error);
/* The first of `names`, which NULL ends, that it has; *out: its place, -1: it has none of them. */
int shelf_has_one(const struct shelf *shelf, const char *const *names, int *out, struct error *error);

/* Opens one; a blob of its own to be closed with blob_close, whatever the shelf is. SIMCLR_IO; SIMCLR_UNSUPPORTED in a
 * zip archive. */
int shelf_open(const struct shelf *shelf, const char *name, struct blob *out, struct error *error);

/* Reads a file of at most `max_bytes` whole (memory_free), with a NUL after its end. *out is NULL when there is none.
 */
int shelf_read(const struct shelf *shelf, const char *name, size_t max_bytes, uint8_t **out, size_t *count,
               struct error *error);
/* The same for a text, of which a NUL is the end; a byte order mark before it is taken away. */
int shelf_read_text(const struct shelf *shelf, const char *name, size_t max_bytes, char **out, struct error *error);

#endif
