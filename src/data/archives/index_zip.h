/* data/archives/index_zip.h -- the index of a zip archive, from its central directory. */
#ifndef DATA_INDEX_ZIP_H
#define DATA_INDEX_ZIP_H

#include "base/error.h"
#include "data/archives/members.h"
#include "data/bytes/blob.h"

/* Fills the empty `members`. SIMCLR_CORRUPT for a directory that is none or lies outside the archive,
 * SIMCLR_UNSUPPORTED for what is not read (encrypted images, other methods of packing). `path` is for sentences. */
int index_zip(struct members *members, const struct blob *zip, const char *path, struct error *error);

#endif
