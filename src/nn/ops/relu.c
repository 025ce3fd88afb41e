/* nn/ops/relu.c -- max(0, x) where no batch norm comes before it, which has its own. */
#include "nn/internal.h"
#include "nn/ops/ops.h"

struct relu_operation {
    struct relu_plan *plan;
};

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    (void)network;
    (void)operation;
    row->flops = (double)row->output.channels * row->output.height * row->output.width;
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct relu_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct relu_desc desc = {
        .dtype = in->dtype, .batch = in->batch, .channels = in->channels, .height = in->height, .width = in->width};
    return network->backend->ops->relu_create(network->backend, &desc, &own->plan, error);
}

static void forward(struct network *network, const struct operation *operation)
{
    const struct relu_operation *own = operation->own;
    network->backend->ops->relu_forward(own->plan, network_output(network, operation),
                                        network_value(network, operation->x));
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    (void)mask;
    (void)residual;
    const struct relu_operation *own = operation->own;
    network->backend->ops->relu_forward(own->plan, out, network_value_back(network, operation->x));
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct relu_operation *own = operation->own;
    network->backend->ops->relu_backward(own->plan, network_gradient(network, operation->x),
                                         network_gradient(network, operation->y),
                                         network_value_back(network, operation->y));
}

static void close(struct network *network, struct operation *operation)
{
    struct relu_operation *own = operation->own;
    if (own->plan) network->backend->ops->relu_destroy(&own->plan);
}

static const struct operation_type TYPE = {
    .name = "relu",
    .own_bytes = sizeof(struct relu_operation),
    .reads_y_back = true,
    .d_x_over_d_y = true,
    .describe = describe,
    .plan = plan,
    .forward = forward,
    .again = again,
    .backward = backward,
    .close = close,
};

int network_relu(struct network *network, const char *name, int x)
{
    int status = network_begin(network, x, name);
    if (!status) status = network_refuse_images(network, x, name);
    if (status) return status;
    const struct tensor_desc out = network->tensors[x].desc;
    const struct relu_operation own = {NULL};
    const struct new_operation operation = {
        .type = &TYPE, .name = name, .x = x, .residual = -1, .relu = true, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}
