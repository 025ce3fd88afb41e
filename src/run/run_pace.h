/* run/run_pace.h -- how long a step of a run takes, from its lines of metrics. */
#ifndef RUN_RUN_PACE_H
#define RUN_RUN_PACE_H

#include <stddef.h>

/* What lies between two lines: more than 0 steps, in more than 0 seconds. */
struct run_stretch {
    double steps, seconds;
};

/* Seconds a step over these stretches, but for those whose steps took 20 times as long as those of the median one: the
 * run was stopped for a while. NaN where there are none. scratch: [count]. */
double run_pace(const struct run_stretch *stretches, size_t count, double *scratch);

#endif
