/* command/probe.c -- see probe.h. */
#include "command/probe.h"

#include "base/memory.h"
#include "base/rng.h"
#include "run/settings.h"

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

void probe_run(void *context)
{
    struct probe *probe = context;
    struct error error;
    struct step_report report;
    const struct batch dense = {.count = network_tensor(probe->step.network, 0)->batch / 2, .views = probe->images},
                       *batch = &dense;
    if (probe->loader) {
        const int64_t number = probe->number % loader_steps_per_epoch(probe->loader);
        probe->status = loader_next(probe->loader, number, &batch, &error);
        if (probe->status != SIMCLR_OK) return;
        probe->number += 1; /* of the loader's batches: workers make those that follow */
    }
    probe->status = step_run(&probe->step, batch, &report, &error);
}

void probe_close(struct probe *probe)
{
    loader_close(&probe->loader);
    step_close(&probe->step);
    model_destroy(&probe->model);
    memory_free(probe->images);
}

int probe_open(struct session *session, struct probe *probe, struct error *error)
{
    const struct config *config = session->config;
    struct model_config model;
    const struct step_config step = {
        .loss = &step_nt_xent,
        .images = (int)config->batch,
        .temperature = config_is_auto(config, "temperature") ? 0.5 : config->temperature, /* no time depends on it */
        .dtype = session->dtype,
        .planning = session->planning,
        .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
        .schedule = step_schedule_constant(1e-3),
    };
    *probe = (struct probe){0};
    int status = session_model_config(session, 0, &model, error);
    if (status == SIMCLR_OK)
        status = model_create(&probe->model, &model, session->backend, (uint64_t)config->seed, error);
    if (status == SIMCLR_OK) status = step_open(&probe->step, &step, session->backend, probe->model, error);
    if (status == SIMCLR_OK) {
        probe->step.timed = true;
        probe->images = dense_images(probe->step.network);
        if (!probe->images)
            status = error_no_memory(error, "benchmark images", network_image_bytes(probe->step.network));
    }
    if (status != SIMCLR_OK) probe_close(probe);
    return status;
}

int probe_loader_open(struct session *session, enum view_type type, struct dataset **dataset, struct loader **loader,
                      struct error *error)
{
    struct loader_config config = {.purpose = RNG_VIEW,
                                   .seed = (uint64_t)session->config->seed,
                                   .batch = (int)session->config->batch,
                                   .views = 2,
                                   .shuffle = true,
                                   .workers = session_workers(session),
                                   .pin = session_pin(session),
                                   .scaled_decoding = session->config->scaled_decoding,
                                   .memory = session_batch_memory(session)};
    int status = session_view_policy(session, &config.policy, error);
    config.policy.type = type;
    if (status == SIMCLR_OK)
        status = session_open_dataset(session, session->config->data[0] ? session->config->data : "synthetic",
                                      DATASET_TRAIN, dataset, error);
    if (status == SIMCLR_OK) status = loader_open(loader, &config, *dataset, session->pool, error);
    return status;
}
