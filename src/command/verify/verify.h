/* command/verify/verify.h -- a run's metrics against what its recipe expects. Inside the room only. */
#ifndef COMMAND_VERIFY_H
#define COMMAND_VERIFY_H

#include "config/expect.h"
#include "run/metrics.h"

enum verdict_kind {
    VERDICT_WITHIN,
    VERDICT_BELOW,
    VERDICT_ABOVE,
    VERDICT_NOT_FINITE, /* it was written, and is no number */
    VERDICT_MISSING     /* no line of that epoch has it */
};
struct verdict {
    enum verdict_kind kind;
    double value; /* NaN where there is none */
};

/* The last line of metrics whose epoch is the row's to within a thousandth of a step's share, and that has its metric,
 * decides: a run that went on writes an epoch anew only after a kill. */
struct verdict verify_row(const struct metrics_history *history, const struct expectation *row);
const char *verdict_word(enum verdict_kind kind); /* "within", "below", "above", "not finite", "missing" */

#endif
