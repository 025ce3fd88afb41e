/* nn/ops/average_pool.c -- the mean of each window, channel by channel: ResNet-D's shortcut (He et al. 2018,
 * arXiv:1812.01187), and AlexNet's adaptive pool to 6 x 6. */
#include "nn/internal.h"
#include "nn/ops/ops.h"

struct average_pool_operation {
    struct network_average_pool settings;
    struct average_pool_plan *plan;
};

static struct average_pool_desc desc_of(const struct network *network, const struct operation *operation)
{
    const struct average_pool_operation *own = operation->own;
    const struct network_average_pool *settings = &own->settings;
    const struct tensor_desc *in = &network->tensors[operation->x].desc, *out = &network->tensors[operation->y].desc;
    const enum average_windows windows = settings->whole ? AVERAGE_WHOLE : AVERAGE_INSIDE;
    return (struct average_pool_desc){.dtype = in->dtype,
                                      .batch = in->batch,
                                      .channels = in->channels,
                                      .in_height = in->height,
                                      .in_width = in->width,
                                      .out_height = out->height,
                                      .out_width = out->width,
                                      .windows = settings->bins > 0 ? AVERAGE_ADAPTIVE : windows,
                                      .kernel = settings->kernel,
                                      .stride = settings->stride,
                                      .accumulate = operation->adds_d_x};
}

/* Values that the windows of an axis cover together. */
static double covered(const struct average_pool_desc *desc, int in, int out)
{
    double count = 0;
    for (int i = 0; i < out; i++) {
        const struct average_range range = average_pool_range(desc, in, out, i);
        count += range.end - range.first;
    }
    return count;
}

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    const struct average_pool_desc desc = desc_of(network, operation);
    row->kernel = desc.kernel;
    row->stride = desc.stride;
    row->flops =
        desc.channels * covered(&desc, desc.in_height, desc.out_height) * covered(&desc, desc.in_width, desc.out_width);
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct average_pool_operation *own = operation->own;
    const struct average_pool_desc desc = desc_of(network, operation);
    return network->backend->ops->average_pool_create(network->backend, &desc, &own->plan, error);
}

static void forward(struct network *network, const struct operation *operation)
{
    const struct average_pool_operation *own = operation->own;
    network->backend->ops->average_pool_forward(own->plan, network_output(network, operation),
                                                network_value(network, operation->x));
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    (void)mask;
    (void)residual;
    const struct average_pool_operation *own = operation->own;
    network->backend->ops->average_pool_forward(own->plan, out, network_value_back(network, operation->x));
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct average_pool_operation *own = operation->own;
    network->backend->ops->average_pool_backward(own->plan, network_gradient(network, operation->x),
                                                 network_gradient(network, operation->y));
}

static void close(struct network *network, struct operation *operation)
{
    struct average_pool_operation *own = operation->own;
    if (own->plan) network->backend->ops->average_pool_destroy(&own->plan);
}

static const struct operation_type TYPE = {
    .name = "average_pool",
    .own_bytes = sizeof(struct average_pool_operation),
    .adds_d_x = true,
    .describe = describe,
    .plan = plan,
    .forward = forward,
    .again = again,
    .backward = backward,
    .close = close,
};

int network_average_pool(struct network *network, const char *name, int x, struct network_average_pool pool)
{
    int status = network_begin(network, x, name);
    if (!status) status = network_refuse_images(network, x, name);
    if (status) return status;
    if (pool.bins < 0 || (pool.bins == 0 && (pool.kernel < 1 || pool.stride < 1)))
        NETWORK_FAIL(network, SIMCLR_INVALID, "%s: an average over %d x %d values with stride %d is impossible", name,
                     pool.kernel, pool.kernel, pool.stride);
    struct tensor_desc out = network->tensors[x].desc;
    out.height = pool.bins > 0 ? pool.bins : (out.height - 1) / pool.stride + 1;
    out.width = pool.bins > 0 ? pool.bins : (out.width - 1) / pool.stride + 1;
    const struct average_pool_operation own = {.settings = pool};
    const struct new_operation operation = {
        .type = &TYPE, .name = name, .x = x, .residual = -1, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}
