/* bench/median.h -- the median of measured values. */
#ifndef BENCH_MEDIAN_H
#define BENCH_MEDIAN_H

#include <stdlib.h>

static inline int median_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* values [count] are sorted. */
static inline double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, median_compare);
    return values[count / 2];
}

#endif
