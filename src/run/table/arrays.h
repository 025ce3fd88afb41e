/* run/table/arrays.h -- the arrays of a file of features: .npy, .npz or .safetensors, distrusting every byte. */
#ifndef RUN_TABLE_ARRAYS_H
#define RUN_TABLE_ARRAYS_H

#include <stdint.h>

#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "data/bytes/blob.h"
#include "run/table/texts.h"

/* Start from {0}; release with arrays_free. */
struct arrays {
    float *values; /* [rows][dim], a block of its own; may hold what is not finite */
    int64_t rows;
    int dim;
    struct texts names, labels, classes; /* not opened yet; TEXTS_NONE where the file has none */
    int ignored;                         /* arrays of other names */
    char first_ignored[64];
    bool escaped;   /* an .npy says that the lists beside it are escaped */
    void *owned[3]; /* what names, labels and classes borrow */
};
void arrays_free(struct arrays *arrays);

/* Features are float32, or float16, which becomes float32.
 *
 * One array in all: the features. Its names and labels lie in files of their own. */
int arrays_read_npy(struct arrays *out, const struct blob *blob, const char *path, struct error *error);

/* Members features.npy, names.npy, labels.npy, classes.npy; all but the first may be absent. */
int arrays_read_npz(struct arrays *out, const struct blob *blob, const char *path, struct error *error);

/* Tensors features F32 or F16 [N][D], names U8 (texts, each ended by NUL), labels I64 [N] or U8 as names are, classes
 * U8 as names are. All but the features are borrowed from `file`. */
int arrays_read_safetensors(struct arrays *out, const struct safetensors *file, const char *path, struct error *error);

#endif
