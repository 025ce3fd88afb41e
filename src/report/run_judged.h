/* report/run_judged.h -- where the evaluation of a run lies, and whether it is of the run's encoder. */
#ifndef REPORT_RUN_JUDGED_H
#define REPORT_RUN_JUDGED_H

#include "report/report_run.h"

/* Fills run->judged: from `given`, which must have an evaluation, or from where one lies ("": in the folder of the run,
 * the folder itself, or the present one). One whose hash is not that of an encoder of the run is left out, and
 * run->not_judged says so. Where no encoder can be read, or the evaluation is of a table, there is nothing to compare.
 * session: opens encoders; NULL: nothing is compared. Errors of judged_read, SIMCLR_IO, SIMCLR_NO_MEMORY. */
int run_judged_find(struct report_run *run, const char *given, const struct session *session, struct error *error);

/* The hash of the run's newest encoder (parameters.h), as 16 hexadecimal digits: *hash is the run's, "" where none can
 * be read. It is opened once. Errors: SIMCLR_NO_MEMORY. */
int run_encoder_hash(const char **hash, struct report_run *run, const struct session *session, struct error *error);

#endif
