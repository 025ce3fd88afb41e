/* data/archives/members_file.c -- an index as a file, so that an archive is walked once. Written and read by this
 * program on this machine only, in its own byte order; checked like any file all the same.
 *
 * header | member[images] | i32 label[images] | names | label texts | member[others] | other names | u32 CRC-32C of all
 */
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/archives/members.h"

enum { VERSION = 5, FLAG_CUT = 1, FLAG_BACKSLASHES = 2 };
static const char magic[8] = "simclrIX";

struct header {
    char magic[8];
    uint32_t version, flags;
    int64_t archive_bytes, changed_seconds, changed_nanoseconds;
    int64_t images, name_bytes, labels, label_bytes, others, other_bytes, label_files, apart, joined_at, left_at;
    struct passed passed;
};

struct parts {
    const uint8_t *at;
    size_t left;
};

static void put(uint8_t **to, const void *bytes, size_t count)
{
    if (count > 0) memcpy(*to, bytes, count);
    *to += count;
}

int members_pack(const struct members *members, const struct blob_stamp *stamp, uint8_t **out, size_t *bytes,
                 struct error *error)
{
    const struct catalog *names = &members->names, *texts = &members->labels.names, *others = &members->others;
    struct header header = {.version = VERSION,
                            .flags = (members->cut ? FLAG_CUT : 0u) | (members->backslashes ? FLAG_BACKSLASHES : 0u),
                            .archive_bytes = stamp->size,
                            .changed_seconds = stamp->changed.tv_sec,
                            .changed_nanoseconds = stamp->changed.tv_nsec,
                            .images = names->count,
                            .name_bytes = (int64_t)names->length,
                            .labels = texts->count,
                            .label_bytes = (int64_t)texts->length,
                            .others = others->count,
                            .other_bytes = (int64_t)others->length,
                            .label_files = members->label_files,
                            .apart = members->apart,
                            .joined_at = members->joined_at,
                            .left_at = members->left_at,
                            .passed = members->passed};
    memcpy(header.magic, magic, sizeof magic);
    const size_t images = (size_t)names->count, entries = (size_t)others->count;
    *bytes = sizeof header + images * (sizeof *members->at + sizeof *names->label) + names->length + texts->length +
             entries * sizeof *members->other + others->length + sizeof(uint32_t);
    uint8_t *block = memory_allocate(*bytes), *to = block;
    if (block == NULL) return error_no_memory(error, "the index of an archive", *bytes);
    put(&to, &header, sizeof header);
    put(&to, members->at, images * sizeof *members->at);
    put(&to, names->label, images * sizeof *names->label);
    put(&to, names->bytes, names->length);
    put(&to, texts->bytes, texts->length);
    put(&to, members->other, entries * sizeof *members->other);
    put(&to, others->bytes, others->length);
    const uint32_t crc = crc32c(block, (size_t)(to - block));
    put(&to, &crc, sizeof crc);
    *out = block;
    return SIMCLR_OK;
}

/* `count` items of `size` bytes from the front, or NULL. */
static const void *take(struct parts *parts, int64_t count, size_t size)
{
    if (count < 0 || (uint64_t)count > parts->left / size) return NULL;
    const void *at = parts->at;
    parts->at += (size_t)count * size;
    parts->left -= (size_t)count * size;
    return at;
}

/* The next of the texts, or NULL where there is none that ends. */
static const char *next_text(struct parts *texts)
{
    const char *text = (const char *)texts->at;
    const char *end = texts->left == 0 ? NULL : memchr(text, '\0', texts->left);
    if (end == NULL) return NULL;
    texts->left -= (size_t)(end + 1 - text);
    texts->at += end + 1 - text;
    return text;
}

static int bad(struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "the stored index of an archive is damaged");
}

static bool fits(int64_t offset, int64_t size, int64_t limit)
{
    return offset >= 0 && size >= 0 && offset <= limit && size <= limit - offset;
}

