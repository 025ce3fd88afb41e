/* eval/interval.c -- see interval.h. */
#include "eval/interval.h"

#include <math.h>

void interval_wilson(int64_t correct, int64_t count, double *low, double *high)
{
    if (count <= 0) {
        *low = 0;
        *high = 1;
        return;
    }
    const double z = INTERVAL_DEVIATIONS, n = (double)count, p = (double)correct / n;
    const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = correct == 0 ? 0 : centre - half;
    *high = correct == count ? 1 : centre + half;
}
