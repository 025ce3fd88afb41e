/* data/sets/records.h -- raw pixels in records of one size: what the binaries of CIFAR and STL-10 have in common. */
#ifndef DATA_RECORDS_H
#define DATA_RECORDS_H

#include <stdbool.h>

#include "data/archives/shelf.h"
#include "data/bytes/blob.h"
#include "data/names/source.h"

enum { RECORD_FILES = 6, RECORD_SIDE_MAX = 96 };

/* A source of pictures of side x side: three planes R, G, B of bytes, row after row or column after column. */
struct records {
    int side;
    bool column_major;
    int files;
    struct record_file {
        struct blob blob;
        int64_t end;      /* items before the end of this file */
        int stride, skip; /* bytes of a record, and those of them before its pixels */
        uint32_t *pick;   /* record of each item of the file (memory_free), or NULL: all, in order */
    } file[RECORD_FILES];
};

/* Opens a source without files; its `self` is the records. */
int records_open(struct source *out, int side, bool column_major, struct error *error);

/* Opens file `name` of the shelf as the next one; it has `skip` bytes before each picture's pixels. *records: how many
 * it has, *blob: the file, borrowed. SIMCLR_CORRUPT when that is no whole number or none. What items the file has is
 * settled by records_end. */
int records_add(struct source *source, const struct shelf *shelf, const char *name, int skip, int64_t *records,
                const struct blob **blob, struct error *error);
/* All items of the catalog so far belong to the files so far. `pick` is taken over. */
void records_end(struct source *source, const struct catalog *catalog, uint32_t *pick);

#endif