static int take_labels(struct members *members, int64_t count, struct parts texts, struct error *error)
{
    int status = SIMCLR_OK;
    for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
        const char *text = next_text(&texts);
        int32_t id = -1;
        if (text == NULL) return bad(error);
        status = labels_intern(&members->labels, text, strlen(text), &id, error);
        if (status == SIMCLR_OK && id != i) return bad(error); /* twice the same */
    }
    return status == SIMCLR_OK && texts.left > 0 ? bad(error) : status;
}

static int take_images(struct members *members, const uint8_t *at, const uint8_t *label, int64_t count,
                       struct parts names, int64_t limit, struct error *error)
{
    int status = catalog_reserve(&members->names, (size_t)count, names.left, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
        struct member member;
        int32_t id;
        memcpy(&member, at + (size_t)i * sizeof member, sizeof member);
        memcpy(&id, label + (size_t)i * sizeof id, sizeof id);
        const char *name = next_text(&names);
        if (name == NULL || id < -1 || id >= members->labels.names.count || !fits(member.offset, member.stored, limit))
            return bad(error);
        status = members_add(members, name, strlen(name), &member, error);
        if (status == SIMCLR_OK) members->names.label[i] = id;
    }
    return status == SIMCLR_OK && names.left > 0 ? bad(error) : status;
}

static int take_others(struct members *members, const uint8_t *entries, int64_t count, struct parts names,
                       int64_t limit, struct error *error)
{
    int status = SIMCLR_OK;
    for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
        struct member entry;
        memcpy(&entry, entries + (size_t)i * sizeof entry, sizeof entry);
        const char *name = next_text(&names);
        if (name == NULL || !fits(entry.offset, entry.stored, limit)) return bad(error);
        status = members_add_other(members, name, &entry, error);
    }
    return status == SIMCLR_OK && names.left > 0 ? bad(error) : status;
}

static int unpack(struct members *members, const struct header *header, struct parts parts, int64_t limit,
                  struct error *error)
{
    const void *at = take(&parts, header->images, sizeof(struct member));
    const void *label = take(&parts, header->images, sizeof(int32_t));
    const void *names = take(&parts, header->name_bytes, 1), *texts = take(&parts, header->label_bytes, 1);
    const void *entries = take(&parts, header->others, sizeof(struct member));
    const void *others = take(&parts, header->other_bytes, 1);
    if (at == NULL || label == NULL || names == NULL || texts == NULL || entries == NULL || others == NULL ||
        parts.left > 0)
        return bad(error);
    if (!passed_is_sound(&header->passed) || header->label_files < 0 || header->apart < 0 || header->joined_at < 0 ||
        header->left_at < 0)
        return bad(error);
    members->passed = header->passed;
    members->label_files = header->label_files;
    members->apart = header->apart;
    members->joined_at = header->joined_at;
    members->left_at = header->left_at;
    members->cut = header->flags & FLAG_CUT;
    members->backslashes = header->flags & FLAG_BACKSLASHES;
    int status = take_labels(members, header->labels, (struct parts){texts, (size_t)header->label_bytes}, error);
    if (status == SIMCLR_OK)
        status = take_images(members, at, label, header->images, (struct parts){names, (size_t)header->name_bytes},
                             limit, error);
    if (status == SIMCLR_OK)
        status = take_others(members, entries, header->others, (struct parts){others, (size_t)header->other_bytes},
                             limit, error);
    return status;
}

int members_unpack(struct members *members, const struct blob_stamp *stamp, int64_t limit, const uint8_t *bytes,
                   size_t count, struct error *error)
{
    struct header header;
    uint32_t crc;
    *members = (struct members){0};
    if (count < sizeof header + sizeof crc) return bad(error);
    memcpy(&header, bytes, sizeof header);
    memcpy(&crc, bytes + count - sizeof crc, sizeof crc);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.version != VERSION) return bad(error);
    if (header.archive_bytes != stamp->size || header.changed_seconds != stamp->changed.tv_sec ||
        header.changed_nanoseconds != stamp->changed.tv_nsec)
        return bad(error);
    if (crc32c(bytes, count - sizeof crc) != crc) return bad(error);
    const struct parts parts = {bytes + sizeof header, count - sizeof header - sizeof crc};
    const int status = unpack(members, &header, parts, limit, error);
    if (status != SIMCLR_OK) members_free(members);
    return status;
}
