/* How many steps fit in a time, and what a step takes: plain arithmetic, and a clock that the test turns. */
#include "support/run.h"

#include <math.h>

#include "base/rng.h"
#include "train/budget.h"
#include "train/pace.h"

/* ---- the sum ---- */

static const struct budget_costs usual = {.step = 0.1,
                                          .steps_per_epoch = 32,
                                          .after_epoch = 0.3,
                                          .save = 0.5,
                                          .save_every = 2,
                                          .knn = 2,
                                          .knn_every = 5,
                                          .rest = 10};

static void expect_seconds(const struct budget_costs *costs, int64_t steps, double seconds)
{
    const double got = budget_seconds(costs, steps);
    if (fabs(got - seconds) > 1e-9) fail_msg("%lld steps: %g instead of %g", (long long)steps, got, seconds);
}

static void parts_add_up(void **state)
{
    (void)state;
    expect_seconds(&usual, 5 * 32, 5 * 3.5 + 3 * 0.5 + 2 + 10);                 /* saved after 2, 4 and at the end */
    expect_seconds(&usual, 6 * 32, 6 * 3.5 + 3 * 0.5 + 4 + 10);                 /* the last epoch is evaluated too */
    expect_seconds(&usual, 5 * 32 + 1, 5 * 3.5 + 0.1 + 0.3 + 3 * 0.5 + 4 + 10); /* a part has an end like an epoch */
    struct budget_costs bare = {.step = 2, .steps_per_epoch = 7};
    expect_seconds(&bare, 15, 30);
    bare.save = 1; /* after each of the three */
    expect_seconds(&bare, 15, 33);
}

static void the_last_step_that_fits(void **state)
{
    (void)state;
    for (double left = 15; left < 3000; left *= 1.1) {
        const int64_t steps = budget_steps(&usual, left);
        assert_true(budget_seconds(&usual, steps) <= left);
        assert_true(budget_seconds(&usual, steps + 1) > left);
    }
    assert_int_equal(budget_steps(&usual, 12.8), 0); /* not even one */
    assert_int_equal(budget_steps(&usual, 0), 0);
    assert_int_equal(budget_steps(&usual, -5), 0);
    const struct budget_costs free_of_cost = {.steps_per_epoch = 3};
    assert_int_equal(budget_steps(&free_of_cost, 1), 3 * BUDGET_EPOCHS_MOST);
}

static void parts_of_an_epoch(void **state)
{
    (void)state;
    for (int64_t steps = 1; steps < 7000; steps += 13) {
        const struct budget_choice choice = budget_choose(steps, 100);
        if (steps % 100 == 0 || steps >= 100 * BUDGET_WHOLE) {
            assert_int_equal(choice.steps, 0);
            assert_int_equal(choice.epochs, steps / 100);
            assert_true((double)(steps - 100 * choice.epochs) <= 0.02 * (double)steps); /* a fiftieth at most is lost */
        } else {
            assert_int_equal(choice.steps, steps); /* nothing is lost */
            assert_int_equal(choice.epochs, steps / 100 + 1);
        }
    }
}

/* ---- the clock ---- */

struct fake {
    double now;
    int runs, fails_at; /* 0: never */
    double (*takes)(int run);
};

static double read_clock(void *context)
{
    return ((struct fake *)context)->now;
}

static int run_fake(void *context, struct error *error)
{
    struct fake *fake = context;
    fake->now += fake->takes(fake->runs++);
    if (fake->fails_at > 0 && fake->runs == fake->fails_at) return error_set(error, SIMCLR_DATA, "no image");
    return SIMCLR_OK;
}

static int measure(struct pace *out, struct fake *fake, double (*takes)(int run), double seconds, double most)
{
    const int fails_at = fake->fails_at;
    *fake = (struct fake){.takes = takes, .fails_at = fails_at};
    return pace_measure(out, &(struct pace_work){run_fake, fake, read_clock}, seconds, most, NULL);
}

static double a_tenth(int run)
{
    return run == 0 ? 3 : 0.1; /* the first one is slow: caches, pages */
}

