/* write_export DEPTH IMAGE_SIZE FOLDER -- for check_torch_export.py: a model of random weights and of statistics from
 * one training pass, exported as FOLDER/encoder.safetensors. FOLDER/features.safetensors has images with the features
 * that this program computes from them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

enum { BATCH = 4 };

static int run(struct model *model, struct backend *backend, enum network_mode mode, const float *images, float *h,
               struct error *error)
{
    struct network *network;
    struct model_tensors tensors;
    int status =
        model_plan(model,
                   &(struct model_plan_args){
                       .backend = backend, .mode = mode, .dtype = DTYPE_F32, .batch = BATCH, .encoder_only = true},
                   &network, &tensors, error);
    if (status) return status;
    network_forward(network, images);
    network_read(network, tensors.h, h);
    network_destroy(&network);
    return SIMCLR_OK;
}

/* Gammas away from 0 and 1, so that every one of them matters. */
static void disturb(struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++) {
        struct rng rng = rng_open(2, RNG_TEST, 1, (uint32_t)i, 0);
        const struct parameter *item = &parameters->items[i];
        if (item->rank > 1 || (item->flags & PARAMETER_BUFFER)) continue;
        float *values = parameter_weights(parameters, i);
        for (size_t k = 0; k < item->count; k++)
            values[k] = (float)((item->init == INIT_ZERO ? 0.1 : 1) + 0.1 * rng_normal(&rng));
    }
}

static int write_features(const char *folder, const float *images, int size, const float *h, int dim,
                          struct error *error)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/features.safetensors", folder);
    const struct safetensors_entry entries[] = {
        {.name = "images",
         .dtype = ST_F32,
         .rank = 4,
         .dims = {BATCH, 3, size, size},
         .data = images,
         .bytes = (size_t)BATCH * 3 * (size_t)(size * size) * sizeof(float)},
        {.name = "h",
         .dtype = ST_F32,
         .rank = 2,
         .dims = {BATCH, dim},
         .data = h,
         .bytes = (size_t)BATCH * (size_t)dim * sizeof(float)},
    };
    return safetensors_write(path, entries, 2, NULL, 0, error);
}

static int write_all(const struct model_config *config, const char *folder, struct backend *backend,
                     struct error *error)
{
    struct model *model;
    const int size = config->image_size, dim = model_feature_dim(config);
    const size_t count = (size_t)BATCH * 3 * (size_t)(size * size);
    char path[1024];
    snprintf(path, sizeof path, "%s/encoder.safetensors", folder);
    int status = model_create(&model, config, NULL, 1, error);
    if (status) return status;
    float *images = memory_array(count, sizeof *images), *h = memory_array((size_t)BATCH * (size_t)dim, sizeof *h);
    if (!images || !h) status = error_no_memory(error, "images", count * sizeof *images);
    if (!status) {
        struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
        for (size_t i = 0; i < count; i++) images[i] = (float)rng_uniform(&rng);
        disturb(&model->parameters);
        status = run(model, backend, NETWORK_TRAINING, images, h, error);
    }
    if (!status) status = run(model, backend, NETWORK_INFERENCE, images, h, error);
    if (!status) status = checkpoint_export_encoder(path, model, 1, error);
    if (!status) status = write_features(folder, images, size, h, dim, error);
    memory_free(images);
    memory_free(h);
    model_destroy(&model);
    return status;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: write_export DEPTH IMAGE_SIZE FOLDER\n");
        return 2;
    }
    const struct model_config config = {
        .resnet.depth = atoi(argv[1]), .resnet.width = 1, .resnet.stem = STEM_IMAGENET, .image_size = atoi(argv[2])};
    int status = pool_create(&pool, 0, &error);
    if (!status) status = backend_create("cpu", simd_machine(), pool, &backend, &error);
    if (!status) status = write_all(&config, argv[3], backend, &error);
    if (status) fprintf(stderr, "write_export: %s\n", error.text);
    if (backend) backend_destroy(&backend);
    pool_destroy(&pool);
    return status ? 1 : 0;
}
