/* data/contents.c -- see contents.h. */
#include "data/contents.h"

#include <string.h>
#include <sys/stat.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/dataset_private.h"

enum contents contents_of_both(const struct dataset *a, const struct dataset *b)
{
    const bool files = a->source.fetch && b->source.fetch && !(a->cache.block && b->cache.block);
    return files ? CONTENTS_FILES : CONTENTS_PIXELS;
}

/* ---- of each image --------------------------------------------------------------------------------------------- */

struct digesting {
    struct dataset *set;
    enum contents contents;
    struct stop stop;
    uint64_t *digest;
    struct image *storage; /* [threads] */
};

static uint64_t digest_of_pixels(const struct image *image)
{
    const int64_t size[2] = {image->width, image->height};
    const uint64_t hash = hash64(size, sizeof size, 2);
    return hash64(image->rgb, 3 * (size_t)image->width * (size_t)image->height, hash) | 1;
}

static uint64_t digest_of_file(const struct dataset *set, int64_t index)
{
    struct encoded encoded;
    bool kept;
    if (source_fetch_whole(&set->source, &set->catalog, dataset_item(set, index), &encoded, &kept, NULL)) return 0;
    const uint64_t digest = hash64(encoded.bytes, encoded.count, 3) | 1;
    if (!kept) memory_free(encoded.bytes);
    return digest;
}

static void digest_one(void *context, int64_t index, int thread)
{
    const struct digesting *job = context;
    const struct image *image;
    if (stop_is_asked(job->stop)) return;
    if (job->contents == CONTENTS_FILES)
        job->digest[index] = digest_of_file(job->set, index);
    else if (dataset_image(job->set, index, &job->storage[thread], &image, NULL) == SIMCLR_OK)
        job->digest[index] = digest_of_pixels(image);
}

int contents_digest(struct dataset *set, enum contents contents, struct pool *pool, uint64_t *digest,
                    struct error *error)
{
    const int threads = pool_threads(pool);
    struct digesting job = {set, contents, pool_stop(pool), digest,
                            memory_array((size_t)threads, sizeof(struct image))};
    if (!job.storage) return error_no_memory(error, "the reader of images", (size_t)threads * sizeof *job.storage);
    memset(digest, 0, (size_t)set->count * sizeof *digest);
    pool_run(pool, set->count, digest_one, &job);
    for (int i = 0; i < threads; i++) image_free(&job.storage[i]);
    memory_free(job.storage);
    return stop_is_asked(job.stop) ? stop_error(error, "the digests of images") : SIMCLR_OK;
}

/* ---- of the set ------------------------------------------------------------------------------------------------ */

/* 0: its name is not that of a file. */
static uint64_t chain_file(uint64_t hash, const char *name)
{
    struct stat info;
    if (stat(name, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
    const int64_t state[5] = {info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ctim.tv_sec,
                              info.st_ctim.tv_nsec}; /* a copy may have the old modification time, never the change */
    return hash64(state, sizeof state, hash) | 1;
}

/* Names and order; and of each the size and time of its file where `files`. *known: no such file was missing. */
static int chain_names(const struct dataset *set, struct pool *pool, bool files, uint64_t *hash, bool *known,
                       struct error *error)
{
    *known = true;
    for (int64_t i = 0; i < set->count; i++) {
        const int64_t item = dataset_item(set, i);
        const char *name = catalog_short_name(&set->catalog, item);
        *hash = hash64(name, strlen(name) + 1, *hash);
        if (files && *known) *hash = chain_file(*hash, catalog_name(&set->catalog, item));
        *known &= *hash != 0;
        if (i % 4096 == 0 && pool_is_stopped(pool)) return stop_error(error, "the digest of a set");
    }
    return SIMCLR_OK;
}

static int chain_pixels(struct dataset *set, struct pool *pool, uint64_t *hash, struct error *error)
{
    uint64_t *digest = memory_array((size_t)set->count, sizeof *digest);
    if (!digest) return error_no_memory(error, "the digests of images", (size_t)set->count * sizeof *digest);
    const int status = contents_digest(set, CONTENTS_PIXELS, pool, digest, error);
    *hash = hash64(digest, (size_t)set->count * sizeof *digest, *hash);
    memory_free(digest);
    return status;
}

int contents_state(struct dataset *set, struct pool *pool, uint64_t *out, struct error *error)
{
    const bool files = set->catalog.stamp == 0 && set->source.fetch;
    uint64_t hash = hash64(&set->count, sizeof set->count, 7 + set->catalog.stamp);
    bool known;
    *out = 0;
    int status = chain_names(set, pool, files, &hash, &known, error);
    if (status) return status;
    if (set->catalog.stamp == 0 && (!set->source.fetch || !known)) {
        if (set->source.fetch && !set->cache.block) return SIMCLR_OK;
        status = chain_pixels(set, pool, &hash, error);
        if (status) return status;
    }
    *out = hash | 1;
    return SIMCLR_OK;
}
