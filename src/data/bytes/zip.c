/* data/bytes/zip.c -- see zip.h. All numbers are little-endian.
 *
 * The end record is searched from the end of the file:
 *     signature, u16 disk, u16 disk of the directory, u16 entries here, u16 entries, u32 size, u32 offset of the
 *     directory, u16 length of a comment
 * A directory entry is 46 bytes, then name, extra fields, comment:
 *     signature, u16 made by, u16 needed, u16 flags (8), u16 method (10), u32 time, u32 CRC (16), u32 packed size (20),
 *     u32 size (24), u16 lengths (28, 30, 32), u16 disk, u16, u32 attributes (38), u32 offset of the local header (42)
 */
#include "data/bytes/zip.h"

#include <string.h>

#include "base/memory.h"

enum {
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    ENTRY_BYTES = 46,
    COMMENT_MAX = 65535,
    ENCRYPTED = 1,
    WINDOW = 1 << 19 /* three quarters of it are above an entry and three times 65535 */
};

struct directory {
    int64_t offset, size, entries;
};

struct entry {
    unsigned flags, method, disk;
    uint32_t crc, mode;
    uint64_t stored, size, offset;
    const char *name;
    size_t name_length;
};

static uint32_t u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t u32(const uint8_t *bytes)
{
    return u16(bytes) | u16(bytes + 2) << 16;
}

static uint64_t u64(const uint8_t *bytes)
{
    return u32(bytes) | (uint64_t)u32(bytes + 4) << 32;
}

int zip_damaged(const char *path, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged zip archive (%s): copy or download it again", path, what);
}

/* ---- the central directory ---- */

/* Replaces what the end record could not hold by what its zip64 form says. */
static int read_end64(struct directory *directory, const struct blob *zip, int64_t end, const char *path,
                      struct error *error)
{
    uint8_t locator[LOCATOR_BYTES], record[END64_BYTES];
    if (end < LOCATOR_BYTES || blob_read(zip, end - LOCATOR_BYTES, locator, sizeof locator) != 0 ||
        memcmp(locator, "PK\6\7", 4) != 0)
        return zip_damaged(path, "no zip64 end record", error);
    const uint64_t at = u64(locator + 8);
    if (at > (uint64_t)end || blob_read(zip, (int64_t)at, record, sizeof record) != 0 ||
        memcmp(record, "PK\6\6", 4) != 0)
        return zip_damaged(path, "no zip64 end record", error);
    if (u32(record + 16) != 0 || u32(record + 20) != 0 || u32(locator + 16) > 1)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: is one of several volumes: join them with `zip -s 0`", path);
    const uint64_t entries = u64(record + 32), size = u64(record + 40), offset = u64(record + 48);
    if (entries > INT64_MAX || size > INT64_MAX || offset > INT64_MAX)
        return zip_damaged(path, "its end record", error);
    *directory = (struct directory){(int64_t)offset, (int64_t)size, (int64_t)entries};
    return SIMCLR_OK;
}

static int find_directory(struct directory *directory, const struct blob *zip, const char *path, struct error *error)
{
    const int64_t most = END_BYTES + COMMENT_MAX, tail = zip->size < most ? zip->size : most;
    uint8_t *bytes = memory_allocate((size_t)tail);
    if (bytes == NULL) return error_no_memory(error, "a zip reader", (size_t)tail);
    int status = blob_read_named(zip, zip->size - tail, bytes, (size_t)tail, path, error);
    int64_t at = -1;
    for (int64_t i = tail - END_BYTES; status == SIMCLR_OK && i >= 0 && at < 0; i--)
        if (memcmp(bytes + i, "PK\5\6", 4) == 0 && i + END_BYTES + u16(bytes + i + 20) <= tail) at = i;
    if (status == SIMCLR_OK && at < 0) status = zip_damaged(path, "no end record: it ends too early", error);
    if (status == SIMCLR_OK) {
        const uint8_t *end = bytes + at;
        const int64_t end_at = zip->size - tail + at;
        *directory = (struct directory){u32(end + 16), u32(end + 12), u16(end + 10)};
        if (u16(end + 10) == 0xFFFF || u32(end + 12) == UINT32_MAX || u32(end + 16) == UINT32_MAX)
            status = read_end64(directory, zip, end_at, path, error);
        else if (u16(end + 4) != 0 || u16(end + 6) != 0)
            status =
                error_set(error, SIMCLR_UNSUPPORTED, "%s: is one of several volumes: join them with `zip -s 0`", path);
        if (status == SIMCLR_OK && (directory->offset > end_at || directory->size > end_at - directory->offset))
            status = zip_damaged(path, "its directory lies outside of it", error);
    }
    memory_free(bytes);
    return status;
}

