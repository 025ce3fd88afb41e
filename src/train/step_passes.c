/* train/step_passes.c -- see step_passes.h. */
#include "train/step_passes.h"

#include <string.h>

#include "base/memory.h"
#include "train/step.h"

/* ---- planning --------------------------------------------------------------------------------------------- */

int step_groups_share(struct step *step, const struct step_config *config, struct error *error)
{
    struct step_groups *groups = &step->groups;
    const struct shares shares = step_shares(config);
    const int rank = step_rank(config);
    const struct share own = shares_groups(&shares, rank), images = shares_of(&shares, rank);
    groups->all = shares.images / shares.group;
    groups->first = own.first;
    groups->count = own.count;
    groups->views = config->views;
    groups->grouping = (struct grouping){images.count, images.count / own.count, config->group_shuffle};
    if (groups->all == 1 || shares.ranks == 1) return SIMCLR_OK;
    if (config->group_shuffle)
        return error_set(error, SIMCLR_INVALID, "--batch-norm-shuffle runs on one rank; this run has %d: leave it out",
                         shares.ranks);
    if (shares.ranks <= groups->all || !config->communicator) return SIMCLR_OK;
    return communicator_split(config->communicator, own.first, &groups->sharing, error);
}

static void tell_sum(void *sum, size_t from)
{
    overlapped_sum_ready(sum, from);
}

void step_groups_plan(struct step *step, const struct step_config *config, struct model_plan_args *args)
{
    const struct step_groups *groups = &step->groups;
    const struct shares shares = step_shares(config);
    args->batch = config->loss->views * grouping_size(&groups->grouping);
    args->options.statistics_of = groups->all > 1 ? groups->sharing : config->communicator;
    args->options.statistics_batch = config->loss->views * shares.group;
    if (groups->all > 1) {
        args->options.grouped = true;
        args->options.batch_of = config->communicator;
        args->options.arenas = groups->count;
        args->options.memory = config->memory;
    } else if (step->sum) { /* with groups, gradients are complete when all groups' are added */
        args->options.gradients_ready = tell_sum;
        args->options.gradients_context = step->sum;
    }
}

int step_groups_open(struct step *step, struct error *error)
{
    struct step_groups *groups = &step->groups;
    const struct backend_ops *ops = step->backend->ops;
    if (groups->all == 1) return SIMCLR_OK;
    groups->rows_of_all = *network_tensor(step->network, step->tensors.z);
    const size_t group_rows = (size_t)groups->rows_of_all.batch, dim = (size_t)groups->rows_of_all.channels;
    groups->rows_of_all.batch *= groups->count;
    const size_t rows = (size_t)groups->rows_of_all.batch,
                 bytes = ops->tensor_bytes(step->backend, &groups->rows_of_all);
    groups->all_z = memory_array(rows, dim * sizeof(float));
    groups->all_d_z = memory_array(rows, dim * sizeof(float));
    groups->group_z = memory_array(group_rows, dim * sizeof(float));
    if (!groups->all_z || !groups->all_d_z || !groups->group_z)
        return error_no_memory(error, "the outputs of all groups", rows * dim * sizeof(float));
    groups->z = ops->allocate(step->backend, bytes, error);
    if (groups->z) groups->d_z = ops->allocate(step->backend, bytes, error);
    if (groups->d_z)
        groups->sum = ops->allocate(step->backend, step->model->parameters.weight_count * sizeof(float), error);
    if (groups->sum) return SIMCLR_OK;
    error_prefix(error, "the outputs and gradients of all groups");
    return SIMCLR_NO_MEMORY;
}

void step_groups_close(struct step *step)
{
    struct step_groups *groups = &step->groups;
    if (!step->backend) return;
    step->backend->ops->release(step->backend, groups->z);
    step->backend->ops->release(step->backend, groups->d_z);
    step->backend->ops->release(step->backend, groups->sum);
    memory_free(groups->all_z);
    memory_free(groups->all_d_z);
    memory_free(groups->group_z);
    communicator_destroy(&groups->sharing);
    *groups = (struct step_groups){0};
}

