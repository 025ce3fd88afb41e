/* nn/recompute.c -- what is dropped after the forward pass and made again on the way back (Chen et al. 2016,
 * arXiv:1604.06174), bit for bit.
 *
 * Half of what backward needs is convolutions' outputs, which batch norm reads; the other half is what batch norms make
 * of them, which the next convolutions read for their weights. The second half can be made again from the first in one
 * pass when it is needed. So can what a max-pool makes, and, at 1 % of a step, the first convolution's output, which is
 * the largest tensor of all.
 *
 * A residual that was dropped must be there first. Either it is made early and then kept for its own readers (it lends
 * its block: each value is made once, but a stage's values are all there at once), or it is made in the block of what
 * needs it, which takes its place, and made anew when its own turn comes (for n blocks of a stage n^2 / 2 passes, and
 * one block of memory). Chains that lend are tried one by one, and those that cost no memory lend. */
#include "nn/internal.h"

/* Does the way back of an operation read the values of its x? */
bool network_reads_back(const struct operation *operation)
{
    return operation->reached && (operation->kind == OPERATION_BATCH_NORM || operation->conv); /* pools need none */
}

static bool can_be_made_again(const struct network *network, const struct operation *operation)
{
    if (!operation->reached || network->tensors[operation->y].kept) return false;
    switch (operation->kind) {
    case OPERATION_BATCH_NORM:
    case OPERATION_MAX_POOL:
        return true;
    case OPERATION_CONV:
        return operation->x == 0;
    default:
        return false;
    }
}

static void earliest(int *step, int other)
{
    if (other >= 0 && (*step < 0 || other < *step)) *step = other;
}

static void latest(int *step, int other)
{
    if (other > *step) *step = other;
}

/* When tensor y is needed: its own readers decide redo_step, those that add it as a residual may have it made for them.
 */
static void find_steps(const struct network *network, struct operation *operation)
{
    int borrowed = -1, last_borrowed = -1;
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *reader = &network->operations[i];
        if (reader->x == operation->y) {
            if (network_reads_back(reader)) earliest(&operation->redo_step, network_backward_step(network, i));
            earliest(&operation->redo_step, reader->first_made);
        }
        if (reader->residual != operation->y) continue;
        earliest(&borrowed, reader->first_made);
        latest(&last_borrowed, reader->last_made);
    }
    if (operation->kind != OPERATION_BATCH_NORM || operation->lends) {
        earliest(&operation->redo_step, borrowed);
        last_borrowed = -1;
    }
    operation->first_made = operation->redo_step;
    operation->last_made = operation->redo_step;
    earliest(&operation->first_made, borrowed);
    latest(&operation->last_made, last_borrowed);
}

void network_choose_recomputed(struct network *network, bool recompute)
{
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        operation->redo_step = operation->first_made = operation->last_made = -1;
    }
    for (int i = network->operation_count - 1; i >= 0 && recompute; i--) /* readers before what they read */
        if (can_be_made_again(network, &network->operations[i])) find_steps(network, &network->operations[i]);
}

/* The batch norm that makes the residual of `operation` for it, in its place; NULL: the residual is there. */
struct operation *network_residual_maker(const struct network *network, const struct operation *operation)
{
    if (operation->residual < 0 || network->tensors[operation->residual].producer < 0) return NULL;
    struct operation *maker = &network->operations[network->tensors[operation->residual].producer];
    return maker->kind == OPERATION_BATCH_NORM && maker->first_made >= 0 && !maker->lends ? maker : NULL;
}

/* Is nothing made again that adds this one's y? */
bool network_ends_chain(const struct network *network, const struct operation *operation)
{
    if (operation->kind != OPERATION_BATCH_NORM || operation->first_made < 0) return false;
    for (int i = 0; i < network->operation_count; i++)
        if (network->operations[i].residual == operation->y && network->operations[i].first_made >= 0) return false;
    return true;
}

void network_chain_lends(struct network *network, const struct operation *last, bool lends)
{
    for (const struct operation *operation = last; operation->residual >= 0;) {
        const int producer = network->tensors[operation->residual].producer;
        if (producer < 0 || network->operations[producer].kind != OPERATION_BATCH_NORM) break;
        network->operations[producer].lends = lends;
        operation = &network->operations[producer];
    }
}