static void steady_work(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct pace pace;
    assert_int_equal(measure(&pace, &fake, a_tenth, 4.95, 100), SIMCLR_OK);
    assert_int_equal(pace.count, 50);
    assert_int_equal(fake.runs, 51);
    assert_true(fabs(pace.mean - 0.1) < 1e-9); /* the slow one is not in it */
    assert_true(fabs(pace.low - 0.1) < 1e-9 && fabs(pace.high - 0.1) < 1e-9);
}

static double slow(int run)
{
    return run == 0 ? 30 : 20;
}

static void slow_work(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct pace pace;
    assert_int_equal(measure(&pace, &fake, slow, 5, 1000), SIMCLR_OK);
    assert_int_equal(pace.count, 3); /* three at least */
    assert_true(pace.mean == 20);
    assert_int_equal(measure(&pace, &fake, slow, 5, 45), SIMCLR_OK); /* the limit is passed with the second */
    assert_int_equal(pace.count, 1);
    assert_true(pace.mean == 20 && isnan(pace.low) && isnan(pace.high));
    assert_int_equal(measure(&pace, &fake, slow, 5, 10),
                     SIMCLR_OK); /* and here with the first, which is all there is */
    assert_int_equal(fake.runs, 1);
    assert_true(pace.mean == 30 && isnan(pace.low));
}

static double uneven(int run)
{
    struct rng rng = rng_open(7, RNG_TEST, 0, 0, (uint32_t)run);
    return rng_between(&rng, 0.5, 1.5);
}

static void uneven_work_has_an_interval(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct pace few, many;
    assert_int_equal(measure(&few, &fake, uneven, 30, 1e9), SIMCLR_OK);
    assert_int_equal(measure(&many, &fake, uneven, 3000, 1e9), SIMCLR_OK);
    assert_true(few.low < few.mean && few.mean < few.high);
    assert_true(few.low < 1 && few.high > 1); /* the true mean */
    assert_true(many.low < 1 && many.high > 1);
    assert_true(many.high - many.low < 0.3 * (few.high - few.low)); /* a hundred times the runs: about a tenth */
    assert_true(many.count > 2900 && many.count < 3100);
}

static void failures_are_handed_on(void **state)
{
    (void)state;
    for (int at = 1; at <= 5; at++) {
        struct fake fake = {.fails_at = at};
        struct pace pace;
        assert_int_equal(measure(&pace, &fake, a_tenth, 5, 100), SIMCLR_DATA);
        assert_int_equal(fake.runs, at);
    }
}

/* A machine that becomes slower from piece to piece. */
static void pieces_are_joined(void **state)
{
    (void)state;
    const struct pace pieces[PACE_PIECES] = {{.mean = 1, .low = 0.9, .high = 1.1, .count = 10},
                                             {.mean = 2, .low = 1.8, .high = 2.2, .count = 10},
                                             {.mean = 3, .low = 2.9, .high = 3.1, .count = 20},
                                             {.mean = 4, .low = NAN, .high = NAN, .count = 10}};
    const struct pace one = pace_join(pieces, 1), two = pace_join(pieces, 2), three = pace_join(pieces, 3);
    assert_true(one.mean == 1 && one.low == 0.9 && one.high == 1.1 && one.count == 10);
    assert_true(two.mean == 1.5 && two.low == 0.9 && two.high == 2.2 && two.count == 20); /* the hull */
    assert_true(three.mean == 2.25 && three.count == 40);                                 /* a mean of runs */
    /* of 1, 2, 3: s = 1, t(0.975, 2) = 4.302653; around the mean of the runs, which is not that of the pieces */
    assert_true(fabs(three.low - (2.25 - 4.302653 / sqrt(3))) < 1e-5);
    assert_true(fabs(three.high - (2.25 + 4.302653 / sqrt(3))) < 1e-5);
    const struct pace all = pace_join(pieces, 4); /* what a piece says of itself does not count */
    assert_true(fabs(all.mean - 2.6) < 1e-12 && all.low < 2.6 && all.high > 2.6 && all.count == 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(the_last_step_that_fits),
        cmocka_unit_test(parts_of_an_epoch),
        cmocka_unit_test(steady_work),
        cmocka_unit_test(slow_work),
        cmocka_unit_test(uneven_work_has_an_interval),
        cmocka_unit_test(failures_are_handed_on),
        cmocka_unit_test(pieces_are_joined),
    };
    return run_cases(tests, NULL, NULL);
}
