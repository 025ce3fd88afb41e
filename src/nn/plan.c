/* nn/plan.c -- from a list of operations to plans; addresses: lifetimes.c. */
#include <string.h>

#include "base/memory.h"
#include "nn/internal.h"

/* ---- the way back ------------------------------------------------------------------------------------------- */
/* Which operations the gradient of the last tensor reaches. */
static int mark_reached(struct network *network, struct error *error)
{
    bool *wanted = memory_array((size_t)network->tensor_count, sizeof *wanted);
    if (!wanted) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count);
    wanted[network->operations[network->operation_count - 1].y] = true;
    for (int i = network->operation_count - 1; i >= 0; i--) {
        struct operation *operation = &network->operations[i];
        operation->reached = network_trains(network) && wanted[operation->y];
        if (!operation->reached) continue;
        wanted[operation->x] = true;
        if (operation->residual >= 0) wanted[operation->residual] = true;
    }
    memory_free(wanted);
    return SIMCLR_OK;
}

/* The gradient of a tensor with several readers is their sum: the reader met first on the way back writes it, the
 * later ones add. */
static int choose_accumulation(struct network *network, struct error *error)
{
    bool *written = memory_array((size_t)network->tensor_count, sizeof *written);
    if (!written) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count);
    int status = SIMCLR_OK;
    for (int i = network->operation_count - 1; i >= 0 && !status; i--) {
        struct operation *operation = &network->operations[i];
        if (!operation->reached) continue;
        operation->adds_d_x = operation->x > 0 && written[operation->x];
        written[operation->x] = true;
        operation->adds_d_residual = operation->residual >= 0 && written[operation->residual];
        if (operation->residual >= 0) written[operation->residual] = true;
        if ((operation->adds_d_x && !operation->type->adds_d_x) ||
            (operation->adds_d_residual && !operation->type->adds_d_residual))
            status = error_set(error, SIMCLR_UNSUPPORTED,
                               "%s: another operation that comes later reads the same tensor, and a %s cannot add to "
                               "a gradient",
                               operation->name, operation->type->name);
    }
    memory_free(written);
    return status;
}

/* ---- inference ---------------------------------------------------------------------------------------------- */
/* An affine map goes into the weights of the operation before it, where nothing else reads that one's outputs. The two
 * then run as one in the map's place, by when the residual is there. */
static int absorb_maps(struct network *network, struct error *error)
{
    int *readers = memory_array((size_t)network->tensor_count, sizeof *readers);
    if (!readers) return error_no_memory(error, "the network's plan", (size_t)network->tensor_count * sizeof *readers);
    for (int i = 0; i < network->operation_count; i++) {
        readers[network->operations[i].x]++;
        if (network->operations[i].residual >= 0) readers[network->operations[i].residual]++;
    }
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *map = &network->operations[i];
        const struct node *x = &network->tensors[map->x];
        if (!map->type->affine || x->producer < 0 || readers[map->x] != 1 || x->kept) continue;
        struct operation *absorber = &network->operations[x->producer];
        if (!absorber->type->absorbs) continue;
        map->absorbed = x->producer;
        absorber->absorbed_by = i;
    }
    memory_free(readers);
    return SIMCLR_OK;
}

/* ---- plans of the operations -------------------------------------------------------------------------------- */
bool network_wants_statistics(const struct network *network, int y)
{
    for (int i = 0; network_trains(network) && i < network->operation_count; i++)
        if (network->operations[i].type->reads_statistics && network->operations[i].x == y) return true;
    return false;
}

void network_want_scratch(struct network *network, size_t count)
{
    if (count > network->scratch_count) network->scratch_count = count;
}

size_t network_want_totals(struct network *network, size_t count)
{
    const size_t first = network->total_count;
    network->total_count += count;
    return first;
}

static int plan_operations(struct network *network, struct error *error)
{
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        if (operation->absorbed >= 0) continue;
        const int status = operation->type->plan(network, operation, error);
        if (status) return status;
        if (operation->type->describe) operation->type->describe(network, operation, &network->rows[i]);
    }
    if (network_trains(network)) return SIMCLR_OK;
    network->scratch =
        network->backend->ops->allocate(network->backend, network->scratch_count * sizeof *network->scratch, error);
    if (!network->scratch) {
        error_prefix(error, "folded weights");
        return SIMCLR_NO_MEMORY;
    }
    network->plan_bytes += network->scratch_count * sizeof *network->scratch;
    return SIMCLR_OK;
}

/* Where a forward pass puts the images that it is given, unless the backend may read them where they are. */
static int plan_images(struct network *network, struct error *error)
{
    struct backend *backend = network->backend;
    if (backend->ops->reads_host(backend) || network->options.dry) return SIMCLR_OK;
    network->uploaded = backend->ops->allocate(backend, network_image_bytes(network), error);
    if (network->uploaded) return SIMCLR_OK;
    error_prefix(error, "images");
    return SIMCLR_NO_MEMORY;
}

/* Where operations that draw find what they draw by. */
static int plan_draw(struct network *network, struct error *error)
{
    bool draws = false;
    for (int i = 0; i < network->operation_count; i++) draws = draws || network->operations[i].type->draws;
    if (!draws || network->options.dry) return SIMCLR_OK;
    network->draw = network->backend->ops->allocate(network->backend, sizeof *network->draw, error);
    if (network->draw) return SIMCLR_OK;
    error_prefix(error, "draws");
    return SIMCLR_NO_MEMORY;
}

/* Where batch norms sum what they know of several batches. */
static int plan_totals(struct network *network, struct error *error)
{
    if (network->total_count == 0 || network->options.dry) return SIMCLR_OK;
    const size_t bytes = network->total_count * sizeof *network->totals;
    network->totals = network->backend->ops->allocate(network->backend, bytes, error);
    if (network->totals) return SIMCLR_OK;
    error_prefix(error, "sums over groups");
    return SIMCLR_NO_MEMORY;
}

/* The way back begins with the last operation. */
static void mark_gradients(struct network *network)
{
    size_t end = 0; /* of the weights of the operations so far */
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        operation->gradients_from = end;
        for (int k = 0; k < OPERATION_PARAMETERS; k++) {
            const int row = operation->parameters[k];
            if (row < 0 || network->parameters->items[row].flags & PARAMETER_BUFFER) continue;
            const struct parameter *item = &network->parameters->items[row];
            if (item->offset + item->count > end) end = item->offset + item->count;
        }
    }
}

int network_plan(struct network *network, struct backend *backend, const struct network_options *options,
                 struct error *error)
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
    if (options) network->options = *options;
    network->tensors[0].desc.dtype = backend->ops->image_type(backend, network->dtype);
    network->tensors[network->operations[network->operation_count - 1].y].kept = true;
    mark_gradients(network);
    int status = mark_reached(network, error);
    if (!status) status = choose_accumulation(network, error);
    if (!status && !network_trains(network)) status = absorb_maps(network, error);
    if (!status) status = plan_operations(network, error);
    if (!status) status = network_place(network, error);
    if (!status) status = plan_images(network, error);
    if (!status) status = plan_draw(network, error);
    if (!status) status = plan_totals(network, error);
    if (status) { /* so that running it by mistake does nothing */
        if (error) network->error = *error;
        network->error.status = status;
    }
    return status;
}
