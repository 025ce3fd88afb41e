/* data/dataset.c -- the front of the room: opens whatever kind of set it is and hands out its images. */
#include "data/dataset.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/bad.h"
#include "data/cache.h"
#include "data/catalog.h"
#include "data/kind.h"

struct dataset {
    char *path;
    struct catalog catalog;
    struct source source;
    struct cache cache;
    struct bad_ledger ledger;
    uint32_t *item; /* [count]: the catalog's item of an index: bad images found at opening are left out */
    int64_t count;
    atomic_uchar *found_bad; /* [count], uncached sets: bad images found since */
    int max_width, max_height;
    uint64_t fingerprint;
    char description[384];
};

struct dataset_config dataset_config_default(void)
{
    return (struct dataset_config){.path = "synthetic",
                                   .part = DATASET_TRAIN,
                                   .max_bad = 0.01,
                                   .synthetic_seed = 1,
                                   .stl10_part = "train",
                                   .limits = image_limits_default()};
}

static int open_source(struct dataset *set, const struct dataset_config *config, const struct log *log,
                       struct error *error)
{
    const struct set_request request = {
        .path = set->path, .part = config->part == DATASET_TEST, .config = config, .log = log};
    const struct set_kind *kind;
    const int status = kind_find(&kind, set->path, error);
    return status == SIMCLR_OK ? kind->open(&set->source, &set->catalog, &request, error) : status;
}

bool dataset_has_test_part(const char *path)
{
    const struct set_kind *kind;
    return kind_find(&kind, path, NULL) == SIMCLR_OK && kind->has_test != NULL && kind->has_test(path);
}

/* Class names without a single label among the images (an empty sub-folder beside photos) are no classes. */
static void drop_unused_classes(struct catalog *catalog)
{
    for (int64_t i = 0; i < catalog->count; i++)
        if (catalog->label[i] >= 0) return;
    for (int i = 0; i < catalog->classes; i++) memory_free(catalog->class_name[i]);
    catalog->classes = 0;
}

/* Numbers the good images without gaps; size bounds and fingerprint over them. */
static int number_images(struct dataset *set, struct error *error)
{
    const struct catalog *catalog = &set->catalog;
    set->item = memory_array((size_t)catalog->count, sizeof *set->item);
    if (set->item == NULL)
        return error_no_memory(error, "the table of images", (size_t)catalog->count * sizeof *set->item);
    uint64_t hash = catalog->salt;
    for (int64_t i = 0; i < catalog->count; i++) {
        const struct image *image = &set->cache.image[i];
        if (image->width == 0) continue;
        set->max_width = image->width > set->max_width ? image->width : set->max_width;
        set->max_height = image->height > set->max_height ? image->height : set->max_height;
        const char *name = catalog_short_name(catalog, i);
        hash = hash64(name, strlen(name), hash + (uint64_t)(uint32_t)catalog->label[i]);
        set->item[set->count++] = (uint32_t)i;
    }
    set->fingerprint = hash64(&set->count, sizeof set->count, hash);
    if (set->cache.block != NULL) return SIMCLR_OK;
    set->found_bad = memory_array((size_t)set->count, sizeof *set->found_bad);
    return set->found_bad != NULL ? SIMCLR_OK : error_no_memory(error, "the table of images", (size_t)set->count);
}

static void describe(struct dataset *set)
{
    char classes[48] = "without labels", memory[64] = "decoded when they are needed";
    if (set->catalog.classes > 0)
        snprintf(classes, sizeof classes, "in %d class%s", set->catalog.classes, set->catalog.classes == 1 ? "" : "es");
    if (set->cache.block != NULL)
        snprintf(memory, sizeof memory, "decoded in memory (%.1f MiB)", (double)set->cache.bytes / 1048576);
    snprintf(set->description, sizeof set->description, "%.100s: %s: %lld images %s, %s%d x %d, %s", set->path,
             set->catalog.what, (long long)set->count, classes, set->count > 1 ? "up to " : "", set->max_width,
             set->max_height, memory);
}

