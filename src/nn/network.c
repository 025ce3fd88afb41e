/* nn/network.c -- birth, death and inspection of a network. */
#include "nn/network.h"

#include <string.h>

#include "base/memory.h"
#include "nn/internal.h"

int network_create(struct network **out, struct parameters *parameters, enum network_mode mode, enum dtype dtype,
                   struct error *error)
{
    *out = NULL;
    struct network *network = memory_allocate(sizeof *network);
    if (!network) return error_no_memory(error, "a network", sizeof *network);
    network->parameters = parameters;
    network->mode = mode;
    network->dtype = dtype;
    *out = network;
    return SIMCLR_OK;
}

static void close_plans(struct network *network)
{
    for (int i = 0; i < network->operation_count; i++)
        network->operations[i].type->close(network, &network->operations[i]);
    for (int i = 0; i < network->arena_count && network->arenas && !network->arena_is_lent; i++)
        network->backend->ops->release(network->backend, network->arenas[i]);
    memory_free(network->arenas);
    network->backend->ops->release(network->backend, network->totals);
    network->backend->ops->release(network->backend, network->scratch);
    network->backend->ops->release(network->backend, network->uploaded);
    network->backend->ops->release(network->backend, network->draw);
}

void network_destroy(struct network **network)
{
    if (!network || !*network) return;
    if ((*network)->backend) close_plans(*network);
    for (int i = 0; i < (*network)->operation_count; i++) memory_free((*network)->operations[i].own);
    memory_free((*network)->tensors);
    memory_free((*network)->operations);
    memory_free((*network)->rows);
    memory_free((*network)->blocks);
    memory_free(*network);
    *network = NULL;
}

int network_check(const struct network *network, struct error *error)
{
    if (network->error.status && error) *error = network->error;
    return network->error.status;
}

int network_rows(const struct network *network, const struct network_row **rows)
{
    *rows = network->rows;
    return network->operation_count;
}

bool network_operation(const struct network *network, int i, struct network_operation *out)
{
    if (i < 0 || i >= network->operation_count) return false;
    const struct operation *operation = &network->operations[i];
    *out = (struct network_operation){.type = operation->type->name,
                                      .name = operation->name,
                                      .x = operation->x,
                                      .residual = operation->residual,
                                      .y = operation->y,
                                      .relu = operation->relu,
                                      .gradients_from = operation->gradients_from,
                                      .row = &network->rows[i]};
    memcpy(out->parameters, operation->parameters, sizeof out->parameters);
    return true;
}

void network_time(struct network *network, bool on)
{
    network->timed = on;
    for (int i = 0; i < network->operation_count; i++)
        network->rows[i].forward_seconds = network->rows[i].backward_seconds = network->rows[i].weights_seconds = 0;
}

size_t network_arena_bytes(const struct network *network)
{
    return network->arena_bytes;
}

int network_arenas(const struct network *network)
{
    return network->arena_count;
}

size_t network_plan_bytes(const struct network *network)
{
    return network->plan_bytes;
}

int network_norms(const struct network *network, int *channels)
{
    int count = 0;
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *operation = &network->operations[i];
        if (!operation->type->reads_statistics) continue;
        if (channels) channels[count] = network->tensors[operation->x].desc.channels;
        count++;
    }
    return count;
}

size_t network_totals(const struct network *network)
{
    return network->total_count;
}

const struct tensor_desc *network_tensor(const struct network *network, int tensor)
{
    return tensor >= 0 && tensor < network->tensor_count ? &network->tensors[tensor].desc : NULL;
}

size_t network_image_bytes(const struct network *network)
{
    return network->backend->ops->tensor_bytes(network->backend, &network->tensors[0].desc);
}

void network_write_images(const struct network *network, void *images, const float *canonical)
{
    const struct tensor_desc *desc = &network->tensors[0].desc;
    const size_t count = tensor_elements(desc);
    if (desc->dtype == DTYPE_BF16)
        for (size_t i = 0; i < count; i++) ((uint16_t *)images)[i] = bf16_from_float(canonical[i]);
    else
        memcpy(images, canonical, count * sizeof *canonical);
}

/* ---- watch.h -------------------------------------------------------------------------------------------------- */
void network_watch(struct network *network, network_watcher *watcher, void *context)
{
    network->watcher = watcher;
    network->watcher_context = context;
}

struct network_arena network_arena(const struct network *network)
{
    return (struct network_arena){network->arena, network->arena_bytes, network->blocks, network->block_count};
}

void *network_mask(const struct network *network, int i)
{
    return i >= 0 && i < network->operation_count ? network->operations[i].mask : NULL;
}
