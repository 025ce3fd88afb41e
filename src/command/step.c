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

void *dense_images(const struct network *network)
{
    const size_t values = tensor_elements(network_tensor(network, 0));
    float *canonical = memory_array(values, sizeof *canonical);
    void *images = memory_allocate(network_image_bytes(network));
    if (canonical && images) {
        fill_dense(canonical, values, 0, 1);
        network_write_images(network, images, canonical);
    } else {
        memory_free(images);
        images = NULL;
    }
    memory_free(canonical);
    return images;
}

void training_step_run(void *context)
{
    struct training_step *step = context;
    struct error error;
    const void *images = step->images;
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
        status = model_plan(step->model, session->backend, NETWORK_TRAINING, session->dtype, 2 * batch, false,
                            &step->network, &step->tensors, error);
    const int dim = model_output_dim(&config);
    if (status == SIMCLR_OK) status = nt_xent_create(&step->loss, session->backend, batch, dim, 0.5f, error);
    const struct optimizer_config lars = {OPTIMIZER_LARS, 0.9f, 1e-4f, 0.001f, 0, 0};
    if (status == SIMCLR_OK)
        status = optimizer_create(&step->optimizer, &lars, session->backend, &step->model->parameters, error);
    const size_t outputs = 2 * (size_t)batch * (size_t)dim;
    if (status == SIMCLR_OK) step->images = dense_images(step->network);
    step->z = memory_array(outputs, sizeof(float));
    step->d_z = memory_array(outputs, sizeof(float));
    if (status == SIMCLR_OK && (!step->images || !step->z || !step->d_z))
        status = error_no_memory(error, "benchmark images", network_image_bytes(step->network));
    if (status != SIMCLR_OK) {
        training_step_close(step);
        return status;
    }
    network_set_weights(step->network);
    return SIMCLR_OK;
}

int training_loader_open(struct session *session, enum view_type type, struct dataset **dataset, struct loader **loader,
                         struct error *error)
{
    struct loader_config config = {.purpose = RNG_VIEW,
                                   .seed = 1,
                                   .batch = (int)session->config->batch,
                                   .views = 2,
                                   .shuffle = true,
                                   .workers = session_workers(session),
                                   .pin = session_pin(session),
                                   .scaled_decoding = session->config->scaled_decoding};
    int status = session_view_policy(session, &config.policy, error);
    config.policy.type = type;
    if (status == SIMCLR_OK)
        status = session_open_dataset(session, session->config->data[0] ? session->config->data : "synthetic",
                                      DATASET_TRAIN, dataset, error);
    if (status == SIMCLR_OK) status = loader_open(loader, &config, *dataset, session->pool, error);
    return status;
}
