/* nn/recompute.c -- what is dropped after the forward pass and made again on the way back (Chen et al. 2016,
 * arXiv:1604.06174), bit for bit.
 *
 * Half of what backward needs are convolutions' outputs, which batch norms read. The other half are batch norms'
 * outputs, which the next convolutions read for the gradients of their weights. One cheap pass makes the second half
 * from the first. Two more values are made again: what a max-pool makes, and the first convolution's output. That one
 * costs 1 % of a step, and is the largest tensor of all.
 *
 * Before a batch norm can be made again, the residual that it adds must exist. There are two ways to get a dropped one:
 *  - lend: make it early and keep it for its own readers. Each value is made once; all values of a stage are in memory
 *    together.
 *  - inline: make it inside the block of the value that needs it, which then overwrites it, and make it anew at its own
 *    turn. One block of memory; n^2 / 2 passes for the n blocks of a stage.
 * lifetimes.c tries lending chain by chain, and keeps it where the arena does not grow. */
#include "nn/internal.h"

static bool can_be_dropped(const struct network *network, const struct operation *operation)
{
    const struct operation_type *type = operation->type;
    if (!operation->reached || network->tensors[operation->y].kept || !type->again) return false;
    return !type->can_again || type->can_again(operation);
}

static void earliest(int *step, int other)
{
    if (other >= 0 && (*step < 0 || other < *step)) *step = other;
}

static void latest(int *step, int other)
{
    if (other > *step) *step = other;
}

/* When y is needed. Its own readers decide `step`. Those that add it as a residual may have it made inline. */
static void find_steps(const struct network *network, struct operation *operation)
{
    struct remake *remake = &operation->remake;
    int borrowed = -1, last_borrowed = -1;
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *reader = &network->operations[i];
        const int back = network_backward_step(network, i);
        if (reader == operation && reader->type->reads_y_back) earliest(&remake->step, back);
        if (reader->x == operation->y) {
            if (reader->reached && reader->type->reads_x_back) earliest(&remake->step, back);
            earliest(&remake->step, reader->remake.first);
        }
        if (reader->residual != operation->y) continue;
        earliest(&borrowed, reader->remake.first);
        latest(&last_borrowed, reader->remake.last);
    }
    if (!operation->type->again_in_residual || remake->lends) {
        earliest(&remake->step, borrowed);
        last_borrowed = -1;
    }
    remake->first = remake->last = remake->step;
    earliest(&remake->first, borrowed);
    latest(&remake->last, last_borrowed);
}

/* The operation that makes the residual of this one inline; -1: none does. */
static int residual_maker(const struct network *network, const struct operation *operation)
{
    const int producer = operation->residual < 0 ? -1 : network->tensors[operation->residual].producer;
    if (producer < 0) return -1;
    const struct operation *maker = &network->operations[producer];
    return maker->type->again_in_residual && maker->remake.first >= 0 && !maker->remake.lends ? producer : -1;
}

void network_choose_remakes(struct network *network, bool recompute)
{
    for (int i = 0; i < network->operation_count; i++) {
        struct remake *remake = &network->operations[i].remake;
        remake->step = remake->first = remake->last = remake->residual_from = -1;
    }
    for (int i = network->operation_count - 1; i >= 0 && recompute; i--) /* readers before what they read */
        if (can_be_dropped(network, &network->operations[i])) find_steps(network, &network->operations[i]);
    for (int i = 0; i < network->operation_count; i++)
        network->operations[i].remake.residual_from = residual_maker(network, &network->operations[i]);
}

bool network_ends_chain(const struct network *network, const struct operation *operation)
{
    if (!operation->type->again_in_residual || operation->remake.first < 0) return false;
    for (int i = 0; i < network->operation_count; i++)
        if (network->operations[i].residual == operation->y && network->operations[i].remake.first >= 0) return false;
    return true;
}

void network_chain_lends(struct network *network, const struct operation *last, bool lends)
{
    for (const struct operation *operation = last; operation->residual >= 0;) {
        const int producer = network->tensors[operation->residual].producer;
        if (producer < 0 || !network->operations[producer].type->again_in_residual) break;
        network->operations[producer].remake.lends = lends;
        operation = &network->operations[producer];
    }
}
