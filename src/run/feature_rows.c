/* run/feature_rows.c -- see feature_rows.h. */
#include "run/feature_rows.h"

#include <string.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 }; /* of views that a network reads in place */

struct feature_rows {
    const struct session *session;
    struct network *network; /* NULL: the pixels themselves */
    int tensor;              /* which of its tensors is wanted */
    int batch, dim;
    enum view_type type;
    size_t view_bytes;
    void *views;   /* [batch]: staging for fewer views than the network was planned for */
    float *values; /* [batch][dim] */
};

int feature_rows_check_layer(const struct model_config *config, int layer, struct error *error)
{
    const int layers = model_layers(config);
    if (layer <= layers) return SIMCLR_OK;
    if (layers > 0)
        return error_set(error, SIMCLR_INVALID,
                         "--layer %d: the projection head has %d layer%s; give h for the encoder", layer, layers,
                         layers == 1 ? "" : "s");
    return error_set(error, SIMCLR_INVALID,
                     "--layer %d: there is no projection head: exported encoders and fine-tuned networks have none; "
                     "give a checkpoint of pretraining, or h for the encoder",
                     layer);
}

/* Which tensor is wanted, and its values for an image. */
static void choose_tensor(struct feature_rows *rows, const struct feature_rows_config *config,
                          const struct model_tensors *tensors)
{
    const struct model_config *model = &config->model->config;
    rows->tensor = config->kind == FEATURES_H ? tensors->h : tensors->z;
    rows->dim = model_layer_dim(model, config->layer);
}

static int plan(struct feature_rows *rows, const struct feature_rows_config *config, struct error *error)
{
    const struct session *session = rows->session;
    struct model_tensors tensors;
    int status = feature_rows_check_layer(&config->model->config, config->layer, error);
    if (status) return status;
    status = model_plan(config->model,
                        &(struct model_plan_args){.backend = session->backend,
                                                  .mode = NETWORK_INFERENCE,
                                                  .dtype = session->dtype,
                                                  .batch = config->batch,
                                                  .image_size = config->size,
                                                  .encoder_only = config->kind == FEATURES_H,
                                                  .layer = config->layer,
                                                  .options = session->planning},
                        &rows->network, &tensors, error);
    if (status) return status;
    network_let_stop(rows->network, true);
    choose_tensor(rows, config, &tensors);
    rows->type = session_view_type(session);
    rows->view_bytes = 3 * (size_t)config->size * (size_t)config->size * view_type_bytes(rows->type);
    rows->views = memory_array((size_t)config->batch, rows->view_bytes);
    rows->values = memory_array((size_t)config->batch * (size_t)rows->dim, sizeof *rows->values);
    if (rows->views && rows->values) return SIMCLR_OK;
    return error_no_memory(error, "a batch of features", (size_t)config->batch * rows->view_bytes);
}

int feature_rows_open(struct feature_rows **out, const struct session *session,
                      const struct feature_rows_config *config, struct error *error)
{
    struct feature_rows *rows = *out = memory_allocate(sizeof *rows);
    if (!rows) return error_no_memory(error, "a batch of features", sizeof *rows);
    rows->session = session;
    rows->batch = config->batch;
    if (config->kind == FEATURES_PIXELS) {
        rows->dim = 3 * config->size * config->size;
        rows->type = VIEW_FLOAT32;
        return SIMCLR_OK;
    }
    const int status = plan(rows, config, error);
    if (status) feature_rows_close(out);
    return status;
}

void feature_rows_close(struct feature_rows **rows)
{
    if (!*rows) return;
    network_destroy(&(*rows)->network);
    memory_free((*rows)->views);
    memory_free((*rows)->values);
    memory_free(*rows);
    *rows = NULL;
}

int feature_rows_dim(const struct feature_rows *rows)
{
    return rows->dim;
}

enum view_type feature_rows_type(const struct feature_rows *rows)
{
    return rows->type;
}

/* At most a batch. */
static int run_network(struct feature_rows *rows, const void *views, int count, float *values, struct error *error)
{
    if (count < rows->batch || (uintptr_t)views % ALIGNMENT != 0) {
        /* The rest of the staging holds older views: finite, and not read. */
        memcpy(rows->views, views, (size_t)count * rows->view_bytes);
        views = rows->views;
    }
    network_forward(rows->network, views);
    network_read(rows->network, rows->tensor, rows->values);
    memcpy(values, rows->values, (size_t)count * (size_t)rows->dim * sizeof *values);
    if (network_is_cut(rows->network)) return stop_error(error, "features");
    return rows->session->backend->ops->sync(rows->session->backend, error);
}

int feature_rows_run(struct feature_rows *rows, const void *views, int count, float *values, struct error *error)
{
    const size_t dim = (size_t)rows->dim;
    if (!rows->network) {
        const float *pixels = views;
        for (size_t i = 0; i < (size_t)count * dim; i++) values[i] = pixels[i] - 0.5f;
        return SIMCLR_OK;
    }
    for (int at = 0; at < count; at += rows->batch) {
        const int some = count - at < rows->batch ? count - at : rows->batch;
        const int status = run_network(rows, (const char *)views + (size_t)at * rows->view_bytes, some,
                                       values + (size_t)at * dim, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}
