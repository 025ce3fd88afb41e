/* data/bytes/blob.h -- a run of bytes that is read by position: a file, a part of one, or memory. */
#ifndef DATA_BLOB_H
#define DATA_BLOB_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "base/stop.h"

/* A value: copies share the descriptor, which whoever opened it closes. Reading moves no file position, so any
 * number of threads may read at the same time. Files are never mapped: one that is cut while it is used gives an
 * error, not a signal. */
struct blob {
    int descriptor;        /* or, where memory is not NULL: */
    const uint8_t *memory; /* [start + size] */
    int64_t start, size;
    struct stop stop; /* once it is asked for, reading ends with ECANCELED: for who reads a whole archive */
};

/* What tells one state of a file from another. */
struct blob_stamp {
    int64_t size;
    struct timespec changed; /* last modification: a copy of another file may have the same */
    struct timespec status;  /* last change of anything about it, its mode too: no copy has the same */
};

/* A digest of a stamp and of what `seed` is one of. */
uint64_t blob_stamp_hash(const struct blob_stamp *stamp, uint64_t seed);

/* Opens a regular file for reading; never waits for a FIFO. SIMCLR_IO when there is none. */
int blob_open(struct blob *out, const char *path, struct blob_stamp *stamp, struct error *error);
void blob_close(struct blob *blob); /* closes the descriptor, if any; {0} with descriptor -1 afterwards */

struct blob blob_of_memory(const uint8_t *bytes, size_t count);
/* The part [offset, offset + size) of `blob`, which must lie inside it. */
struct blob blob_part(const struct blob *blob, int64_t offset, int64_t size);

/* Whether its bytes are in memory, so that a copy of them gains nothing: memory itself, or a file that only lies there.
 */
bool blob_in_memory(const struct blob *blob);

/* Reads exactly `count` bytes: 0, or errno; ENODATA where the blob or the file under it ends before, ECANCELED where
 * blob->stop is asked for. */
int blob_read(const struct blob *blob, int64_t offset, void *to, size_t count);

/* blob_read for a caller who has a sentence to write: "NAME: ends too early" is SIMCLR_CORRUPT, ECANCELED is
 * SIMCLR_INTERRUPTED, all else SIMCLR_IO. */
int blob_read_named(const struct blob *blob, int64_t offset, void *to, size_t count, const char *name,
                    struct error *error);

#endif
