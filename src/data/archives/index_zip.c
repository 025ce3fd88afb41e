/* data/archives/index_zip.c -- see index_zip.h. */
#include "data/archives/index_zip.h"

#include <string.h>

#include "data/bytes/zip.h"
#include "data/names/source.h"

struct indexing {
    struct members *members;
    const struct blob *zip;
    const char *path;
};

static int add_member(struct indexing *indexing, const struct zip_member *member, const char *name, struct error *error)
{
    struct members *members = indexing->members;
    const uint64_t size = (uint64_t)indexing->zip->size, most = UINT32_MAX;
    const bool image = source_is_image_name(name);
    if (member->link) { /* whatever its name: it may lead to a folder */
        passed_add(&members->passed, PASSED_MEMBER, name);
        return SIMCLR_OK;
    }
    if (!image) passed_add_file(&members->passed, name);
    if (!image && !members_is_wanted(name)) return SIMCLR_OK;
    if (member->offset > size || member->stored > size - member->offset)
        return zip_damaged(indexing->path, "a member lies outside of it", error);
    if (member->encrypted)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %s is encrypted: unpack it with its password", indexing->path,
                         name);
    if (member->method != ZIP_STORED && member->method != ZIP_DEFLATED)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: %s is packed by method %u, which is not read: pack it again with plain zip",
                         indexing->path, name, member->method);
    if (member->method == ZIP_STORED && member->stored != member->size)
        return zip_damaged(indexing->path, "a stored member of two sizes", error);
    /* Sizes above `most` are refused when the member is read. */
    const struct member at = {.offset = (int64_t)member->offset,
                              .stored = (uint32_t)(member->stored < most ? member->stored : most),
                              .size = (uint32_t)(member->size < most ? member->size : most),
                              .crc = member->crc,
                              .file = member->method == ZIP_DEFLATED ? MEMBER_DEFLATED : 0};
    return image ? members_add(members, name, strlen(name), &at, error) : members_add_other(members, name, &at, error);
}

/* Windows programs have written names with backslashes between folders, against the format. A name that has both is
 * what it says. */
static void mend_slashes(struct members *members, char *name)
{
    if (strchr(name, '/') || !strchr(name, '\\')) return;
    for (char *at = name; (at = strchr(at, '\\'));) *at = '/';
    members->backslashes = true;
}

static int visit(void *context, const struct zip_member *member, struct error *error)
{
    const size_t length = strlen(member->name);
    mend_slashes(((struct indexing *)context)->members, member->name);
    const char *name = members_clean_name(member->name);
    struct indexing *indexing = context;
    if (length == 0 || member->name[length - 1] == '/') return SIMCLR_OK; /* a folder */
    if (!name) passed_add(&indexing->members->passed, PASSED_HIDDEN, member->name);
    return !name ? SIMCLR_OK : add_member(context, member, name, error);
}

int index_zip(struct members *members, const struct blob *zip, const char *path, struct error *error)
{
    struct indexing indexing = {.members = members, .zip = zip, .path = path};
    return zip_walk(zip, path, visit, &indexing, error);
}
