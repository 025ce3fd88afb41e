/* run/torch/archive.h -- the members of a zip archive by their names: how torch.save writes a file. All of them stand
 * in one folder, whose name is nobody's business: data.pkl, byteorder, data/KEY for each storage. */
#ifndef RUN_TORCH_ARCHIVE_H
#define RUN_TORCH_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/bytes/blob.h"
#include "data/bytes/zip.h"

struct archive_member {
    char *name; /* with the folder's */
    struct zip_place place;
    const char *unread; /* why its bytes cannot be read, or NULL */
};

struct archive {
    struct blob blob;
    const char *path;               /* borrowed, for sentences */
    struct archive_member *members; /* by name */
    size_t count, room, folder;     /* bytes of the folder's name, its slash among them */
};

/* Reads the directory of the archive in `blob`, which is closed by archive_close. *found: it has a data.pkl, in one
 * folder; the other members of that folder are kept. Where the pickle's CRC is 0, PyTorch was told to write none: then
 * members whose CRC is 0 are read without.
 * SIMCLR_CORRUPT for a damaged directory, several data.pkl, members of one name or with common bytes; SIMCLR_IO.
 * `path` is for sentences, and must outlive it. Close it all the same. */
int archive_open(struct archive *out, const struct blob *blob, const char *path, bool *found, struct error *error);
void archive_close(struct archive *archive);

/* NULL: there is none of this name in the folder. */
const struct archive_member *archive_find(const struct archive *archive, const char *name, size_t length);

/* All bytes of a member, in a new block (memory_free). SIMCLR_CORRUPT for what cannot be read, for a wrong CRC, and for
 * a large member that unpacks to over 100 times its packed bytes. */
int archive_read(const struct archive *archive, const struct archive_member *member, uint8_t **out, size_t *count,
                 struct error *error);

#endif
