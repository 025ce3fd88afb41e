/* nn/ops/conv.c -- convolutions: the only operations that read images, and that absorb a batch norm in inference. */
#include "nn/ops/conv.h"

enum { WEIGHT, BIAS };

static const struct operation_type TYPE;

/* ---- building ------------------------------------------------------------------------------------------------ */
int conv_append(struct network *network, const struct operation_type *type, int weight_rank, const char *name, int x,
                const struct network_conv *conv)
{
    const struct tensor_desc in = network->tensors[x].desc;
    const struct tensor_desc out = {.dtype = in.layout == LAYOUT_IMAGES ? network->dtype : in.dtype,
                                    .batch = in.batch,
                                    .channels = conv->out_channels,
                                    .height = network_window(in.height, conv->kernel, conv->stride, conv->padding),
                                    .width = network_window(in.width, conv->kernel, conv->stride, conv->padding)};
    if (out.height < 1 || out.width < 1 || out.channels < 1)
        NETWORK_FAIL(network, SIMCLR_INVALID,
                     "%s: a %d x %d window with stride %d and padding %d to %d channels does not fit an input of "
                     "%d x %d",
                     name, conv->kernel, conv->kernel, conv->stride, conv->padding, conv->out_channels, in.height,
                     in.width);
    const int fan_in = in.channels * conv->kernel * conv->kernel;
    struct parameter_form form = {.rank = weight_rank,
                                  .dims = {conv->out_channels, in.channels, conv->kernel, conv->kernel},
                                  .flags = conv->flags,
                                  .init = conv->init,
                                  .fan_in = fan_in};
    if (weight_rank == 2) form.dims[1] = fan_in;
    const int weight = network_declare(network, name, "weight", &form);
    if (weight < 0) return weight;
    int bias = -1;
    if (conv->bias) { /* biases take neither weight decay nor the trust ratio (method.md section 5) */
        const struct parameter_form of_bias = {.rank = 1,
                                               .dims = {conv->out_channels},
                                               .flags = conv->flags & ~(unsigned)(PARAMETER_DECAY | PARAMETER_ADAPT),
                                               .init = conv->init == INIT_UNIFORM ? INIT_UNIFORM : INIT_ZERO,
                                               .fan_in = fan_in};
        bias = network_declare(network, name, "bias", &of_bias);
        if (bias < 0) return bias;
    }
    const struct conv_operation own = {.kernel = conv->kernel, .stride = conv->stride, .padding = conv->padding};
    const struct new_operation operation = {
        .type = type, .name = name, .x = x, .residual = -1, .parameters = {weight, bias, -1, -1}, .own = &own};
    return network_append(network, &operation, &out);
}

int network_conv(struct network *network, const char *name, int x, struct network_conv conv)
{
    const int status = network_begin(network, x, name);
    return status ? status : conv_append(network, &TYPE, 4, name, x, &conv);
}

void conv_describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    const struct conv_operation *own = operation->own;
    row->input = network->tensors[operation->x].desc; /* images get their type when they are planned */
    row->kernel = own->kernel;
    row->stride = own->stride;
    row->padding = own->padding;
    row->flops = 2.0 * row->output.channels * row->input.channels * own->kernel * own->kernel * row->output.height *
                 row->output.width;
    if (!own->plan) return;
    row->algorithm = network->backend->ops->conv_algorithm(own->plan);
    network->backend->ops->conv_work(own->plan, row->work);
}

/* ---- planning ------------------------------------------------------------------------------------------------ */
int conv_plan(struct network *network, struct operation *operation, struct error *error)
{
    struct conv_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc, *out = &network->tensors[operation->y].desc;
    const struct operation *norm = operation->absorbed_by >= 0 ? &network->operations[operation->absorbed_by] : NULL;
    const struct conv_desc desc = {
        .dtype = out->dtype,
        .input_layout = in->layout,
        .image_type = in->dtype,
        .batch = in->batch,
        .in_channels = in->channels,
        .out_channels = out->channels,
        .in_height = in->height,
        .in_width = in->width,
        .kernel = own->kernel,
        .stride = own->stride,
        .padding = own->padding,
        .bias = operation->parameters[BIAS] >= 0 || norm,
        .relu = norm && norm->relu,
        .residual = norm && norm->residual >= 0,
        .training = operation->reached,
        .input_gradient = operation->reached && in->layout != LAYOUT_IMAGES,
        .accumulate = operation->adds_d_x,
        .statistics = network_wants_statistics(network, operation->y),
        .algorithm = network->options.convolution,
    };
    const struct backend_ops *ops = network->backend->ops;
    const int status = ops->conv_create(network->backend, &desc, &own->plan, error);
    if (status) return status;
    network->plan_bytes += ops->conv_bytes(own->plan);
    if (!norm) return SIMCLR_OK;
    own->absorbed_bias = ops->allocate(network->backend, (size_t)out->channels * sizeof *own->absorbed_bias, error);
    if (!own->absorbed_bias) {
        error_prefix(error, "a folded batch norm");
        return SIMCLR_NO_MEMORY;
    }
    network_want_scratch(network, network->parameters->items[operation->parameters[WEIGHT]].count);
    return SIMCLR_OK;
}

