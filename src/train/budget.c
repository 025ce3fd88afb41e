/* train/budget.c -- see budget.h. */
#include "train/budget.h"

static int64_t share_of(int64_t epochs, int64_t every)
{
    return (epochs + every - 1) / every;
}

double budget_seconds(const struct budget_costs *costs, int64_t steps)
{
    const int64_t epochs = share_of(steps, costs->steps_per_epoch);
    const int64_t saves = share_of(epochs, costs->save_every > 0 ? costs->save_every : 1);
    const int64_t evaluations = costs->knn_every > 0 ? share_of(epochs, costs->knn_every) : 0;
    return (double)steps * costs->step + (double)epochs * costs->after_epoch + (double)saves * costs->save +
           (double)evaluations * costs->knn + costs->rest;
}

int64_t budget_steps(const struct budget_costs *costs, double left)
{
    int64_t low = 0, high = costs->steps_per_epoch * BUDGET_EPOCHS_MOST; /* low fits */
    if (budget_seconds(costs, 1) > left) return 0;
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2;
        if (budget_seconds(costs, middle) <= left)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

struct budget_choice budget_choose(int64_t steps, int64_t steps_per_epoch)
{
    const int64_t whole = steps / steps_per_epoch, rest = steps % steps_per_epoch;
    if (rest == 0 || whole >= BUDGET_WHOLE) return (struct budget_choice){.epochs = whole};
    return (struct budget_choice){.epochs = whole + 1, .steps = steps};
}
