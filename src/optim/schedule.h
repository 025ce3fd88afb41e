/* optim/schedule.h -- the learning rate of each step (method.md section 5; `schedule` in the reference). */
#ifndef OPTIM_SCHEDULE_H
#define OPTIM_SCHEDULE_H

#include <stdint.h>

/* The peak: base * batch / 256, base * sqrt(batch), or base. */
enum scaling { SCALING_LINEAR, SCALING_SQRT, SCALING_NONE };

struct schedule {
    double base; /* 0.3 (linear) or 0.075 (square root) */
    enum scaling scaling;
    int64_t batch;
    int64_t steps_per_epoch;
    double epochs, warmup_epochs;
};
double schedule_peak(const struct schedule *schedule);
/* Linear from 0 over the warm-up, then cosine to 0; step counts from 0. */
double schedule_rate(const struct schedule *schedule, int64_t step);

#endif
