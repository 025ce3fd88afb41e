/* data/cache.c -- see cache.h. */
#include "data/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* What the tasks of one pass share. Thread t touches storage[t] and error[t] only, task i only image[i]. */
struct pass {
    struct cache *cache;
    const struct source *source;
    const struct catalog *catalog;
    struct bad_ledger *ledger;
    const size_t *offset;  /* decoding: of an item in the block */
    struct image *storage; /* [threads] */
    struct error *error;   /* [threads]: status other than SIMCLR_OK: the pass has failed */
};

static size_t limit_of_group(const char *path)
{
    uint64_t bytes = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return SIZE_MAX;
    const bool found = fscanf(file, "%" SCNu64, &bytes) == 1; /* the word "max" means none */
    fclose(file);
    return found && bytes > 0 && bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

size_t cache_machine_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t bytes = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)1 << 30;
    const size_t group2 = limit_of_group("/sys/fs/cgroup/memory.max");
    const size_t group1 = limit_of_group("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    bytes = group2 < bytes ? group2 : bytes;
    return group1 < bytes ? group1 : bytes;
}

/* A failure is the image's own fault, or ends the pass. */
static void settle(struct pass *pass, int64_t item, int thread, const struct error *failure)
{
    pass->cache->image[item] = (struct image){0};
    if (bad_is_image_fault(failure->status))
        bad_note(pass->ledger, item, failure);
    else
        pass->error[thread] = *failure;
}

static void measure_task(void *context, int64_t item, int thread)
{
    struct pass *pass = context;
    struct image *image = &pass->cache->image[item];
    struct error failure = {0};
    if (source_size(pass->source, pass->catalog, item, &image->width, &image->height, &failure) != SIMCLR_OK)
        settle(pass, item, thread, &failure);
}

static void decode_task(void *context, int64_t item, int thread)
{
    struct pass *pass = context;
    struct image *image = &pass->cache->image[item], *storage = &pass->storage[thread];
    struct error failure = {0};
    if (image->width == 0) return; /* bad already */
    int status = source_read(pass->source, pass->catalog, item, storage, &failure);
    if (status == SIMCLR_OK && (storage->width != image->width || storage->height != image->height))
        status =
            error_set(&failure, SIMCLR_IO, "%s: changed while the set was opened", catalog_name(pass->catalog, item));
    if (status != SIMCLR_OK) {
        settle(pass, item, thread, &failure);
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
        pool_run(pool, pass->catalog->count, task, pass);
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

int cache_fill(struct cache *cache, const struct source *source, const struct catalog *catalog, size_t limit,
               struct bad_ledger *ledger, struct pool *pool, struct error *error)
{
    struct pass pass = {.cache = cache, .source = source, .catalog = catalog, .ledger = ledger};
    const size_t count = (size_t)catalog->count;
    cache->image = memory_array(count, sizeof *cache->image);
    if (cache->image == NULL) return error_no_memory(error, "the table of images", count * sizeof *cache->image);
    int status = run_pass(&pass, measure_task, pool, error);
    if (status != SIMCLR_OK) return status;
    if (limit == 0) limit = cache_machine_memory() / 4;
    size_t *offset = memory_array(count, sizeof *offset);
    if (offset == NULL) return error_no_memory(error, "the table of images", count * sizeof *offset);
    bool fits = true;
    size_t bytes = 0;
    for (size_t i = 0; i < count && fits; i++) {
        const size_t size = (size_t)cache->image[i].width * (size_t)cache->image[i].height * 3;
        offset[i] = bytes;
        fits = size <= limit - bytes;
        bytes += size;
    }
    if (fits) {
        cache->block = memory_allocate(bytes);
        pass.offset = offset;
        status = cache->block == NULL ? error_no_memory(error, "decoded images (set a smaller cache)", bytes)
                                      : run_pass(&pass, decode_task, pool, error);
        cache->bytes = bytes;
    }
    memory_free(offset);
    return status;
}

void cache_free(struct cache *cache)
{
    memory_free(cache->image);
    memory_free(cache->block);
    *cache = (struct cache){0};
}