int step_groups_kept(const struct step *step)
{
    const int arenas = network_arenas(step->network);
    return arenas < step->groups.count ? arenas : step->groups.count;
}

const void *step_outputs(const struct step *step)
{
    return step->groups.all > 1 ? step->groups.z : network_value(step->network, step->tensors.z);
}

void *step_output_gradients(const struct step *step)
{
    return step->groups.all > 1 ? step->groups.d_z : network_gradient(step->network, step->tensors.z);
}

/* ---- views ------------------------------------------------------------------------------------------------ */

/* The views of a group. The parts of a batch that is handed out by groups come in the order of loader_next_part. NULL:
 * they could not be made. */
static const void *views_of(struct step *step, int group, int part)
{
    struct step_groups *groups = &step->groups;
    const int size = grouping_size(&groups->grouping);
    if (groups->batch->count == groups->grouping.images)
        return (const char *)groups->batch->views + (size_t)group * network_image_bytes(step->network);
    if (groups->batch->count != size || !groups->views.next) {
        groups->failed = true;
        step->status = error_set(&step->error, SIMCLR_INVALID, "a batch of %d images where groups of %d are wanted",
                                 groups->batch->count, size);
        return NULL;
    }
    if (part < groups->parts) return groups->batch->views; /* it is at hand */
    step->status = groups->views.next(groups->views.owner, groups->batch_step, part, &groups->batch, &step->error);
    groups->failed = step->status != SIMCLR_OK;
    groups->parts = part + 1;
    return groups->failed ? NULL : groups->batch->views;
}

/* ---- rows of z, in the order of the loss and by groups ------------------------------------------------------ */

/* Row `row` of a group in the order of the loss. */
static size_t row_of_loss(const struct step_groups *groups, int group, int row)
{
    const int size = grouping_size(&groups->grouping), view = row / size;
    return (size_t)view * (size_t)groups->grouping.images +
           (size_t)grouping_image(&groups->grouping, group, view, row % size);
}

static float *row_at(const struct step_groups *groups, float *rows, size_t row)
{
    return rows + row * (size_t)groups->rows_of_all.channels;
}

static int rows_of_group(const struct step_groups *groups)
{
    return 2 * grouping_size(&groups->grouping);
}

static size_t row_bytes(const struct step_groups *groups)
{
    return (size_t)groups->rows_of_all.channels * sizeof(float);
}

static void keep_outputs(struct step_groups *groups, int group)
{
    for (int row = 0; row < rows_of_group(groups); row++)
        memcpy(row_at(groups, groups->all_z, row_of_loss(groups, group, row)),
               row_at(groups, groups->group_z, (size_t)row), row_bytes(groups));
}

static bool outputs_are_the_same(const struct step_groups *groups, int group)
{
    for (int row = 0; row < rows_of_group(groups); row++)
        if (memcmp(row_at(groups, groups->all_z, row_of_loss(groups, group, row)),
                   row_at(groups, groups->group_z, (size_t)row), row_bytes(groups)) != 0)
            return false;
    return true;
}

/* ---- passes of several groups ----------------------------------------------------------------------------------- */

/* The last groups have an arena each, the others take turns in the first one. */
static int arena_of(const struct step *step, int group)
{
    const int first_kept = step->groups.count - step_groups_kept(step);
    return group > first_kept ? group - first_kept : 0;
}

/* Sets the network to work on a group. False: its views could not be made. What dropout drops differs between groups;
 * the first one has the draw that a batch without groups has. */
static bool turn_to(struct step *step, int group, int part)
{
    const void *views = views_of(step, group, part);
    if (!views) return false;
    network_choose_arena(step->network, arena_of(step, group));
    network_set_images(step->network, views);
    network_set_draw(step->network, step->seed + (uint64_t)(step->groups.first + group) * UINT64_C(0x9e3779b97f4a7c15),
                     step->number);
    return true;
}

/* Leaves z in group_z. False: the pass was cut by a request to stop. */
static bool run_forward(struct step *step)
{
    network_forward(step->network, NULL);
    if (network_is_cut(step->network)) return false;
    network_read(step->network, step->tensors.z, step->groups.group_z);
    return true;
}

