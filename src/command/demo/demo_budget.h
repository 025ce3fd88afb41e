/* command/demo/demo_budget.h -- how many epochs fit: seconds measured on this machine, added up. */
#ifndef COMMAND_DEMO_BUDGET_H
#define COMMAND_DEMO_BUDGET_H

#include <stdint.h>

/* Seconds of each part. */
struct demo_costs {
    double step;        /* a training step, its views included */
    int64_t steps;      /* in an epoch */
    double after_epoch; /* diagnostics and checkpoint */
    double knn;         /* the kNN between epochs */
    int64_t knn_every;  /* epochs between two of them; 0: none. The last epoch has one in any case */
    double rest;        /* once: what is still to come beside training */
};

/* The most epochs that end within `left` seconds, the rest included; at least 2, so that there is something to see. */
int64_t demo_budget_epochs(const struct demo_costs *costs, double left);
/* What that many take, the rest included. */
double demo_budget_seconds(const struct demo_costs *costs, int64_t epochs);

/* The median of `count` values, which are sorted. */
double demo_budget_median(double *values, int count);

#endif
