/* data/bytes/archive_cache.h -- the user's cache folder. It holds stored indices of archives and unpacked archives.
 * Each is named after the path, size and times of its archive. */
#ifndef DATA_ARCHIVE_CACHE_H
#define DATA_ARCHIVE_CACHE_H

#include "data/bytes/blob.h"

/* The folder (memory_free): `asked` where it is given, else $SIMCLR_CACHE, else simclr in $XDG_CACHE_HOME or ~/.cache.
 * NULL when there is none, or `none` is given, or there is no memory. */
char *archive_cache_folder(const char *asked);
/* The path of a file of ours in `folder` for an archive in its present state; NULL when there is no memory. */
char *archive_cache_path(const char *folder, const char *archive, const struct blob_stamp *stamp,
                         const char *extension);

#endif
