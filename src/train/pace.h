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
    double low, high; /* 95 % t-interval of the mean, over blocks of runs or over pieces; NaN where there are too few */
    int64_t count;    /* of runs that were timed */
};

/* Runs once for the caches and to have memory mapped, then for `seconds` and at least three times. Past `most` seconds
 * in all it ends, with one run at least: the first, where that alone took so long. The status is that of a run. */
int pace_measure(struct pace *out, const struct pace_work *work, double seconds, double most, struct error *error);

/* Of pieces of one work that were timed with other things between them: the mean of all their runs. What differs from
 * piece to piece is how the machine's speed changed, so from three pieces on the interval is over their means. One or
 * two have the hull of theirs. count: 1 to PACE_PIECES. */
enum { PACE_PIECES = 4 };
struct pace pace_join(const struct pace *pieces, int count);

#endif
