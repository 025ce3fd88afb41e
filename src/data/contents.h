/* data/contents.h -- what the images of a set are, and not only what they are called: to know a set again, and to find
 * images that two sets have in common. */
#ifndef DATA_CONTENTS_H
#define DATA_CONTENTS_H

#include "data/dataset.h"

/* What a digest is of: the pixels, or the bytes of the image's file. */
enum contents { CONTENTS_PIXELS, CONTENTS_FILES };

/* What costs least for both sets and can be compared: pixels where they are in memory or were never encoded. */
enum contents contents_of_both(const struct dataset *a, const struct dataset *b);

/* digest: [dataset_count], one for each image; 0 where it cannot be read. Different images have the same one by a
 * chance of 2^-64. SIMCLR_INTERRUPTED, SIMCLR_NO_MEMORY. */
int contents_digest(struct dataset *set, enum contents contents, struct pool *pool, uint64_t *digest,
                    struct error *error);

/* A digest of the set as it is now: names and order of the images, and of the archives that hold them, or
 * of each one's file, the size and the times of the last modification and change. Of images that were never encoded
 * (CIFAR, STL-10, synthetic) and of others whose files cannot be found but whose pixels are in memory: the pixels. It
 * does not depend on what is in memory otherwise. *out 0: it cannot be told. */
int contents_state(struct dataset *set, struct pool *pool, uint64_t *out, struct error *error);

#endif
