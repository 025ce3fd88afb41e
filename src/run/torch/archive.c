/* run/torch/archive.c -- see archive.h. */
#include "run/torch/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    MEMBERS_MAX = 1000000,
    RATIO_MAX = 100,      /* weights hardly become smaller, and what is small may become so by any ratio: */
    RATIO_FREE = 16 << 20 /* bytes */
};
static const char pickle_name[] = "data.pkl";

/* ---- the directory ----------------------------------------------------------------------------------------------- */

static const char *why_unread(const struct zip_member *member)
{
    if (member->encrypted) return "it is encrypted";
    if (member->method != ZIP_STORED && member->method != ZIP_DEFLATED) return "it is packed by a method of its own";
    if (member->size > UINT32_MAX || member->stored > UINT32_MAX) return "it has more than 4 GiB";
    if (member->offset > INT64_MAX) return "it lies outside of the file";
    return NULL;
}

static int add_member(void *context, const struct zip_member *member, struct error *error)
{
    struct archive *archive = context;
    const size_t length = strlen(member->name);
    if (length == 0 || member->name[length - 1] == '/') return SIMCLR_OK; /* a folder */
    if (archive->count == MEMBERS_MAX)
        return error_set(error, SIMCLR_CORRUPT, "%s: has more than a million members: save the state_dict alone",
                         archive->path);
    if (archive->count == archive->room) {
        const size_t room = archive->room ? 2 * archive->room : 512;
        struct archive_member *grown = memory_grow(archive->members, archive->count, room, sizeof *grown);
        if (!grown) return error_no_memory(error, "an archive's directory", room * sizeof *grown);
        archive->members = grown;
        archive->room = room;
    }
    char *name = memory_string(member->name);
    if (!name) return error_no_memory(error, "an archive's directory", length);
    archive->members[archive->count++] = (struct archive_member){.name = name,
                                                                 .unread = why_unread(member),
                                                                 .place = {.offset = (int64_t)member->offset,
                                                                           .stored = (uint32_t)member->stored,
                                                                           .size = (uint32_t)member->size,
                                                                           .crc = member->crc,
                                                                           .deflated = member->method != ZIP_STORED}};
    return SIMCLR_OK;
}

/* The folder is that of the only data.pkl. */
static int find_folder(struct archive *archive, bool *found, struct error *error)
{
    const size_t tail = sizeof pickle_name - 1;
    const char *first = NULL;
    for (size_t i = 0; i < archive->count; i++) {
        const char *name = archive->members[i].name;
        const size_t length = strlen(name);
        if (length < tail || strcmp(name + length - tail, pickle_name) != 0) continue;
        if (length > tail && name[length - tail - 1] != '/') continue;
        if (first)
            return error_set(error, SIMCLR_CORRUPT, "%s: has two pickles (%.80s, %.80s): a file of torch.save has one",
                             archive->path, first, name);
        first = name;
        archive->folder = length - tail;
    }
    *found = first != NULL;
    if (!first) return SIMCLR_OK;
    char *folder = memory_string(first);
    if (!folder) return error_no_memory(error, "an archive's directory", archive->folder);
    size_t kept = 0;
    for (size_t i = 0; i < archive->count; i++) {
        struct archive_member member = archive->members[i];
        if (strncmp(member.name, folder, archive->folder) == 0)
            archive->members[kept++] = member;
        else
            memory_free(member.name);
    }
    archive->count = kept;
    memory_free(folder);
    return SIMCLR_OK;
}

static int by_offset(const void *left, const void *right)
{
    const struct archive_member *a = left, *b = right;
    return a->place.offset < b->place.offset ? -1 : a->place.offset > b->place.offset;
}

static int by_name(const void *left, const void *right)
{
    const struct archive_member *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* All lie in the file, and no two have common bytes: so together they promise no more than there is. Sorts by name. */
static int check_members(struct archive *archive, struct error *error)
{
    struct archive_member *members = archive->members;
    if (archive->count == 0) return SIMCLR_OK;
    qsort(members, archive->count, sizeof *members, by_offset);
    for (size_t i = 1; i < archive->count; i++)
        if (members[i - 1].place.offset + members[i - 1].place.stored >= members[i].place.offset)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: members %.80s and %.80s overlap in the archive: it is damaged or made to harm",
                             archive->path, members[i - 1].name, members[i].name);
    const struct zip_place *last = &members[archive->count - 1].place;
    if (last->offset > archive->blob.size || last->stored > archive->blob.size - last->offset)
        return zip_damaged(archive->path, "a member lies outside of it", error);
    qsort(members, archive->count, sizeof *members, by_name);
    for (size_t i = 1; i < archive->count; i++)
        if (strcmp(members[i - 1].name, members[i].name) == 0)
            return error_set(error, SIMCLR_CORRUPT, "%s: two members are called %.80s: it is damaged", archive->path,
                             members[i].name);
    return SIMCLR_OK;
}

/* The checksum that PyTorch writes where it is told to compute none. */
static void note_unchecked(struct archive *archive)
{
    const struct archive_member *pickle = archive_find(archive, pickle_name, sizeof pickle_name - 1);
    for (size_t i = 0; pickle && pickle->place.crc == 0 && i < archive->count; i++)
        archive->members[i].place.unchecked = archive->members[i].place.crc == 0;
}

int archive_open(struct archive *out, const struct blob *blob, const char *path, bool *found, struct error *error)
{
    *out = (struct archive){.path = path, .blob = *blob};
    *found = false;
    int status = zip_walk(&out->blob, path, add_member, out, error);
    if (!status) status = find_folder(out, found, error);
    if (!status && *found) status = check_members(out, error);
    if (!status && *found) note_unchecked(out);
    return status;
}

void archive_close(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++) memory_free(archive->members[i].name);
    memory_free(archive->members);
    blob_close(&archive->blob);
    *archive = (struct archive){.blob = {.descriptor = -1}};
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

const struct archive_member *archive_find(const struct archive *archive, const char *name, size_t length)
{
    size_t low = 0, high = archive->count;
    if (memchr(name, '\0', length)) return NULL; /* no name has that */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *here = archive->members[middle].name + archive->folder;
        int order = strncmp(name, here, length);
        if (order == 0 && here[length] != '\0') order = -1;
        if (order == 0) return &archive->members[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int archive_read(const struct archive *archive, const struct archive_member *member, uint8_t **out, size_t *count,
                 struct error *error)
{
    const struct zip_place *place = &member->place;
    char name[512];
    snprintf(name, sizeof name, "%.300s: %.180s", archive->path, member->name);
    *out = NULL;
    *count = place->size;
    if (member->unread)
        return error_set(error, SIMCLR_CORRUPT, "%s: cannot be read: %s: save it again with torch.save", name,
                         member->unread);
    if (place->deflated ? place->size > RATIO_FREE && place->size / RATIO_MAX > place->stored
                        : place->size != place->stored)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: %u bytes of the archive would become %u: it is damaged or made to harm", name,
                         (unsigned)place->stored, (unsigned)place->size);
    uint8_t *bytes = memory_allocate(place->size);
    if (!bytes) return error_no_memory(error, name, place->size);
    const int status = zip_read(&archive->blob, place, name, bytes, count, error);
    if (status)
        memory_free(bytes);
    else
        *out = bytes;
    return status;
}
