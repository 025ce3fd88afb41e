/* golden/steps.h -- SimCLR steps and learning rates beside PyTorch's: what the program beside the reference folder and
 * the one beside this project's own files share. Both kinds of file name the same settings. */
#ifndef GOLDEN_STEPS_H
#define GOLDEN_STEPS_H

#include "base/memory.h"
#include "loss/nt_xent.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "support/network_check.h" /* cmocka, before those that assert */
#include "support/reference.h"

struct step_run {
    struct bench_backend bench;
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct optimizer *optimizer;
    struct nt_xent *loss;
    float *z, *d_z;
    double rate;
};

/* ResNet-18 with the CIFAR stem, LARS and NT-Xent as the file's metadata has them. set_weights: the first ones. */
static inline struct step_run open_steps(const struct reference *file, const char *variant, enum dtype dtype, int rows,
                                         int image_size, int dim,
                                         void (*set_weights)(struct parameters *, const struct reference *))
{
    struct error error = {0};
    struct step_run run = {.bench = open_backend(variant), .rate = reference_metadata(file, "lr", 0)};
    struct model_config config = {.depth = 18,
                                  .width = reference_metadata(file, "width", 0),
                                  .stem = STEM_CIFAR,
                                  .image_size = image_size,
                                  .head_layers = 2,
                                  .head_dim = dim};
    struct optimizer_config optimizer = {.kind = OPTIMIZER_LARS,
                                         .momentum = (float)reference_metadata(file, "momentum", 0),
                                         .weight_decay = (float)reference_metadata(file, "weight_decay", 0),
                                         .trust = (float)reference_metadata(file, "eta", 0)};
    const float temperature = (float)reference_metadata(file, "temperature", 0);
    struct backend *backend = run.bench.backend;
    CHECK_OK(model_create(&run.model, &config, 1, &error), error);
    set_weights(&run.model->parameters, file);
    CHECK_OK(model_plan(run.model, backend, NETWORK_TRAINING, dtype, rows, false, &run.network, &run.tensors, &error),
             error);
    CHECK_OK(optimizer_create(&run.optimizer, &optimizer, backend, &run.model->parameters, &error), error);
    CHECK_OK(nt_xent_create(&run.loss, backend, rows / 2, dim, temperature, &error), error);
    run.z = memory_array((size_t)rows * (size_t)dim, sizeof *run.z);
    run.d_z = memory_array((size_t)rows * (size_t)dim, sizeof *run.d_z);
    return run;
}

static inline void close_steps(struct step_run *run)
{
    memory_free(run->z);
    memory_free(run->d_z);
    nt_xent_destroy(&run->loss);
    optimizer_destroy(&run->optimizer);
    network_destroy(&run->network);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* One step from images of the type that the network reads; returns the loss. */
static inline double one_step(struct step_run *run, const void *images)
{
    struct nt_xent_result result;
    network_forward(run->network, images);
    network_read(run->network, run->tensors.z, run->z);
    nt_xent_run(run->loss, &result, run->d_z, run->z);
    network_backward(run->network, run->tensors.z, run->d_z);
    optimizer_update(run->optimizer, run->rate);
    network_set_weights(run->network);
    return result.loss;
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
            .square_root = reference_number(reference_get(file, "case%d.sqrt", cases), 0) != 0,
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
