/* train/pace.h -- how long a thing takes, by doing it for a while. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H

#include <stdint.h>

#include "base/error.h"

struct pace_work {
    int (*run)(void *context, struct error *error); /* once */
    void *context;
    double (*now)(void *context); /* the clock; NULL: clock_seconds */
};

/* Seconds of one run. */
struct pace {
    double mean;
    double low, high; /* 95 % t-interval of the mean over blocks of runs; NaN where there are too few */
    int64_t count;    /* of runs that were timed */
};

/* Runs once for the caches and to have memory mapped, then for `seconds` and at least three times. Past `most` seconds
 * in all it ends, with one run at least: the first, where that alone took so long. The status is that of a run. */
int pace_measure(struct pace *out, const struct pace_work *work, double seconds, double most, struct error *error);

#endif
