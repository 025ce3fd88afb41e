/* evaluate/label_factor.c -- see label_factor.h. */
#include "evaluate/label_factor.h"

#include <math.h>

static double highest(const struct label_curve *curve)
{
    double most = -INFINITY;
    for (int i = 0; i < curve->count; i++) most = fmax(most, curve->accuracy[i]);
    return most;
}

/* *first: the fewest labels reach it already. */
static double labels_needed(const struct label_curve *curve, double accuracy, bool *first)
{
    int i = 0;
    while (i < curve->count - 1 && curve->accuracy[i] < accuracy) i++;
    *first = i == 0;
    if (i == 0) return curve->labels[0];
    const double below = curve->accuracy[i - 1], share = (accuracy - below) / (curve->accuracy[i] - below);
    return exp(log(curve->labels[i - 1]) + share * (log(curve->labels[i]) - log(curve->labels[i - 1])));
}

bool label_factor_find(struct label_factor *out, const struct label_curve *ours, const struct label_curve *supervised)
{
    bool ours_first, supervised_first;
    if (ours->count < 2 || supervised->count < 2) return false;
    out->accuracy = fmin(highest(ours), highest(supervised));
    const double we_need = labels_needed(ours, out->accuracy, &ours_first);
    const double they_need = labels_needed(supervised, out->accuracy, &supervised_first);
    out->factor = they_need / we_need;
    out->bound = ours_first - supervised_first;
    return !(ours_first && supervised_first);
}
