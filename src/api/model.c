/* api/model.c -- a trained encoder behind simclr.h's simclr_model: opening it, sharing it, images in, rows out. */
#include <stdio.h>
#include <string.h>

#include "api/model.h"
#include "base/memory.h"
#include "config/config.h"
#include "run/features.h"
#include "run/model_open.h"

enum { MOST_BATCH = 65536 };

/* ---- what handles share ---------------------------------------------------------------------------------------- */

/* The classifier, where there is one, and the encoder's path (memory_free). */
static int find(struct model_shared *shared, const char *path, char **encoder, struct error *error)
{
    const int status = predictor_find(&shared->classifier, encoder, path, "", &shared->reason);
    shared->classifies = status == SIMCLR_OK;
    if (!status) return SIMCLR_OK;
    *encoder = status == SIMCLR_NO_MEMORY ? NULL : memory_string(path);
    return *encoder ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path));
}

/* path: of the encoder. */
static int open_encoder(struct model_shared *shared, simclr_context *context, const char *path, int threads,
                        struct error *error)
{
    char text[16] = "auto";

    if (threads > 0) snprintf(text, sizeof text, "%d", threads);
    int status = config_create(&shared->config, COMMAND_EMBED, error);
    if (!status) status = config_set(shared->config, "checkpoint", path, 2, error);
    if (!status) status = config_set(shared->config, "threads", text, 2, error);
    if (status) return status;
    context_session(context, shared->config, &shared->session);
    status = session_start(&shared->session, error);
    shared->started = status == SIMCLR_OK;
    if (!status) status = model_open(&shared->session, path, &shared->model, &shared->policy, error);
    shared->policy.type = status ? VIEW_FLOAT32 : session_view_type(&shared->session);
    return status;
}

static int open_shared(struct model_shared *shared, simclr_context *context, const char *path, int threads,
                       struct error *error)
{
    char *encoder;
    int status = find(shared, path, &encoder, error);
    if (!status) status = open_encoder(shared, context, encoder, threads, error);
    memory_free(encoder);
    return status;
}

/* The last handle frees what all had. */
static void leave_shared(struct model_shared *shared)
{
    if (!shared || atomic_fetch_sub(&shared->handles, 1) > 1) return;
    model_destroy(&shared->model);
    if (shared->started) session_stop(&shared->session);
    config_destroy(&shared->config);
    classifier_free(&shared->classifier);
    pthread_mutex_destroy(&shared->planning);
    memory_free(shared);
}

/* ---- planning -------------------------------------------------------------------------------------------------- */

static int plan(simclr_model *model, int batch, struct feature_rows **out, struct error *error)
{
    const struct feature_rows_config config = {
        .kind = FEATURES_H, .model = model->shared->model, .size = model->shared->policy.size, .batch = batch};
    pthread_mutex_lock(&model->shared->planning);
    const int status = feature_rows_open(out, model->session, &config, error);
    pthread_mutex_unlock(&model->shared->planning);
    return status;
}

/* The network for `batch` images at once, which stays until another number is asked for. */
static int rows_for(simclr_model *model, int batch, struct feature_rows **out, struct error *error)
{
    *out = batch == 1 ? model->one : model->many;
    if (batch == 1 || batch == model->planned) return SIMCLR_OK;
    feature_rows_close(&model->many);
    model->planned = 0;
    int status = pictures_reserve(model, &model->shared->policy, batch, error);
    if (!status) status = plan(model, batch, &model->many, error);
    if (!status) model->planned = batch;
    *out = model->many;
    return status;
}

/* ---- handles --------------------------------------------------------------------------------------------------- */

/* The parts of a handle whose `shared` and `session` are there. */
static int open_handle(simclr_model *model, struct error *error)
{
    int status = makers_open(model, error);
    if (!status) status = pictures_reserve(model, &model->shared->policy, 1, error);
    if (!status) status = plan(model, 1, &model->one, error);
    return status;
}

static int refuse_no_place(struct error *error)
{
    return error_set(error, SIMCLR_INVALID, "there is no place to put the model: it is NULL");
}

int simclr_model_load(simclr_context *context, const char *path, int threads, simclr_model **out)
{
    if (out) *out = NULL;
    if (!context) return SIMCLR_INVALID;
    struct error *error = &context->error;
    context_begin(context);
    if (!out) return refuse_no_place(error);
    if (!path || threads < 0)
        return error_set(error, SIMCLR_INVALID, "a model needs a path and a number of threads of 0 or more");
    simclr_model *model = memory_allocate(sizeof *model);
    struct model_shared *shared = memory_allocate(sizeof *shared);
    if (!model || !shared) {
        memory_free(model);
        memory_free(shared);
        return error_no_memory(error, "a model", sizeof *model + sizeof *shared);
    }
    pthread_mutex_init(&shared->planning, NULL);
    atomic_init(&shared->handles, 1);
    *model = (simclr_model){.context = context, .shared = shared, .session = &shared->session};
    int status = open_shared(shared, context, path, threads, error);
    if (!status) status = open_handle(model, error);
    if (status)
        simclr_model_close(&model);
    else
        *out = model;
    return status;
}

