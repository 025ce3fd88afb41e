/* data/dataset.c -- the front of the room: opens whatever kind of set it is and hands out its images. */
#include "data/dataset.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "data/dataset_private.h"
#include "data/subset.h"

enum {
    NOTHING_FITS = 1 /* byte of memory for images */
};

int dataset_open_kind(struct source *source, struct catalog *catalog, const struct dataset_config *config,
                      struct pool *pool, const struct log *log, struct error *error)
{
    const struct set_request request = {.path = config->path,
                                        .part = config->part == DATASET_TEST,
                                        .config = config,
                                        .log = log,
                                        .stop = pool_stop(pool)};
    const struct set_kind *kind;
    const int status = kind_find(&kind, config->path, error);
    return status == SIMCLR_OK ? kind->open(source, catalog, &request, error) : status;
}

int dataset_has_test_part(const char *path, bool *out, struct error *error)
{
    const struct set_kind *kind;
    *out = false;
    const int status = kind_find(&kind, path, error);
    return status || !kind->has_test ? status : kind->has_test(path, out, error);
}

/* Class names without a single label among the images (an empty sub-folder beside photos) are no classes. */
static void drop_unused_classes(struct catalog *catalog)
{
    for (int64_t i = 0; i < catalog->count; i++)
        if (catalog->label[i] >= 0) return;
    for (int i = 0; i < catalog->classes; i++) memory_free(catalog->class_name[i]);
    catalog->classes = 0;
}

/* Pictures of 16 bits may use the low ones only (microscopes, X-ray, depth): of the high eight little is left then. */
static int look_at_deep(struct dataset *set, struct error *error)
{
    const struct cache *cache = &set->cache;
    struct image storage = {0};
    int status = SIMCLR_OK;
    set->tally = (struct tally){.looked_at = cache->looked_at, .profiles = cache->profiles, .deep = cache->deep};
    for (int i = 0; status == SIMCLR_OK && i < TALLY_DEEP && i < cache->deep; i++) {
        const int64_t item = cache->deep_item[i];
        struct error failure = {0};
        const struct image *image = cache->image && cache->block ? &cache->image[item] : &storage;
        if (cache->image != NULL && cache->image[item].width == 0) continue; /* found to be bad in decoding */
        if (image == &storage && source_read(&set->source, &set->catalog, item, &storage, &failure)) {
            if (bad_is_image_fault(failure.status)) continue; /* it is told when it is its turn */
            status = failure.status;
            if (error) *error = failure;
            continue;
        }
        const int largest = tally_brightest(image);
        set->tally.deep_looked_at++;
        set->tally.deep_brightest = largest > set->tally.deep_brightest ? largest : set->tally.deep_brightest;
    }
    image_free(&storage);
    return status;
}

/* Where the decoded images do not fit, the encoded ones may, or some of them. */
static int keep_files(struct dataset *set, size_t limit, struct error *error)
{
    if (set->cache.block != NULL || set->source.fetch == NULL || set->source.in_memory) return SIMCLR_OK;
    set->source.keep = &set->keep;
    return keep_open(&set->keep, set->catalog.count, limit, error);
}

/* What all files would take in the keep, and what there is for them. */
static size_t wanted_bytes(const struct dataset *set)
{
    return (size_t)set->cache.encoded + (size_t)set->count * keep_cost(0);
}

static size_t room_bytes(const struct dataset *set)
{
    return set->keep.items == 0 ? 0 : set->keep.limit - (size_t)set->keep.items * sizeof *set->keep.item;
}

size_t dataset_kept_bytes(const struct dataset *set)
{
    const size_t wanted = wanted_bytes(set), room = room_bytes(set);
    return wanted < room ? wanted : room;
}

