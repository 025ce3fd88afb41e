/* base/rng.h -- stateless randomness: Philox4x32-10 (Salmon et al. 2011), counter based.
 *
 * Every draw in the program is a function of (seed, purpose, epoch, item, view) and of its number in that stream. So
 * results depend on neither threads nor ranks, and resuming needs no generator state. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* What a stream of draws is for; two purposes never share a counter. */
enum rng_purpose {
    RNG_VIEW = 1,        /* augmentation of one view; item = sample index              */
    RNG_SHUFFLE = 2,     /* the epoch's permutation; item = 0                          */
    RNG_INIT = 3,        /* parameter initialisation; item = hash of the tensor's name */
    RNG_SUBSET = 4,      /* class-balanced label subsets; item = class                 */
    RNG_SYNTHETIC = 5,   /* the built-in data set; item = sample index                 */
    RNG_SPLIT = 6,       /* held-out part of the training set                          */
    RNG_FINETUNE = 7,    /* augmentation in supervised phases                          */
    RNG_RESAMPLE = 8,    /* bootstrap over test images; item = resample                */
    RNG_PERMUTATION = 9, /* exchanged predictions; item = draw                         */
    RNG_CLUSTER = 10,    /* k-means++; item = start                                    */
    RNG_MAP = 11,        /* pairs of a map; item = row, view = kind of pair            */
    RNG_COPIES = 12,     /* copies that an audit looks for; item = row                 */
    RNG_DROPOUT = 13,    /* values that a layer drops; item = image, view = layer, epoch = step */
    RNG_CELLS = 14,      /* rows that a search by cells begins from, and that it is judged on */
    RNG_TEST = 15
};

struct philox_block {
    uint32_t word[4];
};

/* The raw block function: key = 64-bit seed, counter = four words. */
struct philox_block philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

/* A stream of draws. Value type: copy freely, nothing to release. */
struct rng {
    uint64_t key;
    uint32_t counter[4]; /* {block number, purpose << 24 | view, item, epoch} */
    struct philox_block block;
    int used; /* words of `block` already handed out */
};

struct rng rng_open(uint64_t seed, enum rng_purpose purpose, uint32_t epoch, uint32_t item, uint32_t view);

uint32_t rng_word(struct rng *rng);
double rng_uniform(struct rng *rng);                          /* [0, 1), 24 bits: (word >> 8) * 2^-24 */
double rng_between(struct rng *rng, double low, double high); /* low + (high - low) * uniform         */
uint32_t rng_below(struct rng *rng, uint32_t bound);          /* [0, bound), Lemire, unbiased         */
double rng_normal(struct rng *rng);                           /* N(0, 1), Box-Muller, two words a draw */

/* 32-bit FNV-1a of a name: the `item` of RNG_INIT streams. */
uint32_t rng_name_hash(const char *name);

#endif
