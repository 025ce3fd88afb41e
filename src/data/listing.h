/* data/listing.h -- a set as it is listed: each name once, in its order, and each image by itself. For who has
 * something to say of every image, bad ones too: dataset.h leaves those out, and gives others in their stead. */
#ifndef DATA_LISTING_H
#define DATA_LISTING_H

#include "base/pool.h"
#include "data/sets/request.h"

struct listing;

/* Lists what lies at config->path, any kind of set (dataset.h), and reads no image. Of a set with parts those of
 * config->part; with config->subset those that it names (subset.h). log: what is passed over is said there.
 * SIMCLR_DATA: nothing lies there, or no images; SIMCLR_IO: it is no regular file; errors of dataset_open. */
int listing_open(struct listing **out, const struct dataset_config *config, struct pool *pool, const struct log *log,
                 struct error *error);
/* A picture more, which need not be there; *listing NULL: the first of a new one. For listings of pictures alone. */
int listing_add_picture(struct listing **listing, const char *path, struct error *error);
/* Is there a file that begins as a picture does, or is it called as one? Such a name is that of an image, which may be
 * damaged, missing, a pipe, or of a format that is not read. A folder is no picture. */
bool listing_is_picture(const char *path);
/* Whether a set of some kind lies at `path`, of which nothing is opened. SIMCLR_DATA, SIMCLR_IO: as of listing_open. */
int listing_look(const char *path, struct error *error);
void listing_close(struct listing **listing); /* nulls; NULL is fine */

int64_t listing_count(const struct listing *listing);
const char *listing_name(const struct listing *listing, int64_t item);
/* The pixels, in `storage`, which holds nothing ({0}) or an earlier picture that may be reused; image_free at the end,
 * also after a failure. header: what it says of them, {0} where there is none; NULL: nobody asks. Any thread may call
 * it, each with its own storage. */
int listing_read(const struct listing *listing, int64_t item, struct image *storage, struct image_header *header,
                 struct error *error);
/* May the failure be put down to the image? (No memory may not.) */
bool listing_is_image_fault(int status);

#endif
