/* The one training step: what it reports, at which rate it goes, which losses it can have, and steps that are recorded.
 * Steps that don't count are test_step_skipped.c's. */
#include "unit/train/step_fixture.h"

#include "support/far.h"

/* ---- a classifier and LARS -------------------------------------------------------------------------------- */

/* From zero weights a trust ratio below 1 would leave the classifier where it is. So it goes by v = lr g' with g' = g +
 * decay w, as the authors' does, while the layers before it adapt: there |v| = lr eta |w|. */
static void lars_leaves_the_classifier_its_rate(void **state)
{
    (void)state;
    struct run run;
    struct step_config config = usual(&step_cross_entropy);
    config.optimizer = step_optimizer_usual(OPTIMIZER_LARS);
    config.optimizer.momentum = 0;
    config.optimizer.weight_decay = 0.5f;
    open_run(&run, &config);
    const struct parameters *parameters = &run.model->parameters;
    const int fc = parameters_find(parameters, "fc.weight"),
              conv = parameters_find(parameters, "layer1.0.conv1.weight");
    for (int step = 0; step < 2; step++) { /* from zero, then with decay */
        struct state before = state_of(&run);
        take(&run, true);
        const size_t at = parameters->items[fc].offset;
        double moved = 0;
        for (size_t i = 0; i < parameters->items[fc].count; i++) {
            const float w = before.weights[at + i], g = parameter_gradients(parameters, fc)[i];
            assert_float_equal(w - parameter_weights(parameters, fc)[i], 0.1f * (g + 0.5f * w), 1e-6);
            moved += fabs((double)w - parameter_weights(parameters, fc)[i]);
        }
        assert_true(moved > 1e-3);
        double change = 0, norm = 0;
        for (size_t i = 0; i < parameters->items[conv].count; i++) {
            const double w = before.weights[parameters->items[conv].offset + i];
            change += pow(w - parameter_weights(parameters, conv)[i], 2);
            norm += w * w;
        }
        assert_true(fabs(sqrt(change / norm) - 0.1 * 0.001) < 1e-6);
        free_state(&before);
    }
    close_run(&run);
}

/* The running statistics go from where they are to those of the batch by the share that was planned; 0 is the usual
 * tenth. */
static void statistics_go_by_their_share(void **state)
{
    (void)state;
    static const float shares[] = {0, 0.1f, 0.02f};
    float *moved[3] = {NULL};
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        struct run run;
        struct step_config config = usual(&step_cross_entropy);
        config.planning.statistics_share = shares[i];
        open_run(&run, &config);
        const struct state before = state_of(&run);
        take(&run, true);
        const struct parameters *parameters = &run.model->parameters;
        count = parameters->buffer_count;
        moved[i] = copy_of(parameters->buffers, count);
        for (size_t k = 0; k < count; k++) moved[i][k] -= before.buffers[k];
        memory_free(before.weights);
        memory_free(before.buffers);
        memory_free(before.momentum);
        close_run(&run);
    }
    assert_memory_equal(moved[0], moved[1], count * sizeof(float));
    double all = 0;
    for (size_t k = 0; k < count; k++) {
        all += fabs((double)moved[2][k]);
        assert_float_equal(moved[2][k], 0.2f * moved[1][k], 1e-6f);
    }
    assert_true(all > 0.1);
    for (int i = 0; i < 3; i++) memory_free(moved[i]);
}

/* ---- a step that counts ----------------------------------------------------------------------------------- */

/* SGD without momentum and decay: w loses rate times gradient. Momentum of 0 leaves v = g. */
static void the_update_goes_at_the_rate_of_its_step(void **state)
{
    (void)state;
    struct run run;
    struct step_config config = usual(&step_nt_xent);
    config.optimizer.momentum = config.optimizer.weight_decay = 0;
    config.schedule = (struct schedule){
        .base = 0.1, .batch = 256, .steps_per_epoch = 3, .epochs = 2, .warmup_epochs = 1}; /* 6 steps, 3 of warm-up */
    static const double rates[] = {0, 0.1 / 3, 0.2 / 3, 0.1, 0.075, 0.025};
    open_run(&run, &config);
    const struct parameters *parameters = &run.model->parameters;
    for (int step = 0; step < 6; step++) {
        struct state before = state_of(&run);
        const bool good = step != 2; /* the third is skipped, and the rate goes on */
        const struct step_report report = take(&run, good);
        assert_true(fabs(report.learning_rate - rates[step]) < 1e-12);
        assert_true(fabs(report.learning_rate - schedule_rate(&config.schedule, step)) == 0);
        assert_int_equal(run.step.number, step + 1);
        for (size_t i = 0; good && i < parameters->weight_count; i++) {
            const double moved = (double)before.weights[i] - (double)parameters->weights[i];
            const double expected = rates[step] * (double)parameters->gradients[i];
            assert_true(fabs(moved - expected) <= 1e-6 * (fabs((double)before.weights[i]) + fabs(expected)));
        }
        free_state(&before);
    }
    close_run(&run);
}

