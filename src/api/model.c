/* api/model.c -- a trained encoder behind simclr.h's simclr_model: one image in, its representation out. */
#include <stdio.h>

#include "api/internal.h"
#include "augment/views.h"
#include "base/memory.h"
#include "config/config.h"
#include "image/image.h"
#include "model/model.h"
#include "run/features.h"
#include "run/model_open.h"

struct simclr_model {
    simclr_context *context;
    struct config *config;
    struct session session;
    bool started;
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct view_policy policy;
    void *view;                        /* [3][S][S] of the policy's type */
    void *scratch;                     /* of the evaluation view; grows with the images */
    int scratch_width, scratch_height; /* of the largest image it is for */
};

static int open_model(simclr_model *model, const char *path, int threads, struct error *error)
{
    char text[16] = "auto";

    if (threads > 0) snprintf(text, sizeof text, "%d", threads);
    int status = config_create(&model->config, COMMAND_EMBED, error);
    if (status == SIMCLR_OK) status = config_set(model->config, "checkpoint", path, 2, error);
    if (status == SIMCLR_OK) status = config_set(model->config, "threads", text, 2, error);
    if (status != SIMCLR_OK) return status;
    context_session(model->context, model->config, &model->session);
    status = session_start(&model->session, error);
    model->started = status == SIMCLR_OK;
    if (status == SIMCLR_OK) status = model_open(&model->session, path, &model->model, &model->policy, error);
    if (status == SIMCLR_OK) {
        status = model_plan(model->model,
                            &(struct model_plan_args){.backend = model->session.backend,
                                                      .mode = NETWORK_INFERENCE,
                                                      .dtype = model->session.dtype,
                                                      .batch = 1,
                                                      .encoder_only = true,
                                                      .options = model->session.planning},
                            &model->network, &model->tensors, error);
    }
    if (status != SIMCLR_OK) return status;
    network_set_weights(model->network);
    model->policy.type = session_view_type(&model->session);
    model->view = memory_allocate(network_image_bytes(model->network));
    return model->view ? SIMCLR_OK : error_no_memory(error, "a view", network_image_bytes(model->network));
}

int simclr_model_load(simclr_context *context, const char *path, int threads, simclr_model **out)
{
    if (!context || !out) return SIMCLR_INVALID;
    context_begin(context);
    *out = NULL;
    if (!path || threads < 0) {
        return error_set(&context->error, SIMCLR_INVALID, "a model needs a path and a number of threads of 0 or more");
    }
    simclr_model *model = memory_allocate(sizeof *model);
    if (!model) return error_no_memory(&context->error, "a model", sizeof *model);
    model->context = context;
    const int status = open_model(model, path, threads, &context->error);
    if (status != SIMCLR_OK)
        simclr_model_close(&model);
    else
        *out = model;
    return status;
}

void simclr_model_close(simclr_model **model)
{
    if (!model || !*model) return;
    network_destroy(&(*model)->network);
    model_destroy(&(*model)->model);
    if ((*model)->started) session_stop(&(*model)->session);
    config_destroy(&(*model)->config);
    memory_free((*model)->view);
    memory_free((*model)->scratch);
    memory_free(*model);
    *model = NULL;
}

int simclr_model_dim(const simclr_model *model)
{
    return model ? model_feature_dim(&model->model->config) : SIMCLR_INVALID;
}

int simclr_model_image_size(const simclr_model *model)
{
    return model ? model->policy.size : SIMCLR_INVALID;
}

static int embed(simclr_model *model, const struct image *image, const char *name, float *features, struct error *error)
{
    if (model->scratch == NULL || image->width > model->scratch_width || image->height > model->scratch_height) {
        const int width = image->width > model->scratch_width ? image->width : model->scratch_width;
        const int height = image->height > model->scratch_height ? image->height : model->scratch_height;
        const size_t bytes = view_scratch_bytes(&model->policy, width, height);
        memory_free(model->scratch);
        model->scratch_width = model->scratch_height = 0;
        model->scratch = memory_allocate(bytes);
        if (!model->scratch) return error_no_memory(error, "scratch for an image", bytes);
        view_scratch_prepare(&model->policy, width, height, model->scratch);
        model->scratch_width = width;
        model->scratch_height = height;
    }
    view_render_evaluation(&model->policy, image, model->view, model->scratch);
    network_forward(model->network, model->view);
    network_read(model->network, model->tensors.h, features);
    const int status = model->session.backend->ops->sync(model->session.backend, error);
    return status ? status : features_check_row(name, features, model_feature_dim(&model->model->config), error);
}

int simclr_model_embed(simclr_model *model, const uint8_t *rgb, int width, int height, float *features)
{
    if (!model) return SIMCLR_INVALID;
    struct error *error = &model->context->error;
    context_begin(model->context);
    if (!rgb || !features) return error_set(error, SIMCLR_INVALID, "the image or the room for its features is NULL");
    const int64_t limit = image_limits_default().max_pixels;
    if (width < 1 || height < 1 || (int64_t)width * height > limit) {
        return error_set(error, SIMCLR_INVALID, "an image of %d x %d pixels cannot be embedded; 1 to %lld pixels can",
                         width, height, (long long)limit);
    }
    const struct image image = {.width = width, .height = height, .rgb = (uint8_t *)rgb}; /* only read */
    return embed(model, &image, "the image", features, error);
}

int simclr_model_embed_file(simclr_model *model, const char *path, float *features)
{
    if (!model) return SIMCLR_INVALID;
    struct error *error = &model->context->error;
    const struct image_limits limits = image_limits_default();
    struct image image;

    context_begin(model->context);
    if (!path || !features) return error_set(error, SIMCLR_INVALID, "the path or the room for the features is NULL");
    int status = image_load(path, &limits, &image, error);
    if (status == SIMCLR_OK) status = embed(model, &image, path, features, error);
    image_free(&image);
    return status;
}
