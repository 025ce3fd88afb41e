/* data/bytes/zip_write.c -- see zip_write.h. A member is a local header, its name and its bytes; the directory at the
 * end repeats the headers, and an end record says where the directory is (PKWARE's APPNOTE, 4.3). */
#include "data/bytes/zip_write.h"

#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { VERSION = 20, NEW_YEAR_1980 = 0x21 };

struct zip_writer {
    struct file_writer *file;
    char *path;
    struct text directory;
    uint64_t at; /* bytes written */
    unsigned members;
};

static size_t put(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
    return bytes;
}

int zip_writer_open(struct zip_writer **out, const char *path, struct error *error)
{
    struct zip_writer *writer = *out = memory_allocate(sizeof *writer);
    if (!writer) return error_no_memory(error, path, sizeof *writer);
    writer->path = memory_string(path);
    const int status =
        writer->path ? file_writer_open(&writer->file, path, error) : error_no_memory(error, path, strlen(path) + 1);
    if (status) zip_writer_abort(out);
    return status;
}

void zip_writer_abort(struct zip_writer **out)
{
    struct zip_writer *writer = *out;
    if (!writer) return;
    file_writer_abort(&writer->file);
    text_free(&writer->directory);
    memory_free(writer->path);
    memory_free(writer);
    *out = NULL;
}

/* What both headers have: version needed, flags, method, time, date, CRC, both sizes, lengths of name and extra. */
static size_t put_common(uint8_t *to, uint32_t crc, uint64_t size, size_t name)
{
    size_t at = put(to, VERSION, 2);
    at += put(to + at, 0, 4); /* no flags, stored */
    at += put(to + at, 0, 2);
    at += put(to + at, NEW_YEAR_1980, 2);
    at += put(to + at, crc, 4);
    at += put(to + at, size, 4);
    at += put(to + at, size, 4);
    at += put(to + at, name, 2);
    return at + put(to + at, 0, 2);
}

int zip_writer_add(struct zip_writer *writer, const char *name, const void *head, size_t head_bytes, const void *bytes,
                   size_t count, struct error *error)
{
    enum { HEADERS = 1 << 16 }; /* of one member, and the directory, more than enough */
    const uint64_t size = (uint64_t)head_bytes + count;
    if (size > UINT32_MAX || writer->at + size > UINT32_MAX - HEADERS)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %s would make it larger than 4 GiB, which is not written",
                         writer->path, name);
    const size_t length = strlen(name);
    const uint32_t crc = (uint32_t)crc32_z(crc32_z(0, head, head_bytes), bytes, count);
    uint8_t header[64];
    size_t used = put(header, 0x04034b50, 4);
    used += put_common(header + used, crc, size, length);
    file_writer_write(writer->file, header, used);
    file_writer_write(writer->file, name, length);
    file_writer_write(writer->file, head, head_bytes);
    file_writer_write(writer->file, bytes, count);
    const uint64_t begin = writer->at;
    writer->at += used + length + size;
    writer->members++;
    used = put(header, 0x02014b50, 4);
    used += put(header + used, VERSION, 2);
    used += put_common(header + used, crc, size, length);
    used += put(header + used, 0, 6); /* no comment, volume 0, no attributes of text */
    used += put(header + used, 0, 4); /* nor of files */
    used += put(header + used, begin, 4);
    text_add_bytes(&writer->directory, (const char *)header, used);
    text_add_bytes(&writer->directory, name, length);
    return writer->directory.failed ? error_no_memory(error, writer->path, writer->directory.capacity) : SIMCLR_OK;
}

int zip_writer_commit(struct zip_writer **out, struct error *error)
{
    struct zip_writer *writer = *out;
    uint8_t end[32];
    size_t used = put(end, 0x06054b50, 4);
    used += put(end + used, 0, 4); /* volumes */
    used += put(end + used, writer->members, 2);
    used += put(end + used, writer->members, 2);
    used += put(end + used, writer->directory.length, 4);
    used += put(end + used, writer->at, 4);
    used += put(end + used, 0, 2); /* no comment */
    file_writer_write(writer->file, writer->directory.bytes, writer->directory.length);
    file_writer_write(writer->file, end, used);
    const int status = file_writer_commit(&writer->file, error);
    zip_writer_abort(out);
    return status;
}