/* running = 0.9 running + 0.1 batch statistic, in every batch norm, head's too, and only by a step that counts. */
static void statistics_go_with_the_update(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    const struct parameters *parameters = &run.model->parameters;
    for (int step = 0; step < 2; step++) {
        struct state before = state_of(&run);
        const struct batch batch = batch_of(&run, true);
        struct step_report report;
        step_forward(&run.step, &batch);
        step_loss(&run.step);
        step_backward(&run.step);
        assert_same(&run, &before); /* only the update changes the model */
        assert_int_equal(step_update(&run.step, &report, NULL), SIMCLR_OK);
        assert_memory_equal(parameters->buffers, parameters->buffers_next, parameters->buffer_count * sizeof(float));
        for (int i = 0; i < parameters->count; i++) {
            const struct parameter *item = &parameters->items[i];
            if (!(item->flags & PARAMETER_BUFFER)) continue;
            bool moved = false;
            for (size_t k = 0; k < item->count; k++)
                moved = moved || parameters->buffers[item->offset + k] != before.buffers[item->offset + k];
            if (!moved) fail_msg("step %d left %s as it was", step, item->name);
        }
        free_state(&before);
    }
    close_run(&run);
}

static void the_report_holds_the_loss_and_the_norm(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    const struct parameters *parameters = &run.model->parameters;
    const struct step_report report = take(&run, true);
    double squares = 0;
    for (size_t i = 0; i < parameters->weight_count; i++)
        squares += (double)parameters->gradients[i] * (double)parameters->gradients[i];
    assert_true(fabs(report.gradient_norm / sqrt(squares) - 1) < 1e-9);
    assert_true(report.loss > 0 && report.loss < 4); /* chance is log 7 = 1.95 */
    assert_true(report.entropy > 0 && report.entropy <= log(7) + 1e-9);
    assert_true(report.top1 >= 0 && report.top1 <= 1);
    assert_true(fabs(report.positive_similarity) <= 1 && fabs(report.negative_similarity) <= 1);
    assert_true(report.positive_similarity != 0 && report.negative_similarity != 0);
    close_run(&run);
}

/* The gradient that reaches the classifier's bias is the mean of softmax minus one-hot over the labelled rows. */
static void cross_entropy_reads_the_labels(void **state)
{
    (void)state;
    struct run run;
    const struct step_config config = usual(&step_cross_entropy);
    float logits[IMAGES * CLASSES];
    double expected[CLASSES] = {0}, loss = 0;
    open_run(&run, &config);
    const struct batch batch = batch_of(&run, true);
    step_forward(&run.step, &batch);
    network_read(run.step.network, run.step.tensors.z, logits);
    for (int i = 0; i < IMAGES - 1; i++) { /* the last has no label */
        double sum = 0;
        for (int k = 0; k < CLASSES; k++) sum += exp((double)logits[i * CLASSES + k]);
        for (int k = 0; k < CLASSES; k++)
            expected[k] += (exp((double)logits[i * CLASSES + k]) / sum - (k == run.labels[i])) / (IMAGES - 1);
        loss += (log(sum) - (double)logits[i * CLASSES + run.labels[i]]) / (IMAGES - 1);
    }
    struct step_report report;
    step_loss(&run.step);
    step_backward(&run.step);
    const int bias = parameters_find(&run.model->parameters, "fc.bias");
    for (int k = 0; k < CLASSES; k++)
        assert_true(fabs((double)parameter_gradients(&run.model->parameters, bias)[k] - expected[k]) < 1e-6);
    assert_int_equal(step_update(&run.step, &report, NULL), SIMCLR_OK);
    assert_true(fabs(report.loss - loss) < 1e-6);
    close_run(&run);
}

static void cross_entropy_needs_a_classifier(void **state)
{
    (void)state;
    struct run run;
    struct error error = {0};
    struct step step;
    struct step_config config = usual(&step_nt_xent);
    open_run(&run, &config);
    config.loss = &step_cross_entropy;
    assert_int_equal(step_open(&step, &config, run.backend, run.model, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "classifier"));
    step_close(&step); /* again: nothing happens */
    close_run(&run);
}

/* ---- steps that are recorded -------------------------------------------------------------------------------- */

/* Weights and statistics of a model whose memory the host cannot reach. Caller frees. */
static float *download(const struct run *run, size_t *count)
{
    const struct parameters *parameters = &run->model->parameters;
    const struct backend_ops *ops = run->backend->ops;
    *count = parameters->weight_count + parameters->buffer_count;
    float *values = memory_array(*count, sizeof *values);
    assert_non_null(values);
    ops->download(run->backend, values, parameters->weights, parameters->weight_count * sizeof *values);
    ops->download(run->backend, values + parameters->weight_count, parameters->buffers,
                  parameters->buffer_count * sizeof *values);
    assert_int_equal(ops->sync(run->backend, NULL), SIMCLR_OK);
    return values;
}

static void assert_same_values(const struct run *run, const float *expected)
{
    size_t count;
    float *values = download(run, &count);
    assert_memory_equal(values, expected, count * sizeof *values);
    memory_free(values);
}

/* Two steps on one backend that records: taking turns, each ends in the bytes that it ends in alone. One is closed
 * before the other has done. */
