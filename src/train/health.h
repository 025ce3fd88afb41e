/* train/health.h -- is the run learning? Plain warnings for the three ways in which SimCLR silently fails. */
#ifndef TRAIN_HEALTH_H
#define TRAIN_HEALTH_H

#include <stdbool.h>

#include "eval/diagnostics.h"

/* The mean loss of an epoch sits at chance, log(2N - 1). What a model can win over chance is about 1 / temperature
 * (positives at similarity 1, the others at 0), so "at chance" is within 2 % of that, on either side. */
bool health_at_chance(double loss, int images, double temperature);
/* It lies further above: the run is worse than one that knows nothing. It diverges, or the temperature is so low that
 * every wrong neighbour costs more than all there is to win. */
bool health_above_chance(double loss, int images, double temperature);

/* The representation h has collapsed: all images at nearly one point (feature standard deviation below a tenth of
 * the isotropic 1 / sqrt(dim)), or in a space of hardly any dimension (RankMe below 2 % of dim, at least 2). */
bool health_collapsed(const struct diagnostics *diagnostics, int dim);

#endif
