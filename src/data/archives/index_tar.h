/* data/archives/index_tar.h -- the index of a tar archive: images, with the labels of WebDataset samples; tars inside
 * it (the way ImageNet is given out) are folders. */
#ifndef DATA_INDEX_TAR_H
#define DATA_INDEX_TAR_H

#include "base/error.h"
#include "data/archives/members.h"
#include "data/bytes/blob.h"

/* Fills the empty `members`. A sample is what consecutive members with the same path up to the first dot of their
 * name are; its `cls` file (or the `cls`, `label` or `class` of its `json`) is the label of its images.
 * SIMCLR_CORRUPT, SIMCLR_UNSUPPORTED for sparse members. `path` is for sentences. */
int index_tar(struct members *members, const struct blob *tar, const char *path, struct error *error);

#endif
