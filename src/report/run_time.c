/* report/run_time.c -- how long a run trained: without pauses between starts, and without what is done between epochs.
 */
#include "report/run_time.h"

#include <math.h>

#include "base/memory.h"
#include "run/run_pace.h"

/* Of the epochs that say it; the steps behind them as fast as theirs. NaN: none says it. */
static double by_epochs(const struct metrics_history *metrics)
{
    double sum = 0, step = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        const double *seconds = metrics_find(&metrics->rows[i], "epoch/seconds");
        if (!seconds || !(*seconds > 0) || !isfinite(*seconds)) continue;
        sum += *seconds;
        step = (double)metrics->rows[i].step;
    }
    return step > 0 ? sum * fmax(1, (double)metrics->rows[metrics->count - 1].step / step) : NAN;
}

/* The steps of the lines; a training that follows on another counts them anew. Lines of one step are one: what lies
 * between them is no step. */
static double steps_of(struct run_stretch *stretches, size_t *count, const struct metrics_history *metrics)
{
    double all = 0, step = 0, wall = NAN;
    *count = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        const struct metrics_row *row = &metrics->rows[i];
        const double steps = (double)row->step - step, seconds = row->wall_time - wall;
        if (steps < 0) all += step;
        if (steps > 0 && step > 0 && seconds > 0 && isfinite(seconds))
            stretches[(*count)++] = (struct run_stretch){steps, seconds};
        step = (double)row->step;
        wall = row->wall_time;
    }
    return all + step;
}

int run_time_find(double *seconds, bool *paced, const struct metrics_history *metrics, struct error *error)
{
    *paced = false;
    *seconds = metrics->count > 0 ? by_epochs(metrics) : NAN;
    if (metrics->count == 0 || isfinite(*seconds)) return SIMCLR_OK;
    struct run_stretch *stretches = memory_array(metrics->count, sizeof *stretches);
    double *scratch = memory_array(metrics->count, sizeof *scratch);
    size_t count;
    if (stretches && scratch) {
        const double steps = steps_of(stretches, &count, metrics);
        *seconds = steps * run_pace(stretches, count, scratch);
        *paced = true;
    }
    const bool whole = stretches && scratch;
    memory_free(stretches);
    memory_free(scratch);
    return whole ? SIMCLR_OK : error_no_memory(error, "the pace of a run", metrics->count * 3 * sizeof(double));
}
