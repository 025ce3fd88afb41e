/* data/sets/pack.h -- raw packs: the pixels of a part of a data set in one file, ready to be read, and its index.
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

/* A set of what `blob`, which is taken over, holds; path is for sentences and names. Header and index
 * are checked at opening (every size and offset, both checksums); pixels are read by position and checked against their
 * checksum at each read. */
int pack_open_blob(struct source *out, struct catalog *catalog, struct blob *blob, const char *path,
                   const struct image_limits *limits, struct error *error);

#endif
