/* train/health.c -- see health.h. */
#include "train/health.h"

#include <math.h>

#include "loss/nt_xent.h"

static double margin(double temperature)
{
    return 0.02 / temperature;
}

bool health_at_chance(double loss, int images, double temperature)
{
    return fabs(nt_xent_chance(images) - loss) < margin(temperature);
}

bool health_above_chance(double loss, int images, double temperature)
{
    return loss - nt_xent_chance(images) >= margin(temperature);
}

bool health_collapsed(const struct diagnostics *diagnostics, int dim)
{
    const double least_rank = 0.02 * dim > 2 ? 0.02 * dim : 2;
    return diagnostics->feature_std * sqrt((double)dim) < 0.1 || diagnostics->rankme < least_rank;
}
