/* eval/interval.h -- how sure a share of right answers is. */
#ifndef EVAL_INTERVAL_H
#define EVAL_INTERVAL_H

#include <stdint.h>

/* A normal value lies within so many deviations in 95 % of cases. */
#define INTERVAL_DEVIATIONS 1.959963984540054

/* 95 % Wilson interval of correct out of count, as fractions. */
void interval_wilson(int64_t correct, int64_t count, double *low, double *high);

#endif
