/* data/sets/shard_set.c -- sets that are many tar archives: several named with braces, or all of a folder. */
#include <string.h>

#include "base/memory.h"
#include "data/archives/index_tar.h"
#include "data/bytes/braces.h"
#include "data/sets/archive_list.h"
#include "data/sets/archive_set.h"
#include "data/sets/imagenet.h"

/* ---- braces ---- */

static int shards_are(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, !place->exists && strchr(place->path, '{'));
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
    return archive_ending_of(name) == ARCHIVE_TAR && !imagenet_is_other(name);
}

static int shard_folder_is(const struct set_place *place, bool *out, struct error *error)
{
    struct archive_list list;
    *out = false;
    if (!place->folder) return SIMCLR_OK;
    const int status = archive_list_read(&list, place->path, is_shard_name, error);
    *out = !status && list.count > 0 && !list.other;
    archive_list_free(&list);
    return status;
}

/* Adds those of a part; PART_NONE: all. */
static int fill_part(struct archives *archives, const struct archive_list *list, enum part_word word,
                     const struct set_request *request, struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < list->count; i++)
        if (word == PART_NONE || list->archive[i].word == word)
            status = archive_set_add(archives, list->archive[i].path, NULL, index_tar, request, error);
    return status;
}

/* Whether the images have labels of their own, or folders. */
static bool have_labels(const struct archives *archives)
{
    const struct members *members = &archives->members;
    bool nested = false;
    for (int64_t i = 0; !nested && i < members->names.count; i++)
        nested = members->names.label[i] >= 0 || strchr(catalog_name(&members->names, i), '/');
    return nested || imagenet_is_validation(&members->names);
}

/* Those of the part that is asked for. Of test and validation it is test, unless only validation has labels. */
static int fill_folder(struct archives *archives, const struct set_request *request, struct error *error)
{
    struct archive_list list;
    int status = archive_list_read(&list, request->path, is_shard_name, error);
    enum part_word test = archive_list_test_word(&list);
    const bool divided = list.has[PART_TRAIN] && list.has[test];
    if (!status)
        status = fill_part(archives, &list, !divided ? PART_NONE : request->part ? test : PART_TRAIN, request, error);
    if (!status && divided && request->part && test == PART_TEST && list.has[PART_VALIDATION] &&
        !have_labels(archives)) {
        struct archives validation = {0};
        status = fill_part(&validation, &list, PART_VALIDATION, request, error);
        if (!status && have_labels(&validation)) {
            archives_free(archives);
            *archives = validation;
            test = PART_VALIDATION;
        } else {
            archives_free(&validation);
        }
    }
    if (!status) archive_list_pass_over(&list, request->path, request->part, test, &archives->members.passed);
    archive_list_free(&list);
    return status;
}

static int shard_folder_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                             struct error *error)
{
    return archive_set_open(out, catalog, request, "tar shards", fill_folder, error);
}

static int shard_folder_has_test(const char *path, bool *out, struct error *error)
{
    struct archive_list list;
    const int status = archive_list_read(&list, path, is_shard_name, error);
    *out = !status && archive_list_is_divided(&list);
    archive_list_free(&list);
    return status;
}

const struct set_kind shard_folder_kind = {.name = "folder of tar shards",
                                           .is = shard_folder_is,
                                           .open = shard_folder_open,
                                           .has_test = shard_folder_has_test};
