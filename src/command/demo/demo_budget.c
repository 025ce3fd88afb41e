/* command/demo/demo_budget.c -- see demo_budget.h. */
#include "command/demo/demo_budget.h"

#include <stdlib.h>

enum { EPOCHS_MIN = 2, EPOCHS_MAX = 400 };

int64_t demo_budget_epochs(const struct budget_costs *costs, double left)
{
    const int64_t epochs = budget_steps(costs, left) / costs->steps_per_epoch;
    return epochs < EPOCHS_MIN ? EPOCHS_MIN : epochs > EPOCHS_MAX ? EPOCHS_MAX : epochs;
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
