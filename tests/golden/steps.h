/* golden/steps.h -- SimCLR steps and learning rates beside PyTorch's: what the program beside the reference folder and
 * the one beside this project's own files share. Both kinds of file name the same settings. The steps are those that
 * training takes (train/step.h). */
#ifndef GOLDEN_STEPS_H
#define GOLDEN_STEPS_H

#include "base/memory.h"
#include "support/network_check.h" /* cmocka, before those that assert */
#include "support/reference.h"
#include "train/step.h"

/* The reference's rate is the same at every step. This schedule has it at step RATED only (nothing before, twice as
 * much after), and every step here is taken as that one: a rate of another step would be seen. */
enum { RATED = 1 };

static inline struct schedule rate_of_one_step(double rate)
{
    return (struct schedule){
        .base = 2 * rate, .batch = 256, .steps_per_epoch = 1, .epochs = 4, .warmup_epochs = 2 * RATED};
}

struct step_run {
    struct bench_backend bench;
    struct model *model;
    struct step step;
    float *z; /* of the last step */
};

/* ResNet-18 with the CIFAR stem, LARS and NT-Xent as the file's metadata has them. set_weights: the first ones. */
static inline struct step_run open_steps(const struct reference *file, const char *variant, enum dtype dtype, int rows,
                                         int image_size, int dim,
                                         void (*set_weights)(struct parameters *, const struct reference *))
{
    struct error error = {0};
    struct step_run run = {0};
    struct model_config model = {.resnet.depth = 18,
                                 .resnet.width = reference_metadata(file, "width", 0),
                                 .resnet.stem = STEM_CIFAR,
                                 .image_size = image_size,
                                 .head_layers = 2,
                                 .head_dim = dim};
    run.bench = open_backend(variant);
    const struct step_config config = {
        .loss = &step_nt_xent,
        .images = rows / 2,
        .temperature = reference_metadata(file, "temperature", 0),
        .dtype = dtype,
        .planning = run.bench.options,
        .optimizer = {.kind = OPTIMIZER_LARS,
                      .momentum = (float)reference_metadata(file, "momentum", 0),
                      .weight_decay = (float)reference_metadata(file, "weight_decay", 0),
                      .trust = (float)reference_metadata(file, "eta", 0)},
        .schedule = rate_of_one_step(reference_metadata(file, "lr", 0)),
    };
    CHECK_OK(model_create(&run.model, &model, run.bench.backend, 1, &error), error);
    set_weights(&run.model->parameters, file);
    CHECK_OK(step_open(&run.step, &config, run.bench.backend, run.model, &error), error);
    run.z = memory_array((size_t)rows * (size_t)dim, sizeof *run.z);
    assert_non_null(run.z);
    return run;
}

static inline void close_steps(struct step_run *run)
{
    memory_free(run->z);
    step_close(&run->step);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* One step from images of the type that the network reads; returns the loss. */
static inline double one_step(struct step_run *run, const void *images)
{
    struct error error = {0};
    struct step_report report;
    struct step *step = &run->step;
    const struct batch batch = {.count = network_tensor(step->network, 0)->batch / 2, .views = images};
    step->number = RATED;
    step_forward(step, &batch);
    network_read(step->network, step->tensors.z, run->z);
    step_loss(step);
    step_backward(step);
    CHECK_OK(step_update(step, &report, &error), error);
    assert_false(report.skipped);
    const struct parameters *parameters = &run->model->parameters; /* the update has taken the statistics over */
    assert_memory_equal(parameters->buffers, parameters->buffers_next, parameters->buffer_count * sizeof(float));
    return report.loss;
}

/* Every rate of every case of the file; returns how many cases there were. */
static inline int check_schedules(const struct reference *file)
{
    int cases = 0;
    for (; reference_has(file, "case%d.lr", cases); cases++) {
        struct reference_tensor shape = reference_get(file, "case%d.images_batch_epochs_warmup", cases);
        struct reference_tensor rates = reference_get(file, "case%d.lr", cases);
        struct schedule schedule = {
            .base = reference_number(reference_get(file, "case%d.base", cases), 0),
            .scaling =
                reference_number(reference_get(file, "case%d.sqrt", cases), 0) != 0 ? SCALING_SQRT : SCALING_LINEAR,
            .batch = (int64_t)reference_number(shape, 1),
            .steps_per_epoch = (int64_t)reference_number(shape, 0) / (int64_t)reference_number(shape, 1),
            .epochs = reference_number(shape, 2),
            .warmup_epochs = reference_number(shape, 3),
        };
        assert_int_equal(rates.count, schedule.steps_per_epoch * (int64_t)schedule.epochs);
        for (int64_t step = 0; step < rates.count; step++)
            CHECK_WITHIN(fabs(schedule_rate(&schedule, step) - reference_number(rates, step)), 1e-7, "a learning rate");
    }
    return cases;
}

#endif
