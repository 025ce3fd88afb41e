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

/* Divides `allowed` between `threads` threads that compute and others: *computing gets as many processors, one of each
 * core before a core's second one, *others what is left. `folder` is where Linux describes processors
 * (AFFINITY_SYSTEM; tests have another); what it does not tell counts as a core of its own. False when nothing would be
 * left for others. */
#define AFFINITY_SYSTEM "/sys/devices/system/cpu"
bool affinity_divide(const struct affinity *allowed, int threads, const char *folder, struct affinity *computing,
                     struct affinity *others);

#endif
