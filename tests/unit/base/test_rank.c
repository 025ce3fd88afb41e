/* Where a label stands among scores: ties, and numbers that are none. */
#include "support/run.h"

#include <limits.h>
#include <math.h>

#include "base/rank.h"

static void the_lower_class_is_ahead_of_its_equals(void **state)
{
    (void)state;
    const float scores[] = {1, 3, 3, 2, -INFINITY, INFINITY};
    static const int want[] = {4, 1, 2, 3, INT_MAX, 0};
    for (int label = 0; label < 6; label++) assert_int_equal(rank_of_label(scores, 6, label), want[label]);
}

/* A comparison with NaN is false both ways: counted by `>`, every label of a broken row would come first. */
static void a_broken_row_is_never_right(void **state)
{
    (void)state;
    const float all[] = {NAN, NAN, NAN}, one[] = {1, NAN, 2};
    for (int label = 0; label < 3; label++) {
        assert_int_equal(rank_of_label(all, 3, label), INT_MAX); /* of three classes all are in the top five */
        assert_true(rank_of_label(one, 3, label) >= 1);
    }
    assert_int_equal(rank_of_label(one, 3, 1), INT_MAX);
    assert_int_equal(rank_of_label(one, 3, 2), 1);
}

/* -INFINITY is the score of a class that was never taught: it stands behind no other, however few there are. */
static void an_untaught_class_is_never_right(void **state)
{
    (void)state;
    const float scores[] = {0.5F, -INFINITY, 0.25F, -INFINITY};
    assert_int_equal(rank_of_label(scores, 4, 0), 0);
    assert_int_equal(rank_of_label(scores, 4, 2), 1);
    assert_int_equal(rank_of_label(scores, 4, 1), INT_MAX);
    assert_int_equal(rank_of_label(scores, 4, 3), INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lower_class_is_ahead_of_its_equals),
        cmocka_unit_test(a_broken_row_is_never_right),
        cmocka_unit_test(an_untaught_class_is_never_right),
    };
    return run_cases(tests, NULL, NULL);
}