static void describe_keep(const struct dataset *set, char *text, size_t bytes)
{
    const double files = (double)set->cache.encoded / 1048576, room = (double)room_bytes(set) / 1048576;
    if (room_bytes(set) == 0)
        snprintf(text, bytes, "decoded when they are needed");
    else if (wanted_bytes(set) <= room_bytes(set))
        format_write(text, bytes, "decoded when they are needed, files kept in memory once read (%.1f MiB)", files);
    else
        format_write(text, bytes, "decoded when they are needed, %.1f of %.1f MiB of files kept in memory once read",
                     room, files);
}

static void describe(struct dataset *set)
{
    char classes[48] = "without labels", memory[128], sampled[48] = "";
    if (set->catalog.classes > 0)
        snprintf(classes, sizeof classes, "in %d class%s", set->catalog.classes, set->catalog.classes == 1 ? "" : "es");
    describe_keep(set, memory, sizeof memory);
    if (set->cache.block != NULL)
        format_write(memory, sizeof memory, "decoded in memory (%.1f MiB)", (double)set->cache.bytes / 1048576);
    if (set->cache.sampled) snprintf(sampled, sizeof sampled, " among %d looked at", CACHE_SAMPLE);
    snprintf(set->description, sizeof set->description, "%.100s: %s: %lld images %s, %s%d x %d%s, %s", set->path,
             set->catalog.what, (long long)set->count, classes, set->count > 1 ? "up to " : "", set->cache.max_width,
             set->cache.max_height, sampled, memory);
}

int dataset_open_source(struct dataset **out, struct source *source, struct catalog *catalog,
                        const struct dataset_config *config, struct pool *pool, const struct log *log,
                        struct error *error)
{
    struct dataset *set = memory_allocate(sizeof *set);
    *out = NULL;
    if (set == NULL) {
        if (source->close != NULL) source->close(source->self);
        catalog_free(catalog);
    } else {
        set->source = *source;
        set->catalog = *catalog;
        set->catalog.stop = (struct stop){0};
    }
    *source = (struct source){0};
    *catalog = (struct catalog){0};
    if (set == NULL) return error_no_memory(error, "a data set", sizeof *set);
    set->path = memory_string(config->path);
    bad_open(&set->ledger, set->path, set->catalog.count, config->max_bad, log);
    int status = set->path == NULL ? error_no_memory(error, "a path", strlen(config->path) + 1) : SIMCLR_OK;
    const size_t cache_bytes = config->keep_nothing ? NOTHING_FITS : config->cache_bytes;
    if (status == SIMCLR_OK)
        status = cache_fill(&set->cache, &set->source, &set->catalog, cache_bytes, &set->ledger, pool, error);
    if (status == SIMCLR_OK) status = dataset_number_images(set, config->numbering, error);
    if (status == SIMCLR_OK) status = keep_files(set, cache_limit(cache_bytes), error);
    if (status == SIMCLR_OK) status = look_at_deep(set, error);
    if (status != SIMCLR_OK) {
        dataset_close(&set);
        return status;
    }
    drop_unused_classes(&set->catalog);
    describe(set);
    if (log != NULL) passed_say(&set->catalog.passed, set->path, log);
    if (log != NULL) tally_say_deep(&set->tally, set->path, log);
    *out = set;
    return SIMCLR_OK;
}

int dataset_open(struct dataset **out, const struct dataset_config *config, struct pool *pool, const struct log *log,
                 struct error *error)
{
    struct source source = {0};
    struct catalog catalog = {.stop = pool_stop(pool)};
    *out = NULL;
    if (config->path == NULL || config->path[0] == '\0')
        return error_set(error, SIMCLR_INVALID, "no data are given: name a folder, a list or `synthetic`");
    if (!(config->max_bad >= 0 && config->max_bad <= 1))
        return error_set(error, SIMCLR_INVALID, "max-bad is %g: give a share between 0 and 1", config->max_bad);
    int status = dataset_open_kind(&source, &catalog, config, pool, log, error);
    if (status == SIMCLR_OK && config->subset)
        status = subset_take(&source, &catalog, config, pool_stop(pool), log, error);
    if (status == SIMCLR_OK) return dataset_open_source(out, &source, &catalog, config, pool, log, error);
    if (source.close != NULL) source.close(source.self);
    catalog_free(&catalog);
    return status;
}

