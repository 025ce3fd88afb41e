/* data/archives/index_tar.c -- see index_tar.h. */
#include "data/archives/index_tar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "data/bytes/tar.h"
#include "data/names/sample_label.h"
#include "data/names/source.h"

enum { JSON_MAX = 1 << 20, CLS_MAX = 4096 };

struct indexing {
    struct members *members;
    const struct blob *tar; /* the one that is walked: the archive, or a tar in it, */
    int64_t base;           /* which begins here in the archive */
    const char *path;
    const char *inside; /* folder that a tar in the archive stands for, or NULL */
    /* The sample that is being read. */
    char key[TAR_NAME_MAX];
    size_t key_length;
    int64_t first; /* its first image */
    int32_t label;
    bool from_cls;
};

static void end_sample(struct indexing *indexing)
{
    struct catalog *names = &indexing->members->names;
    for (int64_t i = indexing->first; indexing->label >= 0 && i < names->count; i++) names->label[i] = indexing->label;
    indexing->first = names->count;
    indexing->label = -1;
    indexing->from_cls = false;
}

/* Where the extension begins: after the first dot of the last component. */
static const char *extension_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strchr(slash == NULL ? name : slash, '.');
    return dot == NULL ? name + strlen(name) : dot;
}

static int take_label(struct indexing *indexing, const char *name, const struct tar_member *member, bool cls,
                      struct error *error)
{
    char label[SAMPLE_LABEL_MAX] = "";
    const size_t most = cls ? CLS_MAX : JSON_MAX;
    if (indexing->from_cls) return SIMCLR_OK; /* a cls file goes before json */
    if (member->size > (int64_t)most)
        return error_set(error, SIMCLR_CORRUPT, "%s: %s has %lld bytes: that is no label", indexing->path, name,
                         (long long)member->size);
    char *text = memory_allocate((size_t)member->size + 1);
    if (text == NULL) return error_no_memory(error, "a label", (size_t)member->size + 1);
    int status = blob_read_named(indexing->tar, member->offset, text, (size_t)member->size, indexing->path, error);
    if (status == SIMCLR_OK)
        status = cls ? sample_label_of_cls(text, (size_t)member->size, label)
                     : sample_label_of_json(text, (size_t)member->size, label);
    memory_free(text);
    if (status == SIMCLR_CORRUPT)
        return error_set(error, status, "%s: %s is no label: %s", indexing->path, name,
                         cls ? "it must be a number or a name" : "it must be JSON with `cls` or `label`");
    if (status != SIMCLR_OK || label[0] == '\0') return status;
    indexing->from_cls = cls;
    return labels_intern(&indexing->members->labels, label, strlen(label), &indexing->label, error);
}

static int take_image(struct indexing *indexing, const char *name, const struct tar_member *member, struct error *error)
{
    char full[2 * TAR_NAME_MAX];
    const uint32_t size = member->size < UINT32_MAX ? (uint32_t)member->size : UINT32_MAX; /* refused when it is read */
    const struct member at = {.offset = indexing->base + member->offset, .stored = size, .size = size};
    if (member->type == TAR_LINK) {
        passed_add(&indexing->members->passed, PASSED_MEMBER, name);
        return SIMCLR_OK;
    }
    if (indexing->inside == NULL) return members_add(indexing->members, name, strlen(name), &at, error);
    const int length = snprintf(full, sizeof full, "%s/%s", indexing->inside, name);
    return members_add(indexing->members, full, (size_t)length, &at, error);
}

static int walk_inside(struct indexing *outer, const char *name, const struct tar_member *member, struct error *error);

static int pass_over(struct indexing *indexing, const char *name)
{
    passed_add_file(&indexing->members->passed, name);
    return SIMCLR_OK;
}

static int visit(void *context, const struct tar_member *member, struct error *error)
{
    struct indexing *indexing = context;
    const char *name = members_clean_name(member->name);
    if (member->type == TAR_SPARSE)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: %s is a sparse member: make the archive again without --sparse", indexing->path,
                         member->name);
    if (name == NULL) {
        passed_add(&indexing->members->passed, PASSED_HIDDEN, member->name);
        return SIMCLR_OK;
    }
    const char *extension = extension_of(name);
    const size_t key_length = (size_t)(extension - name);
    if (key_length != indexing->key_length || memcmp(name, indexing->key, key_length) != 0) {
        end_sample(indexing);
        memcpy(indexing->key, name, key_length);
        indexing->key_length = key_length;
    }
    if (source_is_image_name(name)) return take_image(indexing, name, member, error);
    if (member->type != TAR_FILE) return pass_over(indexing, name);
    const bool cls = strcasecmp(extension, ".cls") == 0;
    if (cls || strcasecmp(extension, ".json") == 0) return take_label(indexing, name, member, cls, error);
    const size_t length = strlen(name);
    if (indexing->inside != NULL) return pass_over(indexing, name);
    if (length > 4 && strcasecmp(name + length - 4, ".tar") == 0) return walk_inside(indexing, name, member, error);
    pass_over(indexing, name);
    if (!members_is_wanted(name) || member->size > UINT32_MAX) return SIMCLR_OK;
    const struct member at = {
        .offset = member->offset, .stored = (uint32_t)member->size, .size = (uint32_t)member->size};
    return members_add_other(indexing->members, name, &at, error);
}

static int walk(struct indexing *indexing, struct error *error)
{
    bool cut;
    indexing->first = indexing->members->names.count;
    indexing->label = -1;
    const int status = tar_walk(indexing->tar, indexing->path, visit, indexing, &cut, error);
    indexing->members->cut |= cut;
    end_sample(indexing);
    return status;
}

/* n01440764.tar in the archive is the folder n01440764. */
static int walk_inside(struct indexing *outer, const char *name, const struct tar_member *member, struct error *error)
{
    const struct blob part = blob_part(outer->tar, member->offset, member->size);
    struct indexing *indexing = memory_allocate(sizeof *indexing);
    char *folder = memory_string(name);
    int status = SIMCLR_OK;
    if (indexing == NULL || folder == NULL) {
        status = error_no_memory(error, "the index of an archive", sizeof *indexing);
    } else {
        folder[strlen(folder) - 4] = '\0';
        indexing->members = outer->members;
        indexing->tar = &part;
        indexing->base = outer->base + member->offset;
        indexing->path = outer->path;
        indexing->inside = folder;
        status = walk(indexing, error);
        outer->first = outer->members->names.count;
    }
    memory_free(folder);
    memory_free(indexing);
    return status;
}

int index_tar(struct members *members, const struct blob *tar, const char *path, struct error *error)
{
    struct indexing *indexing = memory_allocate(sizeof *indexing);
    if (indexing == NULL) return error_no_memory(error, "the index of an archive", sizeof *indexing);
    indexing->members = members;
    indexing->tar = tar;
    indexing->path = path;
    const int status = walk(indexing, error);
    memory_free(indexing);
    return status;
}
