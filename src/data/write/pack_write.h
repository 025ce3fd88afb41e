/* data/write/pack_write.h -- writes raw packs (sets/pack.h). */
#ifndef DATA_PACK_WRITE_H
#define DATA_PACK_WRITE_H

#include <stdint.h>

#include "base/error.h"
#include "image/image.h"

struct pack_writer;

/* Starts PATH, or goes on with what an interrupted writer left beside it (PATH.part and PATH.index.part): *next is the
 * number of the first image that is still to be added, 0 for a new file; *unusable: of those before it, the ones that
 * were noted without an image. SIMCLR_IO where what is there cannot be read. */
int pack_writer_open(struct pack_writer **out, const char *path, int64_t *next, int64_t *unusable, struct error *error);
/* Image number `number` (ascending; an image that cannot be used is passed over, or noted with image NULL). */
int pack_writer_add(struct pack_writer *writer, int64_t number, const struct image *image, int label,
                    struct error *error);
/* Everything so far on the disk, to go on from there. */
int pack_writer_flush(struct pack_writer *writer, struct error *error);
/* Writes index and header, flushes, and gives the file its name. *images: how many it has. Releases the writer.
 * SIMCLR_IO, and no name, where the entries that were noted cannot all be read again. */
int pack_writer_commit(struct pack_writer **writer, const char *const *class_names, int classes, int64_t *images,
                       struct error *error);
/* Releases the writer; what was written stays, to go on with. NULL is fine. */
void pack_writer_close(struct pack_writer **writer);

#endif
