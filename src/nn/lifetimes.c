/* nn/lifetimes.c -- which bytes of the arena a value, a gradient or anything else that is kept may have.
 *
 * Time is counted in steps: of n operations, number i runs forward at step i, and backward at step 2n - 1 - i of
 * training.
 *
 * A block of the arena is alive from the step that first writes it to the last one that reads it. Two blocks that are
 * never alive together may share bytes (arena.c).
 *
 * A value that recompute.c drops has two blocks: one of the forward pass, and one from when it is made again. */
#include "base/memory.h"
#include "nn/internal.h"

enum { RECOMPUTE_ABOVE = 1 << 30 }; /* bytes: a smaller arena is left as it is, for it costs 1 to 5 % of a step */

int network_backward_step(const struct network *network, int operation)
{
    return 2 * network->operation_count - 1 - operation;
}

static int last_step(const struct network *network)
{
    return (network_trains(network) ? 2 : 1) * network->operation_count;
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */
/* Blocks enough for every tensor's value and gradient and four extras per operation are reserved at once. */
static int add_block(struct network *network, size_t bytes, int first, int last)
{
    network->blocks[network->block_count] = (struct arena_block){.bytes = bytes, .first = first, .last = last};
    return network->block_count++;
}

static void extend(struct network *network, int block, int step)
{
    if (block >= 0 && network->blocks[block].last < step) network->blocks[block].last = step;
}

/* Alive at `step` of the way back, as it was made or made again. */
static void extend_back(struct network *network, int tensor, int step)
{
    const struct node *node = &network->tensors[tensor];
    const int again = node->producer >= 0 ? network->operations[node->producer].remake.block : -1;
    extend(network, again >= 0 ? again : node->block, step);
}

/* Values: alive from their producer to their last reader, forward or backward. */
static void add_activations(struct network *network)
{
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        if (operation->absorbed_by >= 0) { /* its outputs are never stored */
            network->rows[i].bytes = 0;
            continue;
        }
        const int input = operation->absorbed < 0 ? operation->x : network->operations[operation->absorbed].x;
        const int back = network_backward_step(network, i);
        struct node *y = &network->tensors[operation->y];
        struct remake *remake = &operation->remake;
        size_t bytes = network->backend->ops->tensor_bytes(network->backend, &y->desc);
        y->block = add_block(network, bytes, i, y->kept ? last_step(network) : i);
        network->rows[i].bytes = bytes;
        extend(network, network->tensors[input].block, i);
        if (operation->residual >= 0) extend(network, network->tensors[operation->residual].block, i);
        if (remake->step >= 0) remake->block = add_block(network, bytes, remake->step, remake->step);
        if (remake->first >= 0) {
            extend_back(network, operation->x, remake->last);
            if (operation->residual >= 0 && remake->residual_from < 0)
                extend_back(network, operation->residual, remake->last);
        }
        if (operation->reached && operation->type->reads_x_back) extend_back(network, operation->x, back);
        if (operation->reached && operation->type->reads_y_back) extend_back(network, operation->y, back);
    }
}

/* What operations keep besides their outputs. */
static void add_extras(struct network *network)
{
    for (int i = 0; i < network->operation_count && network_trains(network); i++) {
        struct operation *operation = &network->operations[i];
        const struct operation_type *type = operation->type;
        struct operation_bytes bytes = {0};
        if (type->bytes) type->bytes(network, operation, &bytes);
        const int back = operation->reached ? network_backward_step(network, i) : i;
        const int made = operation->remake.step >= 0 ? operation->remake.step : i; /* when y was made last */
        if (bytes.statistics) operation->statistics_block = add_block(network, bytes.statistics, i, i);
        if (bytes.sums && operation->reached) operation->sums_block = add_block(network, bytes.sums, back, back);
        if (bytes.saved) operation->saved_block = add_block(network, bytes.saved, i, back);
        if (bytes.mask && operation->reached) operation->mask_block = add_block(network, bytes.mask, made, back);
        const int producer = network->tensors[operation->x].producer;
        if (type->reads_statistics) extend(network, network->operations[producer].statistics_block, i);
    }
}

/* Gradients: alive from the first reader met on the way back to the producer. Where d_x may take the place of d_y both
 * are one block. */
static void add_gradients(struct network *network)
{
    const struct backend_ops *ops = network->backend->ops;
    const int n = network->operation_count;
    if (!network_trains(network)) return;
    struct node *output = &network->tensors[network->operations[n - 1].y];
    output->gradient_block = add_block(network, ops->tensor_bytes(network->backend, &output->desc), n, n);
    for (int i = n - 1; i >= 0; i--) {
        const struct operation *operation = &network->operations[i];
        if (!operation->reached) continue;
        int step = network_backward_step(network, i);
        int d_y = network->tensors[operation->y].gradient_block;
        extend(network, d_y, step);
        const int inputs[2] = {operation->x, operation->residual};
        for (int k = 0; k < 2; k++) {
            if (inputs[k] <= 0) continue; /* none, or the images */
            struct node *input = &network->tensors[inputs[k]];
            if (input->gradient_block >= 0) continue;
            if (k == 0 && operation->type->d_x_over_d_y)
                input->gradient_block = d_y;
            else
                input->gradient_block =
                    add_block(network, ops->tensor_bytes(network->backend, &input->desc), step, step);
        }
        for (int k = 0; k < 2; k++)
            if (inputs[k] > 0) extend(network, network->tensors[inputs[k]].gradient_block, step);
    }
}

