/* nn/ops/dropout.c -- values dropped by chance (Hinton et al. 2012, arXiv:1207.0580). An operation of training alone:
 * in inference a network has none. */
#include "nn/internal.h"
#include "nn/ops/ops.h"

struct dropout_operation {
    float rate;
    int layer; /* of those with dropout */
    struct dropout_plan *plan;
};

static const struct operation_type TYPE;

/* ---- building ------------------------------------------------------------------------------------------------ */
int network_dropout(struct network *network, const char *name, int x, double rate)
{
    int status = network_begin(network, x, name);
    if (!status) status = network_refuse_images(network, x, name);
    if (status) return status;
    if (!(rate >= 0 && rate < 1))
        NETWORK_FAIL(network, SIMCLR_INVALID, "%s: a dropout rate of %g is impossible; it lies in [0, 1)", name, rate);
    if (!network_trains(network)) return x;
    int layer = 0;
    for (int i = 0; i < network->operation_count; i++) layer += network->operations[i].type == &TYPE;
    const struct tensor_desc out = network->tensors[x].desc;
    const struct dropout_operation own = {.rate = (float)rate, .layer = layer};
    const struct new_operation operation = {
        .type = &TYPE, .name = name, .x = x, .residual = -1, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    (void)network;
    (void)operation;
    row->flops = (double)row->output.channels * row->output.height * row->output.width;
}

/* ---- planning ------------------------------------------------------------------------------------------------ */
static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct dropout_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct dropout_desc desc = {.dtype = in->dtype,
                                      .batch = in->batch,
                                      .channels = in->channels,
                                      .height = in->height,
                                      .width = in->width,
                                      .rate = own->rate,
                                      .layer = own->layer};
    return network->backend->ops->dropout_create(network->backend, &desc, &own->plan, error);
}

static void bytes(const struct network *network, const struct operation *operation, struct operation_bytes *out)
{
    struct tensor_desc mask = network->tensors[operation->y].desc;
    mask.dtype = DTYPE_F32;
    out->mask = network->backend->ops->tensor_bytes(network->backend, &mask);
}

static void close(struct network *network, struct operation *operation)
{
    struct dropout_operation *own = operation->own;
    if (own->plan) network->backend->ops->dropout_destroy(&own->plan);
}

/* ---- running ------------------------------------------------------------------------------------------------- */
static void forward(struct network *network, const struct operation *operation)
{
    const struct dropout_operation *own = operation->own;
    network->backend->ops->dropout_forward(own->plan, network_output(network, operation),
                                           network_forward_mask(operation), network_value(network, operation->x),
                                           network->draw);
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct dropout_operation *own = operation->own;
    network->backend->ops->dropout_backward(own->plan, network_gradient(network, operation->x),
                                            network_gradient(network, operation->y), operation->mask);
}

static const struct operation_type TYPE = {
    .name = "dropout",
    .own_bytes = sizeof(struct dropout_operation),
    .d_x_over_d_y = true,
    .draws = true,
    .describe = describe,
    .plan = plan,
    .bytes = bytes,
    .forward = forward,
    .backward = backward,
    .close = close,
};
