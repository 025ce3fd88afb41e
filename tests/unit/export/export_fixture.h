/* What the tests of this room share: models whose every number matters, and their features as our networks have them.
 */
#ifndef EXPORT_FIXTURE_H
#define EXPORT_FIXTURE_H

#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/pool.h"
#include "model/model.h"
#include "support/folder.h"
#include "support/random.h"

#define CHECK(expression, error)                                                                                       \
    do {                                                                                                               \
        if ((expression) != SIMCLR_OK) fail_msg("%s: %s", #expression, (error).text);                                  \
    } while (0)

/* No weight, gamma, shift or statistic is trivial. */
static inline void disturb(struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        float *values = parameter_weights(parameters, i);
        const bool variance = strstr(item->name, "running_var") != NULL;
        random_floats(values, item->count, (uint32_t)i);
        const float scale = item->rank > 1 ? sqrtf(6.0f / (float)(item->count / (size_t)item->dims[0])) : 0.4f;
        for (size_t k = 0; k < item->count; k++)
            values[k] = variance                                           ? 1.5f + values[k]
                        : item->rank == 1 && strstr(item->name, ".weight") ? 0.8f + 0.4f * values[k]
                                                                           : values[k] * scale;
    }
}

static inline struct model *make_model(const struct model_config *config)
{
    struct error error = {0};
    struct model *model;
    CHECK(model_create(&model, config, NULL, 1, &error), error);
    disturb(&model->parameters);
    return model;
}

static inline struct model_config resnet(int depth, double width, enum stem stem, int size)
{
    return (struct model_config){.resnet = {.depth = depth, .width = width, .stem = stem}, .image_size = size};
}

/* h (layer 0), or the output of a layer of the head, of images [batch][3][S][S], in float32: [batch][dim]. */
static inline void run_model(struct model *model, int layer, const float *images, int batch, float *out)
{
    struct error error = {0};
    struct pool *pool;
    struct backend *backend;
    struct network *network;
    struct model_tensors tensors;
    CHECK(pool_create(&pool, 1, &error), error);
    CHECK(backend_create("ref", simd_machine(), pool, &backend, &error), error);
    const struct model_plan_args args = {.backend = backend,
                                         .mode = NETWORK_INFERENCE,
                                         .dtype = DTYPE_F32,
                                         .batch = batch,
                                         .encoder_only = layer == 0,
                                         .layer = layer};
    CHECK(model_plan(model, &args, &network, &tensors, &error), error);
    network_forward(network, images);
    network_read(network, layer == 0 ? tensors.h : tensors.z, out);
    network_destroy(&network);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

#endif