static void *address(const struct network *network, int block)
{
    return block < 0 ? NULL : network->arena + network->blocks[block].offset;
}

/* Lays the blocks out anew; the bytes that they take together. */
static int lay_out(struct network *network, bool recompute, size_t *total, struct error *error)
{
    for (int t = 0; t < network->tensor_count; t++) network->tensors[t].block = network->tensors[t].gradient_block = -1;
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        operation->statistics_block = operation->sums_block = operation->saved_block = operation->mask_block = -1;
        operation->remake.block = -1;
    }
    network->block_count = 0;
    network_choose_remakes(network, recompute);
    add_activations(network);
    add_extras(network);
    add_gradients(network);
    return arena_place(network->blocks, network->block_count, total, error);
}

/* With the least memory, and of those layouts with the fewest passes. */
static int lay_out_recomputed(struct network *network, size_t *total, struct error *error)
{
    for (int i = 0; i < network->operation_count; i++) network->operations[i].remake.lends = false;
    int status = lay_out(network, true, total, error);
    for (int i = network->operation_count - 1; i >= 0 && !status; i--) {
        if (!network_ends_chain(network, &network->operations[i])) continue;
        size_t lending;
        network_chain_lends(network, &network->operations[i], true);
        status = lay_out(network, true, &lending, error);
        if (lending > *total)
            network_chain_lends(network, &network->operations[i], false);
        else
            *total = lending;
    }
    return status ? status : lay_out(network, true, total, error);
}

static int choose_layout(struct network *network, struct error *error)
{
    const enum recompute wanted = network_trains(network) ? network->options.recompute : RECOMPUTE_OFF;
    if (wanted == RECOMPUTE_ON) return lay_out_recomputed(network, &network->arena_bytes, error);
    int status = lay_out(network, false, &network->arena_bytes, error);
    if (status || wanted == RECOMPUTE_OFF || network->arena_bytes <= RECOMPUTE_ABOVE) return status;
    const size_t whole = network->arena_bytes;
    status = lay_out_recomputed(network, &network->arena_bytes, error);
    if (status || network->arena_bytes < whole) return status;
    return lay_out(network, false, &network->arena_bytes, error);
}

void network_set_addresses(struct network *network)
{
    for (int t = 0; t < network->tensor_count; t++) {
        struct node *node = &network->tensors[t];
        node->data = address(network, node->block);
        node->gradient = address(network, node->gradient_block);
    }
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        operation->statistics = address(network, operation->statistics_block);
        operation->sums = address(network, operation->sums_block);
        operation->saved = address(network, operation->saved_block);
        operation->mask = address(network, operation->mask_block);
        operation->remake.value = address(network, operation->remake.block);
    }
}

/* As many arenas as are wanted and as the memory for them holds, one at least. */
static int count_arenas(struct network *network, struct error *error)
{
    const struct network_options *options = &network->options;
    const size_t bytes = network->arena_bytes;
    const int wanted = options->arenas > 1 ? options->arenas : 1;
    network->arena_count = wanted;
    if (options->limit > 0 && bytes > options->limit)
        return error_set(error, SIMCLR_NO_MEMORY,
                         "activations and gradients of a batch of %d take %.1f GiB, and there are %.1f GiB",
                         network->tensors[0].desc.batch, (double)bytes / 0x1p30, (double)options->limit / 0x1p30);
    if (options->memory == 0 || bytes == 0) return SIMCLR_OK;
    const size_t room = options->memory / bytes;
    if (room < (size_t)wanted) network->arena_count = room > 1 ? (int)room : 1;
    return SIMCLR_OK;
}

static int allocate_arenas(struct network *network, struct error *error)
{
    const struct network *owner = network->options.arena_of;
    network->arena_is_lent = owner && owner->arena_bytes >= network->arena_bytes;
    if (network->arena_is_lent) network->arena_count = owner->arena_count;
    const int count = network->arena_count;
    network->arenas = memory_array((size_t)count, sizeof *network->arenas);
    if (!network->arenas) return error_no_memory(error, "a network's memory", (size_t)count * sizeof(char *));
    for (int i = 0; i < count; i++) {
        network->arenas[i] = network->arena_is_lent
                                 ? owner->arenas[i]
                                 : network->backend->ops->allocate(network->backend, network->arena_bytes, error);
        if (!network->arenas[i])
            return error_prefix(error, "activations and gradients of a batch of %d", network->tensors[0].desc.batch);
    }
    network->arena = network->arenas[0];
    return SIMCLR_OK;
}

int network_place(struct network *network, struct error *error)
{
    size_t capacity = 3 * (size_t)network->tensor_count + 4 * (size_t)network->operation_count;
    network->blocks = memory_array(capacity, sizeof *network->blocks);
    if (!network->blocks) return error_no_memory(error, "the network's plan", capacity * sizeof *network->blocks);
    int status = choose_layout(network, error);
    if (!status) status = count_arenas(network, error);
    if (status || network->options.dry) return status;
    status = allocate_arenas(network, error);
    if (!status) network_set_addresses(network);
    return status;
}
