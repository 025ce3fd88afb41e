/* model/model.c -- the weights of one model, and networks over them. */
#include "model/encoder.h"
#include "nn/ops/ops.h"

#include <math.h>

#include "base/memory.h"

/* images -> h -> z (or logits). */
static struct model_tensors build(struct network *network, const struct model_config *config, int batch,
                                  bool encoder_only, int layer)
{
    struct model_tensors tensors;
    tensors.images = network_input(network, batch, 3, config->image_size, config->image_size);
    tensors.h = model_encoder(config)->build(network, config, tensors.images);
    tensors.z = tensors.h;
    if (encoder_only) return tensors;
    if (layer > 0) {
        tensors.z = projection_layers_build(network, config, tensors.h, layer);
        network_keep(network, tensors.z);
        return tensors;
    }
    tensors.z = config->classes > 0 ? classifier_build(network, config, tensors.h)
                                    : projection_head_build(network, config, tensors.h);
    network_keep(network, tensors.z);
    if (tensors.z != tensors.h) network_name(network, tensors.z, config->classes > 0 ? "logits" : "z");
    return tensors;
}

int model_describe(struct parameters *parameters, const struct model_config *config, struct error *error)
{
    struct network *network;
    int status = model_config_check(config, error);
    if (status) return status;
    status = network_create(&network, parameters, NETWORK_TRAINING, DTYPE_F32, error);
    if (status) return status;
    build(network, config, 1, false, 0);
    status = network_check(network, error);
    network_destroy(&network);
    return status;
}

int model_describe_network(struct model *model, int layer, struct network **out, struct model_tensors *tensors,
                           struct error *error)
{
    int status = network_create(out, &model->parameters, NETWORK_INFERENCE, DTYPE_F32, error);
    if (status) return status;
    *tensors = build(*out, &model->config, 1, layer == 0, layer);
    status = network_check(*out, error);
    if (status) network_destroy(out);
    return status;
}

int model_create_blank(struct model **out, const struct model_config *config, struct backend *backend,
                       struct error *error)
{
    *out = NULL;
    struct model *model = memory_allocate(sizeof *model);
    if (!model) return error_no_memory(error, "a model", sizeof *model);
    model->config = *config;
    int status = model_describe(&model->parameters, config, error);
    const struct tensor_memory memory = backend ? backend_memory(backend) : tensor_memory_host;
    if (!status) status = parameters_allocate(&model->parameters, &memory, error);
    if (status) {
        model_destroy(&model);
        return status;
    }
    model_encoder(config)->settle(&model->config);
    *out = model;
    return SIMCLR_OK;
}

int model_create(struct model **out, const struct model_config *config, struct backend *backend, uint64_t seed,
                 struct error *error)
{
    const int status = model_create_blank(out, config, backend, error);
    if (status == SIMCLR_OK) parameters_initialize(&(*out)->parameters, seed);
    return status;
}

void model_slow_early_blocks(struct model *model, double factor)
{
    const struct encoder *encoder = model_encoder(&model->config);
    struct parameters *parameters = &model->parameters;
    int last = 0;
    for (int i = 0; i < parameters->count; i++) {
        const int block = encoder->block(&model->config, parameters->items[i].name);
        if (block > last) last = block;
    }
    for (int i = 0; i < parameters->count; i++) {
        struct parameter *item = &parameters->items[i];
        item->rate = (float)pow(factor, last - encoder->block(&model->config, item->name));
    }
}

void model_destroy(struct model **model)
{
    if (!model || !*model) return;
    parameters_free(&(*model)->parameters);
    memory_free(*model);
    *model = NULL;
}

int model_plan(struct model *model, const struct model_plan_args *args, struct network **out,
               struct model_tensors *tensors, struct error *error)
{
    struct network *network;
    if (args->layer < 0 || args->layer > model_layers(&model->config))
        return error_set(error, SIMCLR_INVALID, "layer %d of a head of %d layers is impossible", args->layer,
                         model_layers(&model->config));
    struct model_config config = model->config; /* whose stem is settled */
    if (args->image_size > 0) config.image_size = args->image_size;
    int status = model_config_check(&config, error);
    if (!status) status = network_create(&network, &model->parameters, args->mode, args->dtype, error);
    if (status) return status;
    *tensors = build(network, &config, args->batch, args->encoder_only, args->layer);
    status = network_plan(network, args->backend, &args->options, error);
    if (status) {
        network_destroy(&network);
        return status;
    }
    network_set_weights(network);
    *out = network;
    return SIMCLR_OK;
}
