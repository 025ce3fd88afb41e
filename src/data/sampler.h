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

/* A class-balanced, seeded subset: round(share * class size) images of each class, at least one; sorted.
 * *out: new block of *count indices (memory_free). SIMCLR_DATA when the set has no labels. */
int sampler_subset(const struct dataset *dataset, double share, uint64_t seed, uint32_t **out, uint32_t *count,
                   struct error *error);

#endif