int simclr_model_share(simclr_context *context, const simclr_model *model, simclr_model **out)
{
    if (out) *out = NULL;
    if (!context) return SIMCLR_INVALID;
    struct error *error = &context->error;
    context_begin(context);
    if (!out) return refuse_no_place(error);
    if (!model) return error_set(error, SIMCLR_INVALID, "there is no model to share: it is NULL");
    simclr_model *other = memory_allocate(sizeof *other);
    if (!other) return error_no_memory(error, "a model", sizeof *other);
    *other = (simclr_model){.context = context, .shared = model->shared, .batch = model->batch};
    atomic_fetch_add(&model->shared->handles, 1);
    context_session(context, model->shared->config, &other->own);
    other->own.log = (struct log){0}; /* the first handle has said what computes */
    int status = session_start(&other->own, error);
    other->owns = !status;
    other->session = &other->own;
    if (!status) status = open_handle(other, error);
    if (status)
        simclr_model_close(&other);
    else
        *out = other;
    return status;
}

void simclr_model_close(simclr_model **model)
{
    if (!model || !*model) return;
    simclr_model *own = *model;
    feature_rows_close(&own->one);
    feature_rows_close(&own->many);
    predicting_close(&own->predicting);
    makers_close(own);
    memory_free(own->views);
    if (own->owns) session_stop(&own->own);
    leave_shared(own->shared);
    memory_free(own);
    *model = NULL;
}

int simclr_model_dim(const simclr_model *model)
{
    return model ? model_feature_dim(&model->shared->model->config) : SIMCLR_INVALID;
}

int simclr_model_image_size(const simclr_model *model)
{
    return model ? model->shared->policy.size : SIMCLR_INVALID;
}

int simclr_model_set_batch(simclr_model *model, int batch)
{
    if (!model) return SIMCLR_INVALID;
    context_begin(model->context);
    if (batch < 0 || batch > MOST_BATCH)
        return error_set(&model->context->error, SIMCLR_INVALID, "a batch of %d images is impossible: give 0 to %d",
                         batch, MOST_BATCH);
    model->batch = batch;
    return SIMCLR_OK;
}

int simclr_model_batch(const simclr_model *model)
{
    if (!model) return SIMCLR_INVALID;
    return model->batch > 0 ? model->batch : features_usual_batch(model->shared->policy.size);
}

int model_batch_of(const simclr_model *model, int64_t count)
{
    const int usual = simclr_model_batch(model);
    return model->batch == 0 && count < usual ? (int)count : usual;
}

/* ---- embedding ------------------------------------------------------------------------------------------------- */

static int embed_some(simclr_model *model, struct feature_rows *rows, const struct pictures *pictures, int64_t first,
                      int count, float *features, struct error *error)
{
    const int dim = feature_rows_dim(rows);
    char made[PICTURE_NAME];
    int status = pictures_make(model, &model->shared->policy, pictures, first, count, error);
    if (!status) status = feature_rows_run(rows, model->views, count, features, error);
    for (int i = 0; !status && i < count; i++)
        status = features_check_row(pictures_name(pictures, first + i, made), features + (size_t)i * (size_t)dim, dim,
                                    error);
    return status;
}

static int embed(simclr_model *model, const struct pictures *pictures, int64_t count, float *features)
{
    struct error *error = &model->context->error;
    struct feature_rows *rows;
    const int batch = model_batch_of(model, count);
    int status = pictures_check(pictures, count, error);
    if (!status) status = rows_for(model, batch, &rows, error);
    for (int64_t at = 0; !status && at < count; at += batch) {
        const int some = (int)(count - at < batch ? count - at : batch);
        float *out = features + (size_t)at * (size_t)feature_rows_dim(rows);
        status = embed_some(model, rows, pictures, at, some, out, error);
    }
    atomic_store_explicit(&model->context->interrupted, 0, memory_order_relaxed); /* the request has been served */
    return status;
}

int simclr_model_embed_batch(simclr_model *model, const simclr_image *images, int64_t count, float *features)
{
    if (!model) return SIMCLR_INVALID;
    struct error *error = &model->context->error;
    context_begin(model->context);
    if (!images || !features) return error_set(error, SIMCLR_INVALID, "the images or the room for features is NULL");
    if (count < 1)
        return error_set(error, SIMCLR_INVALID, "%lld images cannot be embedded: give 1 or more", (long long)count);
    return embed(model, &(struct pictures){.images = images}, count, features);
}

int simclr_model_embed(simclr_model *model, const uint8_t *rgb, int width, int height, float *features)
{
    if (!model) return SIMCLR_INVALID;
    context_begin(model->context);
    if (!rgb || !features)
        return error_set(&model->context->error, SIMCLR_INVALID, "the image or the room for its features is NULL");
    const simclr_image image = {.size = sizeof image, .rgb = rgb, .width = width, .height = height};
    return embed(model, &(struct pictures){.images = &image, .only = "the image"}, 1, features);
}

int simclr_model_embed_file(simclr_model *model, const char *path, float *features)
{
    if (!model) return SIMCLR_INVALID;
    context_begin(model->context);
    if (!path || !features)
        return error_set(&model->context->error, SIMCLR_INVALID, "the path or the room for the features is NULL");
    const simclr_image image = {.size = sizeof image, .path = path};
    return embed(model, &(struct pictures){.images = &image}, 1, features);
}
