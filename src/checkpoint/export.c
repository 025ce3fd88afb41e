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

/* Each batch norm also has torchvision's num_batches_tracked, an int64 scalar. */
static int fill_entries(struct safetensors_entry *entries, struct file_name *names, const struct parameters *parameters,
                        const int64_t *batches_tracked)
{
    int count = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_HEAD) continue;
        entries[count++] = tensor_entry(parameters, item, item->name, parameter_weights(parameters, i));
        if (!ends_with(item->name, ".running_mean")) continue;
        int stem = (int)(strlen(item->name) - strlen("running_mean"));
        snprintf(names[count].text, sizeof names[count].text, "%.*snum_batches_tracked", stem, item->name);
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
        int count = fill_entries(entries, names, &model->parameters, &batches_tracked);
        status = safetensors_write(path, entries, count, metadata, 1, error);
    }
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
