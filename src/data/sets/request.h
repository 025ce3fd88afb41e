/* data/sets/request.h -- what a set is opened from. */
#ifndef DATA_REQUEST_H
#define DATA_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/stop.h"
#include "image/image.h"

enum dataset_part { DATASET_TRAIN, DATASET_TEST };

struct numbering; /* data/numbering.h */

struct dataset_config {
    /* A folder of images (sub-folders are classes; if it has `train` and `test` or `val` sub-folders, `part`
     * picks one), a text list `path[<tab>label]` (paths relative to the list), a tar (plain or packed with gzip or
     * zstd) or zip archive, tar shards named with braces (x-{000..099}.tar) or a folder of them, the binaries of
     * CIFAR-10/100 or STL-10, in a folder or the .tar.gz they are downloaded as, or the word `synthetic`. */
    const char *path;
    enum dataset_part part;
    size_t cache_bytes;      /* memory for images, decoded, or encoded where those do not fit; 0: a quarter of RAM */
    bool keep_nothing;       /* no image stays in memory: each is looked at once. What must be unpacked still may */
    double max_bad;          /* share of unreadable images that is still accepted, 0.01 (never all of them) */
    int64_t synthetic_count; /* images of `synthetic`, 0: 8192 train, 2048 test */
    int synthetic_size;      /* 0: 32 */
    uint64_t synthetic_seed;
    struct image_limits limits;
    /* What of STL-10 belongs to DATASET_TRAIN: `train`, `unlabeled`, `train+unlabeled`, `fold0` to `fold9`. */
    const char *stl10_part;
    /* How a run numbered the images; NULL: as they are now. Where the listing is still the same, its numbers are given:
     * an image that is bad only now keeps its number, and another stands in for it. Borrowed. */
    const struct numbering *numbering;
    /* A list of names, of which only the images are taken (data/subset.h); NULL: all. `other_part`: where the other
     * part lies, whose names it may have too; NULL: at `path`, if there is one. Both borrowed. */
    const char *subset, *other_part;
    const char *cache_folder; /* for indices of archives and unpacked ones; NULL: the user's; `none`: nowhere */
};
struct dataset_config dataset_config_default(void);

/* One opening; borrowed meanwhile. */
struct set_request {
    const char *path;
    int part; /* 0 train, 1 test */
    const struct dataset_config *config;
    const struct log *log;
    struct stop stop; /* ends the opening with SIMCLR_INTERRUPTED */
};

#endif
