/* loader/loader.c -- see loader.h. Which images a batch has is settled here; slot.c makes the views, ring.c has the
 * worker threads. */
#include "loader/loader.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "loader/ring.h"
#include "loader/slot.h"

enum { DEFAULT_RING = 2, MAX_RING = 64, MAX_WORKERS = 256 };

static const int64_t max_epoch = UINT32_MAX - 1000; /* epochs are 32 bits wide, and workers run ahead */

struct loader {
    struct view_source source;
    struct pool *pool;
    uint32_t images; /* of an epoch: the whole set or the subset */
    int64_t steps_per_epoch;
    int parts;           /* of a batch. Slots and the ring count parts, step * parts + part */
    uint32_t *order;     /* [images]: the permutation of epoch `order_epoch` (shuffled loaders only) */
    int64_t order_epoch; /* -1: none yet */
    struct slot *slots;
    int slot_count;            /* 1 without workers; else ring + 1, the last batch handed out being one of them */
    struct view_maker *makers; /* [threads of the pool], without workers */
    int maker_count;
    struct ring *ring;                 /* NULL without workers */
    const struct affinity *processors; /* of the workers, while the pool keeps to others; NULL: nothing is pinned */
    int64_t expected;                  /* the part that the started slots go on from, -1: nothing is started */
    double wait_seconds;
    pthread_mutex_t mutex; /* guards slots[0]'s failure while the pool makes it */
};

/* Of a batch, this process's. */
static int images_of(const struct loader_config *config)
{
    return config->share_count > 0 ? config->share_count : config->batch;
}

static int check(const struct loader_config *config, struct dataset *dataset, uint32_t images, struct error *error)
{
    if (config->batch < 1) return error_set(error, SIMCLR_INVALID, "batch is %d: give at least 1", config->batch);
    const int share = config->share_count, after = config->batch - config->share_first;
    if (share < 0 || config->share_first < 0 || share > after || (share > 0 && config->keep_last))
        return error_set(error, SIMCLR_INVALID, "images %d to %d of a batch of %d are no share of it",
                         config->share_first, config->share_first + share, config->batch);
    if (config->views < 1 || config->views > LOADER_MAX_VIEWS)
        return error_set(error, SIMCLR_INVALID, "views is %d: give 1 to %d", config->views, LOADER_MAX_VIEWS);
    const int own = images_of(config);
    if (config->group > 0 && (config->views != 2 || config->keep_last || own % config->group != 0))
        return error_set(error, SIMCLR_INVALID,
                         "groups of %d images: they need two views, and to divide the batch of %d", config->group, own);
    if (config->evaluation && config->views != 1)
        return error_set(error, SIMCLR_INVALID, "views is %d: there is one evaluation view of an image", config->views);
    if (config->policy.size < 1)
        return error_set(error, SIMCLR_INVALID, "image size is %d: give at least 1", config->policy.size);
    if (config->workers < 0 || config->workers > MAX_WORKERS)
        return error_set(error, SIMCLR_INVALID, "workers is %d: give 0 to %d", config->workers, MAX_WORKERS);
    if (config->ring < 0 || config->ring > MAX_RING)
        return error_set(error, SIMCLR_INVALID, "ring is %d: give 1 to %d, or 0 for %d", config->ring, MAX_RING,
                         DEFAULT_RING);
    if (images == 0 || (!config->keep_last && (uint32_t)config->batch > images))
        return error_set(error, SIMCLR_INVALID, "batch is %d, but there are only %u images: choose a smaller batch",
                         config->batch, images);
    for (uint32_t i = 0; config->subset != NULL && i < config->subset_count; i++)
        if (config->subset[i] >= dataset_count(dataset))
            return error_set(error, SIMCLR_INVALID, "the subset names image %u of %lld", config->subset[i],
                             (long long)dataset_count(dataset));
    return SIMCLR_OK;
}

static int open_makers(struct loader *loader, struct error *error)
{
    const int threads = pool_threads(loader->pool);
    loader->makers = memory_array((size_t)threads, sizeof *loader->makers);
    if (loader->makers == NULL)
        return error_no_memory(error, "the makers of views", (size_t)threads * sizeof *loader->makers);
    int status = SIMCLR_OK;
    for (; status == SIMCLR_OK && loader->maker_count < threads; loader->maker_count++)
        status = view_maker_open(&loader->makers[loader->maker_count], &loader->source, error);
    return status;
}

