/* data/listing.c -- see listing.h. */
#include "data/listing.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_private.h"
#include "data/names/endings.h"
#include "data/sets/files.h"
#include "data/subset.h"

struct listing {
    struct source source;
    struct catalog catalog;
};

void listing_close(struct listing **listing)
{
    if (!*listing) return;
    if ((*listing)->source.close) (*listing)->source.close((*listing)->source.self);
    catalog_free(&(*listing)->catalog);
    memory_free(*listing);
    *listing = NULL;
}

int listing_look(const char *path, struct error *error)
{
    const struct set_kind *kind;
    return kind_find(&kind, path, error);
}

bool listing_is_picture(const char *path)
{
    enum { HEAD = 1 << 16 };
    struct image_header header;
    uint8_t *bytes;
    size_t count;
    if (file_is_folder(path)) return false;
    if (source_is_image_name(path) || ending_of_unread(path)) return true;
    if (file_read_start(path, HEAD, &bytes, &count, NULL)) return false;
    const bool picture = image_read_header(bytes, count, path, &header, NULL) == SIMCLR_OK;
    memory_free(bytes);
    return picture;
}

int listing_add_picture(struct listing **listing, const char *path, struct error *error)
{
    if (!*listing) {
        const struct image_limits limits = image_limits_default();
        *listing = memory_allocate(sizeof **listing);
        if (!*listing) return error_no_memory(error, "a list of images", sizeof **listing);
        source_open_files(&(*listing)->source, &limits);
    }
    return catalog_add(&(*listing)->catalog, path, -1, error);
}

static int open_set(struct listing *listing, const struct dataset_config *config, struct pool *pool,
                    const struct log *log, struct error *error)
{
    listing->catalog.stop = pool_stop(pool);
    int status = dataset_open_kind(&listing->source, &listing->catalog, config, pool, log, error);
    if (!status && config->subset)
        status = subset_take(&listing->source, &listing->catalog, config, pool_stop(pool), log, error);
    listing->catalog.stop = (struct stop){0};
    if (!status && log) passed_say(&listing->catalog.passed, config->path, log);
    return status;
}

int listing_open(struct listing **out, const struct dataset_config *config, struct pool *pool, const struct log *log,
                 struct error *error)
{
    *out = memory_allocate(sizeof **out);
    if (!*out) return error_no_memory(error, "a list of images", sizeof **out);
    const int status = open_set(*out, config, pool, log, error);
    if (status) listing_close(out);
    return status;
}

int64_t listing_count(const struct listing *listing)
{
    return listing->catalog.count;
}

const char *listing_name(const struct listing *listing, int64_t item)
{
    return catalog_name(&listing->catalog, item);
}

int listing_read(const struct listing *listing, int64_t item, struct image *storage, struct image_header *header,
                 struct error *error)
{
    return source_read_both(&listing->source, &listing->catalog, item, storage, header, error);
}

bool listing_is_image_fault(int status)
{
    return bad_is_image_fault(status);
}
