/* run/progress.h -- one step of long work, for who watches. The api turns it into simclr_progress. */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include <math.h>
#include <stdint.h>

struct progress {
    const char *phase;   /* "pretrain", "features", "linear", ... */
    int64_t step, steps; /* of the phase; steps -1: not known */
    double epoch, epochs;
    double views_per_second, wait_share, eta_seconds;
    double loss, chance_loss, top1, learning_rate; /* NaN, here and above: not known */
};

/* Step `step` of `steps`; all else is not known yet. */
static inline struct progress progress_at(const char *phase, int64_t step, int64_t steps)
{
    return (struct progress){.phase = phase,
                             .step = step,
                             .steps = steps,
                             .epoch = NAN,
                             .epochs = NAN,
                             .views_per_second = NAN,
                             .wait_share = NAN,
                             .eta_seconds = NAN,
                             .loss = NAN,
                             .chance_loss = NAN,
                             .top1 = NAN,
                             .learning_rate = NAN};
}

#endif
