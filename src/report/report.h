/* report/report.h -- one page about one run or several: what was learned, what it is worth, and whether to believe it.
 *
 * Every number on it is read from the files that the run and `simclr evaluate` left, or computed from the encoder and
 * --data. A part that has nothing to show says which command would fill it. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "run/session.h"

/* Writes the page --out of the runs --runs. A folder that holds a damaged file has a page that says so. SIMCLR_IO: what
 * was named is no folder, or neither a run nor an evaluation. SIMCLR_NO_MEMORY, SIMCLR_INTERRUPTED. */
int report_write(struct session *session, struct error *error);

#endif
