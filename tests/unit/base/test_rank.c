/* Where a label stands among scores: ties, and numbers that are none. */
#include "support/run.h"

#include <math.h>

#include "base/rank.h"

static void the_lower_class_is_ahead_of_its_equals(void **state)
{
    (void)state;
    const float scores[] = {1, 3, 3, 2, -INFINITY, INFINITY};
    static const int want[] = {4, 1, 2, 3, 5, 0};
    for (int label = 0; label < 6; label++) assert_int_equal(rank_of_label(scores, 6, label), want[label]);
}

/* A comparison with NaN is false both ways: counted by `>`, every label of a broken row would come first. */
static void a_broken_row_is_never_right(void **state)
{
    (void)state;
    const float all[] = {NAN, NAN, NAN}, one[] = {1, NAN, 2};
    for (int label = 0; label < 3; label++) {
        assert_true(rank_of_label(all, 3, label) >= 3);
        assert_true(rank_of_label(one, 3, label) >= 1);
    }
    assert_true(rank_of_label(one, 3, 1) >= 3);
    assert_int_equal(rank_of_label(one, 3, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lower_class_is_ahead_of_its_equals),
        cmocka_unit_test(a_broken_row_is_never_right),
    };
    return run_cases(tests, NULL, NULL);
}
