/* run/table/arrays.c -- see arrays.h. */
#include "run/table/arrays.h"

#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/npy.h"
#include "data/bytes/zip.h"

void arrays_free(struct arrays *arrays)
{
    memory_free(arrays->values);
    memory_free(arrays->owned[0]);
    memory_free(arrays->owned[1]);
    memory_free(arrays->owned[2]);
    *arrays = (struct arrays){0};
}

static int set_shape(struct arrays *out, const int64_t *dims, int rank, const char *name, struct error *error)
{
    if (rank != 2)
        return error_set(error, SIMCLR_DATA,
                         "%s: has %d axes and must have two: a row for each image, a column for each "
                         "feature",
                         name, rank);
    if (dims[0] < 1 || dims[1] < 1 || dims[0] > INT32_MAX || dims[1] > INT32_MAX)
        return error_set(error, SIMCLR_DATA, "%s: has %lld rows of %lld features: 1 to 2^31 - 1 of each can be used",
                         name, (long long)dims[0], (long long)dims[1]);
    out->rows = dims[0];
    out->dim = (int)dims[1];
    return SIMCLR_OK;
}

static int add_ignored(struct arrays *out, const char *name)
{
    if (out->ignored++ == 0) snprintf(out->first_ignored, sizeof out->first_ignored, "%s", name);
    return SIMCLR_OK;
}

/* As many halves as the table has values. */
static int set_halves(struct arrays *out, const void *halves, const char *name, struct error *error)
{
    const size_t count = (size_t)out->rows * (size_t)out->dim;
    out->values = memory_array(count, sizeof *out->values);
    if (!out->values) return error_no_memory(error, name, count * sizeof *out->values);
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)halves + i * sizeof half, sizeof half);
        out->values[i] = half_to_float(half);
    }
    return SIMCLR_OK;
}

/* ---- NumPy ---- */

static int check_features(const struct npy_array *array, const char *name, struct error *error)
{
    char type[32];
    if (array->type != 'f' || (array->item != 4 && array->item != 2) || array->big_endian)
        return error_set(error, SIMCLR_DATA, "%s: the features are %s: save them as float32, with .astype('<f4')", name,
                         npy_type(array, type, sizeof type));
    if (array->fortran)
        return error_set(
            error, SIMCLR_DATA,
            "%s: the features are in Fortran order, column by column: save numpy.ascontiguousarray of them", name);
    return SIMCLR_OK;
}

/* The block, a whole .npy file, is taken over: it becomes the features, which move to its beginning, where they are
 * aligned, or is freed. */
static int take_features(struct arrays *out, uint8_t *block, size_t count, const char *name, struct error *error)
{
    struct npy_array array;
    int status = npy_parse(&array, block, count, count, name, error);
    if (!status) status = check_features(&array, name, error);
    if (!status) status = set_shape(out, array.dims, array.rank, name, error);
    out->escaped = array.escaped;
    if (!status && array.item == 2) status = set_halves(out, block + array.offset, name, error);
    if (status || array.item == 2) {
        memory_free(block);
        return status;
    }
    memmove(block, block + array.offset, (size_t)array.bytes);
    out->values = (float *)(void *)block;
    return SIMCLR_OK;
}

/* block: owned by whoever calls. */
static int take_texts(struct texts *out, const uint8_t *block, size_t count, const char *name, struct error *error)
{
    struct npy_array array;
    const int status = npy_parse(&array, block, count, count, name, error);
    if (status) return status;
    *out = (struct texts){
        .form = TEXTS_ITEMS, .bytes = block + array.offset, .count = (size_t)array.bytes, .array = array};
    return SIMCLR_OK;
}

int arrays_read_npy(struct arrays *out, const struct blob *blob, const char *path, struct error *error)
{
    const size_t count = (size_t)blob->size;
    uint8_t *block = memory_allocate(count);
    if (!block) return error_no_memory(error, path, count);
    const int status = blob_read_named(blob, 0, block, count, path, error);
    if (!status) return take_features(out, block, count, path, error);
    memory_free(block);
    return status;
}

/* ---- .npz: a zip archive of .npy files ---- */

enum { FEATURES, NAMES, LABELS, CLASSES, MEMBERS };
static const char *const words[MEMBERS] = {"features", "names", "labels", "classes"};

struct npz {
    struct arrays *out;
    const struct blob *blob;
    const char *path;
    bool found[MEMBERS];
    struct zip_place place[MEMBERS];
};

/* "x.npz: features": for sentences. */
static const char *member_name(char *room, size_t size, const struct npz *npz, int which)
{
    snprintf(room, size, "%s: %s", npz->path, words[which]);
    return room;
}

/* Checked before anything of that size is asked of memory: deflate packs at most 1032 bytes into one. */
static int place_member(struct npz *npz, int which, const struct zip_member *member, struct error *error)
{
    char name[512];
    const uint64_t size = (uint64_t)npz->blob->size;
    member_name(name, sizeof name, npz, which);
    if (npz->found[which]) return zip_damaged(name, "it is there twice", error);
    if (member->encrypted || (member->method != ZIP_STORED && member->method != ZIP_DEFLATED))
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: %s is encrypted, or packed by method %u: write it again with "
                         "numpy.savez",
                         npz->path, member->name, member->method);
    if (member->size > UINT32_MAX || member->stored > UINT32_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %s has more than 4 GiB: save it with numpy.save", npz->path,
                         member->name);
    if (member->offset > size || member->stored > size - member->offset || member->size / 1032 > member->stored ||
        (member->method == ZIP_STORED && member->size != member->stored))
        return zip_damaged(name, "its sizes are not those of the file", error);
    npz->found[which] = true;
    npz->place[which] = (struct zip_place){.offset = (int64_t)member->offset,
                                           .stored = (uint32_t)member->stored,
                                           .size = (uint32_t)member->size,
                                           .crc = member->crc,
                                           .deflated = member->method == ZIP_DEFLATED};
    return SIMCLR_OK;
}

