/* data/archives/archive.c -- see archive.h. */
#include "data/archives/archive.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/archives/layout.h"
#include "data/archives/samples.h"
#include "data/bytes/archive_cache.h"
#include "data/names/class_names.h"

enum {
    KEPT_OPEN = 256,        /* archives whose descriptors are kept; more are opened at each read */
    INDEX_WORTH = 16 << 20, /* bytes of an archive from which its index is stored */
    INDEX_MAX = 1 << 30     /* of a stored index */
};

/* The source: archives, and where each image of the catalog lies. */
struct archive_source {
    struct archives archives;
    struct member *place;
};

void archives_free(struct archives *archives)
{
    for (int i = 0; i < archives->count; i++) {
        blob_close(&archives->archive[i].blob);
        memory_free(archives->archive[i].path);
    }
    memory_free(archives->archive);
    members_free(&archives->members);
    *archives = (struct archives){0};
}

/* ---- indexing ---- */

static bool load_index(struct members *one, const struct archive *archive, const char *stored)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (stored == NULL || file_read(stored, INDEX_MAX, &bytes, &count, NULL) != SIMCLR_OK) return false;
    const int status = members_unpack(one, &archive->stamp, archive->blob.size, bytes, count, NULL);
    memory_free(bytes);
    return status == SIMCLR_OK;
}

/* Failing to store an index costs nothing but time at the next opening. */
static void store_index(const struct members *one, const struct archive *archive, const char *folder,
                        const char *stored, const struct log *log)
{
    uint8_t *bytes;
    size_t count;
    struct error failure = {0};
    if (members_pack(one, &archive->stamp, &bytes, &count, NULL) != SIMCLR_OK) return;
    file_sweep(folder, NULL); /* of archives that have changed since: no other opening would meet them */
    if (file_make_folder(folder, &failure) != SIMCLR_OK ||
        file_write_atomic(stored, bytes, count, &failure) != SIMCLR_OK)
        log_debug(log, "the index of %s is not kept: %s", archive->path, failure.text);
    memory_free(bytes);
}

/* What is unusual about an archive, or wrong with it, and does not keep it from being used. */
static void tell(const struct members *one, const struct archive *archive, const struct log *log)
{
    const char *path = archive->path;
    const long long images = one->names.count;
    if (one->backslashes)
        log_warning(log, "%s: names have backslashes between folders, which are read as slashes", path);
    if (one->cut)
        log_warning(log, "%s: ends too early: the %lld images before the cut are used; copy or download it again", path,
                    images);
    if (one->joined_at > 0)
        log_warning(log,
                    "%s: members follow an end mark, from byte %lld on, and are read too: archives that were joined, "
                    "or a hole in a download, whose members are lost",
                    path, (long long)one->joined_at);
    if (one->left_at > 0)
        log_warning(log,
                    "%s: more than an end mark follows its %lld images, from byte %lld on, and is not read: a damaged "
                    "header, or a download with a hole; copy or download it again",
                    path, images, (long long)one->left_at);
    if (one->apart > 0)
        log_warning(
            log,
            "%s: %lld labels do not lie beside their images, as WebDataset wants it: they were matched by their "
            "names; `tar --sort=name` puts them side by side",
            path, (long long)one->apart);
}

static int index_one(struct members *one, const struct archive *archive, archive_indexer *indexer,
                     const struct archive_request *request, struct error *error)
{
    char *folder = archive->stamp.size >= INDEX_WORTH ? archive_cache_folder(request->cache_folder) : NULL;
    char *stored = folder == NULL ? NULL : archive_cache_path(folder, archive->path, &archive->stamp, ".index");
    int status = SIMCLR_OK;
    if (!load_index(one, archive, stored)) {
        status = indexer(one, &archive->blob, archive->path, error);
        if (status == SIMCLR_OK && stored != NULL) store_index(one, archive, folder, stored, request->log);
    }
    memory_free(stored);
    memory_free(folder);
    if (status == SIMCLR_OK) tell(one, archive, request->log);
    return status;
}

static int make_room(struct archives *archives, struct error *error)
{
    if (archives->count < archives->room) return SIMCLR_OK;
    const int larger = archives->room == 0 ? 16 : 2 * archives->room;
    struct archive *grown =
        memory_grow(archives->archive, (size_t)archives->count, (size_t)larger, sizeof *archives->archive);
    if (grown == NULL) return error_no_memory(error, "the list of archives", (size_t)larger * sizeof *grown);
    archives->archive = grown;
    archives->room = larger;
    return SIMCLR_OK;
}

