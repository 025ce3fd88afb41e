/* data/names/source.c -- what all sources share: sizes and pixels of encoded images. */
#include "data/names/source.h"

#include <string.h>

#include "base/memory.h"
#include "data/names/keep.h"

/* The header of nearly every photo lies in its first bytes; one with a large preview before it is read whole. */
enum { HEAD_BYTES = 16384 };

int source_reserve(struct image *storage, int width, int height, struct error *error)
{
    if (storage->rgb != NULL && storage->width == width && storage->height == height) return SIMCLR_OK;
    image_free(storage);
    return image_create(width, height, storage, error);
}

int source_header(const struct source *source, const struct catalog *catalog, int64_t item, struct image_header *out,
                  int64_t *bytes, struct error *error)
{
    *out = (struct image_header){.format = IMAGE_OTHER, .orientation = 1};
    *bytes = 0;
    if (source->fetch == NULL) return source->size(source->self, catalog, item, &out->width, &out->height, error);
    const char *name = catalog_name(catalog, item);
    struct encoded head = {0};
    int status = source->fetch(source, catalog, item, HEAD_BYTES, &head, error);
    if (status != SIMCLR_OK) return status;
    status = image_read_header(head.bytes, head.count, name, out, error);
    if (status != SIMCLR_OK && !head.whole) {
        memory_free(head.bytes);
        status = source->fetch(source, catalog, item, SIZE_MAX, &head, error);
        if (status != SIMCLR_OK) return status;
        status = image_read_header(head.bytes, head.count, name, out, error);
    }
    *bytes = head.total;
    memory_free(head.bytes);
    return status == SIMCLR_OK ? image_check_size(out->width, out->height, &source->limits, name, error) : status;
}

int source_fetch_whole(const struct source *source, const struct catalog *catalog, int64_t item, struct encoded *out,
                       bool *kept, struct error *error)
{
    *out = (struct encoded){.whole = true};
    const uint8_t *bytes = source->keep == NULL ? NULL : keep_find(source->keep, item, &out->count);
    *kept = bytes != NULL;
    if (*kept) {
        out->bytes = (uint8_t *)bytes; /* nobody writes there */
        return SIMCLR_OK;
    }
    const int status = source->fetch(source, catalog, item, SIZE_MAX, out, error);
    if (status == SIMCLR_OK && source->keep != NULL) keep_add(source->keep, item, out->bytes, out->count);
    return status;
}

int source_read_both(const struct source *source, const struct catalog *catalog, int64_t item, struct image *storage,
                     struct image_header *header, struct error *error)
{
    if (header) *header = (struct image_header){0};
    if (source->fetch == NULL) return source->read(source->self, catalog, item, storage, error);
    struct encoded whole;
    bool kept;
    image_free(storage);
    int status = source_fetch_whole(source, catalog, item, &whole, &kept, error);
    if (status == SIMCLR_OK && header &&
        image_read_header(whole.bytes, whole.count, catalog_name(catalog, item), header, NULL) != SIMCLR_OK)
        *header = (struct image_header){0}; /* decoding says why */
    if (status == SIMCLR_OK)
        status = image_decode(whole.bytes, whole.count, &source->limits, catalog_name(catalog, item), storage, error);
    if (!kept) memory_free(whole.bytes);
    return status;
}

int source_read(const struct source *source, const struct catalog *catalog, int64_t item, struct image *storage,
                struct error *error)
{
    return source_read_both(source, catalog, item, storage, NULL, error);
}
