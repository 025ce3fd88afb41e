/* data/names/catalog.c -- see catalog.h. */
#include "data/names/catalog.h"

#include <string.h>

#include "base/memory.h"

void catalog_free(struct catalog *catalog)
{
    for (int i = 0; i < catalog->classes; i++) memory_free(catalog->class_name[i]);
    memory_free(catalog->class_name);
    memory_free(catalog->bytes);
    memory_free(catalog->offset);
    memory_free(catalog->label);
    memory_free(catalog->prefix);
    *catalog = (struct catalog){0};
}

static int grow_items(struct catalog *catalog, size_t larger, struct error *error)
{
    const size_t old = (size_t)catalog->room;
    size_t *offset = memory_grow(catalog->offset, old, larger, sizeof *offset);
    if (offset == NULL) return error_no_memory(error, "the list of images", larger * sizeof *offset);
    catalog->offset = offset;
    int32_t *label = memory_grow(catalog->label, old, larger, sizeof *label);
    if (label == NULL) return error_no_memory(error, "the list of labels", larger * sizeof *label);
    catalog->label = label;
    catalog->room = (int64_t)larger;
    return SIMCLR_OK;
}

static int grow_bytes(struct catalog *catalog, size_t larger, struct error *error)
{
    char *block = memory_grow(catalog->bytes, catalog->length, larger, 1);
    if (block == NULL) return error_no_memory(error, "the names of the images", larger);
    catalog->bytes = block;
    catalog->capacity = larger;
    return SIMCLR_OK;
}

int catalog_reserve(struct catalog *catalog, size_t items, size_t bytes, struct error *error)
{
    int status = SIMCLR_OK;
    if (items > (size_t)(catalog->room - catalog->count))
        status = grow_items(catalog, (size_t)catalog->count + items, error);
    if (status == SIMCLR_OK && bytes > catalog->capacity - catalog->length)
        status = grow_bytes(catalog, catalog->length + bytes, error);
    return status;
}

int catalog_add_joined(struct catalog *catalog, const char *head, size_t head_length, const char *tail,
                       size_t tail_length, int32_t label, struct error *error)
{
    if (stop_is_asked(catalog->stop)) return stop_error(error, "opening the images");
    if (catalog->count >= (int64_t)UINT32_MAX - 1)
        return error_set(error, SIMCLR_UNSUPPORTED, "more than 2^32 - 2 images: split the set");
    int status = SIMCLR_OK;
    if (catalog->count == catalog->room)
        status = grow_items(catalog, catalog->room == 0 ? 64 : 2 * (size_t)catalog->room, error);
    const size_t bytes = head_length + tail_length + 1;
    if (status == SIMCLR_OK && bytes > catalog->capacity - catalog->length) {
        size_t larger = catalog->capacity == 0 ? 4096 : 2 * catalog->capacity;
        while (larger - catalog->length < bytes) larger *= 2;
        status = grow_bytes(catalog, larger, error);
    }
    if (status != SIMCLR_OK) return status;
    char *name = catalog->bytes + catalog->length;
    memcpy(name, head, head_length);
    memcpy(name + head_length, tail, tail_length);
    name[head_length + tail_length] = '\0';
    catalog->offset[catalog->count] = catalog->length;
    catalog->label[catalog->count++] = label;
    catalog->length += bytes;
    return SIMCLR_OK;
}

int catalog_add(struct catalog *catalog, const char *name, int32_t label, struct error *error)
{
    return catalog_add_joined(catalog, "", 0, name, strlen(name), label, error);
}

int catalog_add_class(struct catalog *catalog, const char *name, struct error *error)
{
    if (catalog->classes == catalog->class_room) {
        const int larger = catalog->class_room == 0 ? 64 : 2 * catalog->class_room;
        char **grown = memory_grow(catalog->class_name, (size_t)catalog->classes, (size_t)larger, sizeof *grown);
        if (grown == NULL) return error_no_memory(error, "the list of classes", (size_t)larger * sizeof *grown);
        catalog->class_name = grown;
        catalog->class_room = larger;
    }
    char *copy = memory_string(name);
    if (copy == NULL) return error_no_memory(error, "the name of a class", strlen(name) + 1);
    catalog->class_name[catalog->classes++] = copy;
    return SIMCLR_OK;
}

const char *catalog_name(const struct catalog *catalog, int64_t item)
{
    return catalog->bytes + catalog->offset[item];
}

const char *catalog_short_name(const struct catalog *catalog, int64_t item)
{
    const char *name = catalog_name(catalog, item);
    const size_t length = catalog->prefix == NULL ? 0 : strlen(catalog->prefix);
    return length > 0 && strncmp(name, catalog->prefix, length) == 0 ? name + length : name;
}
