/* train/pretrain_groups.c -- a run whose batches fall into groups (--batch-norm-images, --batch-norm-shuffle). */
#include "base/format.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "train/pretrain.h"
#include "train/step_memory.h"

/* Below so many images a network may learn to tell an image's two views by the statistics that they share. The loss
 * falls by that, and accuracy too. On CIFAR-10 groups of 8 cost 17 points, groups of 16 up to 14, groups of 32 none in
 * ten epochs, and shuffled ones of 8 none (docs/results.md, "what statistics groups cost"). */
enum { IMAGES_ENOUGH = 64 };

struct grouping pretrain_grouping(const struct config *config)
{
    return (struct grouping){(int)config->batch, (int)config->batch_norm_images, config->batch_norm_shuffle};
}

struct grouping pretrain_grouping_of(const struct config *config, int rank, int ranks, struct share *own)
{
    const struct grouping whole = pretrain_grouping(config);
    const struct shares shares = {whole.images, grouping_size(&whole), ranks};
    *own = shares_of(&shares, rank);
    const bool in_part = own->count < grouping_size(&whole); /* of a group, which other ranks have too */
    return (struct grouping){own->count, in_part ? own->count : whole.group, whole.shuffled};
}

struct grouping pretrain_own_grouping(const struct pretrain *run, struct share *own)
{
    const struct communicator *communicator = run->session->communicator;
    return pretrain_grouping_of(run->config, communicator_rank(communicator), communicator_size(communicator), own);
}

/* The parts of the step under way, from the loader of the present size. */
static int next_part(void *owner, int64_t step, int part, const struct batch **out, struct error *error)
{
    const struct pretrain *run = owner;
    return loader_next_part(run->loader, step, part, out, error);
}

/* Bytes of the views of all sizes; *by_parts: those of the largest are made a group at a time. */
static size_t view_bytes(const struct pretrain *run, bool *by_parts)
{
    struct share own;
    const struct grouping grouping = pretrain_own_grouping(run, &own);
    size_t bytes = 0;
    *by_parts = false;
    for (int i = 0; i < STEP_SIZES_MAX && run->loaders[i].loader; i++) {
        bool parts;
        bytes +=
            step_view_bytes(&grouping, run->loaders[i].size, run->policy.type, session_workers(run->session), &parts);
        *by_parts = *by_parts || parts;
    }
    return bytes;
}

void pretrain_set_groups(struct pretrain *run, struct step_config *step)
{
    const struct grouping grouping = pretrain_grouping(run->config);
    bool by_parts;
    const size_t sharing = (size_t)communicator_node_size(run->session->communicator);
    step->planning.limit = memory_of_machine() / sharing;
    step->group = grouping.group;
    step->group_shuffle = grouping.shuffled;
    step->views = (struct step_views){run, next_part};
    step->memory =
        step_memory_left(&run->model->parameters, view_bytes(run, &by_parts) + dataset_kept_bytes(run->dataset)) /
        sharing;
}

void pretrain_warn_of_groups(const struct pretrain *run)
{
    const struct grouping grouping = pretrain_grouping(run->config);
    const int images = grouping_size(&grouping);
    const bool several = communicator_size(run->session->communicator) > 1 || run->config->ranks > 1;
    if (images == grouping.images || images >= IMAGES_ENOUGH || grouping.shuffled) return;
    char larger[40] = "all";
    if (grouping.images > IMAGES_ENOUGH) format_write(larger, sizeof larger, "%d or more", IMAGES_ENOUGH);
    log_warning(&run->session->log,
                "the two views of an image share the statistics of %d images, by which they can be told: what the "
                "network learns may be worth less; %s--batch-norm-images %s",
                images, several ? "take " : "add --batch-norm-shuffle, or take ", larger);
}

void pretrain_describe_groups(const struct pretrain *run)
{
    const struct step *step = &run->step;
    const struct grouping grouping = pretrain_grouping(run->config); /* of all ranks */
    const int groups = step->groups.all, kept = step_groups_kept(step);
    bool by_parts;
    if (groups == 1) return;
    (void)view_bytes(run, &by_parts);
    log_info(&run->session->log,
             "batch norm over groups of %d images%s: %d groups a step; the activations of %d are kept (%.1f MiB each), "
             "%d groups run forward twice; views are %s",
             grouping_size(&grouping), grouping.shuffled ? ", second views shuffled" : "", groups, kept,
             (double)network_arena_bytes(step->network) / 1048576.0, step->groups.count - kept,
             by_parts ? "made a group at a time, twice" : "kept");
    pretrain_warn_of_groups(run);
}
