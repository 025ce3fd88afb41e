/* data/cache.c -- see cache.h. */
#include "data/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"

/* What the tasks of one pass share. Thread t touches storage[t] and error[t] only, task i only image[i]. */
struct pass {
    struct cache *cache;
    const struct source *source;
    const struct catalog *catalog;
    struct bad_ledger *ledger;
    const size_t *offset;  /* decoding: of an item in the block */
    struct image *storage; /* [threads] */
    int64_t tasks, stride; /* task i measures an item in [i * stride, (i + 1) * stride) */
    struct image *sample;  /* [tasks], while a sample is measured */
    struct error *error;   /* [threads]: status other than SIMCLR_OK: the pass has failed */
    atomic_llong profiles; /* images measured that have one */
    atomic_llong encoded;  /* bytes of what was measured */
    struct stop stop;      /* once it is asked for, what is left is not looked at */
    pthread_mutex_t rare;  /* of what few images have, in the cache */
};

size_t cache_limit(size_t asked)
{
    return asked == 0 ? memory_of_machine() / 4 : asked;
}

/* A failure is the image's own fault, or ends the pass. */
static void settle(struct pass *pass, struct image *image, int64_t item, int thread, const struct error *failure)
{
    *image = (struct image){0};
    if (bad_is_image_fault(failure->status))
        bad_note(pass->ledger, item, failure);
    else
        pass->error[thread] = *failure;
}

/* Pictures of 16 bits: counted, and the first of them kept, whichever thread finds them. */
static void note_deep(struct pass *pass, int64_t item)
{
    struct cache *cache = pass->cache;
    pthread_mutex_lock(&pass->rare);
    int at = cache->deep < TALLY_DEEP ? (int)cache->deep : TALLY_DEEP;
    cache->deep++;
    for (; at > 0 && cache->deep_item[at - 1] > item; at--)
        if (at < TALLY_DEEP) cache->deep_item[at] = cache->deep_item[at - 1];
    if (at < TALLY_DEEP) cache->deep_item[at] = item;
    pthread_mutex_unlock(&pass->rare);
}

static void note_sheet(struct pass *pass, int64_t item)
{
    struct cache *cache = pass->cache;
    pthread_mutex_lock(&pass->rare);
    if (cache->sheets++ == 0 || item < cache->first_sheet) cache->first_sheet = item;
    pthread_mutex_unlock(&pass->rare);
}

/* A sheet of views or of the demo is no image. In a sample, whose images are all numbered, it is a bad one. */
static int refuse_sheet(const struct pass *pass, int64_t item, struct error *error)
{
    return error_set(error, SIMCLR_UNSUPPORTED, "%s: is a sheet that this program drew: move it elsewhere",
                     catalog_name(pass->catalog, item));
}

static void measure_task(void *context, int64_t task, int thread)
{
    struct pass *pass = context;
    struct image *image = pass->sample != NULL ? &pass->sample[task] : &pass->cache->image[task];
    /* A sample has one image of each stretch, anywhere in it: sets may have periods. */
    const int64_t item = task * pass->stride + (int64_t)(hash64(&task, sizeof task, 0) % (uint64_t)pass->stride);
    struct error failure = {0};
    struct image_header header;
    if (stop_is_asked(pass->stop)) return;
    int64_t bytes;
    int status = source_header(pass->source, pass->catalog, item, &header, &bytes, &failure);
    if (!status && header.sheet && pass->sample) status = refuse_sheet(pass, item, &failure);
    if (!status && header.sheet) {
        note_sheet(pass, item);
        return;
    }
    image->width = header.width;
    image->height = header.height;
    if (status != SIMCLR_OK) {
        settle(pass, image, item, thread, &failure);
        return;
    }
    atomic_fetch_add_explicit(&pass->encoded, bytes, memory_order_relaxed);
    if (header.depth > 8) note_deep(pass, item);
    if (header.profile) atomic_fetch_add_explicit(&pass->profiles, 1, memory_order_relaxed);
}

