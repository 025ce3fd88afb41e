/* eval/interval.h -- how sure a share of right answers is. */
#ifndef EVAL_INTERVAL_H
#define EVAL_INTERVAL_H

#include <stdint.h>

/* 95 % Wilson interval of correct out of count, as fractions. */
void interval_wilson(int64_t correct, int64_t count, double *low, double *high);

#endif
