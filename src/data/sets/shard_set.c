/* data/sets/shard_set.c -- sets that are many tar archives: several named with braces, or all of a folder. */
#include <dirent.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/archives/index_tar.h"
#include "data/bytes/braces.h"
#include "data/sets/archive_set.h"
#include "data/sets/imagenet.h"

/* ---- braces ---- */

static bool shards_are(const struct set_place *place)
{
    return !place->exists && strchr(place->path, '{') != NULL;
}

static int fill_named(struct archives *archives, const struct set_request *request, struct error *error)
{
    struct file_list paths;
    int status = braces_expand(request->path, &paths, error);
    for (size_t i = 0; status == SIMCLR_OK && i < paths.count; i++)
        status = archive_set_add(archives, paths.names[i], NULL, index_tar, request, error);
    file_list_free(&paths);
    return status;
}

static int shards_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                       struct error *error)
{
    return archive_set_open(out, catalog, request, "tar shards", fill_named, error);
}

const struct set_kind shards_kind = {.name = "tar shards", .is = shards_are, .open = shards_open};

/* ---- a folder of shards ---- */

static bool is_shard_name(const char *name)
{
    const size_t length = strlen(name);
    return name[0] != '.' && length > 4 && strcasecmp(name + length - 4, ".tar") == 0;
}

/* 0 train, 1 test or val, -1 neither, as the beginning of the name says; or ImageNet's own names. */
static int part_of_shard(const char *name)
{
    if (imagenet_part_of(name) >= 0) return imagenet_part_of(name);
    if (strncasecmp(name, "train", 5) == 0) return 0;
    return strncasecmp(name, "test", 4) == 0 || strncasecmp(name, "val", 3) == 0 ? 1 : -1;
}

/* The shards of a folder; *divided: some are of `train` and some of `test` or `val`. */
static int list_shards(const char *path, struct file_list *names, bool *divided, struct error *error)
{
    bool found[2] = {false, false};
    const int status = file_list_folder(path, names, error);
    if (status != SIMCLR_OK) return status;
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (!is_shard_name(names->names[i]) || imagenet_is_other(names->names[i])) {
            memory_free(names->names[i]);
            continue;
        }
        const int part = part_of_shard(names->names[i]);
        if (part >= 0) found[part] = true;
        names->names[kept++] = names->names[i];
    }
    names->count = kept;
    *divided = found[0] && found[1];
    return SIMCLR_OK;
}

/* A folder whose visible files are shards, and that has no image itself and no folder that could hold some. Allocates
 * nothing of ours: a set must not be taken for something else because memory is short. */
static bool shard_folder_is(const struct set_place *place)
{
    DIR *folder = place->folder ? opendir(place->path) : NULL;
    const struct dirent *entry;
    bool shards = false, other = false;
    while (folder != NULL && !other && (entry = readdir(folder)) != NULL) {
        struct stat info;
        if (entry->d_name[0] == '.') continue;
        if (strcmp(entry->d_name, "ILSVRC2012_devkit_t12") == 0) continue; /* ImageNet's, unpacked: labels, no images */
        other = source_is_image_name(entry->d_name) ||
                (fstatat(dirfd(folder), entry->d_name, &info, 0) == 0 && S_ISDIR(info.st_mode));
        shards |= is_shard_name(entry->d_name);
    }
    if (folder != NULL) closedir(folder);
    return shards && !other;
}

/* Those of the part that is asked for. */
static int fill_folder(struct archives *archives, const struct set_request *request, struct error *error)
{
    struct file_list names;
    bool divided;
    int status = list_shards(request->path, &names, &divided, error);
    for (size_t i = 0; status == SIMCLR_OK && i < names.count; i++) {
        if (divided && part_of_shard(names.names[i]) != request->part) continue;
        char *path = file_join(request->path, names.names[i]);
        status = path ? archive_set_add(archives, path, NULL, index_tar, request, error)
                      : error_no_memory(error, "a path", strlen(names.names[i]) + 1);
        memory_free(path);
    }
    file_list_free(&names);
    return status;
}

static int shard_folder_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                             struct error *error)
{
    return archive_set_open(out, catalog, request, "tar shards", fill_folder, error);
}

static bool shard_folder_has_test(const char *path)
{
    struct file_list names;
    bool divided = false;
    if (list_shards(path, &names, &divided, NULL) == SIMCLR_OK) file_list_free(&names);
    return divided;
}

const struct set_kind shard_folder_kind = {.name = "folder of tar shards",
                                           .is = shard_folder_is,
                                           .open = shard_folder_open,
                                           .has_test = shard_folder_has_test};
