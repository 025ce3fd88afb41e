/* data/sets/imagenet.h -- the labels of ImageNet's validation archive, which lie in files beside it. */
#ifndef DATA_IMAGENET_H
#define DATA_IMAGENET_H

#include <stdbool.h>

#include "base/error.h"
#include "data/names/annotations.h"
#include "data/names/catalog.h"
#include "data/sets/request.h"

/* The part that a tar as downloaded is, by its name: 0 ILSVRC2012_img_train.tar, 1 ILSVRC2012_img_val.tar, -1 neither.
 */
int imagenet_part_of(const char *name);
/* Whether it is another archive of that contest (tests, dogs): of no use here. */
bool imagenet_is_other(const char *name);

/* Whether these are the images of ILSVRC2012_img_val.tar. */
bool imagenet_is_validation(const struct catalog *names);

/* Reads the first there is beside `archive` of
 *   val.txt (`ILSVRC2012_val_00000001.JPEG 65`, class numbers from 0 in the order of the wnids),
 *   LOC_val_solution.csv (`ILSVRC2012_val_00000001,n01751748 ...`),
 *   ILSVRC2012_val_labels.txt, imagenet_2012_validation_synset_labels.txt (either form, or a label a line, of image 1,
 * 2 ...), ILSVRC2012_devkit_t12.tar.gz as downloaded, ILSVRC2012_validation_ground_truth.txt with meta.mat, there or in
 * ILSVRC2012_devkit_t12/data or data. Labels of the devkit become wnids, so that class numbers are those of the
 * training archive. Without any of them *annotations stays empty, and a warning says what to do. SIMCLR_DATA: ground
 * truth without meta.mat. SIMCLR_CORRUPT: damaged, or too short for the images in `names`. */
int imagenet_read_labels(struct annotations *annotations, const struct catalog *names, const char *archive,
                         const struct set_request *request, struct error *error);

#endif
