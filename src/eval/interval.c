/* eval/interval.c -- see interval.h. */
#include "eval/interval.h"

#include <math.h>

/* Of a share of n images, which need not be whole numbers. */
static void wilson(double share, double n, double *low, double *high)
{
    const double z = INTERVAL_DEVIATIONS;
    const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    *low = share > 0 ? fmin(share, centre - half) : 0;
    *high = share < 1 ? fmax(share, centre + half) : 1;
}

void interval_wilson(int64_t correct, int64_t count, double *low, double *high)
{
    *low = 0;
    *high = 1;
    if (count > 0) wilson((double)correct / (double)count, (double)count, low, high);
}

void interval_class_mean(const int64_t *right, const int64_t *images, int classes, double *low, double *high)
{
    double present = 0, all_right = 0, all = 0, mean = 0, shrunk = 0, variance = 0;
    *low = 0;
    *high = 1;
    for (int c = 0; c < classes; c++) {
        present += images[c] > 0;
        all_right += (double)right[c];
        all += (double)images[c];
    }
    if (!(all > 0)) return;
    const double even = 4 / present, pooled = (all_right + 2) / (all + 4);
    for (int c = 0; c < classes; c++) {
        if (images[c] == 0) continue;
        const double n = (double)images[c], r = (double)right[c], more = n + even + 1;
        const double p = (r + even / 2 + pooled) / more;
        mean += r / n;
        shrunk += p / present;
        /* p (1 - p) of a sample is too small by this factor, where classes are alike. */
        variance += p * (1 - p) / (1 - n / (more * more)) / n / (present * present);
    }
    wilson(mean / present, shrunk * (1 - shrunk) / variance, low, high);
}
