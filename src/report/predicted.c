/* report/predicted.c -- see predicted.h. */
#include "report/predicted.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "data/bytes/zip.h"

enum { LABELS, TOP5, PROBABILITIES, NAMES, MEMBERS, TOP = 5 };

struct npz {
    const struct blob *blob;
    const char *path;
    struct zip_place place[MEMBERS];
    bool found[MEMBERS];
};

static int damaged(const char *path, const char *what, struct error *error)
{
    error_set(error, SIMCLR_CORRUPT, "%s: is no file of predictions (%s): evaluate again", path, what);
    return SIMCLR_CORRUPT;
}

static int visit(void *context, const struct zip_member *member, struct error *error)
{
    static const char *const names[MEMBERS] = {"labels.npy", "top5.npy", "probabilities.npy", "names_sha256.npy"};
    struct npz *npz = context;
    const uint64_t size = (uint64_t)npz->blob->size;
    for (int i = 0; i < MEMBERS; i++) {
        if (strcmp(member->name, names[i]) != 0) continue;
        if (npz->found[i] || member->method != ZIP_STORED || member->size != member->stored || member->offset > size ||
            member->stored > size - member->offset || member->stored > UINT32_MAX)
            return damaged(npz->path, names[i], error);
        npz->found[i] = true;
        npz->place[i] = (struct zip_place){
            (int64_t)member->offset, (uint32_t)member->stored, (uint32_t)member->size, member->crc, false, false};
    }
    return SIMCLR_OK;
}

/* An array of this type; *data points into the new block. */
static int read_array(uint8_t **block, const uint8_t **data, struct npy_array *array, const struct npz *npz, int which,
                      char type, int item, int rank, struct error *error)
{
    size_t count = npz->place[which].size;
    *block = NULL;
    if (!npz->found[which]) return damaged(npz->path, "an array is missing", error);
    *block = memory_allocate(count);
    if (!*block) return error_no_memory(error, npz->path, count);
    int status = zip_read(npz->blob, &npz->place[which], npz->path, *block, &count, error);
    if (!status) status = npy_parse(array, *block, count, count, npz->path, error);
    if (status) return status;
    if (array->type != type || (item > 0 && array->item != item) || array->rank != rank || array->big_endian ||
        (array->fortran && rank > 1))
        return damaged(npz->path, "an array of another kind", error);
    *data = *block + array->offset;
    return SIMCLR_OK;
}

static int read_labels(struct predicted *out, const struct npz *npz, struct error *error)
{
    uint8_t *block;
    const uint8_t *data = NULL;
    struct npy_array array = {.rank = 0};
    const int status = read_array(&block, &data, &array, npz, LABELS, 'i', 4, 1, error);
    if (!status) {
        out->count = array.dims[0];
        out->labels = memory_array((size_t)out->count, sizeof *out->labels);
        if (out->labels) memcpy(out->labels, data, (size_t)out->count * sizeof *out->labels);
    }
    memory_free(block);
    return status ? status : out->labels ? SIMCLR_OK : error_no_memory(error, npz->path, (size_t)out->count * 4);
}

static int read_best(struct predicted *out, const struct npz *npz, struct error *error)
{
    uint8_t *block;
    const uint8_t *data = NULL;
    struct npy_array array = {.rank = 0};
    int status = read_array(&block, &data, &array, npz, TOP5, 'i', 4, 2, error);
    if (!status && (array.dims[0] != out->count || array.dims[1] != TOP))
        status = damaged(npz->path, "its shapes", error);
    if (!status) out->best = memory_array((size_t)out->count, sizeof *out->best);
    if (!status && !out->best) status = error_no_memory(error, npz->path, (size_t)out->count * 4);
    for (int64_t i = 0; !status && i < out->count; i++) memcpy(&out->best[i], data + (size_t)i * TOP * 4, 4);
    memory_free(block);
    return status;
}

static int read_probabilities(struct predicted *out, const struct npz *npz, struct error *error)
{
    uint8_t *block;
    const uint8_t *data = NULL;
    struct npy_array array = {.rank = 0};
    int status = read_array(&block, &data, &array, npz, PROBABILITIES, 'f', 4, 2, error);
    if (!status && (array.dims[0] != out->count || array.dims[1] < 1 || array.dims[1] > INT32_MAX))
        status = damaged(npz->path, "its shapes", error);
    if (!status) out->classes = (int)array.dims[1];
    if (!status) out->probabilities = memory_array((size_t)out->count, sizeof *out->probabilities);
    if (!status && !out->probabilities) status = error_no_memory(error, npz->path, (size_t)out->count * 4);
    for (int64_t i = 0; !status && i < out->count; i++) {
        const int32_t best = out->best[i], label = out->labels[i];
        if (best < 0 || best >= out->classes || label < 0 || label >= out->classes)
            status = damaged(npz->path, "a class that there is not", error);
        else
            memcpy(&out->probabilities[i], data + ((size_t)i * (size_t)out->classes + (size_t)best) * 4, 4);
    }
    memory_free(block);
    return status;
}

static int read_names(struct predicted *out, const struct npz *npz, struct error *error)
{
    uint8_t *block;
    const uint8_t *data = NULL;
    struct npy_array array = {.rank = 0};
    int status = read_array(&block, &data, &array, npz, NAMES, 'S', DIGEST_TEXT - 1, 1, error);
    if (!status && array.dims[0] != 1) status = damaged(npz->path, "its shapes", error);
    if (!status) memcpy(out->names, data, DIGEST_TEXT - 1);
    memory_free(block);
    return status;
}

int predicted_parse(struct predicted *out, const struct blob *blob, const char *path, struct error *error)
{
    static int (*const parts[])(struct predicted *, const struct npz *,
                                struct error *) = {read_labels, read_best, read_probabilities, read_names};
    struct npz npz = {.blob = blob, .path = path};
    *out = (struct predicted){.count = 0};
    int status = zip_walk(blob, path, visit, &npz, error);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !status; i++) status = parts[i](out, &npz, error);
    if (status) predicted_free(out);
    return status;
}

int predicted_read(struct predicted *out, const char *path, struct error *error)
{
    struct blob blob = {.descriptor = -1};
    *out = (struct predicted){.count = 0};
    if (!file_exists(path)) return SIMCLR_OK;
    int status = blob_open(&blob, path, NULL, error);
    if (status) return status;
    status = predicted_parse(out, &blob, path, error);
    blob_close(&blob);
    return status;
}

int predicted_read_beside(struct predicted *out, const char *evaluation, struct error *error)
{
    char *folder = memory_string(evaluation), *slash = folder ? strrchr(folder, '/') : NULL;
    *out = (struct predicted){.count = 0};
    if (slash) *slash = '\0';
    char *path = folder ? file_join(slash ? folder : ".", "predictions.npz") : NULL;
    const int status = path ? predicted_read(out, path, error) : error_no_memory(error, "a path", strlen(evaluation));
    memory_free(folder);
    memory_free(path);
    return status;
}

void predicted_free(struct predicted *predicted)
{
    memory_free(predicted->labels);
    memory_free(predicted->best);
    memory_free(predicted->probabilities);
    *predicted = (struct predicted){.count = 0};
}