static void two_steps_take_turns(void **state)
{
    (void)state;
    enum { STEPS = 4 };
    static const bool good[2][STEPS] = {{true, true, false, true}, {true, true, true, true}};
    const struct step_config configs[2] = {usual(&step_nt_xent), usual(&step_cross_entropy)};
    struct run runs[2];
    float *alone[2];
    size_t count;
    struct pool *pool;
    struct backend *far;
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    assert_int_equal(far_create(pool, &far, NULL), SIMCLR_OK);
    for (int i = 0; i < 2; i++) {
        open_run_on(&runs[i], &configs[i], far);
        for (int step = 0; step < STEPS; step++) take(&runs[i], good[i][step]);
        alone[i] = download(&runs[i], &count);
        close_run(&runs[i]);
    }
    /* Of each step but the first: to the numbers, and the update unless it is skipped. */
    const int64_t replays = 2 * 2 * (STEPS - 1) - 1;
    assert_int_equal(far_replays(), replays);

    for (int i = 0; i < 2; i++) open_run_on(&runs[i], &configs[i], far);
    for (int step = 0; step < STEPS - 1; step++)
        for (int i = 0; i < 2; i++) take(&runs[i], good[i][step]);
    for (int i = 0; i < 2; i++) {
        take(&runs[i], good[i][STEPS - 1]);
        assert_same_values(&runs[i], alone[i]);
        close_run(&runs[i]);
        memory_free(alone[i]);
    }
    assert_int_equal(far_replays(), 2 * replays);
    assert_int_equal(far_blocks(), 0);
    backend_destroy(&far);
    pool_destroy(&pool);
}

static bool yes(const struct backend *backend)
{
    (void)backend;
    return true;
}

/* It would repeat the first step's images for ever. */
static void a_backend_that_records_may_not_read_images_in_place(void **state)
{
    (void)state;
    struct pool *pool;
    struct backend *far;
    struct model *model;
    struct step step;
    struct error error = {0};
    const struct step_config config = usual(&step_nt_xent);
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    assert_int_equal(far_create(pool, &far, NULL), SIMCLR_OK);
    struct backend_ops ops = *far->ops;
    ops.reads_host = yes;
    struct backend reader = {.ops = &ops, .pool = pool};
    const struct model_config small = model_of(&config);
    CHECK_OK(model_create(&model, &small, &reader, 1, &error), error);
    assert_int_equal(step_open(&step, &config, &reader, model, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "the far backend records steps and reads images where the host keeps them"));
    model_destroy(&model);
    assert_int_equal(far_blocks(), 0);
    backend_destroy(&far);
    pool_destroy(&pool);
}

/* ---- options ----------------------------------------------------------------------------------------------- */

static void options_become_optimiser_and_schedule(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum optimizer_kind kind;
    } kinds[] = {{"lars", OPTIMIZER_LARS}, {"sgd", OPTIMIZER_SGD}, {"adamw", OPTIMIZER_ADAMW}};
    for (int i = 0; i < 3; i++) {
        struct config *config;
        assert_int_equal(config_create(&config, COMMAND_PRETRAIN, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "optimizer", kinds[i].name, 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "momentum", "0.5", 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "weight-decay", "0.25", 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "trust", "0.125", 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "learning-rate", "0.075", 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "scaling", "sqrt", 2, NULL), SIMCLR_OK);
        assert_int_equal(config_set(config, "warmup-epochs", "3", 2, NULL), SIMCLR_OK);
        const struct optimizer_config optimizer = step_optimizer(config);
        assert_int_equal(optimizer.kind, kinds[i].kind);
        assert_true(optimizer.momentum == 0.5f && optimizer.weight_decay == 0.25f && optimizer.trust == 0.125f);
        assert_true(optimizer.beta2 == 0.999f && optimizer.epsilon == 1e-8f);
        const struct schedule schedule = step_schedule(config, 64, 10, 30);
        assert_true(schedule.base == 0.075 && schedule.scaling == SCALING_SQRT && schedule.batch == 64);
        assert_true(schedule.steps_per_epoch == 10 && schedule.epochs == 30 && schedule.warmup_epochs == 3);
        config_destroy(&config);
    }
    const struct schedule constant = step_schedule_constant(0.3);
    assert_true(schedule_rate(&constant, 0) == 0.3 && schedule_rate(&constant, 1000000) == 0.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lars_leaves_the_classifier_its_rate),
        cmocka_unit_test(statistics_go_by_their_share),
        cmocka_unit_test(the_update_goes_at_the_rate_of_its_step),
        cmocka_unit_test(statistics_go_with_the_update),
        cmocka_unit_test(the_report_holds_the_loss_and_the_norm),
        cmocka_unit_test(cross_entropy_reads_the_labels),
        cmocka_unit_test(cross_entropy_needs_a_classifier),
        cmocka_unit_test(two_steps_take_turns),
        cmocka_unit_test(a_backend_that_records_may_not_read_images_in_place),
        cmocka_unit_test(options_become_optimiser_and_schedule),
    };
    return run_cases(tests, NULL, NULL);
}
