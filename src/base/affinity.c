/* base/affinity.c -- see affinity.h. */
#include "base/affinity.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int affinity_count(const struct affinity *set)
{
    int count = 0;
    for (int i = 0; i < AFFINITY_MOST / 64; i++) count += __builtin_popcountll(set->bits[i]);
    return count;
}

/* A cpu_set_t is an array of longs with the lowest processor in the lowest bit, whatever the size of a long. */
static bool is_in(const cpu_set_t *sets, int processor)
{
    return CPU_ISSET_S((size_t)processor, AFFINITY_MOST / 8, sets);
}

enum { SETS = AFFINITY_MOST / 8 / sizeof(cpu_set_t) };

struct affinity affinity_now(void)
{
    struct affinity set = {{0}};
    cpu_set_t sets[SETS];
    memset(sets, 0, sizeof sets);
    if (sched_getaffinity(0, sizeof sets, sets) == 0)
        for (int i = 0; i < AFFINITY_MOST; i++)
            if (is_in(sets, i)) affinity_add(&set, i);
    return set;
}

bool affinity_apply(const struct affinity *set)
{
    cpu_set_t sets[SETS];
    memset(sets, 0, sizeof sets);
    for (int i = 0; i < AFFINITY_MOST; i++)
        if (affinity_has(set, i)) CPU_SET_S((size_t)i, sizeof sets, sets);
    return affinity_count(set) > 0 && sched_setaffinity(0, sizeof sets, sets) == 0;
}

/* How many allowed processors of this one's core come before it. The list has the form "0-1,64-65". */
static int place_in_core(const struct affinity *allowed, int processor, const char *folder)
{
    char path[256], list[256];
    const int length = snprintf(path, sizeof path, "%s/cpu%d/topology/thread_siblings_list", folder, processor);
    FILE *file = length > 0 && length < (int)sizeof path ? fopen(path, "re") : NULL;
    if (file == NULL) return 0;
    const char *text = fgets(list, sizeof list, file);
    int place = 0;
    while (text != NULL && *text >= '0' && *text <= '9') {
        char *end;
        const long first = strtol(text, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        for (long i = first; i <= last && i < processor; i++) place += affinity_has(allowed, (int)i);
        text = *end == ',' ? end + 1 : NULL;
    }
    fclose(file);
    return place;
}

bool affinity_divide(const struct affinity *allowed, int threads, const char *folder, struct affinity *computing,
                     struct affinity *others)
{
    enum { DEEP = 8 }; /* threads of a core that are told apart */
    *computing = *others = (struct affinity){{0}};
    int left = threads;
    if (threads < 1 || affinity_count(allowed) <= threads) return false;
    for (int place = 0; place <= DEEP && left > 0; place++)
        for (int i = 0; i < AFFINITY_MOST && left > 0; i++) {
            if (!affinity_has(allowed, i) || affinity_has(computing, i)) continue;
            if (place < DEEP && place_in_core(allowed, i, folder) != place) continue;
            affinity_add(computing, i);
            left--;
        }
    for (int i = 0; i < AFFINITY_MOST; i++)
        if (affinity_has(allowed, i) && !affinity_has(computing, i)) affinity_add(others, i);
    return true;
}
