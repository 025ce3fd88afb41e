/* Steps that don't count: a skipped or dropped one leaves nothing behind; ten in a row are a run that has diverged. */
#include "unit/train/step_fixture.h"

#include "nn/watch.h"

static void a_skipped_step_leaves_no_trace(void **state)
{
    (void)state;
    static const struct step_loss *const losses[] = {&step_nt_xent, &step_cross_entropy};
    for (int i = 0; i < 2; i++) {
        struct run run;
        struct step_config config = usual(losses[i]);
        config.optimizer.kind = OPTIMIZER_ADAMW; /* whose updates count: they correct its bias */
        open_run(&run, &config);
        take(&run, true);
        struct state before = state_of(&run);
        const struct step_report report = take(&run, false);
        assert_false(isfinite(report.loss) && isfinite(report.gradient_norm));
        const char *what = step_what_is_not_finite(&run.step);
        assert_int_equal(strstr(what, "the loss") == NULL, isfinite(report.loss) != 0);
        assert_int_equal(strstr(what, "the gradient") == NULL, isfinite(report.gradient_norm) != 0);
        assert_same(&run, &before);
        assert_int_equal(run.step.number, 2); /* it counts as a step */
        assert_int_equal(run.step.skipped, 1);
        assert_int_equal(run.step.skipped_in_a_row, 1);
        free_state(&before);
        close_run(&run);
    }
}

/* d = min(decay, (1 + n) / (10 + n)) of update n; a skipped step is none. */
static void the_average_goes_with_the_update(void **state)
{
    (void)state;
    static const double keeps[] = {1.0 / 10, 2.0 / 11, 0.25}; /* the third would be 3 / 12 = 0.25, the fourth 4 / 13 */
    struct run run;
    struct error error = {0};
    struct step_config config = usual(&step_nt_xent);
    const struct model_config model = model_of(&config);
    const struct bench_backend bench = open_backend("ref");
    CHECK_OK(model_create(&config.average, &model, bench.backend, 2, &error), error); /* other weights */
    config.average_decay = 0.25;
    open_run_on(&run, &config, bench.backend);
    run.bench = bench;
    const struct parameters *of = &run.model->parameters, *into = &config.average->parameters;
    assert_memory_equal(into->weights, of->weights, of->weight_count * sizeof(float)); /* it starts as a copy */
    assert_memory_equal(into->buffers, of->buffers, of->buffer_count * sizeof(float));
    for (int step = 0, n = 0; step < 5; step++) {
        float *weights = copy_of(into->weights, into->weight_count),
              *buffers = copy_of(into->buffers, into->buffer_count);
        const bool good = step != 1;
        take(&run, good);
        const double keep = good ? keeps[n < 2 ? n : 2] : 1;
        n += good;
        for (size_t i = 0; i < of->weight_count; i++)
            assert_true(fabs(into->weights[i] - (keep * weights[i] + (1 - keep) * of->weights[i])) <= 1e-6);
        for (size_t i = 0; i < of->buffer_count; i++)
            assert_true(fabs(into->buffers[i] - (keep * buffers[i] + (1 - keep) * of->buffers[i])) <=
                        1e-6 * (1 + fabs((double)buffers[i])));
        const size_t bytes = of->weight_count * sizeof(float);
        assert_int_equal(memcmp(into->weights, weights, bytes) == 0, !good);
        assert_int_equal(memcmp(into->weights, of->weights, bytes) == 0, false);
        memory_free(weights);
        memory_free(buffers);
    }
    struct step other;
    config.average_decay = 1;
    assert_int_equal(step_open(&other, &config, bench.backend, run.model, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "decay 1"));
    model_destroy(&config.average);
    close_run(&run);
}

/* A request to stop that comes while operation `at` of a pass runs. */
static atomic_int requested;
static int request_at;

static void request(struct network *network, int step, void *context)
{
    (void)network, (void)context;
    if (step == request_at) requested = 1;
    assert_true(!requested || step == request_at); /* no operation after it */
}