int archives_add(struct archives *archives, const char *path, struct blob *unpacked, archive_indexer *indexer,
                 const struct archive_request *request, struct error *error)
{
    struct members one = {0};
    struct archive archive = {.path = memory_string(path), .blob = {.descriptor = -1}, .temporary = unpacked != NULL};
    int status = archive.path == NULL ? error_no_memory(error, "a path", strlen(path) + 1) : make_room(archives, error);
    if (status == SIMCLR_OK) status = blob_open(&archive.blob, path, &archive.stamp, error);
    if (unpacked != NULL) {
        blob_close(&archive.blob);
        archive.blob = *unpacked;
        *unpacked = (struct blob){.descriptor = -1};
    }
    archive.blob.stop = request->stop;
    if (status == SIMCLR_OK) status = index_one(&one, &archive, indexer, request, error);
    archive.blob.stop = (struct stop){0};
    if (status == SIMCLR_OK) {
        const char *slash = strrchr(archive.path, '/');
        archive.name = slash == NULL ? archive.path : slash + 1;
        status = members_append(&archives->members, &one, (uint32_t)archives->count, error);
    }
    members_free(&one);
    if (status != SIMCLR_OK) {
        blob_close(&archive.blob);
        memory_free(archive.path);
        return status;
    }
    if (archives->count >= KEPT_OPEN && !archive.temporary) blob_close(&archive.blob);
    archives->archive[archives->count++] = archive;
    return SIMCLR_OK;
}

/* ---- reading ---- */

/* The archive's blob, or a new one of it: *own says which. */
static int blob_of(const struct archive *archive, struct blob *blob, bool *own, struct error *error)
{
    struct blob_stamp stamp;
    *own = archive->blob.memory == NULL && archive->blob.descriptor < 0;
    *blob = archive->blob;
    if (!*own) return SIMCLR_OK;
    const int status = blob_open(blob, archive->path, &stamp, error);
    if (status != SIMCLR_OK) return status;
    if (stamp.size == archive->stamp.size && stamp.changed.tv_sec == archive->stamp.changed.tv_sec &&
        stamp.changed.tv_nsec == archive->stamp.changed.tv_nsec)
        return SIMCLR_OK;
    blob_close(blob);
    return error_set(error, SIMCLR_IO, "%s: has changed since the set was opened", archive->path);
}

static int archive_fetch(const struct source *source, const struct catalog *catalog, int64_t item, size_t at_most,
                         struct encoded *out, struct error *error)
{
    const struct archive_source *self = source->self;
    const struct member *place = &self->place[item];
    const struct archive *archive = &self->archives.archive[place->file & ~MEMBER_DEFLATED];
    const char *name = catalog_name(catalog, item);
    struct blob blob;
    bool own;
    *out = (struct encoded){0};
    if (place->size > source->limits.max_bytes)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: has %u bytes, more than the %zu that are accepted here", name,
                         place->size, source->limits.max_bytes);
    int status = blob_of(archive, &blob, &own, error);
    if (status != SIMCLR_OK) return status;
    status = member_fetch(&blob, self->archives.zip, place, name, at_most, out, error);
    if (own) blob_close(&blob);
    return status;
}

static void archive_close(void *self)
{
    struct archive_source *source = self;
    archives_free(&source->archives);
    memory_free(source->place);
    memory_free(source);
}

/* ---- opening ---- */

struct shelf archives_shelf(const struct archives *archives)
{
    return (struct shelf){.path = archives->archive[0].path,
                          .archive = &archives->archive[0].blob,
                          .zip = archives->zip,
                          .names = &archives->members.others,
                          .entry = archives->members.other};
}

static int arrange(struct archive_source *self, struct catalog *catalog, const struct annotations *annotations,
                   const struct archive_request *request, struct error *error)
{
    const struct archives *archives = &self->archives;
    char **names = memory_array((size_t)archives->count, sizeof *names);
    if (names == NULL) return error_no_memory(error, "the list of archives", (size_t)archives->count * sizeof *names);
    for (int i = 0; i < archives->count; i++) names[i] = (char *)archives->archive[i].name;
    const struct layout_request layout = {
        .path = request->path, .archive_names = names, .part = request->part, .annotations = annotations};
    int status = layout_arrange(&archives->members, &layout, catalog, &self->place, error);
    if (status == SIMCLR_OK && samples_are_labels(&archives->members))
        status = class_names_read(catalog, archives->archive[0].path, request->log, error);
    memory_free(names);
    return status;
}

int archives_open(struct source *out, struct catalog *catalog, struct archives *archives, const char *what,
                  const struct annotations *annotations, const struct archive_request *request, struct error *error)
{
    struct archive_source *self = memory_allocate(sizeof *self);
    if (self == NULL) return error_no_memory(error, "a reader of archives", sizeof *self);
    self->archives = *archives;
    *archives = (struct archives){0};
    *out = (struct source){.self = self, .limits = request->limits, .fetch = archive_fetch, .close = archive_close};
    out->in_memory = true;
    catalog->stamp = 1;
    for (int i = 0; i < self->archives.count; i++) {
        const struct archive *archive = &self->archives.archive[i];
        catalog->stamp = blob_stamp_hash(&archive->stamp, catalog->stamp);
        out->in_memory &= blob_in_memory(&archive->blob);
    }
    const int status = arrange(self, catalog, annotations, request, error);
    members_free(&self->archives.members);
    strncpy(catalog->what, what, sizeof catalog->what - 1);
    return status;
}
