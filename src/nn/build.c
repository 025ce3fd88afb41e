/* nn/build.c -- appending operations: shapes are inferred, parameters declared, mistakes remembered. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/internal.h"

/* Records the first failure; later calls return it again. */
static int fail(struct network *network, const struct error *error)
{
    if (!network->error.status) network->error = *error;
    return network->error.status;
}

#define FAIL(network, status, ...)                                                                                     \
    do {                                                                                                               \
        struct error failure = {0};                                                                                    \
        error_set(&failure, (status), __VA_ARGS__);                                                                    \
        return fail((network), &failure);                                                                              \
    } while (0)

static int add_tensor(struct network *network, struct tensor_desc desc, int producer)
{
    if ((double)desc.batch * desc.channels * desc.height * desc.width > (double)((int64_t)1 << 40))
        FAIL(network, SIMCLR_INVALID, "an activation of %d x %d x %d x %d values is too large; use a smaller batch",
             desc.batch, desc.channels, desc.height, desc.width);
    if (network->tensor_count == network->tensor_capacity) {
        size_t old = (size_t)network->tensor_capacity, capacity = old ? 2 * old : 64;
        void *grown = memory_grow(network->tensors, old, capacity, sizeof *network->tensors);
        if (!grown) FAIL(network, SIMCLR_NO_MEMORY, "no memory for the network's list of tensors");
        network->tensors = grown;
        network->tensor_capacity = (int)capacity;
    }
    network->tensors[network->tensor_count] =
        (struct node){.desc = desc, .producer = producer, .block = -1, .again_block = -1, .gradient_block = -1};
    return network->tensor_count++;
}

static int make_room(struct network *network)
{
    if (network->operation_count < network->operation_capacity) return SIMCLR_OK;
    size_t old = (size_t)network->operation_capacity, capacity = old ? 2 * old : 64;
    void *operations = memory_grow(network->operations, old, capacity, sizeof *network->operations);
    if (operations) network->operations = operations;
    void *rows = operations ? memory_grow(network->rows, old, capacity, sizeof *network->rows) : NULL;
    if (!rows) FAIL(network, SIMCLR_NO_MEMORY, "no memory for the network's list of operations");
    network->rows = rows;
    network->operation_capacity = (int)capacity;
    for (int i = 0; i < network->operation_count; i++) /* their names lie in the block that moved */
        network->rows[i].name = network->operations[i].name;
    return SIMCLR_OK;
}

/* Number of parameters of an operation that are trained. */
static int64_t trained(const struct network *network, const struct operation *operation)
{
    int64_t count = 0;
    if (operation->weight >= 0) count += (int64_t)network->parameters->items[operation->weight].count;
    if (operation->bias >= 0) count += (int64_t)network->parameters->items[operation->bias].count;
    return count;
}

/* Appends; returns the number of the output tensor. */
static int append(struct network *network, struct operation operation, struct tensor_desc output, const char *kind,
                  double flops)
{
    int status = make_room(network);
    if (status) return status;
    int index = network->operation_count;
    int y = add_tensor(network, output, index);
    if (y < 0) return y;
    operation.y = y;
    operation.statistics_block = operation.saved_block = operation.mask_block = -1;
    operation.redo_step = operation.first_made = operation.last_made = -1;
    network->operations[index] = operation;
    network->rows[index] = (struct network_row){
        .kind = kind,
        .name = network->operations[index].name,
        .input = network->tensors[operation.x].desc,
        .output = output,
        .kernel = operation.kernel,
        .stride = operation.stride,
        .parameters = trained(network, &operation),
        .flops = flops,
        .bytes = tensor_elements(&output) * dtype_bytes(output.dtype),
        .algorithm = "",
    };
    network->operation_count++;
    return y;
}

/* The row of the table called <name>.<part>: declared now, or found and its shape checked. */
static int declare(struct network *network, const char *name, const char *part, int rank, const int *dims,
                   unsigned flags, enum parameter_init init, int fan_in)
{
    char full[NETWORK_NAME_LENGTH + 16];
    snprintf(full, sizeof full, "%s.%s", name, part);
    int index = parameters_find(network->parameters, full);
    if (index < 0) {
        struct error error = {0};
        index = parameters_add(network->parameters, full, rank, dims, flags, init, fan_in, &error);
        return index < 0 ? fail(network, &error) : index;
    }
    const struct parameter *item = &network->parameters->items[index];
    bool same = item->rank == rank;
    for (int d = 0; same && d < rank; d++) same = item->dims[d] == dims[d];
    if (!same)
        FAIL(network, SIMCLR_INVALID,
             "parameter %s already exists with another shape; build the network from "
             "the configuration that the model was made with",
             full);
    return index;
}

