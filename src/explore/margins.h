/* explore/margins.h -- how sure a classifier of a few labelled rows is of all others. */
#ifndef EXPLORE_MARGINS_H
#define EXPLORE_MARGINS_H

#include "explore/choice.h"

/* margins: [rows] out: the probability of the most probable class less that of the next. The classifier is logistic
 * regression on the labelled rows, scaled to length 10, with a penalty of 1e-3, as in evaluate's fewshot.
 * SIMCLR_INVALID where fewer than two classes are labelled; errors of logistic_fit. */
int margins_find(double *margins, const struct collection *collection, const struct labelled *labelled,
                 struct error *error);

#endif
