/* data/names/source.h -- where the pixels of a catalog's items come from: files, members of archives, raw records, our
 * own drawing. How a kind of set is found and opened is in sets/kind.h. */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/names/catalog.h"
#include "image/image.h"

/* Encoded bytes of one image, in a block of their own (memory_free). */
struct encoded {
    uint8_t *bytes;
    size_t count;
    bool whole;    /* there are no more than these: */
    int64_t total; /* how many the image has */
};

struct keep;

/* Either `fetch`, for images that are encoded (JPEG, PNG, ...), or `size` and `read`, for pixels that never were.
 * Any thread may call them, also at the same time. */
struct source {
    void *self;
    struct image_limits limits; /* of decoding what fetch gives */
    bool in_memory;             /* what fetch gives is a copy of memory: nothing is gained by keeping it */
    struct keep *keep;          /* of what was fetched whole; borrowed, NULL: none */
    /* The first `at_most` bytes of an item, or all of them if there are fewer. SIMCLR_UNSUPPORTED for an item of more
     * than limits.max_bytes. On failure *out is {0}. */
    int (*fetch)(const struct source *source, const struct catalog *catalog, int64_t item, size_t at_most,
                 struct encoded *out, struct error *error);
    /* Width and height of an item without decoding it. */
    int (*size)(void *self, const struct catalog *catalog, int64_t item, int *width, int *height, struct error *error);
    /* Makes the pixels of an item in `storage`, which holds nothing ({0}) or an earlier picture that may be reused; on
     * failure it still is something for image_free. */
    int (*read)(void *self, const struct catalog *catalog, int64_t item, struct image *storage, struct error *error);
    void (*close)(void *self);
};

/* The same two for every source: by the functions above, or by fetching and decoding. Of pixels that never were encoded
 * the header has only a size. *bytes: of the encoded image, 0 for such pixels. */
int source_header(const struct source *source, const struct catalog *catalog, int64_t item, struct image_header *out,
                  int64_t *bytes, struct error *error);
int source_read(const struct source *source, const struct catalog *catalog, int64_t item, struct image *storage,
                struct error *error);
/* source_read, and what the header says, also of a picture whose pixels are damaged: {0} where there is none. */
int source_read_both(const struct source *source, const struct catalog *catalog, int64_t item, struct image *storage,
                     struct image_header *header, struct error *error);

/* All bytes of an image of a source with `fetch`: what is kept of it, or else fetched and kept. *kept: they are the
 * keep's and not to be freed. */
int source_fetch_whole(const struct source *source, const struct catalog *catalog, int64_t item, struct encoded *out,
                       bool *kept, struct error *error);

/* Makes `storage` a picture of width x height with undefined contents, reusing its memory when the size fits. */
int source_reserve(struct image *storage, int width, int height, struct error *error);

/* Whether a file of this name is taken for an image: .jpg, .jpeg, .jpe, .jfif, .png or .webp in any case of letters,
 * and .tif and .tiff where TIFF is read. In endings.c. */
bool source_is_image_name(const char *name);

#endif