void dataset_close(struct dataset **dataset)
{
    struct dataset *set = *dataset;
    if (set == NULL) return;
    bad_exchange_leave(set);
    if (set->source.close != NULL) set->source.close(set->source.self);
    bad_close(&set->ledger);
    cache_free(&set->cache);
    keep_close(&set->keep);
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

bool dataset_is_replaced(const struct dataset *dataset, int64_t index)
{
    return stand_in(dataset, index) != index;
}

static int check_index(const struct dataset *dataset, int64_t index, struct error *error)
{
    if (index >= 0 && index < dataset->count) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "image %lld of %lld is asked for", (long long)index,
                     (long long)dataset->count);
}

/* Buffers were made for the sizes measured at opening. */
static int check_size(const struct dataset *set, int64_t item, int width, int height, struct error *error)
{
    if (set->cache.sampled || (width <= set->cache.max_width && height <= set->cache.max_height)) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: has grown since the set was opened", catalog_name(&set->catalog, item));
}

int dataset_refuse(struct dataset *dataset, int64_t number, const struct error *failure, struct error *error)
{
    if (!bad_is_image_fault(failure->status)) {
        if (error) *error = *failure;
        return failure->status;
    }
    if (!atomic_exchange(&dataset->found_bad[number], 1))
        bad_note(&dataset->ledger, dataset_item(dataset, number), failure);
    return bad_judge(&dataset->ledger, &dataset->catalog, error);
}

static int read_image(struct dataset *set, int64_t number, struct image *storage, struct error *error)
{
    const int64_t item = dataset_item(set, number);
    const int status = source_read(&set->source, &set->catalog, item, storage, error);
    return status ? status : check_size(set, item, storage->width, storage->height, error);
}

int dataset_image(struct dataset *dataset, int64_t index, struct image *storage, const struct image **out,
                  struct error *error)
{
    int status = check_index(dataset, index, error);
    if (status != SIMCLR_OK) return status;
    if (dataset->cache.block != NULL) {
        *out = &dataset->cache.image[dataset_item(dataset, stand_in(dataset, index))];
        return SIMCLR_OK;
    }
    while (status == SIMCLR_OK) {
        struct error failure = {0};
        const int64_t number = stand_in(dataset, index);
        if (read_image(dataset, number, storage, &failure) == SIMCLR_OK) {
            *out = storage;
            return SIMCLR_OK;
        }
        status = dataset_refuse(dataset, number, &failure, error);
    }
    return status;
}

/* Its bytes, and its header. */
static int fetch_encoded(struct dataset *set, int64_t number, struct dataset_fetched *out, struct error *error)
{
    const int64_t item = dataset_item(set, number);
    struct encoded whole;
    bool kept;
    int status = source_fetch_whole(&set->source, &set->catalog, item, &whole, &kept, error);
    if (status) return status;
    *out = (struct dataset_fetched){.owned = kept ? NULL : whole.bytes};
    status = image_open(&out->encoded, whole.bytes, whole.count, &set->source.limits, catalog_name(&set->catalog, item),
                        error);
    out->width = out->encoded.header.width;
    out->height = out->encoded.header.height;
    if (!status) status = check_size(set, item, out->width, out->height, error);
    if (!status && out->encoded.header.sheet) /* of a large set not every header was looked at */
        status = error_set(error, SIMCLR_UNSUPPORTED, "%s: is a sheet that this program drew: move it elsewhere",
                           catalog_name(&set->catalog, item));
    if (status) dataset_release(out);
    return status;
}

void dataset_release(struct dataset_fetched *fetched)
{
    memory_free(fetched->owned);
    *fetched = (struct dataset_fetched){0};
}