/* The zip64 extra field has those of size, packed size and offset, in this order, that did not fit. */
static bool read_extra64(struct entry *entry, const uint8_t *extra, size_t bytes)
{
    uint64_t *const wide[3] = {&entry->size, &entry->stored, &entry->offset};
    while (bytes >= 4) {
        const uint8_t *field = extra + 4;
        size_t length = u16(extra + 2);
        if (length > bytes - 4) return false;
        extra += 4 + length;
        bytes -= 4 + length;
        if (u16(field - 4) != 1) continue;
        for (int i = 0; i < 3; i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (length < 8) return false;
            *wide[i] = u64(field);
            field += 8;
            length -= 8;
        }
    }
    return true;
}

static bool read_entry(struct entry *entry, const uint8_t *bytes, size_t count, size_t *length)
{
    if (count < ENTRY_BYTES || memcmp(bytes, "PK\1\2", 4) != 0) return false;
    const size_t name = u16(bytes + 28), extra = u16(bytes + 30), comment = u16(bytes + 32);
    *length = ENTRY_BYTES + name + extra + comment;
    if (*length > count) return false;
    *entry = (struct entry){.flags = u16(bytes + 8),
                            .method = u16(bytes + 10),
                            .crc = u32(bytes + 16),
                            .stored = u32(bytes + 20),
                            .size = u32(bytes + 24),
                            .disk = u16(bytes + 34),
                            .mode = u32(bytes + 38) >> 16,
                            .offset = u32(bytes + 42),
                            .name = (const char *)bytes + ENTRY_BYTES,
                            .name_length = name};
    return read_extra64(entry, bytes + ENTRY_BYTES + name, extra);
}

/* The file type bits that Unix archivers put there: a link's contents are a path. */
static bool is_link(const struct entry *entry)
{
    return (entry->mode & 0170000) == 0120000;
}

static int show_entry(const struct entry *entry, const char *path, zip_visit *visit, void *context, struct error *error)
{
    char name[COMMENT_MAX + 1];
    memcpy(name, entry->name, entry->name_length);
    name[entry->name_length] = '\0';
    if (strlen(name) != entry->name_length) return zip_damaged(path, "a name with a NUL byte", error);
    const struct zip_member member = {.name = name,
                                      .offset = entry->offset,
                                      .stored = entry->stored,
                                      .size = entry->size,
                                      .crc = entry->crc,
                                      .method = entry->method,
                                      .encrypted = (entry->flags & ENCRYPTED) != 0,
                                      .link = is_link(entry)};
    return visit(context, &member, error);
}

int zip_walk(const struct blob *zip, const char *path, zip_visit *visit, void *context, struct error *error)
{
    struct directory directory = {0};
    int status = find_directory(&directory, zip, path, error);
    if (status != SIMCLR_OK) return status;
    const size_t room = directory.size < WINDOW ? (size_t)directory.size : WINDOW;
    uint8_t *window = memory_allocate(room);
    if (window == NULL) return error_no_memory(error, "a zip reader", room);
    size_t have = 0, used = 0;
    int64_t at = directory.offset, left = directory.size;
    for (int64_t i = 0; status == SIMCLR_OK && i < directory.entries; i++) {
        struct entry entry = {0};
        size_t length = 0;
        if (have - used < (size_t)WINDOW / 4 * 3 && left > 0) { /* the longest entry is always in the window */
            memmove(window, window + used, have - used);
            have -= used;
            used = 0;
            const size_t more = left < (int64_t)(room - have) ? (size_t)left : room - have;
            status = blob_read_named(zip, at, window + have, more, path, error);
            have += more;
            at += (int64_t)more;
            left -= (int64_t)more;
        }
        if (status != SIMCLR_OK) break;
        if (!read_entry(&entry, window + used, have - used, &length)) {
            status = zip_damaged(path, "an entry of its directory", error);
            break;
        }
        used += length;
        if (entry.disk != 0 && entry.disk != 0xFFFF)
            status =
                error_set(error, SIMCLR_UNSUPPORTED, "%s: is one of several volumes: join them with `zip -s 0`", path);
        else
            status = show_entry(&entry, path, visit, context, error);
    }
    memory_free(window);
    return status;
}
