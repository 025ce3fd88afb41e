/* command/bench/bench_model.c -- what a model costs apart from the training step: inference, and the update of its
 * weights.
 */
#include "base/memory.h"
#include "command/bench/bench.h"
#include "command/probe.h"
#include "run/settings.h"

struct embedding {
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    void *images;
    float *features;
};

static void embedding_run(void *context)
{
    struct embedding *embedding = context;
    network_forward(embedding->network, embedding->images);
    network_read(embedding->network, embedding->tensors.h, embedding->features);
}

static int embedding_open(const struct session *session, struct embedding *embedding, struct error *error)
{
    struct model_config config;
    const int batch = (int)session->config->batch;
    int status = session_model_config(session, 0, &config, error);
    if (status == SIMCLR_OK) status = model_create(&embedding->model, &config, session->backend, 1, error);
    if (status == SIMCLR_OK)
        status = model_plan(embedding->model,
                            &(struct model_plan_args){.backend = session->backend,
                                                      .mode = NETWORK_INFERENCE,
                                                      .dtype = session->dtype,
                                                      .batch = batch,
                                                      .encoder_only = true,
                                                      .options = session->planning},
                            &embedding->network, &embedding->tensors, error);
    if (status != SIMCLR_OK) return status;
    network_let_stop(embedding->network, true);
    embedding->images = dense_images(embedding->network);
    embedding->features = memory_array((size_t)batch * (size_t)model_feature_dim(&config), sizeof(float));
    if (!embedding->images || !embedding->features)
        return error_no_memory(error, "benchmark images", network_image_bytes(embedding->network));
    return SIMCLR_OK;
}

int bench_embed(struct bench *bench, struct error *error)
{
    struct embedding embedding = {0};
    const int batch = (int)bench->session->config->batch;
    double seconds = 0;
    int runs, status = embedding_open(bench->session, &embedding, error);
    if (status == SIMCLR_OK) status = bench_median(bench, embedding_run, &embedding, &seconds, &runs, error);
    if (status == SIMCLR_OK) {
        if (bench->as_json) {
            text_json_open_object(&bench->json, "embed");
            text_json_integer(&bench->json, "images", batch);
            text_json_number(&bench->json, "seconds", seconds);
            text_json_number(&bench->json, "images_per_second", batch / seconds);
            text_json_integer(&bench->json, "runs", runs);
            text_json_close_object(&bench->json);
        } else {
            session_print(bench->session,
                          "%-18s %8.1f images/s  the encoder in inference mode, %.1f ms for %d images (median of %d)\n",
                          "embed", batch / seconds, 1e3 * seconds, batch, runs);
        }
    }
    network_destroy(&embedding.network);
    model_destroy(&embedding.model);
    memory_free(embedding.images);
    memory_free(embedding.features);
    return status;
}

static void update_run(void *context)
{
    const struct step *step = context;
    optimizer_update(step->optimizer, 1e-3);
}

static void packing_run(void *context)
{
    const struct step *step = context;
    network_set_weights(step->network);
}

/* Tensor by tensor, since the slab is the backend's. */
static int fill_gradients(const struct parameters *parameters, struct error *error)
{
    for (int i = 0; i < parameters->count; i++) {
        const size_t count = parameters->items[i].count;
        float *gradients = parameter_gradients(parameters, i), *dense;
        if (!gradients) continue;
        dense = memory_array(count, sizeof *dense);
        if (!dense) return error_no_memory(error, "gradients", count * sizeof *dense);
        fill_dense(dense, count, -1e-3, 1e-3);
        parameters_put(parameters, gradients, dense, count);
        memory_free(dense);
    }
    return SIMCLR_OK;
}

int bench_update(struct bench *bench, struct error *error)
{
    struct probe probe;
    int status = probe_open(bench->session, &probe, error);
    if (status != SIMCLR_OK) return status;
    const struct parameters *parameters = &probe.model->parameters;
    double update = 0, packing = 0;
    int runs;
    status = fill_gradients(parameters, error);
    if (status == SIMCLR_OK) status = bench_median(bench, update_run, &probe.step, &update, &runs, error);
    if (status == SIMCLR_OK) status = bench_median(bench, packing_run, &probe.step, &packing, NULL, error);
    if (status != SIMCLR_OK) {
        probe_close(&probe);
        return status;
    }
    if (bench->as_json) {
        text_json_open_object(&bench->json, "update");
        text_json_integer(&bench->json, "weights", (int64_t)parameters->weight_count);
        text_json_number(&bench->json, "lars_seconds", update);
        text_json_number(&bench->json, "packing_seconds", packing);
        text_json_integer(&bench->json, "runs", runs);
        text_json_close_object(&bench->json);
    } else {
        session_print(
            bench->session,
            "%-18s %8.2f ms      LARS over %.1f million weights (median of %d); packing them for the kernels %.2f ms\n",
            "update", 1e3 * update, 1e-6 * (double)parameters->weight_count, runs, 1e3 * packing);
    }
    probe_close(&probe);
    return SIMCLR_OK;
}
