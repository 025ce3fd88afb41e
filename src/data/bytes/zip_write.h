/* data/bytes/zip_write.h -- writes a zip archive of stored members, whole or not at all: what .npz files are. */
#ifndef DATA_ZIP_WRITE_H
#define DATA_ZIP_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct zip_writer;

/* Opens the file under its temporary name (file_writer_open). */
int zip_writer_open(struct zip_writer **out, const char *path, struct error *error);

/* A member that holds `head` and then `bytes`. Members have no times, so equal contents give equal bytes.
 * SIMCLR_UNSUPPORTED past 4 GiB, which would need zip64; SIMCLR_NO_MEMORY. A write that fails is told by commit. */
int zip_writer_add(struct zip_writer *writer, const char *name, const void *head, size_t head_bytes, const void *bytes,
                   size_t count, struct error *error);

/* An array of NumPy's as a member: what an .npz file is made of. */
struct zip_array {
    const char *name;      /* with its .npy */
    const char *descr;     /* "<f4", "<i4", "|S64" (base/npy.h) */
    const void *values;    /* [rows][columns] of `item` bytes each, little-endian */
    int64_t rows, columns; /* columns 0: one axis */
    size_t item;
};
int zip_writer_add_array(struct zip_writer *writer, const struct zip_array *array, struct error *error);

/* A member that is written while it is made. Until its end nothing else is added, and `name` stays the caller's. Its
 * head, of `head_bytes`, is given at the end; `at_most` is what head and bytes may take. SIMCLR_UNSUPPORTED past 4 GiB,
 * and where the file is a pipe or a device, in which nothing can be filled in afterwards. */
int zip_writer_begin(struct zip_writer *writer, const char *name, size_t head_bytes, uint64_t at_most,
                     struct error *error);
void zip_writer_put(struct zip_writer *writer, const void *bytes, size_t count);
int zip_writer_end(struct zip_writer *writer, const void *head, struct error *error);

/* Ends the archive and gives it its name. Nulls. */
int zip_writer_commit(struct zip_writer **writer, struct error *error);
void zip_writer_abort(struct zip_writer **writer); /* nulls; NULL is fine */

#endif
