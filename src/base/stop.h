/* base/stop.h -- a request to end early, which long work looks at between two parts of itself. */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>

#include "base/error.h"

/* A value; {0}: nobody asks. The flag, a sig_atomic_t (whose header would bring all of unistd.h here), outlives it, and
 * is set from a signal handler or another thread. */
struct stop {
    const volatile int *flag;
};

static inline bool stop_is_asked(struct stop stop)
{
    return stop.flag && __atomic_load_n(stop.flag, __ATOMIC_RELAXED) != 0;
}

/* SIMCLR_INTERRUPTED with its sentence: `what` was under way. */
static inline int stop_error(struct error *error, const char *what)
{
    return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request", what);
}

#endif
