/* data/sets/archive_folder.c -- sets that are a folder with one archive in it, as a download leaves it: data/ with
 * cifar-10-binary.tar.gz, photos/ with photos.zip; or with one for each part, train.zip and test.zip. (Tar archives
 * side by side are shards: shard_set.c.) */
#include <string.h>

#include "base/text.h"
#include "data/sets/archive_list.h"
#include "data/sets/kind.h"

static bool is_archive_name(const char *name)
{
    return archive_ending_of(name) != ARCHIVE_NONE && !strstr(name, "devkit");
}

static int archive_folder_is(const struct set_place *place, bool *out, struct error *error)
{
    struct archive_list list;
    *out = false;
    if (!place->folder) return SIMCLR_OK;
    const int status = archive_list_read(&list, place->path, is_archive_name, error);
    *out = !status && list.count > 0 && !list.other;
    archive_list_free(&list);
    return status;
}

static int refuse(const struct archive_list *list, const char *path, struct error *error)
{
    enum { NAMED = 3 };
    struct text names = {0};
    for (int i = 0; i < list->count && i < NAMED; i++)
        text_add(&names, "%s%.90s", i ? ", " : "", list->archive[i].path + strlen(path));
    const int status =
        error_set(error, SIMCLR_DATA,
                  "%.120s: no images, but %d archives (%s%s): give one of them as --data, and one to "
                  "test on as --test-data",
                  path, list->count, names.failed ? "" : names.bytes, list->count > NAMED ? ", ..." : "");
    text_free(&names);
    return status;
}

/* The only archive of a part; *out is NULL where the set is not divided by archives, or the part has several. */
static void choose(const struct archive_list *list, int part, const char **out)
{
    const enum part_word test = archive_list_test_word(list);
    const bool divided = archive_list_is_divided(list);
    int found = 0;
    for (int i = 0; i < list->count; i++) {
        if (divided && list->archive[i].word != (part ? test : PART_TRAIN)) continue;
        *out = list->archive[i].path;
        found++;
    }
    if (found != 1) *out = NULL;
}

static int archive_folder_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                               struct error *error)
{
    struct archive_list list;
    const struct set_kind *kind = NULL;
    const char *path = NULL;
    int status = archive_list_read(&list, request->path, is_archive_name, error);
    if (status) return status;
    choose(&list, request->part, &path);
    status = path ? kind_find(&kind, path, error) : refuse(&list, request->path, error);
    if (!status && kind) {
        struct set_request inner = *request;
        inner.path = path;
        log_info(request->log, "%s: is read: the only archive of %s in this folder", path,
                 archive_list_is_divided(&list) ? "its part" : "all");
        status = kind->open(out, catalog, &inner, error);
        if (!status)
            archive_list_pass_over(&list, request->path, request->part, archive_list_test_word(&list),
                                   &catalog->passed);
    }
    archive_list_free(&list);
    return status;
}

static int archive_folder_has_test(const char *path, bool *out, struct error *error)
{
    struct archive_list list;
    const struct set_kind *kind;
    const char *only = NULL;
    int status = archive_list_read(&list, path, is_archive_name, error);
    *out = false;
    if (status) return status;
    choose(&list, 0, &only);
    if (archive_list_is_divided(&list)) {
        *out = true;
    } else if (only) {
        status = kind_find(&kind, only, error);
        if (!status && kind->has_test) status = kind->has_test(only, out, error);
    }
    archive_list_free(&list);
    return status;
}

const struct set_kind archive_folder_kind = {.name = "folder with an archive",
                                             .is = archive_folder_is,
                                             .open = archive_folder_open,
                                             .has_test = archive_folder_has_test};
