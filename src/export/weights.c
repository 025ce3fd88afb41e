/* export/weights.c -- see weights.h. */
#include "export/weights.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"

struct tensors {
    struct safetensors_entry *entries;
    struct file_name *names;
    int count, capacity;
};

static void add_classifier(struct tensors *tensors, const struct classifier *classes, const char *classifier)
{
    struct safetensors_entry *weight = &tensors->entries[tensors->count], *bias = weight + 1;
    struct file_name *names = &tensors->names[tensors->count];
    const size_t count = (size_t)classes->classes;
    snprintf(names[0].text, sizeof names[0].text, "%s.weight", classifier);
    snprintf(names[1].text, sizeof names[1].text, "%s.bias", classifier);
    *weight = (struct safetensors_entry){.name = names[0].text,
                                         .dtype = ST_F32,
                                         .rank = 2,
                                         .dims = {classes->classes, classes->dim},
                                         .data = classes->weight,
                                         .bytes = count * (size_t)classes->dim * sizeof(float)};
    *bias = (struct safetensors_entry){.name = names[1].text,
                                       .dtype = ST_F32,
                                       .rank = 1,
                                       .dims = {classes->classes},
                                       .data = classes->bias,
                                       .bytes = count * sizeof(float)};
    tensors->count += 2;
}

/* "head.fcs.I." and "head.bns.I." of the first `layers` layers. */
static void add_head(struct tensors *tensors, const struct parameters *parameters, int layers)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        int layer;
        char kind[4];
        if (sscanf(item->name, "head.%3[a-z].%d.", kind, &layer) != 2 || layer >= layers) continue;
        tensors->entries[tensors->count++] =
            tensor_entry(parameters, item, item->name, parameter_weights(parameters, i));
    }
}

/* Every tensor of the file has the bytes that it was written from. */
static int compare(const char *path, const struct tensors *tensors, struct error *error)
{
    struct safetensors *file;
    int status = safetensors_open(&file, path, error);
    if (status) return status;
    status = safetensors_verify(file, error);
    bool same = safetensors_count(file) == tensors->count;
    const char *name = "the number of tensors";
    for (int i = 0; same && !status && i < tensors->count; i++) {
        const struct safetensors_entry *written = &tensors->entries[i], *read = safetensors_find(file, written->name);
        const void *bytes =
            written->look ? written->look(written->owner, written->data, written->bytes) : written->data;
        name = written->name;
        same = read && read->dtype == written->dtype && read->rank == written->rank && read->bytes == written->bytes &&
               memcmp(read->data, bytes, read->bytes) == 0;
        for (int d = 0; same && d < read->rank; d++) same = read->dims[d] == written->dims[d];
    }
    if (!status && !same)
        status = error_set(error, SIMCLR_CORRUPT,
                           "%s: reads back otherwise than it was written (%s): the disk or the memory may be faulty",
                           path, name);
    safetensors_close(&file);
    return status;
}

int export_weights(const char *path, const struct export_subject *subject, const char *classifier, struct error *error)
{
    const struct parameters *parameters = &subject->model->parameters;
    struct tensors tensors = {.capacity = 2 * parameters->count + 2};
    tensors.entries = memory_array((size_t)tensors.capacity, sizeof *tensors.entries);
    tensors.names = memory_array((size_t)tensors.capacity, sizeof *tensors.names);
    int status = SIMCLR_OK;
    if (!tensors.entries || !tensors.names)
        status = error_no_memory(error, "the list of tensors to export", (size_t)tensors.capacity * 512);
    else { /* "format": "pt" is what loaders of the PyTorch world look for */
        const struct safetensors_pair metadata[] = {{"format", "pt"}};
        tensors.count =
            tensor_encoder_entries(tensors.entries, tensors.names, parameters, &subject->origin.batches_tracked);
        if (subject->classifier.classes > 0) {
            add_head(&tensors, parameters, subject->classifier.encoder.layer);
            add_classifier(&tensors, &subject->classifier, classifier);
        }
        status = safetensors_write(path, tensors.entries, tensors.count, metadata, 1, error);
        if (!status) status = compare(path, &tensors, error);
    }
    memory_free(tensors.names);
    memory_free(tensors.entries);
    return status;
}
