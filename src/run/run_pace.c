/* run/run_pace.c -- see run_pace.h. */
#include "run/run_pace.h"

#include <math.h>
#include <stdlib.h>

static const double pause_is = 20; /* times the median */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double run_pace(const struct run_stretch *stretches, size_t count, double *scratch)
{
    double steps = 0, seconds = 0;
    if (count == 0) return NAN;
    for (size_t i = 0; i < count; i++) scratch[i] = stretches[i].seconds / stretches[i].steps;
    qsort(scratch, count, sizeof *scratch, compare);
    const double median = scratch[(count - 1) / 2]; /* of two the shorter: the other may be the pause */
    for (size_t i = 0; i < count; i++) {
        if (stretches[i].seconds / stretches[i].steps > pause_is * median) continue;
        steps += stretches[i].steps;
        seconds += stretches[i].seconds;
    }
    return seconds / steps;
}
