/* data/bytes/zip.h -- the index of a zip archive, from its central directory, and the bytes of its members. Stored and
 * deflated members, zip64; no encryption, no archives in several volumes. */
#ifndef DATA_ZIP_H
#define DATA_ZIP_H

#include "base/error.h"
#include "data/archives/members.h"
#include "data/bytes/blob.h"
#include "data/names/source.h"

/* Fills the empty `members`. SIMCLR_CORRUPT for a directory that is none or lies outside the archive,
 * SIMCLR_UNSUPPORTED for what is not read (encrypted images, other methods of packing). `path` is for sentences. */
int index_zip(struct members *members, const struct blob *zip, const char *path, struct error *error);

/* The first `at_most` bytes of a member. Its local header must agree with the directory; a whole member must have the
 * size and the CRC that were written. On failure *out is {0}. */
int zip_fetch(const struct blob *zip, const struct member *member, const char *name, size_t at_most,
              struct encoded *out, struct error *error);

#endif
