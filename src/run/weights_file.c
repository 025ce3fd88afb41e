/* run/weights_file.c -- see weights_file.h. */
#include "run/weights_file.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/signature.h"
#include "checkpoint/foreign.h"
#include "run/torch/torch.h"
#include "run/torch/values.h"

static void tell_globals(const char *path, const struct torch_told *told, const struct log *log)
{
    if (told->globals > 0)
        log_info(log, "%s: besides tensors it names %s%d of Python's classes and functions, which stay names: %s%s",
                 path, told->globals == 64 ? "at least " : "", told->globals, told->global_names,
                 told->globals > 3 ? " and so on" : "");
    if (told->running[0] != '\0')
        log_warning(log,
                    "%s: its pickle calls %s: loading it in Python may run commands. Nothing of it is run here; do not "
                    "trust the file elsewhere",
                    path, told->running);
}

static int open_zip(struct safetensors **out, const char *path, const uint8_t *head, size_t count,
                    const struct log *log, struct error *error)
{
    struct torch_told told;
    int status = torch_open(out, &told, path, error);
    if (!status && !*out) status = foreign_refuse(head, count, path, error);
    if (!status) tell_globals(path, &told, log);
    return status;
}

int weights_file_open(struct safetensors **out, const char *path, const struct log *log, struct error *error)
{
    uint8_t *head;
    size_t count;
    *out = NULL;
    int status = file_read_start(path, SIGNATURE_BYTES, &head, &count, error);
    if (status) return status;
    status = count >= 4 && memcmp(head, "PK\3\4", 4) == 0 ? open_zip(out, path, head, count, log, error)
                                                          : safetensors_open(out, path, error);
    memory_free(head);
    return status;
}

/* ---- safetensors of another precision ---------------------------------------------------------------------------- */

static enum torch_type type_of(const struct safetensors_entry *entry)
{
    switch (entry->dtype) {
    case ST_F64:
        return TORCH_FLOAT64;
    case ST_F16:
        return TORCH_FLOAT16;
    case ST_BF16:
        return TORCH_BFLOAT16;
    default:
        return TORCH_OTHER;
    }
}

/* self: the file itself; entry->owner: the tensor there. */
static int load_wide(void *self, const struct safetensors_entry *entry, void **data, struct error *error)
{
    const struct safetensors_entry *there = entry->owner;
    struct torch_tensor tensor = {.type = type_of(there)};
    (void)self;
    *data = memory_allocate(entry->bytes);
    if (!*data) return error_no_memory(error, "a tensor", entry->bytes);
    int64_t step = 1;
    for (int d = entry->rank - 1; d >= 0; d--) {
        tensor.strides[d] = step;
        step *= entry->dims[d];
    }
    if (tensor.type == TORCH_OTHER)
        memcpy(*data, there->data, entry->bytes);
    else
        torch_values(*data, there->data, &tensor, entry);
    return SIMCLR_OK;
}

static void close_narrow(void *self)
{
    struct safetensors *file = self;
    safetensors_close(&file);
}

/* Its tensors as they are to be seen; whether one of them is of another precision. */
static bool describe_wide(const struct safetensors *file, struct safetensors_entry *entries)
{
    bool any = false;
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *there = safetensors_at(file, i);
        const enum torch_type type = type_of(there);
        entries[i] = *there;
        entries[i].data = NULL;
        entries[i].owner = there;
        if (type == TORCH_OTHER) continue;
        any = true;
        entries[i].dtype = ST_F32;
        entries[i].bytes = there->bytes / torch_type_bytes(type) * sizeof(float);
        entries[i].stored = torch_type_name(type);
    }
    return any;
}

int weights_file_widen(struct safetensors **file, const char *path, struct error *error)
{
    const int count = safetensors_count(*file);
    struct safetensors_entry *entries = memory_array((size_t)count, sizeof *entries);
    int status = SIMCLR_OK;
    if (!entries) status = error_no_memory(error, "a list of tensors", (size_t)count * sizeof *entries);
    if (!status && describe_wide(*file, entries)) {
        status = safetensors_verify(*file, error);
        const struct safetensors_source source = {*file, load_wide, close_narrow};
        if (!status) status = safetensors_from(file, entries, count, &source, path, error);
    }
    memory_free(entries);
    if (status) safetensors_close(file);
    return status;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

void weights_file_tell(const struct weights *weights, const struct log *log)
{
    if (weights->prefix[0] != '\0')
        log_info(log, "%s: names without their prefix \"%s\": %d tensors of the encoder", weights->path,
                 weights->prefix, weights->encoder);
    if (weights->outside > 0)
        log_info(log, "%s: %d tensor%s of other parts left out: %.80s%s", weights->path, weights->outside,
                 weights->outside == 1 ? "" : "s", weights->example, weights->outside == 1 ? "" : " and so on");
    if (weights->converted > 0)
        log_info(log, "%s: the values of %d tensors become float32: they are %s", weights->path, weights->converted,
                 weights->stored);
}