static void decode_task(void *context, int64_t item, int thread)
{
    struct pass *pass = context;
    struct image *image = &pass->cache->image[item], *storage = &pass->storage[thread];
    struct error failure = {0};
    if (image->width == 0 || stop_is_asked(pass->stop)) return; /* bad already */
    int status = source_read(pass->source, pass->catalog, item, storage, &failure);
    if (status == SIMCLR_OK && (storage->width != image->width || storage->height != image->height))
        status =
            error_set(&failure, SIMCLR_IO, "%s: changed while the set was opened", catalog_name(pass->catalog, item));
    if (status != SIMCLR_OK) {
        settle(pass, image, item, thread, &failure);
        return;
    }
    image->rgb = pass->cache->block + pass->offset[item];
    memcpy(image->rgb, storage->rgb, (size_t)image->width * (size_t)image->height * 3);
}

static int run_pass(struct pass *pass, pool_task *task, struct pool *pool, struct error *error)
{
    const int threads = pool_threads(pool);
    int status = SIMCLR_OK;
    pass->storage = memory_array((size_t)threads, sizeof *pass->storage);
    pass->error = memory_array((size_t)threads, sizeof *pass->error);
    if (pass->storage == NULL || pass->error == NULL) {
        status = error_no_memory(error, "the reader of images", (size_t)threads * sizeof *pass->error);
    } else {
        pass->stop = pool_stop(pool);
        pool_run(pool, pass->tasks, task, pass);
        if (pool_is_stopped(pool)) status = stop_error(error, "opening the images");
        for (int t = 0; t < threads; t++) {
            image_free(&pass->storage[t]);
            if (pass->error[t].status != SIMCLR_OK && status == SIMCLR_OK) {
                status = pass->error[t].status;
                if (error != NULL) *error = pass->error[t];
            }
        }
    }
    memory_free(pass->storage);
    memory_free(pass->error);
    return status == SIMCLR_OK ? bad_judge(pass->ledger, pass->catalog, error) : status;
}

/* The middle one of the shorter sides: what most images are like, whatever a few are. */
static int find_median(struct cache *cache, const struct image *image, int64_t count, struct error *error)
{
    enum { SIDES = 65536 };
    uint32_t *images = memory_array(SIDES, sizeof *images);
    if (images == NULL) return error_no_memory(error, "the sizes of images", SIDES * sizeof *images);
    int64_t good = 0;
    for (int64_t i = 0; i < count; i++) {
        const int side = image[i].width < image[i].height ? image[i].width : image[i].height;
        images[side < SIDES ? side : SIDES - 1] += side > 0;
        good += side > 0;
    }
    int64_t below = 0;
    for (int side = 1; side < SIDES && 2 * below < good; side++) {
        below += images[side];
        cache->median_side = side;
    }
    memory_free(images);
    return SIMCLR_OK;
}

/* Of the images that are not bad. */
static void note_largest(struct cache *cache, const struct image *image, int64_t count)
{
    cache->max_width = cache->max_height = 0;
    for (int64_t i = 0; i < count; i++) {
        cache->max_width = image[i].width > cache->max_width ? image[i].width : cache->max_width;
        cache->max_height = image[i].height > cache->max_height ? image[i].height : cache->max_height;
    }
}

static int note_measured(struct cache *cache, const struct pass *pass, const struct image *image, int64_t count,
                         struct error *error)
{
    cache->looked_at = count;
    cache->profiles = atomic_load(&pass->profiles);
    note_largest(cache, image, count);
    return find_median(cache, image, count, error);
}

/* Measures a sample. *fits: by its mean, all images could be kept; then all are measured (and the bad ones of the
 * sample noted then), else cache->sampled is set. */