void conv_bytes(const struct network *network, const struct operation *operation, struct operation_bytes *bytes)
{
    if (!network_wants_statistics(network, operation->y)) return;
    const int channels = network->tensors[operation->y].desc.channels;
    bytes->statistics = network->backend->ops->statistics_bytes(network->backend, channels);
}

void conv_close(struct network *network, struct operation *operation)
{
    struct conv_operation *own = operation->own;
    if (own->plan) network->backend->ops->conv_destroy(&own->plan);
    network->backend->ops->release(network->backend, own->absorbed_bias);
}

/* ---- inference with a batch norm absorbed ---------------------------------------------------------------------- */
void conv_set_weights(struct network *network, struct operation *operation)
{
    const struct conv_operation *own = operation->own;
    const struct backend_ops *ops = network->backend->ops;
    const float *weight = network_weights(network, operation->parameters[WEIGHT]);
    if (operation->absorbed_by < 0) {
        ops->conv_set_weights(own->plan, weight);
        return;
    }
    const struct operation *norm = &network->operations[operation->absorbed_by];
    struct affine_map map;
    norm->type->affine(network, norm, &map);
    const struct conv_folding folding = {.bias = own->absorbed_bias,
                                         .scratch = network->scratch,
                                         .weight = weight,
                                         .conv_bias = network_weights(network, operation->parameters[BIAS]),
                                         .gamma = map.gamma,
                                         .beta = map.beta,
                                         .mean = map.mean,
                                         .variance = map.variance,
                                         .epsilon = map.epsilon};
    ops->conv_set_folded_weights(own->plan, &folding);
}

void conv_forward_absorbed(struct network *network, const struct operation *operation, const struct operation *norm)
{
    const struct conv_operation *own = operation->own;
    network->backend->ops->conv_inference(own->plan, network_output(network, norm),
                                          network_value(network, operation->x), network_value(network, norm->residual),
                                          own->absorbed_bias);
}

/* ---- running ------------------------------------------------------------------------------------------------- */
void conv_forward(struct network *network, const struct operation *operation)
{
    const struct conv_operation *own = operation->own;
    network->backend->ops->conv_forward(own->plan, network_output(network, operation), operation->statistics,
                                        network_value(network, operation->x),
                                        network_weights(network, operation->parameters[BIAS]));
}

/* Only the first one, at 1 % of a step: it makes the largest tensor of all. */
static bool can_again(const struct operation *operation)
{
    return operation->x == 0;
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    (void)mask;
    (void)residual;
    const struct conv_operation *own = operation->own;
    network->backend->ops->conv_forward(own->plan, out, NULL, network_value_back(network, operation->x),
                                        network_weights(network, operation->parameters[BIAS]));
}

void conv_backward(struct network *network, const struct operation *operation)
{
    const struct conv_operation *own = operation->own;
    const struct backend_ops *ops = network->backend->ops;
    const void *d_y = network_gradient(network, operation->y);
    void *d_x = network_gradient(network, operation->x);
    ops->conv_backward_weights(own->plan, network_gradients(network, operation->parameters[WEIGHT]),
                               network_gradients(network, operation->parameters[BIAS]), d_y,
                               network_value_back(network, operation->x));
    network_weights_done(network, operation);
    if (d_x) ops->conv_backward_data(own->plan, d_x, d_y);
}

static const struct operation_type TYPE = {
    .name = "conv",
    .own_bytes = sizeof(struct conv_operation),
    .reads_x_back = true,
    .adds_d_x = true,
    .absorbs = true,
    .describe = conv_describe,
    .plan = conv_plan,
    .bytes = conv_bytes,
    .set_weights = conv_set_weights,
    .forward = conv_forward,
    .forward_absorbed = conv_forward_absorbed,
    .can_again = can_again,
    .again = again,
    .backward = conv_backward,
    .close = conv_close,
};
