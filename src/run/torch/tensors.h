/* run/torch/tensors.h -- the tensors that a pickle of PyTorch describes: names, types, shapes, and where their values
 * lie. No value is read.
 *
 * A tensor's name is the way to it through dicts, lists and objects: "state_dict.module.conv1.weight". The dicts in
 * which a module of torch.nn keeps its own (_modules, _parameters, _buffers) have no part in it. Each container is
 * walked once, so that one of two names may bring nothing; and no deeper than TORCH_NESTING_MAX. */
#ifndef RUN_TORCH_TENSORS_H
#define RUN_TORCH_TENSORS_H

#include "base/text.h"
#include "checkpoint/safetensors.h"
#include "run/torch/pickle.h"

enum { TORCH_NESTING_MAX = 100, TORCH_TENSORS_MAX = 200000, TORCH_NAME_MAX = 1000, TORCH_RANK_MAX = 8 };

/* How a storage's elements are written. */
enum torch_type {
    TORCH_FLOAT32,
    TORCH_FLOAT64,
    TORCH_FLOAT16,
    TORCH_BFLOAT16,
    TORCH_INT64,
    TORCH_INT32,
    TORCH_INT16,
    TORCH_INT8,
    TORCH_UINT8,
    TORCH_BOOL,
    TORCH_OTHER /* complex, quantised: nothing here takes them */
};
size_t torch_type_bytes(enum torch_type type);     /* 0: of TORCH_OTHER */
const char *torch_type_name(enum torch_type type); /* "float16" */

struct torch_tensor {
    enum torch_type type;
    struct pickle_text key;          /* of the storage */
    int64_t elements, first;         /* of the storage; of the tensor, in it */
    int64_t strides[TORCH_RANK_MAX]; /* in elements; the shape is the entry's */
};

struct torch_tensors {
    int count, room;
    /* entries[i] is of tensors[i], has no data, and has what load gives: floating point is float32, whole numbers are
     * int64 (bytes stay bytes). `owner` is NULL. */
    struct safetensors_entry *entries;
    struct torch_tensor *tensors;
    struct text names;      /* of the entries */
    int globals;            /* classes and functions that the pickle names and that are not PyTorch's for tensors */
    char global_names[160]; /* the first of them, with commas between */
    char running[80];       /* one of them that would run commands in Python, or "" */
};

/* SIMCLR_CORRUPT with one sentence: a tensor that reaches beyond its storage, that overflows, that is not described as
 * PyTorch does; two of one name; more or deeper than the limits. */
int torch_tensors_find(struct torch_tensors *out, const struct pickle *pickle, const char *path, struct error *error);
void torch_tensors_free(struct torch_tensors *tensors);

#endif
