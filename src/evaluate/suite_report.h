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

/* Is a figure of that metric not given without test images that are training images too? */
bool leaks_are_in(const struct suite *suite, enum metric metric);

/* Label factors of the runs. A factor is a ratio: `mean` is the geometric one, and `interval` Student's of the
 * logarithms, exponentiated. Both are NaN for one run, and where the factor of a run is a bound or not known (NaN); the
 * interval is also where all runs are equal. */
enum { FACTOR_RUNS = 100 };
struct factors {
    struct label_factor run[FACTOR_RUNS];
    int runs;
    double mean;
    struct interval interval;
};
/* False where there are no two curves to compare, and where the first run has no factor. */
bool factors_find(struct factors *out, const struct suite *suite);
/* As a member of an object; as a sentence. */
void factors_json(const struct factors *factors, struct text *json);
void factors_markdown(const struct factors *factors, struct text *text);

void json_interval(struct text *json, const struct interval *interval, const char *method); /* where it is known */

#endif
