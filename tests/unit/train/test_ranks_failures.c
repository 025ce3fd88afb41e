/* What goes wrong on one rank concerns all: a NaN is skipped by all, a failure takes all out of the step. */
#include "support/ranks_training.h"

/* A NaN in an image of one rank: all skip the step, and go on as one rank goes on that has met it. */
static void a_nan_of_one_rank_is_skipped_by_all(void **state)
{
    (void)state;
    for (int group = 0; group <= 8; group += 8) {
        const struct ranks_setting alone = {"ref", DTYPE_F64, 18, 24, 1, 2, group};
        struct ranks_setting shared = alone;
        shared.ranks = 3;
        const struct ranks_fault fault = {.spoiled = 20};
        struct ranks_outcome want = ranks_train(alone, fault, NULL), got = ranks_train(shared, fault, NULL);
        assert_true(got.reports[0].skipped && want.reports[0].skipped);
        assert_false(got.reports[1].skipped || want.reports[1].skipped);
        for (int r = 0; r < shared.ranks; r++) assert_int_equal(got.skipped[r], 1);
        for (int r = 1; r < shared.ranks; r++) assert_true(got.weights_hash[r] == got.weights_hash[0]);
        ranks_check_tensor("a NaN of one rank", "weights", got.after[1].weights, want.after[1].weights,
                           want.weight_count, 4e-7);
        ranks_check_tensor("a NaN of one rank", "statistics", got.after[1].buffers, want.after[1].buffers,
                           want.buffer_count, 4e-7);
        ranks_free(&got);
        ranks_free(&want);
    }
}

/* A rank whose views cannot be made takes all out of the step, with its sentence, and the models stay as they were. */
static void a_rank_that_fails_ends_the_step_of_all(void **state)
{
    (void)state;
    struct ranks_setting setting = {"ref", DTYPE_F64, 18, 24, 3, 1, 4};
    struct ranks_outcome before = ranks_train(setting, (struct ranks_fault){0}, NULL);
    setting.steps = 2;
    for (int failing = 1; failing <= 3; failing += 2) {
        struct ranks_outcome after = ranks_train(setting, (struct ranks_fault){.failing = failing}, NULL);
        for (int r = 0; r < setting.ranks; r++) {
            assert_int_equal(after.status[r], SIMCLR_INVALID);
            assert_true(after.weights_hash[r] == before.weights_hash[r]);
        }
        assert_non_null(strstr(after.wrong, "a batch of 1 images where groups of 4 are wanted"));
        assert_true((strstr(after.wrong, "rank 2 on ") != NULL) == (failing == 3));
        ranks_free(&after);
    }
    ranks_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_that_fails_ends_the_step_of_all),
        cmocka_unit_test(a_nan_of_one_rank_is_skipped_by_all),
    };
    return run_cases(tests, NULL, NULL);
}
