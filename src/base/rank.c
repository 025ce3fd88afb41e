/* base/rank.c -- see rank.h. */
#include "base/rank.h"

#include <limits.h>
#include <math.h>

int rank_of_label(const float *scores, int classes, int label)
{
    int rank = 0;
    if (!(scores[label] > -INFINITY)) return INT_MAX;
    for (int c = 0; c < label; c++) rank += !(scores[c] < scores[label]);
    for (int c = label + 1; c < classes; c++) rank += !(scores[c] <= scores[label]);
    return rank;
}
