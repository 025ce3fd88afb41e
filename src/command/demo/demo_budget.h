/* command/demo/demo_budget.h -- how many epochs fit: seconds measured on this machine, added up. */
#ifndef COMMAND_DEMO_BUDGET_H
#define COMMAND_DEMO_BUDGET_H

#include "train/budget.h"

/* The most whole epochs that end within `left` seconds, the rest included; at least 2, so that there is something to
 * see, and at most 400. */
int64_t demo_budget_epochs(const struct budget_costs *costs, double left);

/* The median of `count` values, which are sorted. */
double demo_budget_median(double *values, int count);

#endif
