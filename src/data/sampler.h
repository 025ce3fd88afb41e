/* data/sampler.h -- the order of an epoch, and class-balanced subsets. */
#ifndef DATA_SAMPLER_H
#define DATA_SAMPLER_H

#include <stdint.h>

#include "base/error.h"
#include "data/dataset.h"

/* Fisher-Yates from (seed, epoch): the same permutation of [0, count) on every machine. order: [count]. */
void sampler_permutation(uint64_t seed, uint32_t epoch, uint32_t count, uint32_t *order);

/* A new block (memory_free) of all numbers in [0, count) in an order that is no epoch's: its first n are a sample of n.
 */
int sampler_sample(uint64_t seed, uint32_t count, uint32_t **out, struct error *error);

/* A fixed tenth of the images that have a label, for choices: a tenth of each class to within one image, from the seed
 * alone. held: [dataset_count] set to 1 for the images of the tenth, else to 0. Of two to five labelled images one is
 * held, of fewer none. Returns how many are, or SIMCLR_NO_MEMORY. */
int64_t sampler_hold_tenth(const struct dataset *dataset, uint64_t seed, uint8_t *held, struct error *error);

/* How many labels: `per_class` of each class, or of its images as many as there are; where that is 0, a share of each
 * class, round(share * size), at least one. */
struct sampler_labels {
    int64_t per_class;
    double share; /* above 0, up to 1 */
};
/* A class-balanced, seeded subset; sorted. With one seed, that of more labels holds that of fewer.
 * *out: new block of *count indices (memory_free). SIMCLR_DATA when the set has no labels. */
int sampler_subset(const struct dataset *dataset, struct sampler_labels labels, uint64_t seed, uint32_t **out,
                   uint32_t *count, struct error *error);

#endif
