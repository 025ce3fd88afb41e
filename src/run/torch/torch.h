/* run/torch/torch.h -- checkpoints of PyTorch: what torch.save has written since version 1.6, a zip archive of a pickle
 * and of storages. Nothing of the pickle is run (pickle.h). */
#ifndef RUN_TORCH_TORCH_H
#define RUN_TORCH_TORCH_H

#include "checkpoint/safetensors.h"

/* What a pickle names besides tensors. */
struct torch_told {
    int globals;            /* classes and functions, which stayed names */
    char global_names[160]; /* the first of them */
    char running[80];       /* one that would run commands in Python, or "" */
};

/* The tensors of such a file. Types are as tensors.h has them; values are read by safetensors_load alone.
 * *out is NULL, and no failure, for a zip archive that is no such file. SIMCLR_CORRUPT with one sentence: what
 * archive.h, pickle.h and tensors.h refuse, a storage that is missing or of another size, and big-endian ones.
 * SIMCLR_IO. */
int torch_open(struct safetensors **out, struct torch_told *told, const char *path, struct error *error);
/* The same from memory, which must outlive it: for fuzzing. */
int torch_parse(struct safetensors **out, struct torch_told *told, const uint8_t *bytes, size_t count, const char *name,
                struct error *error);

#endif
