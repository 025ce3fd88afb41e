/* checkpoint/tensors.c -- names in files, and matching a file with a table. */
#include "checkpoint/tensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

struct file_name tensor_file_name(const struct parameter *item)
{
    struct file_name name;
    snprintf(name.text, sizeof name.text, "%s%s", item->flags & PARAMETER_HEAD ? "" : "encoder.", item->name);
    return name;
}

struct file_name tensor_state_name(const struct parameter *item, int number)
{
    struct file_name name;
    snprintf(name.text, sizeof name.text, "optimizer.state%d.%s", number, item->name);
    return name;
}

struct file_name tensor_average_name(const struct parameter *item)
{
    struct file_name name;
    snprintf(name.text, sizeof name.text, "ema.%s%s", item->flags & PARAMETER_HEAD ? "" : "encoder.", item->name);
    return name;
}

static const void *look(const void *owner, const void *data, size_t bytes)
{
    return parameters_look(owner, data, bytes / sizeof(float));
}

struct safetensors_entry tensor_entry(const struct parameters *parameters, const struct parameter *item,
                                      const char *name, const float *data)
{
    struct safetensors_entry entry = {.name = name,
                                      .dtype = ST_F32,
                                      .rank = item->rank,
                                      .data = data,
                                      .bytes = item->count * sizeof(float),
                                      .look = look,
                                      .owner = parameters};
    for (int d = 0; d < item->rank; d++) entry.dims[d] = item->dims[d];
    return entry;
}

/* "[16, 3, 3, 3]" */
static void print_shape(char *out, size_t size, const int64_t *dims, int rank)
{
    size_t at = (size_t)snprintf(out, size, "[");
    for (int d = 0; d < rank && at < size; d++)
        at += (size_t)snprintf(out + at, size - at, "%s%lld", d ? ", " : "", (long long)dims[d]);
    if (at < size) snprintf(out + at, size - at, "]");
}

bool tensor_has_shape(const struct safetensors_entry *entry, const struct parameter *item)
{
    const struct safetensors_entry wanted = tensor_entry(NULL, item, item->name, NULL);
    return entry->rank == wanted.rank &&
           memcmp(entry->dims, wanted.dims, (size_t)wanted.rank * sizeof *wanted.dims) == 0;
}

void tensor_describe_pair(char *out, size_t size, const struct parameter *item, const struct safetensors_entry *entry)
{
    char found[160], wanted[160];
    const struct safetensors_entry form = tensor_entry(NULL, item, item->name, NULL);
    print_shape(wanted, sizeof wanted, form.dims, form.rank);
    if (entry) print_shape(found, sizeof found, entry->dims, entry->rank);
    if (entry)
        snprintf(out, size, "%s: %s, where the file has %s", item->name, wanted, found);
    else
        snprintf(out, size, "%s: %s, which the file lacks", item->name, wanted);
}

int tensor_refuse_other(const struct safetensors_entry *entry, const char *path, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: %.160s is %s, not a tensor: save the state_dict alone", path,
                     entry->name, entry->instead);
}

int tensor_match_entry(const struct safetensors_entry *entry, const char *path, const char *name,
                       const struct parameter *item, const struct safetensors_entry **out, struct error *error)
{
    if (!entry)
        return error_set(error, SIMCLR_CORRUPT, "%s: tensor %s is missing; the file is of another model", path, name);
    if (entry->instead) return tensor_refuse_other(entry, path, error);
    if (entry->dtype != ST_F32)
        return error_set(error, SIMCLR_CORRUPT, "%s: tensor %s is not float32; convert the file", path, name);
    if (!tensor_has_shape(entry, item)) {
        const struct safetensors_entry wanted = tensor_entry(NULL, item, name, NULL);
        char found[160], expected[160];
        print_shape(found, sizeof found, entry->dims, entry->rank);
        print_shape(expected, sizeof expected, wanted.dims, wanted.rank);
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: tensor %s has shape %s where the model needs %s; the file is of "
                         "another model",
                         path, name, found, expected);
    }
    *out = entry;
    return SIMCLR_OK;
}

int tensor_match(const struct safetensors *file, const char *path, const char *name, const struct parameter *item,
                 const struct safetensors_entry **out, struct error *error)
{
    return tensor_match_entry(safetensors_find(file, name), path, name, item, out, error);
}

int tensor_check_finite(const struct safetensors_entry *entry, const char *path, struct error *error)
{
    const uint8_t *bytes = entry->data;
    for (size_t i = 0; i < entry->bytes / sizeof(float); i++) {
        float value;
        memcpy(&value, bytes + i * sizeof value, sizeof value); /* a file may have it at any place */
        if (isfinite(value)) continue;
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: tensor %.80s holds %g (value %zu of %zu), which is not finite: the training diverged or "
                         "the file is damaged; take another checkpoint",
                         path, entry->name, (double)value, i, entry->bytes / sizeof value);
    }
    return SIMCLR_OK;
}

const char *optimizer_kind_name(int kind)
{
    switch (kind) {
    case OPTIMIZER_LARS:
        return "lars";
    case OPTIMIZER_SGD:
        return "sgd";
    case OPTIMIZER_ADAMW:
        return "adamw";
    default:
        return "none";
    }
}
