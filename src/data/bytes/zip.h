/* data/bytes/zip.h -- walks through a zip archive by its central directory, and reads the bytes of its members. Stored
 * and deflated members, zip64; no encryption, no archives in several volumes. */
#ifndef DATA_ZIP_H
#define DATA_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/bytes/blob.h"

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 }; /* methods that zip_read knows */

/* What the directory says of a member. Nothing of it is checked against the archive. */
struct zip_member {
    char *name;      /* as written, ended by NUL; ends with / for a folder; the visitor may change its bytes */
    uint64_t offset; /* of its local header */
    uint64_t stored, size;
    uint32_t crc;
    unsigned method;
    bool encrypted;
    bool link; /* symbolic: its contents are a path */
};

/* Called once per entry in the order of the directory; a status other than SIMCLR_OK ends the walk and is returned. */
typedef int zip_visit(void *context, const struct zip_member *member, struct error *error);

/* SIMCLR_CORRUPT for a directory that is none or lies outside the archive, SIMCLR_UNSUPPORTED for one of several
 * volumes; SIMCLR_IO, SIMCLR_NO_MEMORY. `path` is for sentences. */
int zip_walk(const struct blob *zip, const char *path, zip_visit *visit, void *context, struct error *error);

/* Where a member's bytes are. */
struct zip_place {
    int64_t offset;        /* of its local header */
    uint32_t stored, size; /* bytes in the archive, and of the member */
    uint32_t crc;
    bool deflated;
    bool unchecked; /* its writer left the CRC out */
};

/* Reads the first *count bytes of a member into `bytes`; *count is at most its size, and is set to what there was. The
 * local header must agree with the directory; a whole member must have the size and the CRC that were written.
 * SIMCLR_CORRUPT, SIMCLR_IO, SIMCLR_NO_MEMORY. `name` is for sentences. */
int zip_read(const struct blob *zip, const struct zip_place *place, const char *name, uint8_t *bytes, size_t *count,
             struct error *error);

/* The sentence for a damaged archive: SIMCLR_CORRUPT. */
int zip_damaged(const char *path, const char *what, struct error *error);

#endif
