/* optim/schedule.c -- warm-up and cosine. */
#include "optim/schedule.h"

#include <math.h>

double schedule_peak(const struct schedule *schedule)
{
    switch (schedule->scaling) {
    case SCALING_LINEAR:
        return schedule->base * (double)schedule->batch / 256;
    case SCALING_SQRT:
        return schedule->base * sqrt((double)schedule->batch);
    case SCALING_NONE:
        return schedule->base;
    }
    return schedule->base;
}

double schedule_rate(const struct schedule *schedule, int64_t step)
{
    const double pi = 3.14159265358979323846;
    double warmup = schedule->warmup_epochs * (double)schedule->steps_per_epoch;
    double total = schedule->epochs * (double)schedule->steps_per_epoch;
    double at = (double)step, peak = schedule_peak(schedule);
    if (at < warmup) return peak * at / warmup;
    if (at >= total) return 0;
    return peak * 0.5 * (1 + cos(pi * (at - warmup) / (total - warmup)));
}
