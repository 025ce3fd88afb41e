/* data/bytes/tar.c -- see tar.h. The header (POSIX 1003.1), field, bytes and where it begins:
 *
 *     name 100 at 0, mode 8, uid 8, gid 8, size 12 at 124, mtime 12, checksum 8 at 148, type at 156, linkname 100,
 *     magic 6 at 257, version 2, ..., prefix 155 at 345 */
#include "data/bytes/tar.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

enum {
    NAME = 0,
    NAME_BYTES = 100,
    SIZE = 124,
    SIZE_BYTES = 12,
    CHECKSUM = 148,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_BYTES = 155,
    WINDOW = 1 << 16,
    EXTENSION_MAX = 1 << 20
};

struct walk {
    const struct blob *tar;
    const char *path;
    tar_visit *visit;
    void *context;
    int64_t window_at; /* what the window holds */
    size_t window_bytes;
    /* What extension headers say of the next member. */
    bool has_name, sparse;
    int64_t size; /* -1: nothing */
    char name[TAR_NAME_MAX];
    size_t window_room; /* of the window, or the archive if that is smaller */
    uint8_t *window;
};

static int damaged(const struct walk *walk, int64_t at, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged tar archive (%s at byte %lld): copy or download it again",
                     walk->path, what, (long long)at);
}

/* `count` bytes at `at`, which lie inside the archive, through the window. */
static int look(struct walk *walk, int64_t at, size_t count, const uint8_t **out, struct error *error)
{
    if (at < walk->window_at || at + (int64_t)count > walk->window_at + (int64_t)walk->window_bytes) {
        const int64_t left = walk->tar->size - at;
        const size_t bytes = left < (int64_t)walk->window_room ? (size_t)left : walk->window_room;
        walk->window_bytes = 0;
        const int status = blob_read_named(walk->tar, at, walk->window, bytes, walk->path, error);
        if (status != SIMCLR_OK) return status;
        walk->window_at = at;
        walk->window_bytes = bytes;
    }
    *out = walk->window + (at - walk->window_at);
    return SIMCLR_OK;
}

/* Octal digits, with spaces before and NUL or a space after them; or a positive big-endian number marked by the top bit
 * of its first byte (GNU). -1 for what is neither or too large. */
static int64_t number(const uint8_t *field, size_t bytes)
{
    int64_t value = 0;
    if (field[0] & 0x80) {
        if (field[0] != 0x80) return -1; /* negative, or beyond all measure */
        for (size_t i = 1; i < bytes; i++) {
            if (value > INT64_MAX >> 8) return -1;
            value = value << 8 | field[i];
        }
        return value;
    }
    size_t i = 0;
    while (i < bytes && field[i] == ' ') i++;
    for (; i < bytes && field[i] >= '0' && field[i] <= '7'; i++) value = value << 3 | (field[i] - '0'); /* 36 bits */
    return i == bytes || field[i] == '\0' || field[i] == ' ' ? value : -1;
}

static bool checksum_holds(const uint8_t *header)
{
    int64_t plain = 0, with_sign = 0; /* some old writers summed signed bytes */
    for (int i = 0; i < TAR_BLOCK; i++) {
        const uint8_t byte = i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : header[i];
        plain += byte;
        with_sign += (int8_t)byte;
    }
    const int64_t written = number(header + CHECKSUM, 8);
    return written == plain || written == with_sign;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0) return false;
    return true;
}

bool tar_is_header(const uint8_t *bytes, size_t count)
{
    return count >= TAR_BLOCK && !is_zero(bytes, TAR_BLOCK) && checksum_holds(bytes);
}

static int keep_name(struct walk *walk, const char *name, size_t length, int64_t at, struct error *error)
{
    length = strnlen(name, length);
    if (length >= TAR_NAME_MAX) return damaged(walk, at, "a name of more than 4095 bytes", error);
    memcpy(walk->name, name, length);
    walk->name[length] = '\0';
    walk->has_name = true;
    return SIMCLR_OK;
}

static bool key_is(const char *key, const char *value, const char *word)
{
    return (size_t)(value - key - 1) == strlen(word) && memcmp(key, word, strlen(word)) == 0;
}