static int allocate(struct loader *loader, struct error *error)
{
    const struct loader_config *config = &loader->source.config;
    const int ahead = config->ring > 0 ? config->ring : DEFAULT_RING;
    loader->slot_count = config->workers == 0 ? 1 : ahead + 1;
    loader->slots = memory_array((size_t)loader->slot_count, sizeof *loader->slots);
    if (loader->slots == NULL)
        return error_no_memory(error, "batches", (size_t)loader->slot_count * sizeof *loader->slots);
    int status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < loader->slot_count; i++)
        status = slot_open(&loader->slots[i], &loader->source, error);
    if (status == SIMCLR_OK && config->shuffle) {
        loader->order = memory_array(loader->images, sizeof *loader->order);
        if (loader->order == NULL) return error_no_memory(error, "an epoch's order", loader->images * sizeof(uint32_t));
    }
    if (status != SIMCLR_OK) return status;
    if (config->workers == 0) return open_makers(loader, error);
    if (config->pin) loader->processors = pool_confine(loader->pool);
    return ring_open(&loader->ring, &loader->source, loader->slots, loader->slot_count, config->workers,
                     loader->processors, error);
}

int loader_open(struct loader **out, const struct loader_config *config, struct dataset *dataset, struct pool *pool,
                struct error *error)
{
    *out = NULL;
    const uint32_t images = config->subset != NULL ? config->subset_count : (uint32_t)dataset_count(dataset);
    int status = check(config, dataset, images, error);
    if (status != SIMCLR_OK) return status;
    struct loader *loader = memory_allocate(sizeof *loader);
    if (loader == NULL) return error_no_memory(error, "a loader", sizeof *loader);
    const size_t side = (size_t)config->policy.size;
    const struct grouping grouping = {images_of(config), config->group, config->group_shuffle};
    loader->parts = config->by_parts && grouping_count(&grouping) > 1 ? 2 * grouping_count(&grouping) - 1 : 1;
    loader->source = (struct view_source){.config = *config,
                                          .grouping = grouping,
                                          .by_parts = loader->parts > 1,
                                          .dataset = dataset,
                                          .view_bytes = 3 * side * side * view_type_bytes(config->policy.type),
                                          .stop = pool_stop(pool)};
    loader->pool = pool;
    loader->images = images;
    const int64_t batch = config->batch;
    loader->steps_per_epoch = config->keep_last ? (images + batch - 1) / batch : images / batch;
    loader->order_epoch = loader->expected = -1;
    pthread_mutex_init(&loader->mutex, NULL);
    status = allocate(loader, error);
    if (status != SIMCLR_OK) loader_close(&loader);
    *out = loader;
    return status;
}

void loader_close(struct loader **out)
{
    struct loader *loader = *out;
    if (loader == NULL) return;
    ring_close(&loader->ring);
    if (loader->processors != NULL) pool_release(loader->pool);
    for (int i = 0; loader->slots != NULL && i < loader->slot_count; i++) slot_close(&loader->slots[i]);
    for (int i = 0; i < loader->maker_count; i++) view_maker_close(&loader->makers[i]);
    pthread_mutex_destroy(&loader->mutex);
    memory_free(loader->slots);
    memory_free(loader->makers);
    memory_free(loader->order);
    memory_free(loader);
    *out = NULL;
}

int64_t loader_steps_per_epoch(const struct loader *loader)
{
    return loader->steps_per_epoch;
}

int loader_parts(const struct loader *loader)
{
    return loader->parts;
}

/* The row of the batch, without groups, that task r of a slot makes. */
static int image_of(const struct loader *loader, const struct slot *slot, int r)
{
    const struct grouping *grouping = &loader->source.grouping;
    const int size = grouping_size(grouping);
    return loader->parts == 1 ? r : grouping_image(grouping, slot->group, r / size, r % size);
}

