/* data/archives/index_tar.c -- see index_tar.h. */
#include "data/archives/index_tar.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/archives/samples.h"
#include "data/bytes/tar.h"
#include "data/names/endings.h"
#include "data/names/source.h"

struct indexing {
    struct members *members;
    const struct blob *tar; /* the one that is walked: the archive, or a tar in it, */
    int64_t base;           /* which begins here in the archive */
    const char *path;
    const char *inside; /* folder that a tar in the archive stands for, or NULL */
    struct samples samples;
};

static int take_image(struct indexing *indexing, const char *name, const struct tar_member *member, struct error *error)
{
    char full[2 * TAR_NAME_MAX];
    const uint32_t size = member->size < UINT32_MAX ? (uint32_t)member->size : UINT32_MAX; /* refused when it is read */
    const struct member at = {.offset = indexing->base + member->offset, .stored = size, .size = size};
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
    if (member->type == TAR_LINK) { /* whatever its name: it may lead to a folder */
        passed_add(&indexing->members->passed, PASSED_MEMBER, name);
        return SIMCLR_OK;
    }
    int status = samples_next(&indexing->samples, name, error);
    if (status) return status;
    if (source_is_image_name(name)) return take_image(indexing, name, member, error);
    bool taken;
    status = samples_take(&indexing->samples, name, member, &taken, error);
    if (status || taken) return status;
    const size_t length = strlen(name);
    if (indexing->inside != NULL) return pass_over(indexing, name);
    if (length > 4 && ending_is(name + length - 4, ".tar")) return walk_inside(indexing, name, member, error);
    pass_over(indexing, name);
    if (!members_is_wanted(name) || member->size > UINT32_MAX) return SIMCLR_OK;
    const struct member at = {
        .offset = member->offset, .stored = (uint32_t)member->size, .size = (uint32_t)member->size};
    return members_add_other(indexing->members, name, &at, error);
}

static int walk(struct indexing *indexing, struct error *error)
{
    struct tar_end end;
    struct samples *samples = &indexing->samples;
    samples->members = indexing->members;
    samples->tar = indexing->tar;
    samples->path = indexing->path;
    samples->prefix = indexing->inside ? strlen(indexing->inside) + 1 : 0;
    samples_begin(samples);
    int status = tar_walk(indexing->tar, indexing->path, visit, indexing, &end, error);
    struct members *members = indexing->members;
    members->cut |= end.cut;
    if (end.joined_at > 0 && members->joined_at == 0) members->joined_at = indexing->base + end.joined_at;
    if (end.left_at > 0 && members->left_at == 0) members->left_at = indexing->base + end.left_at;
    if (!status) status = samples_end(samples, error);
    samples_free(samples);
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
        outer->samples.first = outer->members->names.count;
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