/* A rank that fails takes all with it, so that none waits for it. */
static bool all_ranks_go_on(struct step *step)
{
    struct step_groups *groups = &step->groups;
    step->status = communicator_agree_status(step->communicator, step->status, &step->error);
    groups->failed = step->status != SIMCLR_OK;
    return !groups->failed && !network_is_cut(step->network);
}

static void forward_all(struct step *step)
{
    struct step_groups *groups = &step->groups;
    network_begin_statistics(step->network);
    for (int group = 0; group < groups->count; group++) {
        if (!turn_to(step, group, group) || !run_forward(step)) break;
        keep_outputs(groups, group);
    }
    if (!all_ranks_go_on(step)) return;
    network_end_statistics(step->network, groups->all);
    step->backend->ops->tensor_write(step->backend, &groups->rows_of_all, groups->z, groups->all_z);
}

/* The second time. False: cut, or other outputs than the first time. */
static bool run_forward_again(struct step *step, int group)
{
    if (!run_forward(step)) return false;
    if (outputs_are_the_same(&step->groups, group)) return true;
    step->groups.failed = true;
    step->status = error_set(
        &step->error, SIMCLR_DEVICE,
        "step %lld: the second forward pass of group %d of %d gave other outputs than the first, so its gradient would "
        "be wrong. The views, the memory or the processor changed in between: check the data set and the machine, then "
        "start the same command again, which goes on from the last checkpoint",
        (long long)step->number + 1, group + 1, step->groups.count);
    return false;
}

/* The gradient slab has those of the group that has just run backward; at the end it has the sum. */
static void add_gradients(struct step *step, int groups_done)
{
    const struct parameters *parameters = &step->model->parameters;
    const struct backend_ops *ops = step->backend->ops;
    float *sum = step->groups.sum;
    if (step->groups.count == 1) return;
    if (groups_done == 1)
        ops->copy(step->backend, sum, parameters->gradients, parameters->weight_count * sizeof *sum);
    else if (groups_done < step->groups.count)
        ops->add(step->backend, sum, parameters->gradients, parameters->weight_count);
    else
        ops->add(step->backend, parameters->gradients, sum, parameters->weight_count);
}

static void run_backward(struct step *step, int group)
{
    struct step_groups *groups = &step->groups;
    for (int row = 0; row < rows_of_group(groups); row++)
        memcpy(row_at(groups, groups->group_z, (size_t)row),
               row_at(groups, groups->all_d_z, row_of_loss(groups, group, row)), row_bytes(groups));
    network_backward(step->network, step->tensors.z, groups->group_z);
}

static void backward_all(struct step *step)
{
    struct step_groups *groups = &step->groups;
    const int kept = step_groups_kept(step);
    step->backend->ops->tensor_read(step->backend, &groups->rows_of_all, groups->all_d_z, groups->d_z);
    for (int done = 0; done < groups->count; done++) {
        const int group = groups->count - 1 - done;
        if (!turn_to(step, group, groups->count - 1 + done)) break;
        if (done >= kept && !run_forward_again(step, group)) break;
        run_backward(step, group);
        if (network_is_cut(step->network)) break;
        add_gradients(step, done + 1);
    }
    (void)all_ranks_go_on(step);
}

/* ---- the step's passes -------------------------------------------------------------------------------------- */

void step_passes_take(struct step *step, const struct batch *batch)
{
    struct step_groups *groups = &step->groups;
    groups->batch = batch;
    groups->batch_step = batch->step;
    groups->parts = 1;
    groups->failed = false;
    communicator_set_patience(groups->sharing, communicator_patience(step->communicator));
    if (groups->all > 1) return;
    network_set_images(step->network, batch->views);
    network_set_draw(step->network, step->seed, step->number);
}

void step_passes_forward(struct step *step)
{
    if (step->groups.all > 1)
        forward_all(step);
    else
        network_forward(step->network, NULL);
}

void step_passes_backward(struct step *step)
{
    if (step->groups.all > 1)
        backward_all(step);
    else
        network_backward(step->network, step->tensors.z, NULL);
}