/* Checks what every operation needs: no earlier failure, an input that exists, a name that fits, not yet planned. */
static int begin(struct network *network, int x, const char *name)
{
    if (network->error.status) return network->error.status;
    if (network->backend) FAIL(network, SIMCLR_INVALID, "%s: the network is already planned", name);
    if (x < 0 || x >= network->tensor_count) FAIL(network, SIMCLR_INVALID, "%s: there is no tensor %d", name, x);
    if (strlen(name) >= NETWORK_NAME_LENGTH)
        FAIL(network, SIMCLR_INVALID, "operation name '%s' is longer than %d characters", name,
             NETWORK_NAME_LENGTH - 1);
    return SIMCLR_OK;
}

static struct operation new_operation(enum operation_kind kind, const char *name, int x)
{
    struct operation operation = {.kind = kind,
                                  .x = x,
                                  .residual = -1,
                                  .weight = -1,
                                  .bias = -1,
                                  .running_mean = -1,
                                  .running_var = -1,
                                  .folded = -1};
    memcpy(operation.name, name, strlen(name) + 1);
    return operation;
}

int network_input(struct network *network, int batch, int channels, int height, int width)
{
    if (network->error.status) return network->error.status;
    if (network->tensor_count) FAIL(network, SIMCLR_INVALID, "a network has one input, and it comes first");
    if (batch < 1 || channels < 1 || height < 1 || width < 1)
        FAIL(network, SIMCLR_INVALID, "a network input of %d x %d x %d x %d is impossible; every size must be positive",
             batch, channels, height, width);
    struct tensor_desc desc = {.dtype = DTYPE_F32, /* until network_plan asks the backend */
                               .layout = LAYOUT_IMAGES,
                               .batch = batch,
                               .channels = channels,
                               .height = height,
                               .width = width};
    return add_tensor(network, desc, -1);
}

/* Output size of a window over an axis, or 0 where it does not fit. */
static int window(int in, int kernel, int stride, int padding)
{
    if (kernel < 1 || stride < 1 || padding < 0 || in > INT_MAX - 2 * padding || in + 2 * padding < kernel) return 0;
    return conv_out(in, kernel, stride, padding);
}

static int add_conv(struct network *network, enum operation_kind kind, const char *name, int x,
                    const struct network_conv *conv)
{
    const struct tensor_desc in = network->tensors[x].desc;
    struct tensor_desc out = {.dtype = in.layout == LAYOUT_IMAGES ? network->dtype : in.dtype,
                              .batch = in.batch,
                              .channels = conv->out_channels,
                              .height = window(in.height, conv->kernel, conv->stride, conv->padding),
                              .width = window(in.width, conv->kernel, conv->stride, conv->padding)};
    if (out.height < 1 || out.width < 1 || out.channels < 1)
        FAIL(network, SIMCLR_INVALID,
             "%s: a %d x %d window with stride %d and padding %d to %d channels does not fit "
             "an input of %d x %d",
             name, conv->kernel, conv->kernel, conv->stride, conv->padding, conv->out_channels, in.height, in.width);
    const int dims[4] = {conv->out_channels, in.channels, conv->kernel, conv->kernel};
    int fan_in = in.channels * conv->kernel * conv->kernel;
    struct operation operation = new_operation(kind, name, x);
    operation.kernel = conv->kernel;
    operation.stride = conv->stride;
    operation.padding = conv->padding;
    operation.weight =
        declare(network, name, "weight", kind == OPERATION_DENSE ? 2 : 4, dims, conv->flags, conv->init, fan_in);
    if (operation.weight < 0) return operation.weight;
    if (conv->bias) { /* biases take neither weight decay nor the trust ratio (method.md section 5) */
        unsigned flags = conv->flags & ~(unsigned)(PARAMETER_DECAY | PARAMETER_ADAPT);
        operation.bias = declare(network, name, "bias", 1, dims, flags, INIT_ZERO, fan_in);
        if (operation.bias < 0) return operation.bias;
    }
    double flops = 2.0 * conv->out_channels * fan_in * out.height * out.width;
    return append(network, operation, out, kind == OPERATION_DENSE ? "dense" : "conv", flops);
}

