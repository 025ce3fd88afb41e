/* base/rng.c -- Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
#include "base/rng.h"

#include <math.h>

enum { ROUNDS = 10 };

struct philox_block philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t key0 = (uint32_t)key;
    uint32_t key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
        c3 = (uint32_t)product0;
        key0 += 0x9E3779B9u; /* Weyl sequence: the golden ratio ... */
        key1 += 0xBB67AE85u; /* ... and sqrt(3) - 1, as 32-bit fractions */
    }
    return (struct philox_block){{c0, c1, c2, c3}};
}

struct rng rng_open(uint64_t seed, enum rng_purpose purpose, uint32_t epoch, uint32_t item, uint32_t view)
{
    struct rng rng = {.key = seed, .used = 4};
    rng.counter[1] = (uint32_t)purpose << 24 | (view & 0xFFFFFFu);
    rng.counter[2] = item;
    rng.counter[3] = epoch;
    return rng;
}

uint32_t rng_word(struct rng *rng)
{
    if (rng->used == 4) {
        rng->block = philox(rng->key, rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block.word[rng->used++];
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_word(rng) >> 8) * 0x1p-24;
}

double rng_between(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_uniform(rng);
}

/* Lemire, "Fast random integer generation in an interval", 2019: multiply, keep the high half, and reject the few
 * low halves that would make some results more likely. */
uint32_t rng_below(struct rng *rng, uint32_t bound)
{
    if (bound == 0) return 0;
    uint64_t product = (uint64_t)rng_word(rng) * bound;
    const uint32_t threshold = (uint32_t)-bound % bound; /* 2^32 mod bound */
    while ((uint32_t)product < threshold) product = (uint64_t)rng_word(rng) * bound;
    return (uint32_t)(product >> 32);
}

double rng_normal(struct rng *rng)
{
    const double two_pi = 6.283185307179586476925286766559;
    const double radius_draw = ((double)rng_word(rng) + 1.0) * 0x1p-32; /* (0, 1]: the logarithm stays finite */
    const double angle_draw = (double)rng_word(rng) * 0x1p-32;
    return sqrt(-2.0 * log(radius_draw)) * cos(two_pi * angle_draw);
}

uint32_t rng_name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}
