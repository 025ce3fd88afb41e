/* run/torch/globals.h -- classes and functions that a pickle names: those by which PyTorch describes tensors, and all
 * others, which are names and nothing more. */
#ifndef RUN_TORCH_GLOBALS_H
#define RUN_TORCH_GLOBALS_H

#include "run/torch/pickle.h"
#include "run/torch/tensors.h"

enum global_use {
    GLOBAL_OTHER,
    GLOBAL_PLAIN,     /* makes nothing that matters: OrderedDict, torch.device, sets */
    GLOBAL_TENSOR,    /* _rebuild_tensor_v2 */
    GLOBAL_PARAMETER, /* _rebuild_parameter */
    GLOBAL_FROM_TYPE, /* _rebuild_from_type_v2 */
    GLOBAL_SIZE,      /* torch.Size */
    GLOBAL_STORAGE    /* torch.FloatStorage */
};
struct global {
    enum global_use use;
    enum torch_type type; /* of a storage */
};
/* GLOBAL_OTHER for what is no global. */
struct global globals_find(const struct pickle *pickle, const struct pickle_value *value);

enum { GLOBALS_COUNTED = 64 };
/* How many different ones are GLOBAL_OTHER, at most GLOBALS_COUNTED. names: the first of them, with commas between.
 * running: one that would run commands in Python, or "". */
int globals_list(const struct pickle *pickle, char *names, size_t names_size, char *running, size_t running_size);

#endif
