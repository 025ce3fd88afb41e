/* data/bytes/unpack.h -- archives that are packed as a whole (gzip, zstd) unpacked once, so that they can be read by
 * position: in memory where they fit, else as a file in the user's cache folder. */
#ifndef DATA_UNPACK_H
#define DATA_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/bytes/blob.h"

bool unpack_is_gzip(const uint8_t *head, size_t count);
bool unpack_is_zstd(const uint8_t *head, size_t count);

/* What is unpacked; borrowed while it is. */
struct unpack_request {
    const char *path;
    const char *cache_folder; /* what archive_cache_folder is asked for */
    size_t memory_limit;      /* bytes that may stay in memory */
    const struct log *log;
    struct stop stop; /* ends it with SIMCLR_INTERRUPTED */
};

/* Opens what the file at request->path unpacks to, as a blob of its own.
 * What unpacks to at most memory_limit bytes stays in memory. Anything larger is written to the cache folder, with a
 * line in the log, and used again while the archive keeps its path, size and times. A stream that ends too early gives
 * what there was, with a warning, and is not kept.
 * SIMCLR_CORRUPT for damaged bytes, SIMCLR_IO where there is no room, SIMCLR_UNSUPPORTED for zstd in a program built
 * without it. */
int unpack_open(struct blob *out, const struct unpack_request *request, struct error *error);

/* ---- the decompressors, one at a time ---- */

struct unpacker {
    void *self;
    /* Consumes from *in and fills *out, moving both on. *ended: what was read so far could be the whole stream.
     * A text of what is wrong, unpacker_no_memory, or NULL. */
    const char *(*step)(void *self, const uint8_t **in, size_t *in_bytes, uint8_t **out, size_t *out_bytes,
                        bool *ended);
    void (*close)(void *self);
};
extern const char unpacker_no_memory[];
int unpacker_open_gzip(struct unpacker *unpacker, struct error *error);
int unpacker_open_zstd(struct unpacker *unpacker, struct error *error);

#endif