/* Of sets whose pixels are in memory, or never were encoded. */
static int fetch_pixels(struct dataset *set, int64_t number, struct image_store *storage, struct dataset_fetched *out,
                        struct error *error)
{
    const int64_t item = dataset_item(set, number);
    *out = (struct dataset_fetched){.image = &storage->image};
    if (set->cache.block) {
        if (set->found_bad && set->found_bad[number])
            return error_set(error, SIMCLR_CORRUPT, "%s: was left out at opening", catalog_name(&set->catalog, item));
        out->image = &set->cache.image[item];
    } else {
        storage->bytes = 0; /* another picture is put there */
        const int status = read_image(set, number, &storage->image, error);
        if (status) return status;
    }
    out->width = out->image->width;
    out->height = out->image->height;
    return SIMCLR_OK;
}

int dataset_fetch(struct dataset *dataset, int64_t number, struct image_store *storage, struct dataset_fetched *out,
                  struct error *error)
{
    const int status = check_index(dataset, number, error);
    if (status) return status;
    return dataset->cache.block || !dataset->source.fetch ? fetch_pixels(dataset, number, storage, out, error)
                                                          : fetch_encoded(dataset, number, out, error);
}

int dataset_encoded(const struct dataset *dataset, int64_t index, size_t at_most, uint8_t **bytes, size_t *count,
                    int64_t *total, struct error *error)
{
    struct encoded encoded = {0};
    const int64_t item = dataset_item(dataset, index);
    int status = SIMCLR_OK;
    if (dataset->source.fetch == NULL)
        status = error_set(error, SIMCLR_UNSUPPORTED, "%s: these pixels were never encoded",
                           catalog_name(&dataset->catalog, item));
    else
        status = dataset->source.fetch(&dataset->source, &dataset->catalog, item, at_most, &encoded, error);
    *bytes = encoded.bytes;
    *count = encoded.count;
    *total = encoded.total;
    return status;
}

const char *dataset_bad_reason(const struct dataset *dataset, int64_t number)
{
    return number >= 0 && number < dataset->ledger.count ? dataset->ledger.image[number].reason : NULL;
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
    return dataset->catalog.label[dataset_item(dataset, stand_in(dataset, index))];
}

int dataset_own_label(const struct dataset *dataset, int64_t number)
{
    if (number < 0 || number >= dataset->count) return -1;
    return dataset->catalog.label[dataset_item(dataset, number)];
}

const char *dataset_name(const struct dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count) return "";
    return catalog_name(&dataset->catalog, dataset_item(dataset, stand_in(dataset, index)));
}

const char *dataset_short_name(const struct dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count) return "";
    return catalog_short_name(&dataset->catalog, dataset_item(dataset, stand_in(dataset, index)));
}

const char *dataset_own_name(const struct dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count) return "";
    return catalog_short_name(&dataset->catalog, dataset_item(dataset, index));
}

const char *dataset_description(const struct dataset *dataset)
{
    return dataset->description;
}

const char *dataset_place(const struct dataset *dataset)
{
    return dataset->catalog.place;
}

int64_t dataset_bad_count(const struct dataset *dataset)
{
    return bad_count((struct bad_ledger *)&dataset->ledger); /* only its lock is touched */
}

void dataset_max_size(const struct dataset *dataset, int *width, int *height)
{
    *width = dataset->cache.max_width;
    *height = dataset->cache.max_height;
}

const struct tally *dataset_tally(const struct dataset *dataset)
{
    return &dataset->tally;
}

const struct passed *dataset_passed(const struct dataset *dataset)
{
    return &dataset->catalog.passed;
}

int dataset_typical_side(const struct dataset *dataset)
{
    return dataset->cache.median_side;
}

uint64_t dataset_fingerprint(const struct dataset *dataset)
{
    return dataset->fingerprint;
}
