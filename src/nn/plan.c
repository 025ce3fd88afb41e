/* nn/plan.c -- from a list of operations to plans; addresses: lifetimes.c. */
#include <string.h>

#include "base/memory.h"
#include "nn/internal.h"

static bool training(const struct network *network)
{
    return network->mode == NETWORK_TRAINING;
}

/* ---- the way back ------------------------------------------------------------------------------------------- */
/* Which operations the gradient of the last tensor reaches. */
static int mark_reached(struct network *network, struct error *error)
{
    bool *wanted = memory_array((size_t)network->tensor_count, sizeof *wanted);
    if (!wanted) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count);
    wanted[network->operations[network->operation_count - 1].y] = true;
    for (int i = network->operation_count - 1; i >= 0; i--) {
        struct operation *operation = &network->operations[i];
        operation->reached = training(network) && wanted[operation->y];
        if (!operation->reached) continue;
        wanted[operation->x] = true;
        if (operation->residual >= 0) wanted[operation->residual] = true;
    }
    memory_free(wanted);
    return SIMCLR_OK;
}

/* The gradient of a tensor with several readers is their sum: the reader met first on the way back writes it, the
 * later ones add. Convolutions can add into d_x and batch norms into d_residual; nothing else can. */
static int choose_accumulation(struct network *network, struct error *error)
{
    bool *written = memory_array((size_t)network->tensor_count, sizeof *written);
    if (!written) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count);
    int status = SIMCLR_OK;
    for (int i = network->operation_count - 1; i >= 0 && !status; i--) {
        struct operation *operation = &network->operations[i];
        if (!operation->reached || operation->x == 0) continue;
        bool adds = operation->kind == OPERATION_CONV || operation->kind == OPERATION_DENSE;
        if (adds)
            operation->accumulate = written[operation->x];
        else if (written[operation->x])
            status = error_set(error, SIMCLR_UNSUPPORTED,
                               "%s: another operation that comes later reads the same "
                               "tensor, and only convolutions can add to a gradient",
                               operation->name);
        written[operation->x] = true;
        if (operation->residual < 0) continue;
        operation->accumulate = written[operation->residual];
        written[operation->residual] = true;
    }
    memory_free(written);
    return status;
}

/* ---- folding ------------------------------------------------------------------------------------------------ */
/* In inference a batch norm is a fixed affine map of the convolution's outputs. Where nothing else reads them it goes
 * into the weights and a bias, and the convolution is run in the batch norm's place, by when the residual is there. */
static int fold_batch_norms(struct network *network, struct error *error)
{
    size_t largest = 0;
    int *readers = memory_array((size_t)network->tensor_count, sizeof *readers);
    if (!readers) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count * sizeof *readers);
    for (int i = 0; i < network->operation_count; i++) {
        readers[network->operations[i].x]++;
        if (network->operations[i].residual >= 0) readers[network->operations[i].residual]++;
    }
    int status = SIMCLR_OK;
    for (int i = 0; i < network->operation_count && !status; i++) {
        struct operation *norm = &network->operations[i];
        const struct node *x = &network->tensors[norm->x];
        if (norm->kind != OPERATION_BATCH_NORM || x->producer < 0 || readers[norm->x] != 1 || x->kept) continue;
        struct operation *conv = &network->operations[x->producer];
        if (conv->kind != OPERATION_CONV && conv->kind != OPERATION_DENSE) continue;
        norm->folded = x->producer;
        conv->deferred = true;
        conv->folded_bias = memory_array((size_t)x->desc.channels, sizeof *conv->folded_bias);
        if (!conv->folded_bias)
            status = error_no_memory(error, "a folded batch norm", (size_t)x->desc.channels * sizeof(float));
        const size_t count = network->parameters->items[conv->weight].count;
        if (count > largest) largest = count;
    }
    memory_free(readers);
    if (status) return status;
    network->folding = memory_array(largest, sizeof *network->folding);
    if (!network->folding) return error_no_memory(error, "folded weights", largest * sizeof(float));
    network->plan_bytes += largest * sizeof *network->folding;
    return SIMCLR_OK;
}

/* The batch norm that runs a deferred convolution. */
static const struct operation *folded_norm(const struct network *network, int convolution)
{
    for (int i = convolution + 1; i < network->operation_count; i++)
        if (network->operations[i].folded == convolution) return &network->operations[i];
    return NULL;
}

/* ---- plans of the operations -------------------------------------------------------------------------------- */
/* Does a batch norm in training read tensor y? Then the convolution that makes y sums its statistics on the way. */
bool network_wants_statistics(const struct network *network, int y)
{
    for (int i = 0; training(network) && i < network->operation_count; i++)
        if (network->operations[i].kind == OPERATION_BATCH_NORM && network->operations[i].x == y) return true;
    return false;
}

