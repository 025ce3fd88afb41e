/* nn/run.c -- running a planned network: nothing here allocates or fails. */
#include "base/clock.h"
#include "base/pool.h"
#include "nn/internal.h"

static bool ready(const struct network *network)
{
    return network->arena && !network->error.status;
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */
const float *network_weights(const struct network *network, int row)
{
    return row < 0 ? NULL : parameter_weights(network->parameters, row);
}

float *network_gradients(const struct network *network, int row)
{
    return row < 0 ? NULL : parameter_gradients(network->parameters, row);
}

const void *network_value(const struct network *network, int tensor)
{
    return tensor == 0 ? network->images : tensor < 0 ? NULL : network->tensors[tensor].data;
}

const void *network_value_back(const struct network *network, int tensor)
{
    const int producer = tensor > 0 ? network->tensors[tensor].producer : -1;
    const void *again = producer >= 0 ? network->operations[producer].remake.value : NULL;
    return again ? again : network_value(network, tensor);
}

void *network_output(const struct network *network, const struct operation *operation)
{
    return network->tensors[operation->y].data;
}

void *network_gradient(const struct network *network, int tensor)
{
    return tensor < 0 ? NULL : network->tensors[tensor].gradient;
}

void *network_forward_mask(const struct operation *operation)
{
    return operation->remake.step < 0 ? operation->mask : NULL;
}

/* ---- seconds -------------------------------------------------------------------------------------------------- */
/* Time now, once everything issued so far is done; a device fault stays for the caller's own sync to report. */
static double finished(struct network *network)
{
    (void)network->backend->ops->sync(network->backend, NULL);
    return clock_seconds();
}

static void start_clock(struct network *network)
{
    if (network->timed) network->start = finished(network);
}

/* Seconds since the clock was started or last stopped. */
static double lap(struct network *network)
{
    const double end = finished(network), seconds = end - network->start;
    network->start = end;
    return seconds;
}

void network_weights_done(struct network *network, const struct operation *operation)
{
    if (network->timed) network_row(network, operation)->weights_seconds = finished(network) - network->start;
}

/* ---- stopping ------------------------------------------------------------------------------------------------- */
void network_let_stop(struct network *network, bool stops)
{
    network->stops = stops;
}

bool network_is_cut(const struct network *network)
{
    return network->cut;
}

/* Is the pass to end here? */
static bool is_cut(struct network *network)
{
    network->cut = network->cut || (network->stops && pool_is_stopped(network->backend->pool));
    return network->cut;
}

static void after_step(struct network *network, int step)
{
    if (network->watcher) network->watcher(network, step, network->watcher_context);
}

/* ---- forward -------------------------------------------------------------------------------------------------- */
void network_set_weights(struct network *network)
{
    if (!ready(network)) return;
    for (int i = 0; i < network->operation_count; i++) {
        struct operation *operation = &network->operations[i];
        if (operation->type->set_weights && operation->absorbed < 0) operation->type->set_weights(network, operation);
    }
}

static void forward_one(struct network *network, const struct operation *operation)
{
    if (operation->absorbed_by >= 0) return;
    if (operation->absorbed < 0) {
        operation->type->forward(network, operation);
        return;
    }
    const struct operation *absorber = &network->operations[operation->absorbed];
    absorber->type->forward_absorbed(network, absorber, operation);
}

void network_set_images(struct network *network, const void *images)
{
    if (!ready(network)) return;
    network->images = network->uploaded ? network->uploaded : images;
    if (network->uploaded)
        network->backend->ops->upload(network->backend, network->uploaded, images, network_image_bytes(network));
}

void network_set_draw(struct network *network, uint64_t seed, int64_t step)
{
    if (!ready(network) || !network->draw) return;
    network->drawn = (struct dropout_draw){.seed = seed, .step = (uint32_t)step};
    network->backend->ops->upload(network->backend, network->draw, &network->drawn, sizeof network->drawn);
}

void network_forward(struct network *network, const void *images)
{
    if (!ready(network)) return;
    if (images) network_set_images(network, images);
    start_clock(network);
    network->cut = false;
    for (int i = 0; i < network->operation_count && !is_cut(network); i++) {
        forward_one(network, &network->operations[i]);
        after_step(network, i);
        if (network->timed) network->rows[i].forward_seconds = lap(network);
    }
}

void network_read(struct network *network, int tensor, float *canonical)
{
    if (!ready(network) || tensor < 1 || tensor >= network->tensor_count) return;
    const struct node *node = &network->tensors[tensor];
    network->backend->ops->tensor_read(network->backend, &node->desc, canonical, node->data);
}

/* ---- several batches ------------------------------------------------------------------------------------------- */
void network_choose_arena(struct network *network, int arena)
{
    if (!ready(network) || arena < 0 || arena >= network->arena_count) return;
    network->arena = network->arenas[arena];
    network_set_addresses(network);
}

void network_begin_statistics(struct network *network)
{
    if (!ready(network) || !network->totals) return;
    network->backend->ops->clear(network->backend, network->totals, network->total_count * sizeof *network->totals);
    network->collects = true;
}

void network_end_statistics(struct network *network, int batches)
{
    if (!ready(network) || !network->totals) return;
    network->collects = false;
    communicator_sum(network->options.batch_of, network->totals, network->total_count);
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *operation = &network->operations[i];
        if (operation->type->end_statistics) operation->type->end_statistics(network, operation, batches);
    }
}

