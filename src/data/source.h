/* data/source.h -- where the pixels of a catalog's items come from: files, CIFAR records, our own drawing. */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/catalog.h"
#include "image/image.h"

/* Any thread may call size and read, also at the same time. */
struct source {
    void *self;
    /* Width and height of an item without decoding it. */
    int (*size)(void *self, const struct catalog *catalog, int64_t item, int *width, int *height, struct error *error);
    /* Decodes an item into `storage`, which holds nothing ({0}) or an earlier picture that may be reused; on
     * failure it still is something for image_free. */
    int (*read)(void *self, const struct catalog *catalog, int64_t item, struct image *storage, struct error *error);
    void (*close)(void *self);
};

/* Makes `storage` a picture of width x height with undefined contents, reusing its memory when the size fits. */
int source_reserve(struct image *storage, int width, int height, struct error *error);

/* Image files named by the catalog. */
int source_open_files(struct source *out, const struct image_limits *limits, struct error *error);

/* Each fills the empty `catalog` and opens the source of it; on failure both are to be released by the caller
 * (source.close where it is set). part: 0 train, 1 test. */

/* folder.c: a folder of images. SIMCLR_DATA when it has none, or not the part. */
int folder_open(struct source *out, struct catalog *catalog, const char *path, int part,
                const struct image_limits *limits, struct error *error);
/* list.c: a text file of `path[<tab>label]` lines. SIMCLR_CORRUPT for a line that is none. */
int list_open(struct source *out, struct catalog *catalog, const char *path, const struct image_limits *limits,
              struct error *error);
/* cifar.c: CIFAR-10/100 binaries. SIMCLR_CORRUPT for wrong sizes or labels. */
bool cifar_is(const char *path);
int cifar_open(struct source *out, struct catalog *catalog, const char *path, int part, struct error *error);
/* synthetic.c: `count` drawn pictures of size x size. SIMCLR_INVALID for a size outside [8, 1024] or no pictures. */
int synthetic_open(struct source *out, struct catalog *catalog, uint64_t seed, int part, int64_t count, int size,
                   struct error *error);

#endif
