/* explore/audit/copies.c -- see copies.h. They are a set of images like any other: read when they are asked for. */
#include "explore/audit/copies.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/names/catalog.h"
#include "data/names/source.h"
#include "data/sampler.h"
#include "image/resize.h"

enum { QUALITY = 50, CROP_PERCENT = 95, BRIGHTER_PERCENT = 115 };

const char *const copy_names[COPY_KINDS] = {
    [COPY_JPEG] = "JPEG of quality 50", [COPY_HALF] = "half size",  [COPY_CROP] = "crop of 95 %",
    [COPY_BRIGHT] = "15 % brighter",    [COPY_MIRROR] = "mirrored",
};

/* ---- one copy -------------------------------------------------------------------------------------------------- */

static int make_jpeg(const struct image *image, struct image *out, struct error *error)
{
    const struct image_limits limits = image_limits_default();
    uint8_t *bytes;
    size_t count;
    int status = image_encode_jpeg(image, QUALITY, &bytes, &count, error);
    if (status) return status;
    status = image_decode(bytes, count, &limits, "a copy", out, error);
    memory_free(bytes);
    return status;
}

static int make_crop(const struct image *image, const double where[2], struct image *out, struct error *error)
{
    const int width = (image->width * CROP_PERCENT + 50) / 100, height = (image->height * CROP_PERCENT + 50) / 100;
    const int status = image_create(width < 1 ? 1 : width, height < 1 ? 1 : height, out, error);
    if (status) return status;
    const int left = (int)(where[0] * (image->width - out->width + 1));
    const int top = (int)(where[1] * (image->height - out->height + 1));
    const size_t row = 3 * (size_t)out->width;
    for (int y = 0; y < out->height; y++)
        memcpy(out->rgb + (size_t)y * row, image->rgb + 3 * ((size_t)(top + y) * (size_t)image->width + (size_t)left),
               row);
    return SIMCLR_OK;
}

static int make_bright(const struct image *image, struct image *out, struct error *error)
{
    const int status = image_create(image->width, image->height, out, error);
    const size_t bytes = 3 * (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; !status && i < bytes; i++) {
        const int value = (image->rgb[i] * BRIGHTER_PERCENT + 50) / 100;
        out->rgb[i] = (uint8_t)(value > 255 ? 255 : value);
    }
    return status;
}

static int make_mirror(const struct image *image, struct image *out, struct error *error)
{
    const int status = image_create(image->width, image->height, out, error);
    for (int y = 0; !status && y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            memcpy(out->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x),
                   image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)(image->width - 1 - x)), 3);
    return status;
}

int copy_make(enum simd simd, enum copy_kind kind, const double where[2], const struct image *image, struct image *out,
              struct error *error)
{
    const int width = image->width / 2, height = image->height / 2;
    *out = (struct image){0};
    if (kind == COPY_JPEG) return make_jpeg(image, out, error);
    if (kind == COPY_CROP) return make_crop(image, where, out, error);
    if (kind == COPY_BRIGHT) return make_bright(image, out, error);
    if (kind == COPY_MIRROR) return make_mirror(image, out, error);
    return image_resize(simd, image, width < 1 ? 1 : width, height < 1 ? 1 : height, out, error);
}

/* ---- as a set -------------------------------------------------------------------------------------------------- */

/* What the source of the copies reads from; it belongs to the set. */
struct origin {
    const struct collection *collection;
    const uint32_t *row; /* borrowed from the copies, which close the set first */
};

static int read_copy(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                     struct error *error)
{
    const struct origin *origin = self;
    const struct session *session = origin->collection->session;
    struct rng rng = rng_open((uint64_t)session->config->seed, RNG_COPIES, 0, origin->row[item], 0);
    const double where[2] = {rng_uniform(&rng), rng_uniform(&rng)};
    struct image whole = {0};
    const struct image *image;
    (void)catalog;
    image_free(storage);
    int status = collection_image(origin->collection, origin->row[item], &whole, &image, error);
    if (!status) status = copy_make(session->simd, (enum copy_kind)(item % COPY_KINDS), where, image, storage, error);
    image_free(&whole);
    return status;
}

static int size_copy(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                     struct error *error)
{
    struct image image = {0};
    const int status = read_copy(self, catalog, item, &image, error);
    *width = image.width;
    *height = image.height;
    image_free(&image);
    return status;
}

static int fill(struct catalog *catalog, int64_t count, struct error *error)
{
    int status = SIMCLR_OK;
    strcpy(catalog->what, "copies");
    for (int64_t i = 0; !status && i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "copy/%lld", (long long)i);
        status = catalog_add(catalog, name, -1, error);
    }
    return status;
}

static int open_set(struct copies *copies, const struct collection *collection, struct error *error)
{
    struct dataset_config config = dataset_config_default();
    struct origin *origin = memory_allocate(sizeof *origin);
    struct catalog catalog = {0};
    if (!origin) return error_no_memory(error, "copies", sizeof *origin);
    *origin = (struct origin){collection, copies->row};
    struct source source = {.self = origin, .size = size_copy, .read = read_copy, .close = memory_free};
    config.path = "copies";
    const int status = fill(&catalog, copies->count, error);
    if (!status)
        return dataset_open_source(&copies->set, &source, &catalog, &config, collection->session->pool, NULL, error);
    catalog_free(&catalog);
    memory_free(origin);
    return status;
}

int copies_open(struct copies *out, const struct collection *collection, struct error *error)
{
    const int64_t rows = collection_count(collection);
    *out = (struct copies){.count = rows < COPIES_MOST ? rows : COPIES_MOST};
    int status = sampler_sample((uint64_t)collection->session->config->seed, (uint32_t)rows, &out->row, error);
    if (!status) status = open_set(out, collection, error);
    if (status) copies_free(out);
    return status;
}

void copies_free(struct copies *copies)
{
    dataset_close(&copies->set);
    memory_free(copies->row);
    *copies = (struct copies){0};
}