/* Sets which images a part has. */
static void plan_batch(struct loader *loader, struct slot *slot, int64_t number)
{
    const struct loader_config *config = &loader->source.config;
    const struct grouping *grouping = &loader->source.grouping;
    const int groups = grouping_count(grouping), part = (int)(number % loader->parts);
    const int64_t step = number / loader->parts;
    const int64_t epoch = step / loader->steps_per_epoch, first = step % loader->steps_per_epoch * config->batch;
    const int64_t left = loader->images - first, own = first + config->share_first;
    if (config->shuffle && epoch != loader->order_epoch) {
        sampler_permutation(config->seed, (uint32_t)epoch, loader->images, loader->order);
        loader->order_epoch = epoch;
    }
    slot->batch.count = left < config->batch ? (int)left : config->batch;
    if (config->share_count > 0) slot->batch.count = config->share_count;
    if (loader->parts > 1) slot->batch.count = grouping_size(grouping);
    slot->group = part < groups ? part : 2 * groups - 2 - part;
    slot->tasks = slot->batch.count * (loader->parts > 1 && config->group_shuffle ? 2 : 1);
    slot->batch.epoch = (uint32_t)epoch;
    slot->batch.step = step;
    for (int i = 0; i < slot->tasks; i++) {
        const int64_t image = own + image_of(loader, slot, i);
        const uint32_t at = config->shuffle ? loader->order[image] : (uint32_t)image;
        slot->indices[i] = config->subset != NULL ? config->subset[at] : at;
    }
}

static void make_row_task(void *context, int64_t row, int thread)
{
    struct loader *loader = context;
    struct slot *slot = &loader->slots[0];
    struct error failure = {0};
    if (slot_make_row(slot, &loader->source, &loader->makers[thread], (int)row, &failure) == SIMCLR_OK) return;
    pthread_mutex_lock(&loader->mutex);
    slot_fail(slot, (int)row, &failure);
    pthread_mutex_unlock(&loader->mutex);
}

static struct slot *make_on_pool(struct loader *loader, int64_t number)
{
    struct slot *slot = &loader->slots[0];
    plan_batch(loader, slot, number);
    slot->failed_row = slot->tasks;
    pool_run(loader->pool, slot->tasks, make_row_task, loader);
    return slot;
}

static struct slot *take_from_ring(struct loader *loader, int64_t number)
{
    const int64_t ahead = loader->slot_count;
    int64_t first = number + ahead - 1; /* in sequence: the slot of the batch before this one is free now */
    if (number != loader->expected) {
        ring_cancel(loader->ring);
        first = number;
    }
    for (int64_t s = first; s < number + ahead; s++) {
        struct slot *slot = &loader->slots[s % ahead];
        plan_batch(loader, slot, s);
        ring_start(loader->ring, slot);
    }
    struct slot *slot = &loader->slots[number % ahead];
    ring_wait(loader->ring, slot);
    return slot;
}

int loader_next_part(struct loader *loader, int64_t step, int part, const struct batch **out, struct error *error)
{
    if (step < 0 || step > INT64_MAX / 2 / loader->parts || step / loader->steps_per_epoch > max_epoch)
        return error_set(error, SIMCLR_INVALID, "step %lld is no step of training", (long long)step);
    if (part < 0 || part >= loader->parts)
        return error_set(error, SIMCLR_INVALID, "a batch of %d parts has no part %d", loader->parts, part);
    const int64_t number = step * loader->parts + part;
    const double begin = clock_seconds();
    struct slot *slot = loader->ring == NULL ? make_on_pool(loader, number) : take_from_ring(loader, number);
    loader->wait_seconds += clock_seconds() - begin;
    if (slot->failed_row < slot->tasks) {
        loader->expected = -1; /* a later call starts afresh */
        if (error != NULL) *error = slot->error;
        return slot->error.status;
    }
    loader->expected = number + 1;
    *out = &slot->batch;
    return SIMCLR_OK;
}

int loader_next(struct loader *loader, int64_t step, const struct batch **out, struct error *error)
{
    return loader_next_part(loader, step, 0, out, error);
}

double loader_wait_seconds(const struct loader *loader)
{
    return loader->wait_seconds;
}
