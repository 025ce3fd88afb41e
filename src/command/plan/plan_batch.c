/* command/plan/plan_batch.c -- the largest batch that fits. */
#include "command/plan/plan.h"

struct search {
    struct pretrain *run;
    size_t limit;
};

static int ask(const struct search *search, int64_t batch, bool *fits, struct error *error)
{
    struct footprint peak;
    if (session_is_interrupted(search->run->session)) return stop_error(error, "planning");
    const int status = pretrain_peak(search->run, batch, &peak, error);
    if (status) return status;
    *fits = peak.total - peak.program <= search->limit; /* what a try leaves to the heap is no part of a run */
    return SIMCLR_OK;
}

int plan_largest_batch(struct pretrain *run, int64_t most, size_t limit, int64_t *out, struct error *error)
{
    const struct search search = {run, limit};
    bool fits = false;
    int64_t low = most, high = most + 1; /* at last: low fits, high does not */
    *out = 0;
    if (most < 2) return SIMCLR_OK;
    int status;
    for (;;) {
        status = ask(&search, low, &fits, error);
        if (status || fits || low == 2) break;
        high = low;
        low = low / 2 < 2 ? 2 : low / 2;
    }
    if (status || !fits) return status;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        status = ask(&search, middle, &fits, error);
        if (status) return status;
        if (fits)
            low = middle;
        else
            high = middle;
    }
    *out = low;
    return SIMCLR_OK;
}
