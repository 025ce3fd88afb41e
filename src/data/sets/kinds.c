/* data/sets/kinds.c -- which kind of set lies at a path: the table of all kinds, in the order in which they are tried.
 */
#include <string.h>

#include "base/file.h"
#include "base/signature.h"
#include "data/bytes/blob.h"
#include "data/sets/kind.h"

static const struct set_kind *const kinds[] = {
    &synthetic_kind,    &shards_kind,         &cifar_kind,  &stl10_kind, &pack_kind,
    &shard_folder_kind, &archive_folder_kind, &folder_kind, &tar_kind,   &zip_kind,
    &packed_kind,       &list_kind,           NULL,
};

bool kind_starts_with(const struct set_place *place, const char *magic, size_t count)
{
    return place->head_bytes >= count && memcmp(place->head, magic, count) == 0;
}

int kind_answer(bool *out, bool answer)
{
    *out = answer;
    return SIMCLR_OK;
}

static int look_at(struct set_place *place, const char *path, struct error *error)
{
    enum file_kind kind;
    struct blob file;
    *place = (struct set_place){.path = path};
    int status = file_look_at(path, &kind, error);
    if (status || kind == FILE_NONE) return status;
    place->exists = true;
    place->folder = kind == FILE_FOLDER;
    if (place->folder) return SIMCLR_OK;
    status = blob_open(&file, path, NULL, error);
    if (status != SIMCLR_OK) return status;
    place->head_bytes = file.size < KIND_HEAD_BYTES ? (size_t)file.size : KIND_HEAD_BYTES;
    status = blob_read_named(&file, 0, place->head, place->head_bytes, path, error);
    blob_close(&file);
    return status;
}

int kind_refuse_file(const uint8_t *bytes, size_t count, const char *path, struct error *error)
{
    const struct signature *found = signature_find(bytes, count);
    if (found && found->as_set)
        return error_set(error, SIMCLR_DATA, "%s: this is %s: %s", path, found->what, found->as_set);
    return SIMCLR_OK;
}

/* The most frequent kind of file among `names` that the table knows and that is no picture that is read: how many, and
 * the first of them. */
static const struct signature *commonest(const struct file_list *names, size_t *count, const char **first)
{
    const struct signature *found = NULL;
    *count = 0;
    for (size_t i = 0; i < names->count; i++) {
        const struct signature *signature = signature_of_name(names->names[i]);
        if (signature == NULL || signature == found || signature->as_set == NULL ||
            source_is_image_name(names->names[i]))
            continue;
        size_t same = 0;
        for (size_t j = i; j < names->count; j++) same += signature_of_name(names->names[j]) == signature;
        if (same <= *count) continue;
        found = signature;
        *count = same;
        *first = names->names[i];
    }
    return found;
}

int kind_refuse_folder(const char *path, struct error *error)
{
    struct file_list names;
    size_t count;
    const char *first = NULL;
    if (file_list_folder(path, &names, NULL) != SIMCLR_OK) return SIMCLR_OK;
    const struct signature *found = commonest(&names, &count, &first);
    int status = SIMCLR_OK;
    if (found != NULL && count > 1)
        status = error_set(error, SIMCLR_DATA, "%s: no images, but %zu files such as %s, which is %s: %s", path, count,
                           first, found->what, found->as_set);
    else if (found != NULL)
        status = error_set(error, SIMCLR_DATA, "%s: no images, but %s, which is %s: %s", path, first, found->what,
                           found->as_set);
    file_list_free(&names);
    return status;
}

int kind_find(const struct set_kind **out, const char *path, struct error *error)
{
    struct set_place place;
    const int status = look_at(&place, path, error);
    if (status != SIMCLR_OK) return status;
    for (const struct set_kind *const *kind = kinds; *kind; kind++) {
        bool found;
        *out = *kind;
        const int failure = (*kind)->is(&place, &found, error);
        if (failure || found) return failure;
    }
    if (place.exists && kind_refuse_file(place.head, place.head_bytes, path, error) != SIMCLR_OK) return SIMCLR_DATA;
    if (place.exists)
        return error_set(error, SIMCLR_DATA,
                         "%s: this is no text, and no file of a kind that is known: give a folder of images, a list of "
                         "images, an archive (tar, zip), CIFAR or STL-10 binaries, or `synthetic`",
                         path);
    return error_set(
        error, SIMCLR_DATA,
        "%s: no such data: give a folder of images, a list of images, an archive (tar, zip), CIFAR or STL-10 "
        "binaries, or `synthetic`",
        path);
}
