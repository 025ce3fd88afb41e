/* data/sets/kind.h -- the kinds of data sets, and how each is told from the others: one row of a table in kinds.c. */
#ifndef DATA_KIND_H
#define DATA_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/dataset.h"
#include "data/names/catalog.h"
#include "data/names/source.h"

enum { KIND_HEAD_BYTES = 512 }; /* what recognisers see of a file */

/* What a set is opened from; borrowed while it is opened. */
struct set_request {
    const char *path;
    int part; /* 0 train, 1 test */
    const struct dataset_config *config;
    const struct log *log;
};

/* A path as recognisers see it. `head` holds the first bytes of a file; a folder has none. */
struct set_place {
    const char *path;
    bool exists, folder;
    uint8_t head[KIND_HEAD_BYTES];
    size_t head_bytes;
};

struct set_kind {
    const char *name;
    bool (*is)(const struct set_place *place); /* the first row that says yes opens the set */
    /* Fills the empty catalog and opens the source of it; on failure both are to be released by the caller
     * (source.close where it is set). SIMCLR_DATA: no images or not the part; SIMCLR_CORRUPT: not what it should be. */
    int (*open)(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
    /* Whether there is a test part apart from the training images: without opening the set. NULL: no. */
    bool (*has_test)(const char *path);
};

/* dataset_open for what is opened already, whatever it is: source and catalog are taken over and left empty, also on
 * failure. config->path is what sentences call the set. */
int dataset_open_source(struct dataset **out, struct source *source, struct catalog *catalog,
                        const struct dataset_config *config, struct pool *pool, const struct log *log,
                        struct error *error);

/* The kind of what lies at `path`. SIMCLR_DATA when nothing does. */
int kind_find(const struct set_kind **out, const char *path, struct error *error);

/* Whether `folder` has a file, or a folder, of this name. Allocates nothing: a set must not be taken for something else
 * because memory is short. */
bool kind_has_file(const char *folder, const char *name);
bool kind_has_folder(const char *folder, const char *name);
bool kind_starts_with(const struct set_place *place, const char *magic, size_t count);

bool synthetic_is(const struct set_place *place);
int synthetic_set_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                       struct error *error);
bool synthetic_has_test(const char *path);

bool cifar_is(const struct set_place *place);
int cifar_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool cifar_has_test(const char *path);

bool stl10_is(const struct set_place *place);
int stl10_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool stl10_has_test(const char *path);

int folder_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool folder_has_test(const char *path);

int list_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);

/* Raw packs: one file, or a folder of train.pack and test.pack (data/sets/pack.h). */
bool pack_is(const struct set_place *place);
int pack_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool pack_has_test(const char *path);

/* Tar archives: one; several named with braces, shard-{000..099}.tar; all of a folder. */
bool tar_kind_is(const struct set_place *place);
int tar_kind_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool tar_kind_has_test(const char *path);
bool shards_is(const struct set_place *place);
int shards_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool shard_folder_is(const struct set_place *place);
int shard_folder_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                      struct error *error);
bool shard_folder_has_test(const char *path);

/* Tar archives packed with gzip or zstd. */
bool packed_is(const struct set_place *place);
int packed_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool packed_has_test(const char *path);

bool zip_is(const struct set_place *place);
int zip_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error);
bool zip_has_test(const char *path);

#endif
