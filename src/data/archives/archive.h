/* data/archives/archive.h -- the source of images that lie in archives, read by position from any thread. */
#ifndef DATA_ARCHIVE_H
#define DATA_ARCHIVE_H

#include "base/log.h"
#include "data/archives/members.h"
#include "data/archives/shelf.h"
#include "data/bytes/blob.h"
#include "data/names/annotations.h"

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

/* What archives are indexed and opened with; borrowed meanwhile. */
struct archive_request {
    const char *path;         /* of the set, for sentences */
    int part;                 /* 0 train, 1 test */
    const char *cache_folder; /* of stored indices: what archive_cache_folder is asked for */
    struct image_limits limits;
    const struct log *log;
    struct stop stop; /* ends the indexing with SIMCLR_INTERRUPTED */
};

/* How an archive is indexed once it is open. */
typedef int archive_indexer(struct members *members, const struct blob *blob, const char *path, struct error *error);

/* Opens one more archive and indexes it, by its stored index if there is a valid one. `unpacked`: the blob to read
 * instead of the file itself (taken over), or NULL. */
int archives_add(struct archives *archives, const char *path, struct blob *unpacked, archive_indexer *indexer,
                 const struct archive_request *request, struct error *error);

/* The files of a single archive that are no images. Borrows from `archives`. */
struct shelf archives_shelf(const struct archives *archives);

/* Makes a set of their images, by layout_arrange. `annotations` are labels of the images (layout_request), or NULL.
 * Takes over what it needs from `archives`, which is to be freed all the same. */
int archives_open(struct source *out, struct catalog *catalog, struct archives *archives, const char *what,
                  const struct annotations *annotations, const struct archive_request *request, struct error *error);

#endif
