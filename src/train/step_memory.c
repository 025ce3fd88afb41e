/* train/step_memory.c -- see step_memory.h. */
#include "train/step_memory.h"

#include "base/format.h"
#include "base/memory.h"

enum { KEPT_VIEWS = 1 << 30, WEIGHTS_OTHERWISE = 8, SPARE = 8 }; /* bytes; copies of the weights; a share */

size_t step_view_bytes(const struct grouping *grouping, int size, enum view_type type, int workers, bool *by_parts)
{
    const size_t side = (size_t)size, image = side * side * 2 * 3 * view_type_bytes(type);
    const size_t batches = workers > 0 ? STEP_BATCHES_AHEAD : 1;
    *by_parts = grouping_count(grouping) > 1 && (size_t)grouping->images * image > KEPT_VIEWS;
    return batches * image * (size_t)(*by_parts ? grouping_size(grouping) : grouping->images);
}

size_t step_memory_left(const struct parameters *parameters, size_t others)
{
    const size_t available = memory_available();
    const size_t taken =
        memory_of_machine() / SPARE + others + WEIGHTS_OTHERWISE * parameters->weight_count * sizeof(float);
    return available > taken ? available - taken : 1;
}

/* Bytes of activations of a step, or of a group of it; 0: it cannot be planned. */
static size_t activation_bytes(const struct step_config *config, struct backend *backend, struct model *model)
{
    struct step step = {0};
    struct step_config dry = *config;
    dry.planning.dry = true;
    dry.planning.limit = 0;
    size_t bytes = 0;
    if (step_open_network(&step, &dry, backend, model, NULL) == SIMCLR_OK)
        for (int i = 0; i < step.size_count; i++)
            if (network_arena_bytes(step.sizes[i].network) > bytes) bytes = network_arena_bytes(step.sizes[i].network);
    step_close(&step);
    return bytes;
}

int step_largest_group(const struct step_config *config, struct backend *backend, struct model *model, size_t memory,
                       size_t *bytes)
{
    struct step_config group = *config;
    group.group = 2;
    const size_t least = activation_bytes(&group, backend, model);
    if (least == 0 || least > memory) return 0;
    for (int images = config->images / 2; images >= 2; images--) {
        if (config->images % images != 0) continue;
        group.group = images;
        *bytes = activation_bytes(&group, backend, model);
        if (*bytes > 0 && *bytes <= memory) return images;
    }
    return 0;
}

int step_explain_memory(const struct step_config *config, struct backend *backend, struct model *model,
                        struct error *error)
{
    const size_t memory = step_memory_left(&model->parameters, 0);
    /* On several ranks planning is collective, and the others are not here. */
    if (!error || error->status != SIMCLR_NO_MEMORY || config->planning.limit == 0 || config->communicator)
        return error ? error->status : SIMCLR_NO_MEMORY;
    const size_t needed = activation_bytes(config, backend, model);
    if (needed <= config->planning.limit) return error->status;
    size_t bytes = 0;
    const int fits = step_largest_group(config, backend, model, memory, &bytes);
    const int images = config->group > 0 ? config->group : config->images;
    char what[80], advice[160];
    if (config->group > 0 && config->group < config->images)
        format_write(what, sizeof what, "groups of --batch-norm-images %d", images);
    else
        format_write(what, sizeof what, "--batch %d with batch norm over all of it", images);
    if (fits > 0)
        format_write(advice, sizeof advice,
                     "--batch-norm-images %d takes %.1f GiB, and is the largest that fits with the same batch", fits,
                     (double)bytes / 0x1p30);
    else
        format_write(advice, sizeof advice, "choose a smaller network or --image-size, or a machine with more memory");
    return error_set(error, SIMCLR_NO_MEMORY,
                     "%s: activations take %.1f GiB, and %.1f GiB of this machine are left for "
                     "them: %s",
                     what, (double)needed / 0x1p30, (double)memory / 0x1p30, advice);
}
