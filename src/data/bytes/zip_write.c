/* data/bytes/zip_write.c -- see zip_write.h. A member is a local header, its name and its bytes; the directory at the
 * end repeats the headers, and an end record says where the directory is (PKWARE's APPNOTE, 4.3). */
#include "data/bytes/zip_write.h"

#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/text.h"

enum { VERSION = 20, NEW_YEAR_1980 = 0x21, CRC_AT = 14 /* in a local header */ };

/* A member that is not whole yet. */
struct open_member {
    const char *name;
    uint64_t begin, content; /* of its header and of what it holds */
    size_t head_bytes;
    uint32_t crc; /* of what follows the head */
};

struct zip_writer {
    struct file_writer *file;
    char *path;
    struct text directory;
    uint64_t at; /* bytes written */
    unsigned members;
    struct open_member member;
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

/* Refuses a member that would need zip64. */
static int check_room(const struct zip_writer *writer, const char *name, uint64_t size, struct error *error)
{
    enum { HEADERS = 1 << 16 }; /* of one member, and the directory, more than enough */
    if (size <= UINT32_MAX && writer->at + size <= UINT32_MAX - HEADERS) return SIMCLR_OK;
    return error_set(error, SIMCLR_UNSUPPORTED, "%s: %s would make it larger than 4 GiB, which is not written",
                     writer->path, name);
}

/* The local header and the name, at the end of the file. */
static void write_header(struct zip_writer *writer, const char *name, uint32_t crc, uint64_t size)
{
    uint8_t header[64];
    size_t used = put(header, 0x04034b50, 4);
    used += put_common(header + used, crc, size, strlen(name));
    file_writer_write(writer->file, header, used);
    file_writer_write(writer->file, name, strlen(name));
    writer->at += used + strlen(name);
}

static int list_member(struct zip_writer *writer, const char *name, uint64_t begin, uint32_t crc, uint64_t size,
                       struct error *error)
{
    uint8_t header[64];
    writer->members++;
    size_t used = put(header, 0x02014b50, 4);
    used += put(header + used, VERSION, 2);
    used += put_common(header + used, crc, size, strlen(name));
    used += put(header + used, 0, 6); /* no comment, volume 0, no attributes of text */
    used += put(header + used, 0, 4); /* nor of files */
    used += put(header + used, begin, 4);
    text_add_bytes(&writer->directory, (const char *)header, used);
    text_add_bytes(&writer->directory, name, strlen(name));
    return writer->directory.failed ? error_no_memory(error, writer->path, writer->directory.capacity) : SIMCLR_OK;
}

int zip_writer_add(struct zip_writer *writer, const char *name, const void *head, size_t head_bytes, const void *bytes,
                   size_t count, struct error *error)
{
    const uint64_t size = (uint64_t)head_bytes + count, begin = writer->at;
    const int status = check_room(writer, name, size, error);
    if (status) return status;
    const uint32_t crc = (uint32_t)crc32_z(crc32_z(0, head, head_bytes), bytes, count);
    write_header(writer, name, crc, size);
    file_writer_write(writer->file, head, head_bytes);
    file_writer_write(writer->file, bytes, count);
    writer->at += size;
    return list_member(writer, name, begin, crc, size, error);
}

int zip_writer_add_array(struct zip_writer *writer, const struct zip_array *array, struct error *error)
{
    char header[NPY_HEADER];
    const size_t head_bytes = npy_header(header, array->descr, array->rows, array->columns);
    const size_t bytes = (size_t)array->rows * (size_t)(array->columns > 0 ? array->columns : 1) * array->item;
    return zip_writer_add(writer, array->name, header, head_bytes, array->values, bytes, error);
}

int zip_writer_begin(struct zip_writer *writer, const char *name, size_t head_bytes, uint64_t at_most,
                     struct error *error)
{
    static const uint8_t zeros[256];
    const int status = check_room(writer, name, at_most, error);
    if (status) return status;
    if (!file_writer_goes_back(writer->file))
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: is no file on a disk, which a zip archive must be here",
                         writer->path);
    writer->member = (struct open_member){.name = name, .begin = writer->at, .head_bytes = head_bytes};
    write_header(writer, name, 0, 0);
    writer->member.content = writer->at;
    for (size_t left = head_bytes; left > 0; left -= left < sizeof zeros ? left : sizeof zeros)
        file_writer_write(writer->file, zeros, left < sizeof zeros ? left : sizeof zeros);
    writer->at += head_bytes;
    return SIMCLR_OK;
}

void zip_writer_put(struct zip_writer *writer, const void *bytes, size_t count)
{
    writer->member.crc = (uint32_t)crc32_z(writer->member.crc, bytes, count);
    file_writer_write(writer->file, bytes, count);
    writer->at += count;
}

int zip_writer_end(struct zip_writer *writer, const void *head, struct error *error)
{
    const struct open_member *member = &writer->member;
    const uint64_t size = writer->at - member->content;
    const uint64_t bytes = size - member->head_bytes;
    const uint32_t crc = (uint32_t)crc32_combine(crc32_z(0, head, member->head_bytes), member->crc, (z_off_t)bytes);
    uint8_t fields[12];
    size_t used = put(fields, crc, 4);
    used += put(fields + used, size, 4);
    used += put(fields + used, size, 4);
    file_writer_patch(writer->file, (int64_t)member->begin + CRC_AT, fields, used);
    file_writer_patch(writer->file, (int64_t)member->content, head, member->head_bytes);
    return list_member(writer, member->name, member->begin, crc, size, error);
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
