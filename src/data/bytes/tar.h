/* data/bytes/tar.h -- walks through a tar archive: which files it has and where their bytes lie. Nothing is unpacked.
 *
 * Read: v7, ustar with prefixes, GNU long names (types L and K), PAX headers (path, size), base-256 sizes. Headers are
 * read in blocks, and contents that are longer than a block are skipped. */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/bytes/blob.h"

enum { TAR_BLOCK = 512, TAR_NAME_MAX = 4096 };

enum tar_type { TAR_FILE, TAR_LINK, TAR_SPARSE }; /* folders and devices are passed over */

struct tar_member {
    const char *name; /* as written, ended by NUL */
    enum tar_type type;
    int64_t offset, size; /* of the contents in the blob; they lie inside it */
};

/* Called once per member in the order of the archive; a status other than SIMCLR_OK ends the walk and is returned. */
typedef int tar_visit(void *context, const struct tar_member *member, struct error *error);

/* How a walk ended. Blocks of zeros end an archive: writers pad with them to 10 KiB, some to a megabyte. */
struct tar_end {
    bool cut;          /* in the middle of a member; those before it were visited */
    int64_t joined_at; /* where a header follows the first zeros: it and all after it were visited. 0: none does */
    int64_t left_at;   /* behind the zeros that were taken for the end, where something else follows them, or more than
                          TAR_ZEROS_MAX of them: that was not visited. 0: nothing was left */
};
enum { TAR_ZEROS_MAX = 16 << 20 };

/* SIMCLR_CORRUPT for what is no tar header where one must be, SIMCLR_IO, SIMCLR_NO_MEMORY. `path` is for sentences. */
int tar_walk(const struct blob *tar, const char *path, tar_visit *visit, void *context, struct tar_end *end,
             struct error *error);

/* The same through a window of `window` bytes (at least TAR_BLOCK): what tests reach its borders with. */
int tar_walk_window(const struct blob *tar, const char *path, size_t window, tar_visit *visit, void *context,
                    struct tar_end *end, struct error *error);

/* Whether these bytes begin with a tar header: its checksum is right. */
bool tar_is_header(const uint8_t *bytes, size_t count);

#endif
