/* base/stop.h -- a request to end early, which long work looks at between two parts of itself. */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/* A value; {0}: nobody asks. The flag outlives it, and is set from a signal handler or another thread: atomic, and
 * without a lock. */
struct stop {
    const atomic_int *flag;
};
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may only touch atomics that need no lock");

static inline bool stop_is_asked(struct stop stop)
{
    return stop.flag && atomic_load_explicit(stop.flag, memory_order_relaxed) != 0;
}

/* SIMCLR_INTERRUPTED with its sentence: `what` was under way. */
static inline int stop_error(struct error *error, const char *what)
{
    return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request", what);
}

#endif
