/* base/pool.h -- the one thread pool: compute, views and evaluation all run on it.
 *
 * Threads spin briefly, then sleep. The calling thread works too, as thread 0, so a pool of one starts no
 * thread at all. Calls on one pool must not overlap; a call from inside a task runs serially inline. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

#include "base/affinity.h"
#include "base/error.h"
#include "base/stop.h"

struct pool;

/* threads >= 1, or 0 for pool_available_cpus. */
int pool_create(struct pool **out, int threads, struct error *error);
void pool_destroy(struct pool **pool); /* nulls; NULL is fine */
int pool_threads(const struct pool *pool);
/* CPUs in the calling thread's affinity mask; fewer where its control group has a quota of processor time (cgroup.h),
 * rounded down. */
int pool_available_cpus(void);
int pool_processors(const struct pool *pool); /* the same of the thread that created the pool, when it did */
double pool_quota(const struct pool *pool);   /* the quota that made it fewer, 1.5 for instance; 0: none did */

/* Who works on the pool for long looks at this between two parts of it, and returns SIMCLR_INTERRUPTED. The pool itself
 * drops nothing. Set while no job runs. */
void pool_set_stop(struct pool *pool, struct stop stop);
struct stop pool_stop(const struct pool *pool);
bool pool_is_stopped(const struct pool *pool);

/* Confines the pool's threads, the calling one among them, to as many processors as it has threads, and tells which of
 * those that it was created with are then left to others. NULL, and nothing changed, where none would be left or the
 * system refuses. May be done again: the last pool_release ends it. Same thread as pool_run's caller; not in a task. */
const struct affinity *pool_confine(struct pool *pool);
void pool_release(struct pool *pool); /* once for each pool_confine that gave a set */

/* Calls task(context, index, thread) for each index in [0, count), handed out dynamically one by one;
 * returns when all are done. Which thread gets which index is not deterministic. */
typedef void pool_task(void *context, int64_t index, int thread);
void pool_run(struct pool *pool, int64_t count, pool_task *task, void *context);

/* Calls part(context, thread, threads) exactly once on every thread; returns when all are done. For static
 * splits: the work of a given thread is then the same in every run with the same thread count. */
typedef void pool_part(void *context, int thread, int threads);
void pool_split(struct pool *pool, pool_part *part, void *context);

/* A barrier for use inside one pool_split call: every thread of the pool must reach it. */
void pool_barrier(struct pool *pool);

/* The range [*begin, *end) of [0, count) that belongs to `part` of `parts`, sizes differing by at most 1. */
static inline void pool_share(int64_t count, int part, int parts, int64_t *begin, int64_t *end)
{
    *begin = count * part / parts;
    *end = count * (part + 1) / parts;
}

#endif
