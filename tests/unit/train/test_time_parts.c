/* Timing steps of a run whose views are made a group at a time. A run does that above 1 GiB of views; here a small run
 * is given such a loader, and a step that keeps the activations of one group. */
#include "unit/train/run_fixture.h"

#include "train/pretrain.h"

enum { BATCH = 16, GROUP = 4, GROUPS = BATCH / GROUP, PARTS = 2 * GROUPS - 1 };

/* Whose parts are asked for, and how often each. */
struct asked {
    const struct pretrain *run;
    int64_t times[PARTS];
};

static int next_part(void *owner, int64_t step, int part, const struct batch **out, struct error *error)
{
    struct asked *asked = owner;
    asked->times[part]++;
    return loader_next_part(asked->run->loader, step, part, out, error);
}

static void make_views_by_parts(struct pretrain *run)
{
    const struct loader_config config = {.policy = run->policy,
                                         .purpose = RNG_VIEW,
                                         .batch = BATCH,
                                         .views = 2,
                                         .shuffle = true,
                                         .group = GROUP,
                                         .by_parts = true};
    loader_close(&run->loaders[0].loader);
    if (loader_open(&run->loaders[0].loader, &config, run->dataset, run->session->pool, NULL))
        fail_msg("no loader by parts");
    run->loader = run->loaders[0].loader;
}

static void keep_one_group(struct pretrain *run, struct asked *asked)
{
    const struct step_config config = {.loss = &step_nt_xent,
                                       .images = BATCH,
                                       .group = GROUP,
                                       .views = {asked, next_part},
                                       .memory = 1,
                                       .temperature = 0.5,
                                       .dtype = run->session->dtype,
                                       .planning = run->session->planning,
                                       .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                       .schedule = step_schedule_constant(0.1)};
    step_close(&run->step);
    if (step_open(&run->step, &config, run->session->backend, run->model, NULL)) fail_msg("no step");
    assert_int_equal(step_groups_kept(&run->step), 1);
}

static int time_by_parts(struct session *session, struct error *error)
{
    struct pretrain run;
    struct pretrain_timing timing;
    struct asked asked = {.run = &run};
    const struct pretrain_timing_limits limits = {.steps = 0.01, .most = 1, .views = 0.01};
    pretrain_begin(&run, session);
    int status = pretrain_open_images(&run, error);
    if (!status) status = pretrain_plan_steps(&run, error);
    if (!status) {
        make_views_by_parts(&run);
        keep_one_group(&run, &asked);
        status = pretrain_time(&run, &limits, &timing, error);
    }
    if (!status) assert_true(timing.step.count > 0 && timing.step.mean > 0 && timing.views.mean > 0);
    if (!status) assert_int_equal(run.step.skipped, 0);
    /* A step asks for each part once. Views alone are those of each group once: the parts of the first round. */
    const int64_t steps = asked.times[PARTS - 1];
    if (!status) assert_int_equal(steps, run.step.number);
    for (int part = 1; !status && part < PARTS; part++)
        assert_true(part < GROUPS ? asked.times[part] >= steps + timing.views.count : asked.times[part] == steps);
    pretrain_close(&run);
    return status;
}

/* A timed batch is none that the count of steps numbers: all of its parts are of that batch all the same. */
static void all_parts_are_of_the_batch_that_is_timed(void **state)
{
    (void)state;
    struct run_fixture run;
    fixture_open(&run, "nowhere");
    fixture_set(&run, "batch-norm-images", "4");
    fixture_set(&run, "knn-every", "0");
    if (fixture_run(&run, time_by_parts)) fail_msg("%s", run.error.text);
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_are_of_the_batch_that_is_timed),
    };
    return run_cases(tests, NULL, NULL);
}
