/* support/random.h -- tests only: numbers that are the same in every run. Streams of the program's own generator. */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include "base/rng.h"

/* Stream `item` of standard normal values. */
static inline void random_normals(float *values, size_t count, uint32_t item)
{
    struct rng rng = rng_open(11, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_normal(&rng);
}

/* Stream `item` of values from -1 to 1. */
static inline void random_floats(float *values, size_t count, uint32_t item)
{
    struct rng rng = rng_open(12, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)(2 * rng_uniform(&rng) - 1);
}

#endif
