/* run/weights_file.c -- see weights_file.h. */
#include "run/weights_file.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/signature.h"
#include "checkpoint/foreign.h"
#include "run/torch/torch.h"

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
