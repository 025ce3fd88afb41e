/* data/sets/kinds.c -- which kind of set lies at a path. A new format is one file of its own and one row here. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/bytes/blob.h"
#include "data/sets/kind.h"

static bool is_folder(const struct set_place *place)
{
    return place->folder;
}

static bool is_any_file(const struct set_place *place)
{
    return place->exists;
}

/* Files are told apart by their first bytes, never by their names. */
static const struct set_kind kinds[] = {
    {"synthetic pictures", synthetic_is, synthetic_set_open, synthetic_has_test},
    {"tar shards", shards_is, shards_open, NULL},
    {"CIFAR binaries", cifar_is, cifar_open, cifar_has_test},
    {"STL-10 binaries", stl10_is, stl10_open, stl10_has_test},
    {"raw pack", pack_is, pack_open, pack_has_test},
    {"folder of tar shards", shard_folder_is, shard_folder_open, shard_folder_has_test},
    {"folder of images", is_folder, folder_open, folder_has_test},
    {"tar archive", tar_kind_is, tar_kind_open, tar_kind_has_test},
    {"zip archive", zip_is, zip_open, zip_has_test},
    {"packed tar archive", packed_is, packed_open, packed_has_test},
    {"list of images", is_any_file, list_open, NULL},
};

/* The type bits of what `folder` has under this name, 0: nothing. */
static mode_t type_of(const char *folder, const char *name)
{
    struct stat info;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    const bool found = fstatat(descriptor, name, &info, 0) == 0;
    close(descriptor);
    return found ? info.st_mode & S_IFMT : 0;
}

bool kind_has_file(const char *folder, const char *name)
{
    const mode_t type = type_of(folder, name);
    return type != 0 && type != S_IFDIR;
}

bool kind_has_folder(const char *folder, const char *name)
{
    return type_of(folder, name) == S_IFDIR;
}

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
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *out = &kinds[i];
        if (kinds[i].is(&place)) return SIMCLR_OK;
    }
    return error_set(
        error, SIMCLR_DATA,
        "%s: no such data: give a folder of images, a list of images, an archive (tar, zip), CIFAR or STL-10 "
        "binaries, or `synthetic`",
        path);
}