/* One record `LENGTH KEY=VALUE\n` of a PAX header; `value` ends before `end`, where the newline is. */
static int take_record(struct walk *walk, const char *key, const char *value, const char *end, int64_t at,
                       struct error *error)
{
    if (key_is(key, value, "path")) return keep_name(walk, value, (size_t)(end - value), at, error);
    if (key_is(key, value, "size")) {
        walk->size = 0;
        for (; value < end; value++) {
            if (*value < '0' || *value > '9' || walk->size > (INT64_MAX - 9) / 10)
                return damaged(walk, at, "a PAX size that is no number", error);
            walk->size = 10 * walk->size + (*value - '0');
        }
    }
    if (value - key > 10 && memcmp(key, "GNU.sparse", 10) == 0) walk->sparse = true;
    return SIMCLR_OK;
}

static int read_pax(struct walk *walk, const char *text, size_t bytes, int64_t at, struct error *error)
{
    while (bytes > 0 && *text != '\0') {
        size_t length = 0, digits = 0;
        for (; digits < bytes && digits < 8 && text[digits] >= '0' && text[digits] <= '9'; digits++)
            length = 10 * length + (size_t)(text[digits] - '0');
        const char *key = text + digits + 1;
        if (digits == 0 || length > bytes || length < digits + 3 || text[digits] != ' ' || text[length - 1] != '\n')
            return damaged(walk, at, "a PAX header", error);
        const char *end = text + length - 1, *equals = memchr(key, '=', (size_t)(end - key));
        if (equals == NULL) return damaged(walk, at, "a PAX header", error);
        const int status = take_record(walk, key, equals + 1, end, at, error);
        if (status != SIMCLR_OK) return status;
        text += length;
        bytes -= length;
    }
    return SIMCLR_OK;
}

/* The contents of a header that says something of the next member. */
static int read_extension(struct walk *walk, char type, int64_t at, int64_t size, struct error *error)
{
    if (type == 'K' || type == 'g') return SIMCLR_OK; /* where a link leads; what holds for all, which no size does */
    if (size > EXTENSION_MAX) return damaged(walk, at, "an extension header of more than a megabyte", error);
    char *text = memory_allocate((size_t)size + 1);
    if (text == NULL) return error_no_memory(error, "a tar header", (size_t)size + 1);
    int status = blob_read_named(walk->tar, at, text, (size_t)size, walk->path, error);
    if (status == SIMCLR_OK)
        status = type == 'L' ? keep_name(walk, text, (size_t)size, at, error)
                             : read_pax(walk, text, (size_t)size, at, error);
    memory_free(text);
    return status;
}

/* The name that the header itself has, unless an extension gave a longer one. */
static int own_name(struct walk *walk, const uint8_t *header, struct error *error)
{
    char name[NAME_BYTES + PREFIX_BYTES + 2];
    size_t length = 0;
    if (walk->has_name) return SIMCLR_OK;
    if (memcmp(header + MAGIC, "ustar", 6) == 0 && header[PREFIX] != 0) {
        length = strnlen((const char *)header + PREFIX, PREFIX_BYTES);
        memcpy(name, header + PREFIX, length);
        name[length++] = '/';
    }
    const size_t own = strnlen((const char *)header + NAME, NAME_BYTES);
    memcpy(name + length, header + NAME, own);
    return keep_name(walk, name, length + own, 0, error);
}

static int take_member(struct walk *walk, const uint8_t *header, int64_t offset, int64_t size, struct error *error)
{
    const char type = (char)header[TYPE];
    struct tar_member member = {.name = walk->name, .offset = offset, .size = size};
    const int status = own_name(walk, header, error);
    if (status != SIMCLR_OK) return status;
    const size_t length = strlen(walk->name);
    const bool file = type == '0' || type == '\0' || type == '7';
    if (length == 0 || walk->name[length - 1] == '/') return SIMCLR_OK;
    if (type == 'S' || (file && walk->sparse))
        member.type = TAR_SPARSE;
    else if (type == '1' || type == '2')
        member.type = TAR_LINK;
    else if (!file)
        return SIMCLR_OK;
    return walk->visit(walk->context, &member, error);
}