static int measure_sample(struct pass *pass, size_t limit, struct pool *pool, bool *fits, struct error *error)
{
    struct cache *cache = pass->cache;
    struct bad_ledger *ledger = pass->ledger, first;
    double bytes = 0;
    int64_t good = 0;
    pass->tasks = CACHE_SAMPLE;
    pass->stride = pass->catalog->count / CACHE_SAMPLE;
    pass->sample = memory_array(CACHE_SAMPLE, sizeof *pass->sample);
    if (pass->sample == NULL) return error_no_memory(error, "the table of images", CACHE_SAMPLE * sizeof *pass->sample);
    bad_open(&first, ledger->path, CACHE_SAMPLE, 1, NULL);
    pass->ledger = &first;
    int status = run_pass(pass, measure_task, pool, error); /* refuses when all are bad */
    pass->ledger = ledger;
    for (int64_t i = 0; i < CACHE_SAMPLE; i++) {
        good += pass->sample[i].width > 0;
        bytes += 3.0 * pass->sample[i].width * pass->sample[i].height;
    }
    *fits = good == 0 || bytes / (double)good * (double)pass->catalog->count <= 1.1 * (double)limit;
    if (status != SIMCLR_OK) { /* say why */
        bad_move(ledger, &first);
        bad_judge(ledger, pass->catalog, NULL);
    } else if (!*fits) {
        cache->sampled = true;
        cache->encoded = (int64_t)((double)atomic_load(&pass->encoded) / (double)good * (double)pass->catalog->count);
        status = note_measured(cache, pass, pass->sample, CACHE_SAMPLE, error);
        bad_move(ledger, &first);
        if (!status) status = bad_judge(ledger, pass->catalog, error);
    }
    bad_close(&first);
    memory_free(pass->sample);
    pass->sample = NULL;
    return status;
}

/* All sizes, into cache->image. */
static int measure_all(struct pass *pass, struct pool *pool, struct error *error)
{
    struct cache *cache = pass->cache;
    const size_t count = (size_t)pass->catalog->count;
    cache->image = memory_array(count, sizeof *cache->image);
    if (cache->image == NULL) return error_no_memory(error, "the table of images", count * sizeof *cache->image);
    pass->tasks = pass->catalog->count;
    pass->stride = 1;
    atomic_store(&pass->profiles, 0); /* those of a sample are among them */
    atomic_store(&pass->encoded, 0);
    cache->deep = 0;
    const int status = run_pass(pass, measure_task, pool, error);
    cache->encoded = atomic_load(&pass->encoded);
    return status ? status : note_measured(cache, pass, cache->image, pass->catalog->count, error);
}

static int fill(struct pass *pass, size_t limit, struct pool *pool, struct error *error)
{
    struct cache *cache = pass->cache;
    const struct source *source = pass->source;
    const size_t count = (size_t)pass->catalog->count;
    bool fits = true;
    int status = SIMCLR_OK;
    limit = cache_limit(limit);
    if (count >= CACHE_LARGE && source->fetch != NULL) status = measure_sample(pass, limit, pool, &fits, error);
    if (status != SIMCLR_OK || !fits) return status;
    status = measure_all(pass, pool, error);
    if (status != SIMCLR_OK) return status;
    size_t *offset = memory_array(count, sizeof *offset);
    if (offset == NULL) return error_no_memory(error, "the table of images", count * sizeof *offset);
    size_t bytes = 0;
    for (size_t i = 0; i < count && fits; i++) {
        const size_t size = (size_t)cache->image[i].width * (size_t)cache->image[i].height * 3;
        offset[i] = bytes;
        fits = size <= limit - bytes;
        bytes += size;
    }
    if (fits) {
        cache->block = memory_allocate(bytes);
        pass->offset = offset;
        status = cache->block == NULL ? error_no_memory(error, "decoded images (set a smaller cache)", bytes)
                                      : run_pass(pass, decode_task, pool, error);
        cache->bytes = bytes;
        note_largest(cache, cache->image, pass->catalog->count); /* some proved bad */
    }
    memory_free(offset);
    return status;
}

int cache_fill(struct cache *cache, const struct source *source, const struct catalog *catalog, size_t limit,
               struct bad_ledger *ledger, struct pool *pool, struct error *error)
{
    struct pass pass = {.cache = cache, .source = source, .catalog = catalog, .ledger = ledger};
    pthread_mutex_init(&pass.rare, NULL);
    const int status = fill(&pass, limit, pool, error);
    pthread_mutex_destroy(&pass.rare);
    return status;
}

void cache_free(struct cache *cache)
{
    memory_free(cache->image);
    memory_free(cache->block);
    *cache = (struct cache){0};
}
