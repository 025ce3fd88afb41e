/* data/sets/kind.h -- the kinds of data sets, and how each is told from the others. A format is a file of its own,
 * which exports one `const struct set_kind`, a line below and a row of the table in kinds.c. */
#ifndef DATA_KIND_H
#define DATA_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/names/catalog.h"
#include "data/names/source.h"
#include "data/sets/request.h"

enum { KIND_HEAD_BYTES = 512 }; /* what recognisers see of a file */

/* A path as recognisers see it. `head` holds the first bytes of a file; a folder has none. */
struct set_place {
    const char *path;
    bool exists, folder;
    uint8_t head[KIND_HEAD_BYTES];
    size_t head_bytes;
};

struct set_kind {
    const char *name;
    /* Whether it is one of these. Files are told apart by their first bytes, never by their names; the first kind of
     * the table that says yes opens the set. SIMCLR_IO: what is there cannot be looked at. */
    int (*is)(const struct set_place *place, bool *out, struct error *error);
    /* Fills the empty catalog and opens the source of it; on failure both are to be released by the caller
     * (source.close where it is set). SIMCLR_DATA: no images or not the part; SIMCLR_CORRUPT: not what it should be. */
    int (*open)(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
    /* Whether there is a test part apart from the training images: without opening the set. "It cannot be told" is a
     * status, not a no. NULL: no. */
    int (*has_test)(const char *path, bool *out, struct error *error);
};

/* The kind of what lies at `path`. SIMCLR_DATA when nothing does. */
int kind_find(const struct set_kind **out, const char *path, struct error *error);

/* SIMCLR_DATA with what a file that begins with these bytes is and what to do, where the table of signatures knows it
 * and it is no set; else SIMCLR_OK. */
int kind_refuse_file(const uint8_t *bytes, size_t count, const char *path, struct error *error);

/* The same for a folder without images, by the names of what lies in it. */
int kind_refuse_folder(const char *path, struct error *error);

/* `is` of a kind that is told by bytes: says whether, and SIMCLR_OK. */
int kind_answer(bool *out, bool answer);

/* Whether a file begins with these bytes. */
bool kind_starts_with(const struct set_place *place, const char *magic, size_t count);

extern const struct set_kind synthetic_kind;    /* synthetic.c: the word `synthetic` */
extern const struct set_kind cifar_kind;        /* cifar.c: a folder of CIFAR's binaries */
extern const struct set_kind stl10_kind;        /* stl10.c: a folder of STL-10's binaries */
extern const struct set_kind pack_kind;         /* pack.c: a raw pack, or a folder of train.pack and test.pack */
extern const struct set_kind folder_kind;       /* folder.c: a folder of images */
extern const struct set_kind list_kind;         /* list.c: a text list of images */
extern const struct set_kind tar_kind;          /* tar_set.c: a tar archive */
extern const struct set_kind packed_kind;       /* packed_set.c: a tar archive packed with gzip or zstd */
extern const struct set_kind zip_kind;          /* zip_set.c: a zip archive */
extern const struct set_kind shards_kind;       /* shard_set.c: tar archives named with braces, shard-{000..099}.tar */
extern const struct set_kind shard_folder_kind; /* shard_set.c: all tar archives of a folder */
extern const struct set_kind archive_folder_kind; /* archive_folder.c: one archive of another kind in a folder */

#endif
