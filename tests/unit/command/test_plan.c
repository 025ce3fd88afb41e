/* The largest batch that fits, by bisection: against the planner itself. */
#include "unit/train/run_fixture.h"

#include "command/plan/plan.h"

static const size_t grain = 4096; /* what the heap may hand out for the same twice */

static size_t without_program(struct pretrain *run, int64_t batch)
{
    struct footprint peak;
    assert_int_equal(pretrain_peak(run, batch, &peak, NULL), SIMCLR_OK);
    return peak.total - peak.program;
}

/* Searches on 48 small images; the largest batch, and what it and one more image take. */
static int search(struct session *session, struct error *error)
{
    struct pretrain run;
    int64_t largest;
    pretrain_begin(&run, session);
    int status = pretrain_open_images(&run, error);
    if (status) fail_msg("%s", error->text);

    const size_t least = without_program(&run, 2), most = without_program(&run, 48);
    assert_true(least < most);
    for (int part = 1; part <= 8; part++) {
        const size_t limit = least + (most - least) / 8 * (size_t)part;
        assert_int_equal(plan_largest_batch(&run, 48, limit, &largest, NULL), SIMCLR_OK);
        assert_true(largest >= 2 && largest <= 48);
        assert_true(without_program(&run, largest) <= limit + grain);
        if (largest < 48) assert_true(without_program(&run, largest + 1) + grain > limit);
    }
    assert_int_equal(plan_largest_batch(&run, 48, most * 2, &largest, NULL), SIMCLR_OK);
    assert_int_equal(largest, 48);
    assert_int_equal(plan_largest_batch(&run, 48, least / 2, &largest, NULL), SIMCLR_OK);
    assert_int_equal(largest, 0);
    assert_int_equal(plan_largest_batch(&run, 1, most, &largest, NULL), SIMCLR_OK);
    assert_int_equal(largest, 0);
    pretrain_close(&run);
    return SIMCLR_OK;
}

static void one_more_image_would_not_fit(void **state)
{
    (void)state;
    struct run_fixture run;
    fixture_open(&run, "nowhere"); /* a plan makes no folder */
    fixture_set(&run, "recompute", "off");
    if (fixture_run(&run, search)) fail_msg("%s", run.error.text);
    assert_false(file_exists("nowhere"));
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_image_would_not_fit),
    };
    return run_cases(tests, NULL, NULL);
}
