/* command/demo/demo_budget.c -- see demo_budget.h. */
#include "command/demo/demo_budget.h"

#include <stdlib.h>

enum { EPOCHS_MIN = 2, EPOCHS_MAX = 400 };

double demo_budget_seconds(const struct demo_costs *costs, int64_t epochs)
{
    const int64_t every = costs->knn_every;
    const int64_t evaluations = every > 0 ? (epochs + every - 1) / every : 0;
    return (double)epochs * ((double)costs->steps * costs->step + costs->after_epoch) +
           (double)evaluations * costs->knn + costs->rest;
}

int64_t demo_budget_epochs(const struct demo_costs *costs, double left)
{
    int64_t epochs = EPOCHS_MIN;
    while (epochs < EPOCHS_MAX && demo_budget_seconds(costs, epochs + 1) <= left) epochs++;
    return epochs;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double demo_budget_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}
