/* data/names/devkit.h -- ImageNet's ILSVRC2012 devkit: which class of the training archive each validation image is.
 *
 * Its ILSVRC2012_validation_ground_truth.txt numbers classes by ILSVRC2012_ID, an order of its own; meta.mat has the
 * wnid of each (a variable `synsets`, an array of structs). The classes are the synsets without children, as
 * torchvision has them too. */
#ifndef DATA_DEVKIT_H
#define DATA_DEVKIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { WNID_MAX = 32, DEVKIT_CLASSES_MAX = 100000 };

struct devkit {
    int classes;
    int ids;                /* all are 1 ... ids */
    char (*wnid)[WNID_MAX]; /* [ids + 1], by ILSVRC2012_ID; "" where there is none */
};
void devkit_free(struct devkit *devkit);

/* Reads meta.mat. SIMCLR_CORRUPT where it is damaged, or lacks what is needed; SIMCLR_UNSUPPORTED for a form of it that
 * is not read. `path` is for sentences; free it whatever the outcome. */
int devkit_parse(struct devkit *out, const uint8_t *bytes, size_t count, const char *path, struct error *error);

#endif