static int visit(void *context, const struct zip_member *member, struct error *error)
{
    struct npz *npz = context;
    for (int i = 0; i < MEMBERS; i++) {
        const size_t length = strlen(words[i]);
        if (strncmp(member->name, words[i], length) == 0 && strcmp(member->name + length, ".npy") == 0)
            return place_member(npz, i, member, error);
    }
    return add_ignored(npz->out, member->name);
}

/* Labels may be numbers. */
static int check_texts(const struct texts *texts, int which, const char *name, struct error *error)
{
    char type[32];
    if (which == LABELS || (texts->array.type != 'i' && texts->array.type != 'u')) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA, "%s: is of %s: save texts (dtype \"U\" or \"S\")", name,
                     npy_type(&texts->array, type, sizeof type));
}

static int read_member(uint8_t **block, size_t *count, const struct npz *npz, int which, const char *name,
                       struct error *error)
{
    *count = npz->place[which].size;
    *block = memory_allocate(*count);
    if (!*block) return error_no_memory(error, name, *count);
    const int status = zip_read(npz->blob, &npz->place[which], name, *block, count, error);
    if (!status) return SIMCLR_OK;
    memory_free(*block);
    *block = NULL;
    return status;
}

static int read_texts(struct texts *texts, void **owned, const struct npz *npz, int which, struct error *error)
{
    char name[512];
    uint8_t *block;
    size_t count;
    if (!npz->found[which]) return SIMCLR_OK;
    member_name(name, sizeof name, npz, which);
    int status = read_member(&block, &count, npz, which, name, error);
    if (status) return status;
    *owned = block;
    status = take_texts(texts, block, count, name, error);
    return status ? status : check_texts(texts, which, name, error);
}

int arrays_read_npz(struct arrays *out, const struct blob *blob, const char *path, struct error *error)
{
    struct npz npz = {.out = out, .blob = blob, .path = path};
    char name[512];
    uint8_t *block;
    size_t count;
    int status = zip_walk(blob, path, visit, &npz, error);
    if (status) return status;
    if (!npz.found[FEATURES])
        return error_set(error, SIMCLR_DATA,
                         "%s: has no array called features: write it with "
                         "numpy.savez(FILE, features=..., names=..., labels=...)",
                         path);
    member_name(name, sizeof name, &npz, FEATURES);
    status = read_member(&block, &count, &npz, FEATURES, name, error);
    if (!status) status = take_features(out, block, count, name, error);
    if (!status) status = read_texts(&out->names, &out->owned[0], &npz, NAMES, error);
    if (!status) status = read_texts(&out->labels, &out->owned[1], &npz, LABELS, error);
    if (!status) status = read_texts(&out->classes, &out->owned[2], &npz, CLASSES, error);
    return status;
}

/* ---- safetensors ---- */

static int borrow_texts(struct texts *out, const struct safetensors_entry *entry, bool numbers, const char *path,
                        struct error *error)
{
    const bool whole = numbers && entry->dtype == ST_I64;
    if ((entry->dtype != ST_U8 && !whole) || entry->rank != 1)
        return error_set(error, SIMCLR_DATA, "%s: %s must be texts, each ended by NUL, in a tensor U8 of one axis%s",
                         path, entry->name, numbers ? ", or whole numbers I64" : "");
    *out = (struct texts){.form = whole ? TEXTS_INT64 : TEXTS_ENDED, .bytes = entry->data, .count = entry->bytes};
    return SIMCLR_OK;
}

int arrays_read_safetensors(struct arrays *out, const struct safetensors *file, const char *path, struct error *error)
{
    const struct safetensors_entry *features = safetensors_find(file, "features");
    if (!features)
        return error_set(error, SIMCLR_DATA, "%s: has no tensor called features; a model is given by --checkpoint",
                         path);
    if (features->dtype != ST_F32 && features->dtype != ST_F16)
        return error_set(error, SIMCLR_DATA, "%s: the features are not F32 (or F16): save them as float32", path);
    char name[512];
    snprintf(name, sizeof name, "%s: features", path);
    int status = set_shape(out, features->dims, features->rank, name, error);
    for (int i = 0; !status && i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        if (entry == features) continue;
        if (strcmp(entry->name, "names") == 0)
            status = borrow_texts(&out->names, entry, false, path, error);
        else if (strcmp(entry->name, "labels") == 0)
            status = borrow_texts(&out->labels, entry, true, path, error);
        else if (strcmp(entry->name, "classes") == 0)
            status = borrow_texts(&out->classes, entry, false, path, error);
        else
            status = add_ignored(out, entry->name);
    }
    if (status) return status;
    if (features->dtype == ST_F16) return set_halves(out, features->data, path, error);
    out->values = memory_allocate(features->bytes);
    if (!out->values) return error_no_memory(error, path, features->bytes);
    memcpy(out->values, features->data, features->bytes);
    return SIMCLR_OK;
}
