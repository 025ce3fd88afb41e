/* nn/run.c -- running a planned network: nothing here allocates or fails. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "nn/internal.h"

static bool ready(const struct network *network)
{
    return network->arena && !network->error.status;
}

static const float *weights(const struct network *network, int row)
{
    return row < 0 ? NULL : parameter_weights(network->parameters, row);
}

static float *gradients(const struct network *network, int row)
{
    return row < 0 ? NULL : parameter_gradients(network->parameters, row);
}

static const void *value(const struct network *network, int tensor)
{
    return tensor == 0 ? network->images : tensor < 0 ? NULL : network->tensors[tensor].data;
}

static void *gradient(const struct network *network, int tensor)
{
    return tensor < 0 ? NULL : network->tensors[tensor].gradient;
}

/* The weights of a convolution times its batch norm's scale; the rest of the affine map becomes its bias. */
static const float *fold(struct network *network, struct operation *conv, const struct operation *norm)
{
    const int channels = network->tensors[conv->y].desc.channels;
    const float *weight = weights(network, conv->weight), *bias = weights(network, conv->bias);
    const float *gamma = weights(network, norm->weight), *beta = weights(network, norm->bias);
    const float *mean = weights(network, norm->running_mean), *variance = weights(network, norm->running_var);
    const size_t row = network->parameters->items[conv->weight].count / (size_t)channels;
    for (int k = 0; k < channels; k++) {
        const double scale = (double)gamma[k] / sqrt((double)variance[k] + (double)BATCH_NORM_EPSILON);
        const double shift = (bias ? (double)bias[k] : 0) - (double)mean[k];
        conv->folded_bias[k] = (float)(shift * scale + (beta ? (double)beta[k] : 0));
        for (size_t i = (size_t)k * row; i < (size_t)(k + 1) * row; i++)
            network->folding[i] = (float)((double)weight[i] * scale);
    }
    return network->folding;
}

void network_set_weights(struct network *network)
{
    if (!ready(network)) return;
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        const struct backend_ops *ops = network->backend->ops;
        if (operation->conv && !operation->deferred)
            ops->conv_set_weights(operation->conv, weights(network, operation->weight));
        if (operation->folded < 0) continue;
        struct operation *conv = &network->operations[operation->folded];
        ops->conv_set_weights(conv->conv, fold(network, conv, operation));
    }
}

static void forward_batch_norm(struct network *network, const struct operation *operation)
{
    const struct backend_ops *ops = network->backend->ops;
    const struct node *x = &network->tensors[operation->x];
    void *y = network->tensors[operation->y].data;
    const void *residual = value(network, operation->residual);
    if (operation->folded >= 0) {
        const struct operation *conv = &network->operations[operation->folded];
        ops->conv_inference(conv->conv, y, value(network, conv->x), residual, conv->folded_bias);
        return;
    }
    const float *gamma = weights(network, operation->weight), *beta = weights(network, operation->bias);
    float *mean = parameter_weights(network->parameters, operation->running_mean);
    float *variance = parameter_weights(network->parameters, operation->running_var);
    if (network->mode == NETWORK_TRAINING)
        ops->batch_norm_forward(operation->batch_norm, y, operation->redo_step < 0 ? operation->mask : NULL,
                                operation->saved, mean, variance, x->data, residual,
                                network->operations[x->producer].statistics, gamma, beta);
    else
        ops->batch_norm_inference(operation->batch_norm, y, x->data, residual, gamma, beta, mean, variance);
}

static void forward_one(struct network *network, const struct operation *operation)
{
    const struct backend_ops *ops = network->backend->ops;
    const void *x = value(network, operation->x);
    void *y = network->tensors[operation->y].data;
    switch (operation->kind) {
    case OPERATION_CONV:
    case OPERATION_DENSE:
        if (operation->deferred) break;
        ops->conv_forward(operation->conv, y, operation->statistics, x, weights(network, operation->bias));
        break;
    case OPERATION_BATCH_NORM:
        forward_batch_norm(network, operation);
        break;
    case OPERATION_MAX_POOL:
        ops->max_pool_forward(operation->max_pool, y, operation->redo_step < 0 ? operation->saved : NULL, x);
        break;
    case OPERATION_GLOBAL_POOL:
        ops->global_pool_forward(operation->global_pool, y, x);
        break;
    }
}

/* Time now, once everything issued so far is done; a device fault stays for the caller's own sync to report. */
static double finished(struct network *network)
{
    (void)network->backend->ops->sync(network->backend, NULL);
    return clock_seconds();
}

/* What the way back reads: the value as it was made again, if it was. */
static const void *value_back(const struct network *network, int tensor)
{
    return tensor > 0 && network->tensors[tensor].again ? network->tensors[tensor].again : value(network, tensor);
}

