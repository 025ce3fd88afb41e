/* data/cache.h -- the passes over all images at opening: measure every header, decode everything if it fits. Of a set
 * that is large and clearly would not fit, only a sample is measured. */
#ifndef DATA_CACHE_H
#define DATA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "data/names/bad.h"
#include "data/names/source.h"
#include "data/tally.h"
#include "image/image.h"

enum {
    CACHE_LARGE = 100000, /* encoded images from which a sample is measured first, */
    CACHE_SAMPLE = 1024   /* of this many */
};

/* Start from {0}; release with cache_free. */
struct cache {
    bool sampled;              /* only a sample was measured: image is NULL, nothing is kept */
    int max_width, max_height; /* of what was measured */
    int median_side;           /* of their shorter sides */
    struct image *image;       /* [items]: width and height (0 x 0: bad), rgb inside the block or NULL when not kept */
    uint8_t *block;            /* all decoded images, or NULL when they do not fit */
    size_t bytes;              /* of decoded images */
    int64_t looked_at, profiles;   /* how many were measured, and of them how many have an ICC profile, */
    int64_t deep;                  /* and how many have 16 bits a channel */
    int64_t deep_item[TALLY_DEEP]; /* the first of those */
    int64_t sheets, first_sheet;   /* sheets that this program drew, which are no images: 0 x 0; -1 */
    int64_t encoded; /* bytes of the encoded images that were measured (of a sample: estimated for all); 0: none are */
};

/* Measures all items on the pool (or a sample, evenly spread, see above), and decodes them into one block if they take
 * at most `limit` bytes (0: a quarter of the machine's memory). Bad images go to the ledger, which judges after each
 * pass. SIMCLR_DATA too when all of a sample are bad. */
int cache_fill(struct cache *cache, const struct source *source, const struct catalog *catalog, size_t limit,
               struct bad_ledger *ledger, struct pool *pool, struct error *error);
void cache_free(struct cache *cache);

/* The bytes that `asked` (0: a quarter of the machine's memory) stands for. */
size_t cache_limit(size_t asked);

#endif
