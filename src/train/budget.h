/* train/budget.h -- how many steps fit in a time: seconds measured on this machine, added up. Plain arithmetic. */
#ifndef TRAIN_BUDGET_H
#define TRAIN_BUDGET_H

#include <stdint.h>

/* Seconds of each part. */
struct budget_costs {
    double step;             /* a training step, its views included */
    int64_t steps_per_epoch; /* at least 1 */
    double after_epoch;      /* diagnostics */
    double save;             /* a checkpoint */
    int64_t save_every;      /* epochs between two; 0 counts as 1. The end has one in any case */
    double knn;              /* the kNN between epochs, with the best checkpoint */
    int64_t knn_every;       /* epochs between two; 0: none. The end has one in any case */
    double rest;             /* once: what is still to come beside training */
};

/* What `steps` take, the rest included. A part of an epoch at the end has all that an epoch's end has. */
double budget_seconds(const struct budget_costs *costs, int64_t steps);
/* The most steps that end within `left` seconds, the rest included; 0 where none does. */
int64_t budget_steps(const struct budget_costs *costs, double left);

/* Those steps as whole epochs and a part: below BUDGET_WHOLE epochs all steps that fit are taken, so that no more than
 * a step's time is lost; from there on whole epochs, of which the last one lost is at most a fiftieth. */
enum { BUDGET_WHOLE = 50, BUDGET_EPOCHS_MOST = 100000 };
struct budget_choice {
    int64_t epochs; /* the last one may be a part */
    int64_t steps;  /* in all; 0: the epochs are whole */
};
struct budget_choice budget_choose(int64_t steps, int64_t steps_per_epoch);

#endif
