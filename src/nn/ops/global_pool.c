/* nn/ops/global_pool.c -- the mean over a map, channel by channel, as one float32 each whatever the map's type. */
#include "nn/internal.h"
#include "nn/ops/ops.h"

struct global_pool_operation {
    struct global_pool_plan *plan;
};

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    (void)network;
    (void)operation;
    row->flops = (double)row->input.channels * row->input.height * row->input.width;
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct global_pool_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct global_pool_desc desc = {
        .dtype = in->dtype, .batch = in->batch, .channels = in->channels, .height = in->height, .width = in->width};
    return network->backend->ops->global_pool_create(network->backend, &desc, &own->plan, error);
}

static void forward(struct network *network, const struct operation *operation)
{
    const struct global_pool_operation *own = operation->own;
    network->backend->ops->global_pool_forward(own->plan, network_output(network, operation),
                                               network_value(network, operation->x));
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct global_pool_operation *own = operation->own;
    network->backend->ops->global_pool_backward(own->plan, network_gradient(network, operation->x),
                                                network_gradient(network, operation->y));
}

static void close(struct network *network, struct operation *operation)
{
    struct global_pool_operation *own = operation->own;
    if (own->plan) network->backend->ops->global_pool_destroy(&own->plan);
}

static const struct operation_type TYPE = {
    .name = "global_pool",
    .own_bytes = sizeof(struct global_pool_operation),
    .describe = describe,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .close = close,
};

static int append(struct network *network, const char *name, int x)
{
    int status = network_begin(network, x, name);
    if (!status) status = network_refuse_images(network, x, name);
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    const struct tensor_desc out = {
        .dtype = DTYPE_F32, .batch = in.batch, .channels = in.channels, .height = 1, .width = 1};
    const struct global_pool_operation own = {NULL};
    const struct new_operation operation = {
        .type = &TYPE, .name = name, .x = x, .residual = -1, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}

int network_global_pool(struct network *network, int x)
{
    return append(network, "avgpool", x);
}

int network_to_float32(struct network *network, const char *name, int x)
{
    const struct tensor_desc *in = network_tensor(network, x);
    if (in && (in->height != 1 || in->width != 1))
        NETWORK_FAIL(network, SIMCLR_INVALID, "%s: a map of %d x %d keeps its type; only features become float32", name,
                     in->height, in->width);
    return in && in->dtype == DTYPE_F32 ? x : append(network, name, x);
}
