/* evaluate/suite_report.h -- what both forms of the report, JSON and Markdown, are made of. */
#ifndef EVALUATE_SUITE_REPORT_H
#define EVALUATE_SUITE_REPORT_H

#include <math.h>

#include "evaluate/label_factor.h"
#include "evaluate/suite.h"

static inline bool interval_is_known(const struct interval *interval)
{
    return !isnan(interval->low) && !isnan(interval->high);
}

/* By the linear classifier of the encoder under judgement: the pairs of label and prediction that occur, sorted. */
struct confusion {
    int classes;
    struct confused {
        int32_t label, predicted;
        int64_t count;
    } * pair;
    int64_t pairs;
    int64_t *images, *right; /* [classes] */
};
/* False without predictions, and without memory. Close in either case. */
bool confusion_open(struct confusion *out, const struct suite *suite);
void confusion_close(struct confusion *confusion);

/* Label factors of all runs; the interval is NaN where there is one. */
struct factors {
    struct label_factor first;
    int runs;
    double mean;
    struct interval interval;
};
/* False where there are no two curves to compare. */
bool factors_find(struct factors *out, const struct suite *suite);
const char *factor_bound(const struct label_factor *factor); /* "at least ", "at most " or "" */

#endif
