/* data/sets/pack.h -- raw packs: the pixels of a part of a data set in one file, ready to be mapped, and its index.
 * Written by `simclr data pack --format raw`; docs/formats.md has the layout to the byte. Numbers are little-endian. */
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/bytes/blob.h"
#include "data/names/catalog.h"
#include "data/names/source.h"
#include "image/image.h"

enum { PACK_VERSION = 1, PACK_HEADER_BYTES = 128, PACK_ENTRY_BYTES = 32, PACK_ALIGN = 64, PACK_CLASSES_MAX = 1 << 20 };
#define PACK_MAGIC "SIMCLRPK"

/* A set of what `blob`, which is taken over, holds; path is for sentences and names. */
int pack_open_blob(struct source *out, struct catalog *catalog, struct blob *blob, const char *path,
                   const struct image_limits *limits, struct error *error);

/* Reading: pack_is, pack_open and pack_has_test of data/sets/kind.h. Header and index are checked at opening (every
 * size and offset, both checksums); pixels are read by position and checked against their checksum at each read. */

/* ---- writing ---- */

struct pack_writer;

/* Starts PATH, or goes on with what an interrupted writer left beside it (PATH.part and PATH.index.part): *next is the
 * number of the first image that is still to be added, 0 for a new file. */
int pack_writer_open(struct pack_writer **out, const char *path, int64_t *next, struct error *error);
/* Image number `number` (ascending; an image that cannot be used is passed over, or noted with image NULL). */
int pack_writer_add(struct pack_writer *writer, int64_t number, const struct image *image, int label,
                    struct error *error);
/* Everything so far on the disk, to go on from there. */
int pack_writer_flush(struct pack_writer *writer, struct error *error);
/* Writes index and header, flushes, and gives the file its name. *images: how many it has. Releases the writer. */
int pack_writer_commit(struct pack_writer **writer, const char *const *class_names, int classes, int64_t *images,
                       struct error *error);
/* Releases the writer; what was written stays, to go on with. NULL is fine. */
void pack_writer_close(struct pack_writer **writer);

#endif