int network_conv(struct network *network, const char *name, int x, struct network_conv conv)
{
    int status = begin(network, x, name);
    return status ? status : add_conv(network, OPERATION_CONV, name, x, &conv);
}

int network_dense(struct network *network, const char *name, int x, int out, bool bias, unsigned flags,
                  enum parameter_init init)
{
    int status = begin(network, x, name);
    if (status) return status;
    const struct tensor_desc *in = &network->tensors[x].desc;
    if (in->height != 1 || in->width != 1 || in->layout != LAYOUT_PRIVATE)
        FAIL(network, SIMCLR_INVALID, "%s: a dense layer reads pooled features, not a map of %d x %d", name, in->height,
             in->width);
    struct network_conv conv = {
        .out_channels = out, .kernel = 1, .stride = 1, .bias = bias, .flags = flags, .init = init};
    return add_conv(network, OPERATION_DENSE, name, x, &conv);
}

int network_batch_norm(struct network *network, const char *name, int x, struct network_batch_norm norm)
{
    int status = begin(network, x, name);
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    if (in.layout != LAYOUT_PRIVATE) FAIL(network, SIMCLR_INVALID, "%s: only a convolution can read the images", name);
    if (norm.residual >= 0) {
        const struct tensor_desc *other = network_tensor(network, norm.residual);
        if (!other || norm.residual == x || memcmp(other, &in, sizeof in) != 0)
            FAIL(network, SIMCLR_INVALID, "%s: the residual must be another tensor of the same shape and type", name);
    }
    const unsigned buffer = PARAMETER_BUFFER | (norm.flags & PARAMETER_HEAD);
    struct operation operation = new_operation(OPERATION_BATCH_NORM, name, x);
    operation.residual = norm.residual >= 0 ? norm.residual : -1;
    operation.relu = norm.relu;
    operation.weight =
        declare(network, name, "weight", 1, &in.channels, norm.flags, norm.zero_gamma ? INIT_ZERO : INIT_ONE, 0);
    if (operation.weight >= 0 && !norm.no_beta)
        operation.bias = declare(network, name, "bias", 1, &in.channels, norm.flags, INIT_ZERO, 0);
    operation.running_mean = declare(network, name, "running_mean", 1, &in.channels, buffer, INIT_ZERO, 0);
    operation.running_var = declare(network, name, "running_var", 1, &in.channels, buffer, INIT_ONE, 0);
    if (network->error.status) return network->error.status;
    return append(network, operation, in, "batch_norm", 2.0 * in.channels * in.height * in.width);
}

int network_max_pool(struct network *network, int x, int kernel, int stride, int padding)
{
    int status = begin(network, x, "maxpool");
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    if (in.layout != LAYOUT_PRIVATE) FAIL(network, SIMCLR_INVALID, "maxpool: only a convolution can read the images");
    struct tensor_desc out = in;
    out.height = window(in.height, kernel, stride, padding);
    out.width = window(in.width, kernel, stride, padding);
    if (out.height < 1 || out.width < 1 || 2 * padding > kernel)
        FAIL(network, SIMCLR_INVALID,
             "maxpool: a %d x %d window with stride %d and padding %d does not fit an input of "
             "%d x %d",
             kernel, kernel, stride, padding, in.height, in.width);
    struct operation operation = new_operation(OPERATION_MAX_POOL, "maxpool", x);
    operation.kernel = kernel;
    operation.stride = stride;
    operation.padding = padding;
    return append(network, operation, out, "max_pool", (double)kernel * kernel * out.channels * out.height * out.width);
}

int network_global_pool(struct network *network, int x)
{
    int status = begin(network, x, "avgpool");
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    if (in.layout != LAYOUT_PRIVATE) FAIL(network, SIMCLR_INVALID, "avgpool: only a convolution can read the images");
    struct tensor_desc out = {.dtype = DTYPE_F32, .batch = in.batch, .channels = in.channels, .height = 1, .width = 1};
    return append(network, new_operation(OPERATION_GLOBAL_POOL, "avgpool", x), out, "global_pool",
                  (double)in.channels * in.height * in.width);
}

void network_name(struct network *network, int tensor, const char *name)
{
    if (tensor >= 0 && tensor < network->tensor_count)
        snprintf(network->tensors[tensor].name, NETWORK_NAME_LENGTH, "%s", name);
}

void network_keep(struct network *network, int tensor)
{
    if (tensor >= 0 && tensor < network->tensor_count) network->tensors[tensor].kept = true;
}