int dataset_open(struct dataset **out, const struct dataset_config *config, struct pool *pool, const struct log *log,
                 struct error *error)
{
    *out = NULL;
    if (config->path == NULL || config->path[0] == '\0')
        return error_set(error, SIMCLR_INVALID, "no data are given: name a folder, a list or `synthetic`");
    if (!(config->max_bad >= 0 && config->max_bad <= 1))
        return error_set(error, SIMCLR_INVALID, "max-bad is %g: give a share between 0 and 1", config->max_bad);
    struct dataset *set = memory_allocate(sizeof *set);
    if (set == NULL) return error_no_memory(error, "a data set", sizeof *set);
    set->path = memory_string(config->path);
    bad_open(&set->ledger, set->path, 0, config->max_bad, log);
    int status = set->path == NULL ? error_no_memory(error, "a path", strlen(config->path) + 1)
                                   : open_source(set, config, log, error);
    set->ledger.total = set->catalog.count;
    if (status == SIMCLR_OK)
        status = cache_fill(&set->cache, &set->source, &set->catalog, config->cache_bytes, &set->ledger, pool, error);
    if (status == SIMCLR_OK) status = number_images(set, error);
    if (status != SIMCLR_OK) {
        dataset_close(&set);
        return status;
    }
    drop_unused_classes(&set->catalog);
    describe(set);
    *out = set;
    return SIMCLR_OK;
}

void dataset_close(struct dataset **dataset)
{
    struct dataset *set = *dataset;
    if (set == NULL) return;
    if (set->source.close != NULL) set->source.close(set->source.self);
    bad_close(&set->ledger);
    cache_free(&set->cache);
    catalog_free(&set->catalog);
    memory_free(set->item);
    memory_free(set->found_bad);
    memory_free(set->path);
    memory_free(set);
    *dataset = NULL;
}

/* The index whose image stands in for `index`: itself, unless it was found to be bad. */
static int64_t stand_in(const struct dataset *set, int64_t index)
{
    for (int64_t k = 0; set->found_bad != NULL && k < set->count; k++) {
        const int64_t next = (index + k) % set->count;
        if (!atomic_load_explicit(&set->found_bad[next], memory_order_relaxed)) return next;
    }
    return index;
}

static int read_image(struct dataset *set, int64_t index, struct image *storage, struct error *error)
{
    const int64_t item = set->item[index];
    const int status = source_read(&set->source, &set->catalog, item, storage, error);
    if (status != SIMCLR_OK) return status;
    /* Buffers were made for the sizes measured at opening. */
    if (storage->width > set->max_width || storage->height > set->max_height)
        return error_set(error, SIMCLR_IO, "%s: has grown since the set was opened", catalog_name(&set->catalog, item));
    return SIMCLR_OK;
}

int dataset_image(struct dataset *dataset, int64_t index, struct image *storage, const struct image **out,
                  struct error *error)
{
    if (index < 0 || index >= dataset->count)
        return error_set(error, SIMCLR_INVALID, "image %lld of %lld is asked for", (long long)index,
                         (long long)dataset->count);
    if (dataset->cache.block != NULL) {
        *out = &dataset->cache.image[dataset->item[index]];
        return SIMCLR_OK;
    }
    for (;;) {
        struct error failure = {0};
        const int64_t good = stand_in(dataset, index);
        int status = read_image(dataset, good, storage, &failure);
        if (status == SIMCLR_OK) break;
        if (!bad_is_image_fault(status)) {
            if (error != NULL) *error = failure;
            return status;
        }
        if (!atomic_exchange(&dataset->found_bad[good], 1)) bad_note(&dataset->ledger, dataset->item[good], &failure);
        status = bad_judge(&dataset->ledger, &dataset->catalog, error);
        if (status != SIMCLR_OK) return status;
    }
    *out = storage;
    return SIMCLR_OK;
}

int64_t dataset_count(const struct dataset *dataset)
{
    return dataset->count;
}

int dataset_classes(const struct dataset *dataset)
{
    return dataset->catalog.classes;
}

const char *dataset_class_name(const struct dataset *dataset, int label)
{
    return label >= 0 && label < dataset->catalog.classes ? dataset->catalog.class_name[label] : "";
}

int dataset_label(const struct dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count) return -1;
    return dataset->catalog.label[dataset->item[stand_in(dataset, index)]];
}

const char *dataset_name(const struct dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count) return "";
    return catalog_name(&dataset->catalog, dataset->item[stand_in(dataset, index)]);
}

const char *dataset_description(const struct dataset *dataset)
{
    return dataset->description;
}

int64_t dataset_bad_count(const struct dataset *dataset)
{
    return bad_count((struct bad_ledger *)&dataset->ledger); /* only its lock is touched */
}

void dataset_max_size(const struct dataset *dataset, int *width, int *height)
{
    *width = dataset->max_width;
    *height = dataset->max_height;
}

uint64_t dataset_fingerprint(const struct dataset *dataset)
{
    return dataset->fingerprint;
}
