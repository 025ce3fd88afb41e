/* optim/optimizer.c -- one segment per trained tensor; the arithmetic is the backend's. */
#include "optim/optimizer.h"

#include "base/memory.h"

static bool trained(const struct parameter *item)
{
    return !(item->flags & (PARAMETER_BUFFER | PARAMETER_FROZEN));
}

static int create_plan(struct optimizer *optimizer, struct parameters *parameters, struct error *error)
{
    const struct optimizer_config *config = &optimizer->config;
    struct optimizer_segment *segments = memory_array((size_t)parameters->count, sizeof *segments);
    if (!segments) return error_no_memory(error, "the optimiser", (size_t)parameters->count * sizeof *segments);
    int count = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!trained(item)) continue;
        segments[count] = (struct optimizer_segment){
            .weight = parameter_weights(parameters, i),
            .state1 = optimizer->state1 + item->offset,
            .state2 = optimizer->state2 ? optimizer->state2 + item->offset : NULL,
            .gradient = parameter_gradients(parameters, i),
            .count = item->count,
            .decay = item->flags & PARAMETER_DECAY,
            .adapt = item->flags & PARAMETER_ADAPT,
            .rate = item->rate,
        };
        count += 1;
    }
    const struct optimizer_desc desc = {.kind = config->kind,
                                        .momentum = config->momentum,
                                        .weight_decay = config->weight_decay,
                                        .trust = config->trust,
                                        .beta2 = config->beta2,
                                        .epsilon = config->epsilon,
                                        .segments = segments,
                                        .count = count};
    const int status = optimizer->backend->ops->optimizer_create(optimizer->backend, &desc, &optimizer->plan, error);
    memory_free(segments);
    return status;
}

static int allocate(struct optimizer *optimizer, struct error *error)
{
    struct backend *backend = optimizer->backend;
    const size_t bytes = optimizer->state_count * sizeof(float);
    const bool second = optimizer->config.kind == OPTIMIZER_ADAMW;
    optimizer->state1 = backend->ops->allocate(backend, bytes, error);
    if (optimizer->state1 && second) optimizer->state2 = backend->ops->allocate(backend, bytes, error);
    if (optimizer->state1 && (!second || optimizer->state2))
        optimizer->inputs = backend->ops->allocate(backend, sizeof *optimizer->inputs, error);
    if (optimizer->inputs) return SIMCLR_OK;
    error_prefix(error, "the optimiser's state");
    return SIMCLR_NO_MEMORY;
}

int optimizer_create(struct optimizer **out, const struct optimizer_config *config, struct backend *backend,
                     struct parameters *parameters, struct error *error)
{
    *out = NULL;
    struct optimizer *optimizer = memory_allocate(sizeof *optimizer);
    if (!optimizer) return error_no_memory(error, "the optimiser", sizeof *optimizer);
    optimizer->config = *config;
    optimizer->backend = backend;
    optimizer->state_count = parameters->weight_count;
    int status = allocate(optimizer, error);
    if (!status) status = create_plan(optimizer, parameters, error);
    if (status) {
        optimizer_destroy(&optimizer);
        return status;
    }
    *out = optimizer;
    return SIMCLR_OK;
}

void optimizer_destroy(struct optimizer **optimizer)
{
    if (!optimizer || !*optimizer) return;
    struct backend *backend = (*optimizer)->backend;
    backend->ops->optimizer_destroy(&(*optimizer)->plan);
    backend->ops->release(backend, (*optimizer)->state1);
    backend->ops->release(backend, (*optimizer)->state2);
    backend->ops->release(backend, (*optimizer)->inputs);
    memory_free(*optimizer);
    *optimizer = NULL;
}

void optimizer_set(struct optimizer *optimizer, double learning_rate)
{
    optimizer->given = (struct step_inputs){.step = ++optimizer->steps, .learning_rate = (float)learning_rate};
    optimizer->backend->ops->upload(optimizer->backend, optimizer->inputs, &optimizer->given, sizeof optimizer->given);
}

void optimizer_run(struct optimizer *optimizer)
{
    optimizer->backend->ops->optimizer_run(optimizer->plan, optimizer->inputs);
}

void optimizer_update(struct optimizer *optimizer, double learning_rate)
{
    optimizer_set(optimizer, learning_rate);
    optimizer_run(optimizer);
}
