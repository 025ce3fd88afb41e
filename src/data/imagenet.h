/* data/imagenet.h -- the labels of ImageNet's validation archive, which lie in files beside it. */
#ifndef DATA_IMAGENET_H
#define DATA_IMAGENET_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "data/annotations.h"
#include "data/catalog.h"

/* Whether these are the images of ILSVRC2012_img_val.tar. */
bool imagenet_is_validation(const struct catalog *names);

/* Reads the first of val.txt (`ILSVRC2012_val_00000001.JPEG 65`, class numbers in the order of the synsets),
 * LOC_val_solution.csv (`ILSVRC2012_val_00000001,n01751748 ...`) and ILSVRC2012_val_labels.txt (either form) beside
 * `archive`. Without one *annotations stays empty, and a warning says what to do. */
int imagenet_read_labels(struct annotations *annotations, const char *archive, const struct log *log,
                         struct error *error);

#endif