/* Makes y again in `out`. A residual that is not there is made in its place first. */
static void make_again(struct network *network, const struct operation *operation, void *out, void *mask)
{
    const struct backend_ops *ops = network->backend->ops;
    const void *x = value_back(network, operation->x);
    if (operation->kind == OPERATION_CONV) {
        ops->conv_forward(operation->conv, out, NULL, x, weights(network, operation->bias));
    } else if (operation->kind == OPERATION_MAX_POOL) {
        ops->max_pool_forward(operation->max_pool, out, operation->saved, x);
    } else {
        const struct operation *maker = network_residual_maker(network, operation);
        if (maker) make_again(network, maker, out, NULL);
        ops->batch_norm_again(operation->batch_norm, out, mask, x,
                              maker ? out : value_back(network, operation->residual));
    }
}

/* Makes again what was dropped and is read from this step on, in the order of the forward pass. */
static void recompute(struct network *network, int step, double *start)
{
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *operation = &network->operations[i];
        if (operation->redo_step != step) continue;
        make_again(network, operation, network->tensors[operation->y].again, operation->mask);
        if (!network->timed) continue;
        const double end = finished(network);
        network->rows[i].again_seconds = end - *start;
        *start = end;
    }
}

/* start: when it began, if the network is timed. */
static void backward_one(struct network *network, const struct operation *operation, double start)
{
    const struct backend_ops *ops = network->backend->ops;
    const void *x = value_back(network, operation->x), *d_y = gradient(network, operation->y);
    void *d_x = gradient(network, operation->x);
    float *d_weight = gradients(network, operation->weight), *d_bias = gradients(network, operation->bias);
    switch (operation->kind) {
    case OPERATION_CONV:
    case OPERATION_DENSE:
        ops->conv_backward_weights(operation->conv, d_weight, d_bias, d_y, x);
        if (network->timed) network->rows[operation - network->operations].weights_seconds = finished(network) - start;
        if (d_x) ops->conv_backward_data(operation->conv, d_x, d_y);
        break;
    case OPERATION_BATCH_NORM:
        ops->batch_norm_backward(operation->batch_norm, d_x, gradient(network, operation->residual), d_weight, d_bias,
                                 d_y, x, operation->mask, operation->saved, weights(network, operation->weight));
        break;
    case OPERATION_MAX_POOL:
        ops->max_pool_backward(operation->max_pool, d_x, d_y, operation->saved);
        break;
    case OPERATION_GLOBAL_POOL:
        ops->global_pool_backward(operation->global_pool, d_x, d_y);
        break;
    }
}

void network_forward(struct network *network, const void *images)
{
    if (!ready(network)) return;
    network->images = images;
    double start = network->timed ? finished(network) : 0;
    for (int i = 0; i < network->operation_count; i++) {
        forward_one(network, &network->operations[i]);
        if (network->after_step) network->after_step(network, i);
        if (!network->timed) continue;
        double end = finished(network);
        network->rows[i].forward_seconds = end - start;
        start = end;
    }
}

void network_read(struct network *network, int tensor, float *canonical)
{
    if (!ready(network) || tensor < 1 || tensor >= network->tensor_count) return;
    const struct node *node = &network->tensors[tensor];
    network->backend->ops->tensor_read(network->backend, &node->desc, canonical, node->data);
}

static void clear_gradients(struct network *network, int row)
{
    if (row >= 0) memset(gradients(network, row), 0, network->parameters->items[row].count * sizeof(float));
}

void network_backward(struct network *network, int output, const float *d_output)
{
    if (!ready(network) || network->mode != NETWORK_TRAINING) return;
    if (output < 1 || output >= network->tensor_count || !network->tensors[output].gradient) return;
    const struct node *node = &network->tensors[output];
    network->backend->ops->tensor_write(network->backend, &node->desc, node->gradient, d_output);
    double start = network->timed ? finished(network) : 0;
    for (int i = network->operation_count - 1; i >= 0; i--) {
        const struct operation *operation = &network->operations[i];
        if (i > node->producer || !operation->reached) { /* the gradient does not pass here */
            clear_gradients(network, operation->weight);
            clear_gradients(network, operation->bias);
            network->rows[i].backward_seconds = network->rows[i].weights_seconds = network->rows[i].again_seconds = 0;
            continue;
        }
        const int step = 2 * network->operation_count - 1 - i;
        recompute(network, step, &start);
        backward_one(network, operation, start);
        if (network->after_step) network->after_step(network, step);
        if (!network->timed) continue;
        double end = finished(network);
        network->rows[i].backward_seconds = end - start + network->rows[i].again_seconds;
        start = end;
    }
}
