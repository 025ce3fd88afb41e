/* nn/ops/max_pool.c -- the largest value of each window, channel by channel; padding never wins. */
#include "nn/internal.h"
#include "nn/ops/ops.h"

struct max_pool_operation {
    int kernel, stride, padding;
    struct max_pool_plan *plan;
};

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    (void)network;
    const struct max_pool_operation *own = operation->own;
    row->kernel = own->kernel;
    row->stride = own->stride;
    row->padding = own->padding;
    row->flops = (double)own->kernel * own->kernel * row->output.channels * row->output.height * row->output.width;
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct max_pool_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct max_pool_desc desc = {
        .dtype = in->dtype,
        .batch = in->batch,
        .channels = in->channels,
        .in_height = in->height,
        .in_width = in->width,
        .kernel = own->kernel,
        .stride = own->stride,
        .padding = own->padding,
        .training = operation->reached,
    };
    return network->backend->ops->max_pool_create(network->backend, &desc, &own->plan, error);
}

/* The mask: where each maximum came from. */
static void bytes(const struct network *network, const struct operation *operation, struct operation_bytes *out)
{
    const struct max_pool_operation *own = operation->own;
    out->mask = network->backend->ops->max_pool_saved_bytes(own->plan);
}

static void forward(struct network *network, const struct operation *operation)
{
    const struct max_pool_operation *own = operation->own;
    network->backend->ops->max_pool_forward(own->plan, network_output(network, operation),
                                            network_forward_mask(operation), network_value(network, operation->x));
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    (void)residual;
    const struct max_pool_operation *own = operation->own;
    network->backend->ops->max_pool_forward(own->plan, out, mask, network_value_back(network, operation->x));
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct max_pool_operation *own = operation->own;
    network->backend->ops->max_pool_backward(own->plan, network_gradient(network, operation->x),
                                             network_gradient(network, operation->y), operation->mask);
}

static void close(struct network *network, struct operation *operation)
{
    struct max_pool_operation *own = operation->own;
    if (own->plan) network->backend->ops->max_pool_destroy(&own->plan);
}

static const struct operation_type TYPE = {
    .name = "max_pool",
    .own_bytes = sizeof(struct max_pool_operation),
    .describe = describe,
    .plan = plan,
    .bytes = bytes,
    .forward = forward,
    .again = again,
    .backward = backward,
    .close = close,
};

int network_max_pool(struct network *network, int x, int kernel, int stride, int padding)
{
    int status = network_begin(network, x, "maxpool");
    if (!status) status = network_refuse_images(network, x, "maxpool");
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    struct tensor_desc out = in;
    out.height = network_window(in.height, kernel, stride, padding);
    out.width = network_window(in.width, kernel, stride, padding);
    if (out.height < 1 || out.width < 1 || 2 * padding > kernel)
        NETWORK_FAIL(network, SIMCLR_INVALID,
                     "maxpool: a %d x %d window with stride %d and padding %d does not fit an input of %d x %d", kernel,
                     kernel, stride, padding, in.height, in.width);
    const struct max_pool_operation own = {.kernel = kernel, .stride = stride, .padding = padding};
    const struct new_operation operation = {
        .type = &TYPE, .name = "maxpool", .x = x, .residual = -1, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}
