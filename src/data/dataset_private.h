/* data/dataset_private.h -- what the files of the front share: dataset.c, dataset_numbers.c, contents.c. */
#ifndef DATA_DATASET_PRIVATE_H
#define DATA_DATASET_PRIVATE_H

#include <stdatomic.h>

#include "data/bad_exchange.h"
#include "data/cache.h"
#include "data/dataset.h"
#include "data/names/bad.h"
#include "data/names/catalog.h"
#include "data/names/keep.h"
#include "data/sets/kind.h"

struct dataset {
    char *path;
    struct catalog catalog;
    struct source source;
    struct cache cache;
    struct keep keep; /* uncached sets: of encoded images */
    struct bad_ledger ledger;
    uint32_t *item; /* [count]: the catalog's item of an index: bad images found at opening are left out */
    int64_t count;
    atomic_uchar *found_bad;       /* [count], uncached sets: bad images found since */
    struct tally tally;            /* of the images that were looked at when it was opened */
    uint64_t fingerprint, listing; /* of the images that have numbers, and of all items */
    int64_t numbered_bad;          /* images that were bad at opening and have numbers all the same */
    char description[512];
    struct bad_exchange *exchange; /* with other processes (bad_exchange.h), NULL: none */
    struct dataset *next_shared;   /* in its list */
};

/* The catalog's item of an index. */
static inline int64_t dataset_item(const struct dataset *set, int64_t index)
{
    return set->item != NULL ? set->item[index] : index;
}

/* Fills the empty source and catalog from whatever lies at config->path. On failure both are to be released. */
int dataset_open_kind(struct source *source, struct catalog *catalog, const struct dataset_config *config,
                      struct pool *pool, const struct log *log, struct error *error);

/* Numbers images without gaps: the good ones, or those that the numbering has (of a set whose listing is another one's,
 * the good ones). Bad images that have numbers all the same are marked. SIMCLR_DATA: there is none. */
int dataset_number_images(struct dataset *set, const struct numbering *numbering, struct error *error);

/* Leaves the list that it is in, if any. */
void bad_exchange_leave(struct dataset *dataset);

#endif
