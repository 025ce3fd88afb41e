/* data/archives/archive.h -- the source of images that lie in archives, read by position from any thread. */
#ifndef DATA_ARCHIVE_H
#define DATA_ARCHIVE_H

#include "data/archives/members.h"
#include "data/bytes/blob.h"
#include "data/names/annotations.h"
#include "data/sets/kind.h"

/* Archives that are opened as one set. Start from {0}; release with archives_free. */
struct archives {
    int count, room;
    bool zip; /* they are zip archives */
    struct archive {
        char *path;       /* where it is opened again, when too many are open at once */
        const char *name; /* last component of its path */
        struct blob blob; /* closed (descriptor -1, no memory) when it is not kept open */
        struct blob_stamp stamp;
        bool temporary; /* an unpacked copy: cannot be opened again by its path */
    } * archive;
    struct members members; /* of all of them */
};
void archives_free(struct archives *archives);

/* How an archive is indexed once it is open. */
typedef int archive_indexer(struct members *members, const struct blob *blob, const char *path, struct error *error);

/* Opens one more archive and indexes it, by its stored index if there is a valid one. `unpacked`: the blob to read
 * instead of the file itself (taken over), or NULL. */
int archives_add(struct archives *archives, const char *path, struct blob *unpacked, archive_indexer *indexer,
                 const struct set_request *request, struct error *error);

/* Makes a set of them: images by layout_arrange, or CIFAR or STL-10 where that is what a single archive holds. Takes
 * over what it needs from `archives`, which is to be freed all the same. */
int archives_open(struct source *out, struct catalog *catalog, struct archives *archives, const char *what,
                  const struct set_request *request, struct error *error);

/* Whether what archives_open would make of them has a test part of its own. */
bool archives_have_test(const struct archives *archives);

/* The user's folder for indices and unpacked archives (memory_free): config->cache_folder, else $SIMCLR_CACHE, else
 * simclr in $XDG_CACHE_HOME or ~/.cache; NULL when there is none, or `none` is given, or there is no memory. */
char *archive_cache_folder(const struct dataset_config *config);
/* The path of a file of ours in `folder` for an archive in its present state; NULL when there is no memory. */
char *archive_cache_path(const char *folder, const char *archive, const struct blob_stamp *stamp,
                         const char *extension);

#endif
