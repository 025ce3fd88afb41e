/* A small network with its training step, on images that make a good step or one that is not finite. */
#ifndef TESTS_STEP_FIXTURE_H
#define TESTS_STEP_FIXTURE_H

#include "support/network_check.h" /* cmocka, before those that assert */

#include "base/memory.h"
#include "train/step.h"

enum { IMAGES = 4, SIZE = 8, DIM = 8, CLASSES = 3 };

struct run {
    struct bench_backend bench; /* the run's own backend, unless it was given one */
    struct backend *backend;
    struct model *model;
    struct step step;
    float *views[2]; /* finite ones, and some that are not */
    int32_t labels[IMAGES];
};

static inline struct step_config usual(const struct step_loss *loss)
{
    return (struct step_config){
        .loss = loss,
        .images = IMAGES,
        .temperature = 0.5,
        .dtype = DTYPE_F32,
        .optimizer = step_optimizer_usual(OPTIMIZER_SGD),
        .schedule = step_schedule_constant(0.1),
    };
}

static inline struct model_config model_of(const struct step_config *config)
{
    const bool classifies = config->loss == &step_cross_entropy;
    return (struct model_config){.resnet.depth = 18,
                                 .resnet.width = 0.125,
                                 .resnet.stem = STEM_CIFAR,
                                 .image_size = SIZE,
                                 .head_layers = classifies ? 0 : 2,
                                 .head_dim = DIM,
                                 .classes = classifies ? CLASSES : 0};
}

static inline void open_run_on(struct run *run, const struct step_config *config, struct backend *backend)
{
    struct error error = {0};
    const struct model_config model = model_of(config);
    *run = (struct run){.backend = backend, .labels = {0, 1, 2, -1}};
    CHECK_OK(model_create(&run->model, &model, backend, 1, &error), error);
    CHECK_OK(step_open(&run->step, config, backend, run->model, &error), error);
    const size_t values = tensor_elements(network_tensor(run->step.network, 0));
    for (int i = 0; i < 2; i++) {
        float *views = memory_array(values, sizeof *views);
        assert_non_null(views);
        for (size_t k = 0; k < values; k++) views[k] = (float)((k * 37 + k / 11) % 101) / 101;
        run->views[i] = views;
    }
    run->views[1][5] = INFINITY;
}

static inline void open_run(struct run *run, const struct step_config *config)
{
    const struct bench_backend bench = open_backend("ref");
    open_run_on(run, config, bench.backend);
    run->bench = bench;
}

static inline void close_run(struct run *run)
{
    for (int i = 0; i < 2; i++) memory_free(run->views[i]);
    step_close(&run->step);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

static inline struct batch batch_of(const struct run *run, bool good)
{
    return (struct batch){.count = IMAGES, .views = run->views[good ? 0 : 1], .labels = run->labels};
}

static inline struct step_report take_any(struct run *run, bool good)
{
    struct error error = {0};
    struct step_report report;
    const struct batch batch = batch_of(run, good);
    CHECK_OK(step_run(&run->step, &batch, &report, &error), error);
    return report;
}

/* Good images make a step that counts, others one that is skipped. */
static inline struct step_report take(struct run *run, bool good)
{
    const struct step_report report = take_any(run, good);
    assert_int_equal(report.skipped, !good);
    return report;
}

/* All that a step may change: weights, batch-norm statistics, momentum. Caller frees. */
struct state {
    float *weights, *buffers, *momentum;
    int64_t updates;
};

static inline float *copy_of(const float *values, size_t count)
{
    float *copy = memory_array(count, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

static inline struct state state_of(const struct run *run)
{
    const struct parameters *parameters = &run->model->parameters;
    return (struct state){copy_of(parameters->weights, parameters->weight_count),
                          copy_of(parameters->buffers, parameters->buffer_count),
                          copy_of(run->step.optimizer->state1, parameters->weight_count), run->step.optimizer->steps};
}

static inline void free_state(struct state *state)
{
    memory_free(state->weights);
    memory_free(state->buffers);
    memory_free(state->momentum);
}

static inline void assert_same(const struct run *run, const struct state *before)
{
    const struct parameters *parameters = &run->model->parameters;
    assert_memory_equal(parameters->weights, before->weights, parameters->weight_count * sizeof(float));
    assert_memory_equal(parameters->buffers, before->buffers, parameters->buffer_count * sizeof(float));
    assert_memory_equal(run->step.optimizer->state1, before->momentum, parameters->weight_count * sizeof(float));
    assert_int_equal(run->step.optimizer->steps, before->updates);
}

#endif
