/* How many times fewer labels: interpolated on the logarithm, and told as a bound where a curve begins above. */
#include "support/run.h"

#include <math.h>

#include "evaluate/label_factor.h"

static void factors_are_interpolated(void **state)
{
    (void)state;
    const struct label_curve ours = {3, {100, 1000, 10000}, {0.5, 0.7, 0.8}};
    struct label_curve supervised = {3, {100, 1000, 10000}, {0.2, 0.5, 0.75}};
    struct label_factor factor;
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.accuracy == 0.75 && factor.bound == 0); /* ours needs 10^3.5 for it, supervised all */
    assert_true(fabs(factor.factor - 10000 / pow(10, 3.5)) < 1e-9);
    supervised.accuracy[2] = 0.5; /* which ours has with its fewest: at least so many times fewer */
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.bound == 1 && fabs(factor.factor - 10) < 1e-9);
    assert_true(label_factor_find(&factor, &supervised, &ours));
    assert_true(factor.bound == -1 && fabs(factor.factor - 0.1) < 1e-9);
    supervised.accuracy[0] = 0.5;
    assert_false(label_factor_find(&factor, &ours, &supervised)); /* both with their fewest: nothing is known */
    supervised.count = 1;
    assert_false(label_factor_find(&factor, &ours, &supervised));
}

/* Accuracies that fall with more labels do not confuse it. */
static void curves_may_fall(void **state)
{
    (void)state;
    const struct label_curve ours = {3, {10, 100, 1000}, {0.3, 0.6, 0.55}};
    const struct label_curve supervised = {3, {10, 100, 1000}, {0.1, 0.05, 0.6}};
    struct label_factor factor;
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.accuracy == 0.6 && fabs(factor.factor - 10) < 1e-9 && factor.bound == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_interpolated),
        cmocka_unit_test(curves_may_fall),
    };
    return run_cases(tests, NULL, NULL);
}