static void forget_extensions(struct walk *walk)
{
    walk->has_name = walk->sparse = false;
    walk->size = -1;
}

/* A block of zeros at *at: the end, or what a damaged header is, or a hole in a download; archives may also be joined.
 * A header behind the zeros is read on from. */
static int pass_zeros(struct walk *walk, int64_t *at, bool *last, struct tar_end *end, struct error *error)
{
    const int64_t size = walk->tar->size;
    int64_t next = *at + TAR_BLOCK;
    const uint8_t *bytes = NULL;
    size_t count = 0;
    for (; next < size && next - *at <= TAR_ZEROS_MAX; next += TAR_BLOCK) {
        count = size - next < TAR_BLOCK ? (size_t)(size - next) : TAR_BLOCK;
        const int status = look(walk, next, count, &bytes, error);
        if (status != SIMCLR_OK) return status;
        if (!is_zero(bytes, count)) break;
    }
    *last = next >= size || !tar_is_header(bytes, count);
    if (next < size && *last) end->left_at = *at + TAR_BLOCK;
    if (!*last && end->joined_at == 0) end->joined_at = next;
    *at = next;
    forget_extensions(walk);
    return SIMCLR_OK;
}

/* Reads the header at *at and moves on to the next. *last: there is none. */
static int step(struct walk *walk, int64_t *at, bool *last, struct tar_end *end, struct error *error)
{
    const uint8_t *header;
    *last = true;
    end->cut = *at < walk->tar->size && walk->tar->size - *at < TAR_BLOCK;
    if (*at >= walk->tar->size || end->cut) return SIMCLR_OK;
    int status = look(walk, *at, TAR_BLOCK, &header, error);
    if (status != SIMCLR_OK) return status;
    if (is_zero(header, TAR_BLOCK)) return pass_zeros(walk, at, last, end, error);
    if (!checksum_holds(header)) return damaged(walk, *at, "no header", error);
    const char type = (char)header[TYPE];
    const bool extends = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    int64_t size = number(header + SIZE, SIZE_BYTES);
    if (!extends && walk->size >= 0) size = walk->size;
    const bool empty = type == '1' || type == '2' || (type >= '3' && type <= '6'); /* no contents, whatever is said */
    if (empty) size = 0;
    if (size < 0) return damaged(walk, *at, "a size that is none", error);
    const int64_t contents = *at + TAR_BLOCK;
    end->cut = size > walk->tar->size - contents;
    if (end->cut) return SIMCLR_OK;
    if (extends) {
        status = read_extension(walk, type, contents, size, error);
    } else {
        status = take_member(walk, header, contents, size, error);
        forget_extensions(walk);
    }
    const int64_t padded = size > INT64_MAX - TAR_BLOCK ? size : (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    *at = padded > walk->tar->size - contents ? walk->tar->size : contents + padded;
    *last = false;
    return status;
}

int tar_walk(const struct blob *tar, const char *path, tar_visit *visit, void *context, struct tar_end *end,
             struct error *error)
{
    return tar_walk_window(tar, path, WINDOW, visit, context, end, error);
}

int tar_walk_window(const struct blob *tar, const char *path, size_t window, tar_visit *visit, void *context,
                    struct tar_end *end, struct error *error)
{
    struct walk *walk = memory_allocate(sizeof *walk);
    *end = (struct tar_end){0};
    if (walk == NULL) return error_no_memory(error, "a tar reader", sizeof *walk);
    walk->window_room = tar->size < (int64_t)window ? (size_t)tar->size : window;
    walk->window = memory_allocate(walk->window_room);
    walk->tar = tar;
    walk->path = path;
    walk->visit = visit;
    walk->context = context;
    forget_extensions(walk);
    int status = walk->window != NULL ? SIMCLR_OK : error_no_memory(error, "a tar reader", walk->window_room);
    bool last = false;
    for (int64_t at = 0; status == SIMCLR_OK && !last;) status = step(walk, &at, &last, end, error);
    memory_free(walk->window);
    memory_free(walk);
    return status;
}
