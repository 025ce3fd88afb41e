/* train/pretrain_sizes.c -- a run whose views grow (--image-size-schedule): a loader and a network for each size. */
#include "run/settings.h"
#include "train/pretrain.h"
#include "train/step_memory.h"

int size_schedule_take(struct size_schedule *out, struct session *session, struct error *error)
{
    const struct config *config = session->config;
    const int status = size_schedule_read(out, config->image_size_schedule, error);
    if (status || out->count == 0) return status;
    const int last = size_schedule_last(out);
    if (config_is_auto(config, "image-size")) return session_resolve_number(session, "image-size", last, error);
    if (config->image_size == last) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--image-size is %lld, and --image-size-schedule ends with %d, at which the run is judged and "
                     "exported: give the same, or leave --image-size out",
                     (long long)config->image_size, last);
}

int pretrain_read_sizes(struct pretrain *run, struct error *error)
{
    return size_schedule_take(&run->sizes, run->session, error);
}

/* The run's views in another size. A radius of the blur that is open (-1) is that of each size. */
static struct view_policy policy_of(const struct view_policy *policy, int size)
{
    struct view_policy out = *policy;
    out.size = size;
    return out;
}

int pretrain_open_loaders(struct pretrain *run, struct error *error)
{
    const struct session *session = run->session;
    const struct grouping whole = pretrain_grouping(run->config);
    const struct shares shares = {whole.images, grouping_size(&whole), communicator_size(session->communicator)};
    int status = shares_check(&shares, error);
    if (status) return status;
    struct share share;
    const struct grouping grouping = pretrain_own_grouping(run, &share);
    int sizes[STEP_SIZES_MAX] = {run->policy.size};
    const int count = run->sizes.count > 0 ? size_schedule_sizes(&run->sizes, sizes) : 1;
    struct loader_config config = {.purpose = RNG_VIEW,
                                   .seed = (uint64_t)run->config->seed,
                                   .batch = (int)run->config->batch,
                                   .share_first = share.first,
                                   .share_count = share.count,
                                   .views = 2,
                                   .shuffle = true,
                                   .group = grouping.group,
                                   .group_shuffle = grouping.shuffled,
                                   .workers = session_workers(session),
                                   .pin = session_pin(session),
                                   .scaled_decoding = run->config->scaled_decoding,
                                   .memory = session_batch_memory(session)};
    for (int i = 0; i < count; i++) {
        config.policy = policy_of(&run->policy, sizes[i]);
        (void)step_view_bytes(&grouping, sizes[i], run->policy.type, config.workers, &config.by_parts);
        status = loader_open(&run->loaders[i].loader, &config, run->dataset, session->pool, error);
        if (status) return status;
        run->loaders[i].size = sizes[i];
    }
    run->loader = run->loaders[0].loader; /* pretrain_choose_size takes the one of the step */
    return SIMCLR_OK;
}

void pretrain_close_loaders(struct pretrain *run)
{
    for (int i = 0; i < STEP_SIZES_MAX; i++) loader_close(&run->loaders[i].loader);
    run->loader = NULL;
}

static int size_now(const struct pretrain *run)
{
    return size_schedule_at(&run->sizes, run->step.number, run->steps);
}

void pretrain_choose_size(struct pretrain *run)
{
    if (run->sizes.count == 0) return;
    const int size = size_now(run), before = run->size;
    if (size == before) return;
    pretrain_take_size(run, size);
    log_info(&run->session->log, "views of %d pixels from step %lld on", size, (long long)run->step.number + 1);
}

void pretrain_take_size(struct pretrain *run, int size)
{
    for (int i = 0; i < STEP_SIZES_MAX; i++)
        if (run->loaders[i].size == size) run->loader = run->loaders[i].loader;
    run->size = size;
    run->pace = 0; /* of steps of another size */
    step_choose_size(&run->step, size);
}

void pretrain_describe_sizes(const struct pretrain *run)
{
    double packed = 0;
    if (run->sizes.count == 0) return;
    for (int i = 0; i < run->sizes.count; i++)
        log_info(&run->session->log, "views of %d pixels up to step %lld", run->sizes.stages[i].size,
                 (long long)size_schedule_end(&run->sizes, i, run->steps));
    if (run->step.size_count == 1) return;
    for (int i = 0; i < run->step.size_count; i++) packed += (double)network_plan_bytes(run->step.sizes[i].network);
    log_info(&run->session->log,
             "%d networks share one arena, of the largest; together they have %.1f MiB of packed weights and scratch",
             run->step.size_count, packed / 1048576.0);
}

double pretrain_steps_left(const struct pretrain *run)
{
    double left = (double)(run->steps - run->step.number);
    if (run->sizes.count == 0) return left;
    left = 0;
    int64_t at = run->step.number;
    for (int i = 0; i < run->sizes.count; i++) {
        const int64_t end = size_schedule_end(&run->sizes, i, run->steps);
        const double ratio = (double)run->sizes.stages[i].size / run->size;
        if (end > at) left += ratio * ratio * (double)(end - at);
        if (end > at) at = end;
    }
    return left;
}
