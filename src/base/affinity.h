/* base/affinity.h -- on which processors threads may run. */
#ifndef BASE_AFFINITY_H
#define BASE_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

enum { AFFINITY_MOST = 16384 }; /* processors that can be named */

/* A set of processors: start from {0}. */
struct affinity {
    uint64_t bits[AFFINITY_MOST / 64];
};

static inline bool affinity_has(const struct affinity *set, int processor)
{
    return processor >= 0 && processor < AFFINITY_MOST && (set->bits[processor / 64] >> (processor % 64) & 1) != 0;
}

static inline void affinity_add(struct affinity *set, int processor)
{
    if (processor >= 0 && processor < AFFINITY_MOST) set->bits[processor / 64] |= (uint64_t)1 << (processor % 64);
}

int affinity_count(const struct affinity *set);

/* Where the calling thread may run; the empty set when the system does not say. */
struct affinity affinity_now(void);

/* Confines the calling thread to `set`. False, and nothing changed, when the system refuses or the set is empty. */
bool affinity_apply(const struct affinity *set);

/* Splits `allowed` in two. *computing gets `threads` processors: first one of each core, then the second ones. *others
 * gets the rest. False if nothing would be left. `folder`: AFFINITY_SYSTEM, or a fake one in tests; a processor that it
 * does not describe counts as a core. */
#define AFFINITY_SYSTEM "/sys/devices/system/cpu"
bool affinity_divide(const struct affinity *allowed, int threads, const char *folder, struct affinity *computing,
                     struct affinity *others);

#endif
