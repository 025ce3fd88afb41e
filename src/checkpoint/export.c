/* checkpoint/export.c -- the encoder alone, under torchvision's names. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/tensors.h"
#include "checkpoint/weights.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* The counter of the batch norm whose running mean `item` is; false: it is something else. */
static bool counter_name(struct file_name *out, const struct parameter *item)
{
    if (!ends_with(item->name, ".running_mean")) return false;
    const int stem = (int)(strlen(item->name) - strlen("running_mean"));
    snprintf(out->text, sizeof out->text, "%.*snum_batches_tracked", stem, item->name);
    return true;
}

/* Each batch norm also has torchvision's num_batches_tracked, an int64 scalar. */
int tensor_encoder_entries(struct safetensors_entry *entries, struct file_name *names,
                           const struct parameters *parameters, const int64_t *batches_tracked)
{
    int count = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_HEAD) continue;
        entries[count++] = tensor_entry(parameters, item, item->name, parameter_weights(parameters, i));
        if (!counter_name(&names[count], item)) continue;
        entries[count] = (struct safetensors_entry){
            .name = names[count].text, .dtype = ST_I64, .data = batches_tracked, .bytes = sizeof *batches_tracked};
        count++;
    }
    return count;
}

int checkpoint_export_encoder(const char *path, const struct model *model, int64_t batches_tracked, struct error *error)
{
    size_t capacity = 2 * (size_t)model->parameters.count;
    struct safetensors_entry *entries = memory_array(capacity, sizeof *entries);
    struct file_name *names = memory_array(capacity, sizeof *names);
    int status;
    if (!entries || !names)
        status = error_no_memory(error, "the list of tensors to export", capacity * (sizeof *entries + sizeof *names));
    else { /* "format": "pt" is what loaders of the PyTorch world look for */
        const struct safetensors_pair metadata[] = {{"format", "pt"}};
        int count = tensor_encoder_entries(entries, names, &model->parameters, &batches_tracked);
        status = safetensors_write(path, entries, count, metadata, 1, error);
    }
    memory_free(names);
    memory_free(entries);
    return status;
}

/* The counter's value in the file, or 0 where it has none that is one whole number. */
static int64_t read_counter(const struct weights *weights, const char *name)
{
    int64_t counter = 0;
    const struct safetensors_entry *entry = weights_find(weights, name);
    if (entry && entry->dtype == ST_I64 && entry->bytes == sizeof counter)
        memcpy(&counter, entry->data, sizeof counter);
    return counter;
}

static int fill_from_weights(struct safetensors_entry *entries, struct file_name *names, int64_t *counters,
                             const struct weights *weights, const struct parameters *parameters)
{
    int count = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_HEAD) continue;
        entries[count] = tensor_entry(NULL, item, item->name, weights_find(weights, item->name)->data);
        entries[count++].look = NULL; /* it lies in the file's memory */
        if (!counter_name(&names[count], item)) continue;
        counters[count] = read_counter(weights, names[count].text);
        entries[count] = (struct safetensors_entry){
            .name = names[count].text, .dtype = ST_I64, .data = &counters[count], .bytes = sizeof *counters};
        count++;
    }
    return count;
}

int checkpoint_export_weights(const char *path, const struct weights *weights, const struct parameters *parameters,
                              struct error *error)
{
    const size_t capacity = 2 * (size_t)parameters->count;
    struct safetensors_entry *entries = memory_array(capacity, sizeof *entries);
    struct file_name *names = memory_array(capacity, sizeof *names);
    int64_t *counters = memory_array(capacity, sizeof *counters);
    int status;
    if (!entries || !names || !counters)
        status = error_no_memory(error, "the list of tensors to export", capacity * (sizeof *entries + sizeof *names));
    else {
        const struct safetensors_pair metadata[] = {{"format", "pt"}};
        const int count = fill_from_weights(entries, names, counters, weights, parameters);
        status = safetensors_write(path, entries, count, metadata, 1, error);
    }
    memory_free(counters);
    memory_free(names);
    memory_free(entries);
    return status;
}

int checkpoint_import_encoder(const char *path, struct model *model, struct error *error)
{
    struct safetensors *file;
    struct weights weights;
    int status = safetensors_open(&file, path, error);
    if (status) return status;
    status = weights_look(&weights, file, path, error);
    if (!status) status = weights_check(&weights, &model->parameters, error);
    if (!status) weights_copy(&weights, model);
    safetensors_close(&file);
    return status;
}
