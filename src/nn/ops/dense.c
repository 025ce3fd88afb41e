/* nn/ops/dense.c -- dense layers, whose weight is a matrix. They are convolutions whose kernel is as large as the map:
 * 1x1 after a global pool. A row of the matrix has the values of a map in the order of a kernel, channel by channel. */
#include "nn/ops/conv.h"

static const struct operation_type TYPE = {
    .name = "dense",
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
    .backward = conv_backward,
    .close = conv_close,
};

int network_dense(struct network *network, const char *name, int x, int out, bool bias, unsigned flags,
                  enum parameter_init init)
{
    const int status = network_begin(network, x, name);
    if (status) return status;
    const struct tensor_desc *in = &network->tensors[x].desc;
    if (in->height != in->width || in->layout != LAYOUT_PRIVATE)
        NETWORK_FAIL(network, SIMCLR_INVALID, "%s: a dense layer reads pooled features or a square map, not %s%d x %d",
                     name, in->layout == LAYOUT_PRIVATE ? "a map of " : "images of ", in->height, in->width);
    const struct network_conv conv = {
        .out_channels = out, .kernel = in->height, .stride = 1, .bias = bias, .flags = flags, .init = init};
    return conv_append(network, &TYPE, 2, name, x, &conv);
}
