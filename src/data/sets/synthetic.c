/* data/sets/synthetic.c -- the built-in set as a source; the drawing is in synthetic_render.c. */
#include "data/sets/synthetic.h"

#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/sets/kind.h"

enum { MIN_SIZE = 8, MAX_SIZE = 1024, DEFAULT_TRAIN = 8192, DEFAULT_TEST = 2048, DEFAULT_SIZE = 32 };

struct synthetic {
    uint64_t seed;
    int part, size;
};

static int synthetic_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                          struct error *error)
{
    (void)catalog, (void)item, (void)error;
    *width = *height = ((const struct synthetic *)self)->size;
    return SIMCLR_OK;
}

static int synthetic_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                          struct error *error)
{
    const struct synthetic *set = self;
    (void)catalog;
    const int status = source_reserve(storage, set->size, set->size, error);
    if (status == SIMCLR_OK) synthetic_render(set->seed, set->part, (uint32_t)item, set->size, storage->rgb);
    return status;
}

static int synthetic_open(struct source *out, struct catalog *catalog, uint64_t seed, int part, int64_t count, int size,
                          struct error *error)
{
    if (size < MIN_SIZE || size > MAX_SIZE)
        return error_set(error, SIMCLR_INVALID, "synthetic: image size %d is outside %d to %d", size, MIN_SIZE,
                         MAX_SIZE);
    if (count < 1)
        return error_set(error, SIMCLR_INVALID, "synthetic: %lld images are asked for: ask for at least one",
                         (long long)count);
    struct synthetic *set = memory_allocate(sizeof *set);
    if (set == NULL) return error_no_memory(error, "the synthetic set", sizeof *set);
    *set = (struct synthetic){.seed = seed, .part = part, .size = size};
    *out = (struct source){.self = set, .size = synthetic_size, .read = synthetic_read, .close = memory_free};
    strcpy(catalog->what, "synthetic pictures");
    catalog->salt = hash64(&size, sizeof size, seed);
    int status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < SYNTHETIC_CLASSES; i++)
        status = catalog_add_class(catalog, synthetic_class_name(i), error);
    for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
        char name[48];
        snprintf(name, sizeof name, "synthetic%s/%lld", part == 0 ? "" : "-test", (long long)i);
        status = catalog_add(catalog, name, (int32_t)(i % SYNTHETIC_CLASSES), error);
    }
    return status;
}

static int synthetic_is(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, strcmp(place->path, "synthetic") == 0);
}

static int synthetic_has_test(const char *path, bool *out, struct error *error)
{
    (void)path, (void)error;
    return kind_answer(out, true);
}

static int synthetic_set_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                              struct error *error)
{
    const struct dataset_config *config = request->config;
    const int64_t own = request->part == 0 ? DEFAULT_TRAIN : DEFAULT_TEST;
    return synthetic_open(out, catalog, config->synthetic_seed, request->part,
                          config->synthetic_count != 0 ? config->synthetic_count : own,
                          config->synthetic_size != 0 ? config->synthetic_size : DEFAULT_SIZE, error);
}

const struct set_kind synthetic_kind = {
    .name = "synthetic pictures", .is = synthetic_is, .open = synthetic_set_open, .has_test = synthetic_has_test};
