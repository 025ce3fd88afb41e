/* data/shared.h -- images that two sets have in common: whoever tests on what was trained on measures memory. */
#ifndef DATA_SHARED_H
#define DATA_SHARED_H

#include "data/dataset.h"

/* Looks at up to 64 images of `test`, evenly spread, and counts those that `train` has too: the same file name, the
 * same class (dataset_match_classes came first) and the same contents. *looked_at: of how many. *example: the index in
 * `test` of one, if there is any. Costs one pass over the names of `train`, and a few files read. What cannot be read
 * counts as different; *shared is 0 where there is no memory. */
void dataset_count_shared(struct dataset *train, struct dataset *test, int64_t *looked_at, int64_t *shared,
                          int64_t *example);

#endif
