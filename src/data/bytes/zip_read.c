/* data/bytes/zip_read.c -- the bytes of a zip archive's member. The local header is 30 bytes, then name and extra
 * fields:
 *
 *     signature, u16 needed, u16 flags (6), u16 method (8), u32 time, u32 CRC (14), u32 packed size (18), u32 size
 * (22), u16 lengths of name (26) and extra fields (28) */
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/bytes/zip.h"

enum { LOCAL_BYTES = 30, ENCRYPTED = 1, SIZES_FOLLOW = 8, SLACK = 1024 };

static uint32_t little(const uint8_t *bytes, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static bool agrees(uint32_t local, uint32_t central)
{
    return local == central || local == UINT32_MAX; /* in a zip64 field */
}

/* Where the member's bytes begin: after its local header, which must say what the directory says. */
static int find_bytes(const struct blob *zip, const struct zip_place *place, const char *name, int64_t *begin,
                      struct error *error)
{
    uint8_t local[LOCAL_BYTES];
    const int status = blob_read_named(zip, place->offset, local, sizeof local, name, error);
    if (status != SIMCLR_OK) return status;
    if (memcmp(local, "PK\3\4", 4) != 0) return zip_damaged(name, "no header where its directory says", error);
    const uint32_t flags = little(local + 6, 2), method = little(local + 8, 2);
    const bool known = (flags & SIZES_FOLLOW) == 0;
    if (flags & ENCRYPTED || method != (place->deflated ? ZIP_DEFLATED : ZIP_STORED) ||
        (known && (little(local + 14, 4) != place->crc || !agrees(little(local + 18, 4), place->stored) ||
                   !agrees(little(local + 22, 4), place->size))))
        return zip_damaged(name, "its header and its directory disagree", error);
    *begin = place->offset + LOCAL_BYTES + little(local + 26, 2) + little(local + 28, 2);
    if (*begin > zip->size || place->stored > zip->size - *begin) return zip_damaged(name, "it ends too early", error);
    return SIMCLR_OK;
}

/* Inflates `packed` into the `count` bytes of `to`. More output than that is the caller's business. */
static int inflate_bytes(const uint8_t *packed, size_t packed_bytes, uint8_t *to, size_t count, size_t *made,
                         bool *ended)
{
    z_stream stream = {
        .next_in = (Bytef *)packed, .avail_in = (uInt)packed_bytes, .next_out = to, .avail_out = (uInt)count};
    *made = 0;
    *ended = false;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return SIMCLR_NO_MEMORY;
    int result = inflate(&stream, Z_FINISH);
    *made = count - stream.avail_out;
    if (result == Z_BUF_ERROR && stream.avail_out == 0) { /* is the end the next thing? One byte more would show. */
        uint8_t beyond;
        stream.next_out = &beyond;
        stream.avail_out = 1;
        result = inflate(&stream, Z_FINISH);
        if (stream.avail_out == 0) result = Z_BUF_ERROR;
    }
    *ended = result == Z_STREAM_END;
    inflateEnd(&stream);
    if (result == Z_MEM_ERROR) return SIMCLR_NO_MEMORY;
    return result == Z_STREAM_END || result == Z_BUF_ERROR ? SIMCLR_OK : SIMCLR_CORRUPT;
}

static int read_deflated(const struct blob *zip, const struct zip_place *place, int64_t begin, const char *name,
                         uint8_t *bytes, size_t *count, struct error *error)
{
    /* Deflate never makes bytes much longer: those of a head come from a head. */
    const bool whole = *count == place->size;
    const size_t needed = whole || place->stored < *count + SLACK ? place->stored : *count + SLACK;
    uint8_t *packed = memory_allocate(needed);
    if (!packed) return error_no_memory(error, name, needed);
    size_t made = 0;
    bool ended;
    int status = blob_read_named(zip, begin, packed, needed, name, error);
    if (status == SIMCLR_OK) {
        status = inflate_bytes(packed, needed, bytes, *count, &made, &ended);
        if (status == SIMCLR_NO_MEMORY) error_no_memory(error, name, 1 << 16);
        if (status == SIMCLR_CORRUPT || (status == SIMCLR_OK && whole && (made != *count || !ended)))
            status = zip_damaged(name, "its packed bytes", error);
    }
    memory_free(packed);
    *count = made;
    return status;
}

int zip_read(const struct blob *zip, const struct zip_place *place, const char *name, uint8_t *bytes, size_t *count,
             struct error *error)
{
    const bool whole = *count == place->size;
    int64_t begin = 0;
    int status = find_bytes(zip, place, name, &begin, error);
    if (status) return status;
    status = place->deflated ? read_deflated(zip, place, begin, name, bytes, count, error)
                             : blob_read_named(zip, begin, bytes, *count, name, error);
    if (status) return status;
    if (whole && !place->unchecked && crc32(0, bytes, (uInt)*count) != place->crc)
        return zip_damaged(name, "its CRC is wrong", error);
    return SIMCLR_OK;
}
