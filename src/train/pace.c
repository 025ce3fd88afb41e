/* train/pace.c -- see pace.h. */
#include "train/pace.h"

#include <math.h>

#include "base/clock.h"
#include "eval/statistics.h"

enum { BLOCKS = 20, RUNS_LEAST = 3 };

/* Runs in order, in blocks of equal numbers: neighbours in time depend on each other, blocks hardly do. */
struct blocks {
    double sums[2 * BLOCKS];
    int64_t runs; /* of a block */
    int count;    /* of full blocks */
    int64_t in_last;
    double last; /* the sum of the block that is not full */
};

static void blocks_add(struct blocks *blocks, double seconds)
{
    blocks->last += seconds;
    if (++blocks->in_last < blocks->runs) return;
    blocks->sums[blocks->count++] = blocks->last;
    blocks->last = 0;
    blocks->in_last = 0;
    if (blocks->count < 2 * BLOCKS) return;
    for (int i = 0; i < BLOCKS; i++) blocks->sums[i] = blocks->sums[(size_t)2 * i] + blocks->sums[(size_t)2 * i + 1];
    blocks->count = BLOCKS;
    blocks->runs *= 2;
}

static double now(const struct pace_work *work)
{
    return work->now ? work->now(work->context) : clock_seconds();
}

static int run_once(const struct pace_work *work, double *seconds, struct error *error)
{
    const double start = now(work);
    const int status = work->run(work->context, error);
    *seconds = now(work) - start;
    return status;
}

int pace_measure(struct pace *out, const struct pace_work *work, double seconds, double most, struct error *error)
{
    struct blocks blocks = {.runs = 1};
    struct interval interval = {NAN, NAN};
    double each, sum = 0, mean;
    const double start = now(work);
    int status = run_once(work, &each, error);
    if (status) return status;
    *out = (struct pace){.mean = each, .low = NAN, .high = NAN, .count = 1};
    if (each > most) return SIMCLR_OK;
    int64_t count = 0;
    while (sum < seconds || count < RUNS_LEAST) {
        if (count > 0 && now(work) - start > most) break;
        status = run_once(work, &each, error);
        if (status) return status;
        blocks_add(&blocks, each);
        sum += each;
        count++;
    }
    if (blocks.count >= RUNS_LEAST) {
        for (int i = 0; i < blocks.count; i++) blocks.sums[i] /= (double)blocks.runs;
        statistics_over_seeds(&mean, &interval, blocks.sums, blocks.count);
    }
    *out = (struct pace){sum / (double)count, interval.low, interval.high, count};
    return SIMCLR_OK;
}

struct pace pace_join(const struct pace *pieces, int count)
{
    struct pace all = {.low = pieces[0].low, .high = pieces[0].high};
    double means[PACE_PIECES], sum = 0, plain;
    struct interval interval;
    for (int i = 0; i < count; i++) {
        means[i] = pieces[i].mean;
        sum += pieces[i].mean * (double)pieces[i].count;
        all.count += pieces[i].count;
        all.low = fmin(all.low, pieces[i].low);
        all.high = fmax(all.high, pieces[i].high);
    }
    all.mean = sum / (double)all.count;
    if (count < RUNS_LEAST) return all;
    statistics_over_seeds(&plain, &interval, means, count);
    all.low = all.mean + interval.low - plain;
    all.high = all.mean + interval.high - plain;
    return all;
}
