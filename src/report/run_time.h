/* report/run_time.h -- how long a run trained. */
#ifndef REPORT_RUN_TIME_H
#define REPORT_RUN_TIME_H

#include <stdbool.h>

#include "run/metrics.h"

/* Seconds of all of the run's steps: the sum of epoch/seconds, and the steps behind the last of them as fast; where
 * there is none, *paced: all steps by the pace of those between two lines, pauses left out. NaN where the lines do not
 * tell. SIMCLR_NO_MEMORY. */
int run_time_find(double *seconds, bool *paced, const struct metrics_history *metrics, struct error *error);

#endif
