/* data/sets/kinds.c -- which kind of set lies at a path: the table of all kinds, in the order in which they are tried.
 */
#include <string.h>
#include <sys/stat.h>

#include "data/bytes/blob.h"
#include "data/sets/kind.h"

static const struct set_kind *const kinds[] = {
    &synthetic_kind, &shards_kind, &cifar_kind, &stl10_kind,  &pack_kind, &shard_folder_kind,
    &folder_kind,    &tar_kind,    &zip_kind,   &packed_kind, &list_kind, NULL,
};

bool kind_starts_with(const struct set_place *place, const char *magic, size_t count)
{
    return place->head_bytes >= count && memcmp(place->head, magic, count) == 0;
}

static int look_at(struct set_place *place, const char *path, struct error *error)
{
    struct stat info;
    struct blob file;
    *place = (struct set_place){.path = path};
    if (stat(path, &info) != 0) return SIMCLR_OK;
    place->exists = true;
    place->folder = S_ISDIR(info.st_mode);
    if (place->folder) return SIMCLR_OK;
    int status = blob_open(&file, path, NULL, error);
    if (status != SIMCLR_OK) return status;
    place->head_bytes = file.size < KIND_HEAD_BYTES ? (size_t)file.size : KIND_HEAD_BYTES;
    status = blob_read_named(&file, 0, place->head, place->head_bytes, path, error);
    blob_close(&file);
    return status;
}

int kind_find(const struct set_kind **out, const char *path, struct error *error)
{
    struct set_place place;
    const int status = look_at(&place, path, error);
    if (status != SIMCLR_OK) return status;
    for (const struct set_kind *const *kind = kinds; *kind; kind++) {
        *out = *kind;
        if ((*kind)->is(&place)) return SIMCLR_OK;
    }
    return error_set(
        error, SIMCLR_DATA,
        "%s: no such data: give a folder of images, a list of images, an archive (tar, zip), CIFAR or STL-10 "
        "binaries, or `synthetic`",
        path);
}
