/* data/bytes/archive_cache.c -- see archive_cache.h. */
#include "data/bytes/archive_cache.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"

char *archive_cache_folder(const char *asked)
{
    const char *own = asked != NULL ? asked : getenv("SIMCLR_CACHE");
    if (own != NULL) return own[0] == '\0' || strcmp(own, "none") == 0 ? NULL : memory_string(own);
    const char *user = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (user != NULL && user[0] == '/') return file_join(user, "simclr");
    return home != NULL && home[0] == '/' ? file_join(home, ".cache/simclr") : NULL;
}

char *archive_cache_path(const char *folder, const char *archive, const struct blob_stamp *stamp, const char *extension)
{
    char *real = realpath(archive, NULL);
    const char *path = real != NULL ? real : archive;
    const uint64_t digest = blob_stamp_hash(stamp, hash64(path, strlen(path), 1));
    char name[64];
    snprintf(name, sizeof name, "%016llx%s", (unsigned long long)digest, extension);
    free(real);
    return file_join(folder, name);
}