/* Wherever a request comes, what was under way is dropped, and the step is then taken as if it had never begun. */
static void a_dropped_step_leaves_no_trace(void **state)
{
    (void)state;
    static const struct step_loss *const losses[] = {&step_nt_xent, &step_cross_entropy};
    for (int i = 0; i < 2; i++) {
        struct run run, other;
        struct step_config config = usual(losses[i]);
        struct step_report report;
        struct error error;
        config.optimizer.kind = OPTIMIZER_ADAMW;
        open_run(&run, &config);
        open_run(&other, &config);
        take(&run, true);
        take(&other, true);
        struct state before = state_of(&run);
        const struct batch batch = batch_of(&run, true);
        const struct network_row *rows;
        const int operations = network_rows(run.step.network, &rows);
        pool_set_stop(run.backend->pool, (struct stop){&requested});
        for (request_at = 0; request_at < 2 * operations - 1; request_at++) { /* not after the last one */
            network_watch(run.step.network, request, NULL);
            assert_int_equal(step_run(&run.step, &batch, &report, &error), SIMCLR_INTERRUPTED);
            assert_non_null(strstr(error.text, "step 2"));
            network_watch(run.step.network, NULL, NULL);
            assert_true(network_is_cut(run.step.network));
            assert_int_equal(run.step.number, 1);
            assert_int_equal(run.step.skipped, 0);
            assert_same(&run, &before);
            requested = 0;
        }
        take(&run, true);
        take(&other, true);
        struct state after = state_of(&other);
        assert_same(&run, &after);
        free_state(&before);
        free_state(&after);
        close_run(&run);
        close_run(&other);
    }
}

/* With a skipped step between them two steps are the same two steps. */
static void training_goes_on_after_a_skipped_step(void **state)
{
    (void)state;
    struct run run;
    struct state after[2];
    const struct step_config config = usual(&step_nt_xent);
    for (int i = 0; i < 2; i++) {
        open_run(&run, &config);
        take(&run, true);
        if (i == 1) take(&run, false);
        take(&run, true);
        after[i] = state_of(&run);
        if (i == 1) assert_same(&run, &after[0]);
        close_run(&run);
    }
    free_state(&after[0]);
    free_state(&after[1]);
}

/* A variance that overflows makes 1 / sqrt(var) zero and the loss finite: the statistics alone tell. */
static void statistics_that_overflow_are_skipped(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    struct parameters *parameters = &run.model->parameters;
    const int row = parameters_find(parameters, "layer1.0.conv1.weight");
    assert_true(row >= 0);
    for (size_t i = 0; i < parameters->items[row].count; i++) parameter_weights(parameters, row)[i] *= 1e25f;
    network_set_weights(run.step.network);
    struct state before = state_of(&run);
    const struct step_report report = take_any(&run, true);
    assert_true(report.skipped && isfinite(report.loss) && isfinite(report.gradient_norm));
    assert_string_equal(step_what_is_not_finite(&run.step), "batch norm's statistics are not finite");
    assert_same(&run, &before);
    free_state(&before);
    close_run(&run);
}

static int fault(struct backend *backend, struct error *error)
{
    (void)backend;
    return error_set(error, SIMCLR_DEVICE, "the device is gone");
}

/* What was downloaded then is of no worth, so no checkpoint is made of it. */
static void weights_of_a_device_with_a_fault_are_not_finite(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    const struct backend_ops *ops = run.step.backend->ops;
    struct backend_ops faulty = *ops;
    faulty.sync = fault;
    assert_true(step_weights_are_finite(&run.step));
    run.step.backend->ops = &faulty;
    assert_false(step_weights_are_finite(&run.step));
    run.step.backend->ops = ops;
    close_run(&run);
}

static void ten_in_a_row_are_too_many(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    for (int i = 0; i < STEP_SKIPPED_MAX - 1; i++) take(&run, false);
    assert_false(step_diverged(&run.step));
    take(&run, true); /* in a row means in a row */
    assert_int_equal(run.step.skipped_in_a_row, 0);
    for (int i = 0; i < STEP_SKIPPED_MAX - 1; i++) take(&run, false);
    assert_false(step_diverged(&run.step));
    take(&run, false);
    assert_true(step_diverged(&run.step));
    assert_int_equal(run.step.skipped, 2 * STEP_SKIPPED_MAX - 1);
    assert_int_equal(run.step.number, 2 * STEP_SKIPPED_MAX);
    close_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_a_device_with_a_fault_are_not_finite),
        cmocka_unit_test(a_skipped_step_leaves_no_trace),
        cmocka_unit_test(the_average_goes_with_the_update),
        cmocka_unit_test(a_dropped_step_leaves_no_trace),
        cmocka_unit_test(training_goes_on_after_a_skipped_step),
        cmocka_unit_test(statistics_that_overflow_are_skipped),
        cmocka_unit_test(ten_in_a_row_are_too_many),
    };
    return run_cases(tests, NULL, NULL);
}
