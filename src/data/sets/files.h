/* data/sets/files.h -- the source of folders and lists. */
#ifndef DATA_FILES_H
#define DATA_FILES_H

#include "data/names/source.h"

/* Image files named by the catalog. */
void source_open_files(struct source *out, const struct image_limits *limits);

#endif
