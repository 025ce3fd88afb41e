/* command/step.c -- see step.h. */
#include "command/step.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"

void fill_dense(float *values, size_t count, double low, double high)
{
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_between(&rng, low, high);
}

void training_step_run(void *context)
{
    struct training_step *step = context;
    struct error error;
    const float *images = step->images;
    if (step->loader) {
        const struct batch *batch;
        const int64_t number = step->number % loader_steps_per_epoch(step->loader);
        step->status = loader_next(step->loader, number, &batch, &error);
        if (step->status != SIMCLR_OK) return;
        step->number += 1; /* of the loader's batches: workers make those that follow */
        images = batch->views;
    }
    const double start = clock_seconds();
    network_forward(step->network, images);
    network_read(step->network, step->tensors.z, step->z);
    const double forward = clock_seconds();
    nt_xent_run(step->loss, &step->result, step->d_z, step->z);
    const double loss = clock_seconds();
    network_backward(step->network, step->tensors.z, step->d_z);
    const double backward = clock_seconds();
    optimizer_update(step->optimizer, 1e-3);
    const double update = clock_seconds();
    network_set_weights(step->network);
    step->forward = forward - start;
    step->loss_seconds = loss - forward;
    step->backward = backward - loss;
    step->update = update - backward;
    step->packing = clock_seconds() - update;
}

void training_step_close(struct training_step *step)
{
    loader_close(&step->loader);
    optimizer_destroy(&step->optimizer);
    nt_xent_destroy(&step->loss);
    network_destroy(&step->network);
    model_destroy(&step->model);
    memory_free(step->images);
    memory_free(step->z);
    memory_free(step->d_z);
}

int training_step_open(struct session *session, struct training_step *step, struct error *error)
{
    struct model_config config;
    const int batch = (int)session->config->batch;
    memset(step, 0, sizeof *step);
    int status = session_model_config(session, 0, &config, error);
    if (status == SIMCLR_OK) status = model_create(&step->model, &config, 1, error);
    if (status == SIMCLR_OK)
        status = model_plan(step->model, session->backend, NETWORK_TRAINING, session->dtype, 2 * batch, false, &step->network,
                            &step->tensors, error);
    const int dim = model_output_dim(&config);
    if (status == SIMCLR_OK) status = nt_xent_create(&step->loss, session->backend, batch, dim, 0.5f, error);
    const struct optimizer_config lars = {OPTIMIZER_LARS, 0.9f, 1e-4f, 0.001f, 0, 0};
    if (status == SIMCLR_OK) status = optimizer_create(&step->optimizer, &lars, session->backend, &step->model->parameters, error);
    const size_t pixels = 2 * (size_t)batch * 3 * (size_t)config.image_size * (size_t)config.image_size;
    const size_t outputs = 2 * (size_t)batch * (size_t)dim;
    step->images = memory_array(pixels, sizeof(float));
    step->z = memory_array(outputs, sizeof(float));
    step->d_z = memory_array(outputs, sizeof(float));
    if (status == SIMCLR_OK && (!step->images || !step->z || !step->d_z))
        status = error_no_memory(error, "benchmark images", pixels * sizeof(float));
    if (status != SIMCLR_OK) {
        training_step_close(step);
        return status;
    }
    fill_dense(step->images, pixels, 0, 1);
    network_set_weights(step->network);
    return SIMCLR_OK;
}

int training_loader_open(struct session *session, struct dataset **dataset, struct loader **loader, struct error *error)
{
    struct loader_config config = {.purpose = RNG_VIEW, .seed = 1, .batch = (int)session->config->batch, .views = 2, .shuffle = true,
                                   .workers = session_workers(session), .pin = session_pin(session),
                                   .scaled_decoding = session->config->scaled_decoding};
    int status = session_view_policy(session, &config.policy, error);
    if (status == SIMCLR_OK)
        status = session_open_dataset(session, session->config->data[0] ? session->config->data : "synthetic", DATASET_TRAIN, dataset, error);
    if (status == SIMCLR_OK) status = loader_open(loader, &config, *dataset, session->pool, error);
    return status;
}
