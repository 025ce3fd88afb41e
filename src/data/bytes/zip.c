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
    bool wide; /* entries is the whole number; else its last 16 bits */
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
    *directory = (struct directory){(int64_t)offset, (int64_t)size, (int64_t)entries, true};
    return SIMCLR_OK;
}

/* A count of 65,535 may be the number itself: Python's zipfile writes so many entries without a zip64 form. */
static bool needs_end64(const struct blob *zip, const uint8_t *end, int64_t end_at)
{
    uint8_t locator[LOCATOR_BYTES];
    if (u32(end + 12) == UINT32_MAX || u32(end + 16) == UINT32_MAX) return true;
    return u16(end + 10) == 0xFFFF && end_at >= LOCATOR_BYTES &&
           blob_read(zip, end_at - LOCATOR_BYTES, locator, sizeof locator) == 0 && memcmp(locator, "PK\6\7", 4) == 0;
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
        *directory = (struct directory){u32(end + 16), u32(end + 12), u16(end + 10), false};
        if (needs_end64(zip, end, end_at))
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

/* The part of the directory that is in memory. */
struct window {
    uint8_t *bytes;
    size_t room, have, used;
    int64_t at, left; /* what is still in the file */
};

/* Reads on, so that the longest entry is always in the window. */
static int fill_window(struct window *window, const struct blob *zip, const char *path, struct error *error)
{
    if (window->have - window->used >= (size_t)WINDOW / 4 * 3 || window->left == 0) return SIMCLR_OK;
    memmove(window->bytes, window->bytes + window->used, window->have - window->used);
    window->have -= window->used;
    window->used = 0;
    const size_t room = window->room - window->have;
    const size_t more = window->left < (int64_t)room ? (size_t)window->left : room;
    const int status = blob_read_named(zip, window->at, window->bytes + window->have, more, path, error);
    window->have += more;
    window->at += (int64_t)more;
    window->left -= (int64_t)more;
    return status;
}

/* Nothing more, or a digital signature. */
static bool is_end(const struct window *window)
{
    const size_t left = window->have - window->used;
    return left == 0 || (left >= 4 && memcmp(window->bytes + window->used, "PK\5\5", 4) == 0);
}

/* What the end record counts must have been found. macOS's Archive Utility writes no zip64 forms: of more than 65,535
 * entries it counts the last 16 bits. */
static int check_count(const struct directory *directory, int64_t found, const char *path, struct error *error)
{
    const int64_t differs = found - directory->entries;
    if (directory->wide ? differs == 0 : (differs & 0xFFFF) == 0) return SIMCLR_OK;
    return error_set(
        error, SIMCLR_CORRUPT,
        "%s: damaged zip archive (%lld entries in its directory, %lld by its end record): copy or download "
        "it again",
        path, (long long)found, (long long)directory->entries);
}

int zip_walk(const struct blob *zip, const char *path, zip_visit *visit, void *context, struct error *error)
{
    struct directory directory = {0};
    int status = find_directory(&directory, zip, path, error);
    if (status != SIMCLR_OK) return status;
    struct window window = {.room = directory.size < WINDOW ? (size_t)directory.size : WINDOW,
                            .at = directory.offset,
                            .left = directory.size};
    window.bytes = memory_allocate(window.room);
    if (window.bytes == NULL) return error_no_memory(error, "a zip reader", window.room);
    int64_t found = 0;
    for (;; found++) {
        struct entry entry = {0};
        size_t length = 0;
        status = fill_window(&window, zip, path, error);
        if (status != SIMCLR_OK || is_end(&window)) break;
        if (!read_entry(&entry, window.bytes + window.used, window.have - window.used, &length))
            status = zip_damaged(path, "an entry of its directory", error);
        else if (entry.disk != 0 && entry.disk != 0xFFFF)
            status =
                error_set(error, SIMCLR_UNSUPPORTED, "%s: is one of several volumes: join them with `zip -s 0`", path);
        else
            status = show_entry(&entry, path, visit, context, error);
        if (status != SIMCLR_OK) break;
        window.used += length;
    }
    if (status == SIMCLR_OK) status = check_count(&directory, found, path, error);
    memory_free(window.bytes);
    return status;
}
