/* nn/build.c -- appending operations: what all of them share. Shapes and parameters of each: nn/ops. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/internal.h"

int network_fail(struct network *network, const struct error *error)
{
    if (!network->error.status) network->error = *error;
    return network->error.status;
}

static int add_tensor(struct network *network, struct tensor_desc desc, int producer)
{
    if ((double)desc.batch * desc.channels * desc.height * desc.width > (double)((int64_t)1 << 40))
        NETWORK_FAIL(network, SIMCLR_INVALID,
                     "an activation of %d x %d x %d x %d values is too large; use a smaller batch", desc.batch,
                     desc.channels, desc.height, desc.width);
    if (network->tensor_count == network->tensor_capacity) {
        size_t old = (size_t)network->tensor_capacity, capacity = old ? 2 * old : 64;
        void *grown = memory_grow(network->tensors, old, capacity, sizeof *network->tensors);
        if (!grown) NETWORK_FAIL(network, SIMCLR_NO_MEMORY, "no memory for the network's list of tensors");
        network->tensors = grown;
        network->tensor_capacity = (int)capacity;
    }
    network->tensors[network->tensor_count] =
        (struct node){.desc = desc, .producer = producer, .block = -1, .gradient_block = -1};
    return network->tensor_count++;
}

static int make_room(struct network *network)
{
    if (network->operation_count < network->operation_capacity) return SIMCLR_OK;
    size_t old = (size_t)network->operation_capacity, capacity = old ? 2 * old : 64;
    void *operations = memory_grow(network->operations, old, capacity, sizeof *network->operations);
    if (operations) network->operations = operations;
    void *rows = operations ? memory_grow(network->rows, old, capacity, sizeof *network->rows) : NULL;
    if (!rows) NETWORK_FAIL(network, SIMCLR_NO_MEMORY, "no memory for the network's list of operations");
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
    for (int i = 0; i < OPERATION_PARAMETERS; i++) {
        if (operation->parameters[i] < 0) continue;
        const struct parameter *item = &network->parameters->items[operation->parameters[i]];
        if (!(item->flags & PARAMETER_BUFFER)) count += (int64_t)item->count;
    }
    return count;
}

int network_append(struct network *network, const struct new_operation *new, const struct tensor_desc *output)
{
    int status = make_room(network);
    if (status) return status;
    const int index = network->operation_count;
    struct operation *operation = &network->operations[index];
    *operation = (struct operation){
        .type = new->type,
        .x = new->x,
        .residual = new->residual,
        .relu = new->relu,
        .absorbed = -1,
        .absorbed_by = -1,
        .remake = {.step = -1, .first = -1, .last = -1, .residual_from = -1, .block = -1},
        .statistics_block = -1,
        .sums_block = -1,
        .saved_block = -1,
        .mask_block = -1,
    };
    memcpy(operation->name, new->name, strlen(new->name) + 1);
    memcpy(operation->parameters, new->parameters, sizeof operation->parameters);
    operation->own = memory_allocate(new->type->own_bytes);
    if (!operation->own) NETWORK_FAIL(network, SIMCLR_NO_MEMORY, "no memory for the operation %s", new->name);
    memcpy(operation->own, new->own, new->type->own_bytes);
    const int y = add_tensor(network, *output, index);
    if (y < 0) {
        memory_free(operation->own);
        return y;
    }
    operation->y = y;
    network->rows[index] = (struct network_row){
        .kind = new->type->name,
        .name = operation->name,
        .input = network->tensors[operation->x].desc,
        .output = *output,
        .parameters = trained(network, operation),
        .bytes = tensor_elements(output) * dtype_bytes(output->dtype),
        .algorithm = "",
    };
    network->operation_count++;
    if (operation->type->describe) operation->type->describe(network, operation, &network->rows[index]);
    return y;
}

int network_declare(struct network *network, const char *name, const char *part, const struct parameter_form *form)
{
    char full[NETWORK_NAME_LENGTH + 16];
    snprintf(full, sizeof full, "%s.%s", name, part);
    int index = parameters_find(network->parameters, full);
    if (index < 0) {
        struct error error = {0};
        index = parameters_add(network->parameters, full, form, &error);
        return index < 0 ? network_fail(network, &error) : index;
    }
    const struct parameter *item = &network->parameters->items[index];
    bool same = item->rank == form->rank;
    for (int d = 0; same && d < form->rank; d++) same = item->dims[d] == form->dims[d];
    if (!same)
        NETWORK_FAIL(network, SIMCLR_INVALID,
                     "parameter %s already exists with another shape; build the network from the configuration that "
                     "the model was made with",
                     full);
    return index;
}

int network_begin(struct network *network, int x, const char *name)
{
    if (network->error.status) return network->error.status;
    if (network->backend) NETWORK_FAIL(network, SIMCLR_INVALID, "%s: the network is already planned", name);
    if (x < 0 || x >= network->tensor_count)
        NETWORK_FAIL(network, SIMCLR_INVALID, "%s: there is no tensor %d", name, x);
    if (strlen(name) >= NETWORK_NAME_LENGTH)
        NETWORK_FAIL(network, SIMCLR_INVALID, "operation name '%s' is longer than %d characters", name,
                     NETWORK_NAME_LENGTH - 1);
    return SIMCLR_OK;
}

int network_refuse_images(struct network *network, int x, const char *name)
{
    if (network->tensors[x].desc.layout == LAYOUT_PRIVATE) return SIMCLR_OK;
    NETWORK_FAIL(network, SIMCLR_INVALID, "%s: only a convolution can read the images", name);
}

int network_window(int in, int kernel, int stride, int padding)
{
    if (kernel < 1 || stride < 1 || padding < 0 || in > INT_MAX - 2 * padding || in + 2 * padding < kernel) return 0;
    return conv_out(in, kernel, stride, padding);
}

int network_input(struct network *network, int batch, int channels, int height, int width)
{
    if (network->error.status) return network->error.status;
    if (network->tensor_count) NETWORK_FAIL(network, SIMCLR_INVALID, "a network has one input, and it comes first");
    if (batch < 1 || channels < 1 || height < 1 || width < 1)
        NETWORK_FAIL(network, SIMCLR_INVALID,
                     "a network input of %d x %d x %d x %d is impossible; every size must be positive", batch, channels,
                     height, width);
    struct tensor_desc desc = {.dtype = DTYPE_F32, /* until network_plan asks the backend */
                               .layout = LAYOUT_IMAGES,
                               .batch = batch,
                               .channels = channels,
                               .height = height,
                               .width = width};
    return add_tensor(network, desc, -1);
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
