/* How many epochs the demo trains for: the sum of what was measured, up to the last epoch that fits. */
#include "support/run.h"

#include <math.h>

#include "command/demo/demo_budget.h"

static void the_last_epoch_that_fits(void **state)
{
    (void)state;
    struct budget_costs costs = {
        .step = 0.1, .steps_per_epoch = 32, .after_epoch = 0.3, .knn = 2, .knn_every = 5, .rest = 10};
    for (double left = 25; left < 300; left += 7) {
        const int64_t epochs = demo_budget_epochs(&costs, left);
        assert_true(budget_seconds(&costs, 32 * epochs) <= left);
        assert_true(budget_seconds(&costs, 32 * (epochs + 1)) > left);
    }
    assert_int_equal(demo_budget_epochs(&costs, 0), 2); /* however slow the machine is */
    costs.knn_every = 0;
    assert_int_equal(demo_budget_epochs(&costs, 10 + 35.001), 10);
    costs.step = costs.after_epoch = 0;
    assert_int_equal(demo_budget_epochs(&costs, 11), 400); /* however fast */
}

static void median(void **state)
{
    (void)state;
    double odd[] = {5, 1, 100}, even[] = {4, 1, 2, 50};
    assert_true(fabs(demo_budget_median(odd, 3) - 5) < 1e-12);
    assert_true(fabs(demo_budget_median(even, 4) - 3) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_epoch_that_fits),
        cmocka_unit_test(median),
    };
    return run_cases(tests, NULL, NULL);
}
