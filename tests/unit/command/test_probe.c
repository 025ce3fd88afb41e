/* The step that bench times is the one that the options describe. */
#include "unit/train/run_fixture.h"

#include "command/probe.h"

enum { BATCH = 16 };

/* The loss of the first step on dense images, and which images the loader's first batch has. */
struct taken {
    double loss;
    int64_t images[BATCH];
};

static struct taken take(const char *option, const char *value)
{
    struct run_fixture run;
    struct taken taken = {0};
    struct probe probe;
    struct dataset *dataset = NULL;
    struct loader *loader = NULL;
    const struct batch *batch;
    fixture_open(&run, "nowhere");
    if (option) fixture_set(&run, option, value);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    assert_int_equal(probe_open(&run.session, &probe, &run.error), SIMCLR_OK);
    probe_run(&probe);
    assert_int_equal(probe.status, SIMCLR_OK);
    taken.loss = probe.step.report.loss;
    probe_close(&probe);
    assert_int_equal(probe_loader_open(&run.session, VIEW_FLOAT32, &dataset, &loader, &run.error), SIMCLR_OK);
    assert_int_equal(loader_next(loader, 0, &batch, &run.error), SIMCLR_OK);
    for (int i = 0; i < BATCH; i++) taken.images[i] = batch->indices[i];
    loader_close(&loader);
    dataset_close(&dataset);
    session_stop(&run.session);
    fixture_close(&run);
    return taken;
}

static void the_step_is_of_the_options(void **state)
{
    (void)state;
    const struct taken usual = take(NULL, NULL), same = take("seed", "1"), seed = take("seed", "2"),
                       sharp = take("temperature", "0.1");
    assert_true(usual.loss > 0 && sharp.loss > 0);
    assert_memory_equal(&usual, &same, sizeof usual);
    assert_memory_equal(usual.images, sharp.images, sizeof usual.images);
    assert_memory_not_equal(usual.images, seed.images, sizeof usual.images);
    assert_true(seed.loss < usual.loss || seed.loss > usual.loss);
    assert_true(sharp.loss < usual.loss || sharp.loss > usual.loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_step_is_of_the_options)};
    return run_cases(tests, NULL, NULL);
}