/* ---- backward ------------------------------------------------------------------------------------------------- */
/* Makes y again in `out`. A residual that is to be made inline comes first, in the same place. */
static void make_again(struct network *network, const struct operation *operation, void *out, void *mask)
{
    const int maker = operation->remake.residual_from;
    if (maker >= 0) make_again(network, &network->operations[maker], out, NULL);
    operation->type->again(network, operation, out, mask,
                           maker >= 0 ? out : network_value_back(network, operation->residual));
}

/* Makes again what was dropped and is read from this step on, in the order of the forward pass. */
static void recompute(struct network *network, int step)
{
    for (int i = 0; i < network->operation_count; i++) {
        const struct operation *operation = &network->operations[i];
        if (operation->remake.step != step) continue;
        make_again(network, operation, operation->remake.value, operation->mask);
        if (network->timed) network->rows[i].again_seconds = lap(network);
    }
}

static void clear_gradients(struct network *network, const struct operation *operation)
{
    for (int i = 0; i < OPERATION_PARAMETERS; i++) {
        const int row = operation->parameters[i];
        if (row < 0 || network->parameters->items[row].flags & PARAMETER_BUFFER) continue;
        network->backend->ops->clear(network->backend, network_gradients(network, row),
                                     network->parameters->items[row].count * sizeof(float));
    }
}

static void tell_ready(const struct network *network, const struct operation *operation)
{
    const struct network_options *options = &network->options;
    if (options->gradients_ready) options->gradients_ready(options->gradients_context, operation->gradients_from);
}

void network_backward(struct network *network, int output, const float *d_output)
{
    if (!ready(network) || !network_trains(network)) return;
    if (output < 1 || output >= network->tensor_count || !network->tensors[output].gradient) return;
    const struct node *node = &network->tensors[output];
    if (d_output) network->backend->ops->tensor_write(network->backend, &node->desc, node->gradient, d_output);
    start_clock(network);
    for (int i = network->operation_count - 1; i >= 0 && !is_cut(network); i--) {
        const struct operation *operation = &network->operations[i];
        struct network_row *row = &network->rows[i];
        if (i > node->producer || !operation->reached) { /* the gradient does not pass here */
            clear_gradients(network, operation);
            row->backward_seconds = row->weights_seconds = row->again_seconds = 0;
            tell_ready(network, operation);
            continue;
        }
        const int step = network_backward_step(network, i);
        recompute(network, step);
        operation->type->backward(network, operation);
        after_step(network, step);
        if (network->timed) row->backward_seconds = lap(network) + row->again_seconds;
        tell_ready(network, operation);
    }
}
