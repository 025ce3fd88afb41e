/* command/plan/plan_batch.c -- the largest batch that fits. */
#include "command/plan/plan.h"

struct search {
    struct pretrain *run;
    size_t limit;
    int64_t unit; /* images: batches are so many of them, a group of batch norm for each rank */
};

static int ask(const struct search *search, int64_t units, bool *fits, struct error *error)
{
    struct footprint peak;
    if (session_is_interrupted(search->run->session)) return stop_error(error, "planning");
    const int status = pretrain_peak(search->run, units * search->unit, &peak, error);
    if (status) return status;
    *fits = peak.total - peak.program <= search->limit; /* what a try leaves to the heap is no part of a run */
    return SIMCLR_OK;
}

int plan_largest_batch(struct pretrain *run, int64_t most, size_t limit, int64_t *out, struct error *error)
{
    const int64_t group = run->config->batch_norm_images, ranks = run->config->ranks;
    const struct search search = {run, limit, (group > 0 ? group : 1) * ranks};
    const int64_t least = search.unit > 1 ? 1 : 2;    /* in units, as the following */
    int64_t low = most / search.unit, high = low + 1; /* at last: low fits, high does not */
    bool fits = false;
    int status;
    *out = 0;
    if (low < least) return SIMCLR_OK;
    for (;;) {
        status = ask(&search, low, &fits, error);
        if (status || fits || low == least) break;
        high = low;
        low = low / 2 < least ? least : low / 2;
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
    *out = low * search.unit;
    return SIMCLR_OK;
}
