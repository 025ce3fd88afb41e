/* optim/optimizer.c -- one segment per trained tensor; the arithmetic is the backend's. */
#include "optim/optimizer.h"

#include "base/memory.h"

static bool trained(const struct parameter *item)
{
    return !(item->flags & (PARAMETER_BUFFER | PARAMETER_FROZEN));
}

static int check(const struct optimizer_config *config, struct error *error)
{
    if (!(config->momentum >= 0 && config->momentum < 1))
        return error_set(error, SIMCLR_INVALID, "momentum %g is impossible; it lies in [0, 1)",
                         (double)config->momentum);
    if (!(config->weight_decay >= 0 && config->weight_decay < 1e6f))
        return error_set(error, SIMCLR_INVALID, "weight decay %g is impossible; it is 0 or a positive number",
                         (double)config->weight_decay);
    if (config->kind == OPTIMIZER_LARS && !(config->trust > 0 && config->trust < 1e6f))
        return error_set(error, SIMCLR_INVALID, "LARS needs a positive trust coefficient (0.001), not %g",
                         (double)config->trust);
    if (config->kind == OPTIMIZER_ADAMW && !(config->beta2 >= 0 && config->beta2 < 1 && config->epsilon > 0))
        return error_set(error, SIMCLR_INVALID, "AdamW needs beta2 in [0, 1) and a positive epsilon, not %g and %g",
                         (double)config->beta2, (double)config->epsilon);
    return SIMCLR_OK;
}

static void fill_segments(struct optimizer *optimizer, struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!trained(item)) continue;
        optimizer->segments[optimizer->segment_count++] = (struct optimizer_segment){
            .weight = parameter_weights(parameters, i),
            .state1 = optimizer->state1 + item->offset,
            .state2 = optimizer->state2 ? optimizer->state2 + item->offset : NULL,
            .gradient = parameter_gradients(parameters, i),
            .count = item->count,
            .decay = item->flags & PARAMETER_DECAY,
            .adapt = item->flags & PARAMETER_ADAPT,
        };
    }
}

int optimizer_create(struct optimizer **out, const struct optimizer_config *config, struct backend *backend,
                     struct parameters *parameters, struct error *error)
{
    *out = NULL;
    int status = check(config, error);
    if (status) return status;
    struct optimizer *optimizer = memory_allocate(sizeof *optimizer);
    if (!optimizer) return error_no_memory(error, "the optimiser", sizeof *optimizer);
    optimizer->config = *config;
    optimizer->backend = backend;
    optimizer->state_count = parameters->weight_count;
    bool second = config->kind == OPTIMIZER_ADAMW;
    optimizer->state1 = memory_array(optimizer->state_count, sizeof(float));
    if (second) optimizer->state2 = memory_array(optimizer->state_count, sizeof(float));
    optimizer->segments = memory_array((size_t)parameters->count, sizeof *optimizer->segments);
    if (!optimizer->state1 || (second && !optimizer->state2) || !optimizer->segments) {
        size_t bytes = optimizer->state_count * sizeof(float) * (second ? 2 : 1);
        optimizer_destroy(&optimizer);
        return error_no_memory(error, "the optimiser's state", bytes);
    }
    fill_segments(optimizer, parameters);
    *out = optimizer;
    return SIMCLR_OK;
}

void optimizer_destroy(struct optimizer **optimizer)
{
    if (!optimizer || !*optimizer) return;
    memory_free((*optimizer)->state1);
    memory_free((*optimizer)->state2);
    memory_free((*optimizer)->segments);
    memory_free(*optimizer);
    *optimizer = NULL;
}

void optimizer_update(struct optimizer *optimizer, double learning_rate)
{
    const struct optimizer_config *config = &optimizer->config;
    const struct optimizer_step step = {
        .kind = config->kind,
        .learning_rate = (float)learning_rate,
        .momentum = config->momentum,
        .weight_decay = config->weight_decay,
        .trust = config->trust,
        .beta2 = config->beta2,
        .epsilon = config->epsilon,
        .step = ++optimizer->steps,
    };
    struct backend *backend = optimizer->backend;
    backend->ops->optimizer_run(backend, &step, optimizer->segments, optimizer->segment_count);
}