static int plan_conv(struct network *network, struct operation *operation, struct error *error)
{
    const struct tensor_desc *in = &network->tensors[operation->x].desc, *out = &network->tensors[operation->y].desc;
    const struct operation *norm =
        operation->deferred ? folded_norm(network, (int)(operation - network->operations)) : NULL;
    const struct conv_desc desc = {
        .dtype = out->dtype,
        .input_layout = in->layout,
        .image_type = in->dtype,
        .batch = in->batch,
        .in_channels = in->channels,
        .out_channels = out->channels,
        .in_height = in->height,
        .in_width = in->width,
        .kernel = operation->kernel,
        .stride = operation->stride,
        .padding = operation->padding,
        .bias = operation->bias >= 0 || norm,
        .relu = norm && norm->relu,
        .residual = norm && norm->residual >= 0,
        .training = operation->reached,
        .input_gradient = operation->reached && in->layout != LAYOUT_IMAGES,
        .accumulate = operation->accumulate,
        .statistics = network_wants_statistics(network, operation->y),
    };
    const struct backend_ops *ops = network->backend->ops;
    int status = ops->conv_create(network->backend, &desc, &operation->conv, error);
    if (status) return status;
    struct network_row *row = &network->rows[operation - network->operations];
    row->input = *in; /* images have got their type since */
    row->algorithm = ops->conv_algorithm(operation->conv);
    ops->conv_work(operation->conv, row->work);
    network->plan_bytes += ops->conv_bytes(operation->conv);
    return SIMCLR_OK;
}

static int plan_batch_norm(struct network *network, struct operation *operation, struct error *error)
{
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    if (training(network) && (int64_t)in->batch * in->height * in->width < 2)
        return error_set(error, SIMCLR_INVALID,
                         "%s: batch norm cannot train on one value per channel; use a batch of "
                         "at least 2",
                         operation->name);
    const struct batch_norm_desc desc = {
        .dtype = in->dtype,
        .batch = in->batch,
        .channels = in->channels,
        .height = in->height,
        .width = in->width,
        .relu = operation->relu,
        .residual = operation->residual >= 0,
        .training = training(network),
        .accumulate_residual = operation->residual >= 0 && operation->accumulate,
        .epsilon = BATCH_NORM_EPSILON,
        .momentum = BATCH_NORM_MOMENTUM,
    };
    return network->backend->ops->batch_norm_create(network->backend, &desc, &operation->batch_norm, error);
}

static int plan_max_pool(struct network *network, struct operation *operation, struct error *error)
{
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct max_pool_desc desc = {
        .dtype = in->dtype,
        .batch = in->batch,
        .channels = in->channels,
        .in_height = in->height,
        .in_width = in->width,
        .kernel = operation->kernel,
        .stride = operation->stride,
        .padding = operation->padding,
        .training = operation->reached,
    };
    return network->backend->ops->max_pool_create(network->backend, &desc, &operation->max_pool, error);
}

static int plan_global_pool(struct network *network, struct operation *operation, struct error *error)
{
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    const struct global_pool_desc desc = {
        .dtype = in->dtype, .batch = in->batch, .channels = in->channels, .height = in->height, .width = in->width};
    return network->backend->ops->global_pool_create(network->backend, &desc, &operation->global_pool, error);
}

static int plan_operations(struct network *network, struct error *error)
{
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        int status = SIMCLR_OK;
        switch (operation->kind) {
        case OPERATION_CONV:
        case OPERATION_DENSE:
            status = plan_conv(network, operation, error);
            break;
        case OPERATION_BATCH_NORM:
            if (operation->folded < 0) status = plan_batch_norm(network, operation, error);
            break;
        case OPERATION_MAX_POOL:
            status = plan_max_pool(network, operation, error);
            break;
        case OPERATION_GLOBAL_POOL:
            status = plan_global_pool(network, operation, error);
            break;
        }
        if (status) return status;
    }
    return SIMCLR_OK;
}

int network_plan(struct network *network, struct backend *backend, struct error *error)
{
    if (network->error.status) return network_check(network, error);
    if (network->operation_count == 0) return error_set(error, SIMCLR_INVALID, "the network has no operation to plan");
    if (network->backend) return error_set(error, SIMCLR_INVALID, "the network is already planned");
    if (!network->parameters->weights)
        return error_set(error, SIMCLR_INVALID, "the parameters have no memory yet; call parameters_allocate first");
    if (!backend->ops->supports(backend, network->dtype))
        return error_set(error, SIMCLR_UNSUPPORTED, "the %s backend does not compute in %s", backend->ops->name,
                         dtype_name(network->dtype));
    network->backend = backend;
    network->tensors[0].desc.dtype = backend->ops->image_type(backend, network->dtype);
    network->tensors[network->operations[network->operation_count - 1].y].kept = true;
    int status = mark_reached(network, error);
    if (!status) status = choose_accumulation(network, error);
    if (!status && !training(network)) status = fold_batch_norms(network, error);
    if (!status) status = plan_operations(network, error);
    if (!status) status = network_place(network, error);
    if (status) { /* so that running it by mistake does nothing */
        if (error) network->error = *error;
        network->error.status = status;
    }
    return status;
}
