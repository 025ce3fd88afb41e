/* data/bytes/zip_fetch.c -- the bytes of a zip archive's member. The local header, 30 bytes and then name and extra
 * fields: signature, u16 needed, u16 flags (6), u16 method (8), u32 time, u32 CRC (14), u32 packed size (18), u32 size
 * (22), u16 lengths of name (26) and extra fields (28). */
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/bytes/zip.h"

enum { LOCAL_BYTES = 30, ENCRYPTED = 1, SIZES_FOLLOW = 8, STORED = 0, DEFLATED = 8, SLACK = 1024 };

static uint32_t little(const uint8_t *bytes, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static int damaged(const char *name, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged zip archive (%s): copy or download it again", name, what);
}

static bool agrees(uint32_t local, uint32_t central)
{
    return local == central || local == UINT32_MAX; /* in a zip64 field */
}

/* Where the member's bytes begin: after its local header, which must say what the directory says. */
static int find_bytes(const struct blob *zip, const struct member *member, const char *name, int64_t *begin,
                      struct error *error)
{
    uint8_t local[LOCAL_BYTES];
    const int status = blob_read_named(zip, member->offset, local, sizeof local, name, error);
    if (status != SIMCLR_OK) return status;
    if (memcmp(local, "PK\3\4", 4) != 0) return damaged(name, "no header where its directory says", error);
    const uint32_t flags = little(local + 6, 2), method = little(local + 8, 2);
    const bool known = (flags & SIZES_FOLLOW) == 0;
    if (flags & ENCRYPTED || method != (member->file & MEMBER_DEFLATED ? DEFLATED : STORED) ||
        (known && (little(local + 14, 4) != member->crc || !agrees(little(local + 18, 4), member->stored) ||
                   !agrees(little(local + 22, 4), member->size))))
        return damaged(name, "its header and its directory disagree", error);
    *begin = member->offset + LOCAL_BYTES + little(local + 26, 2) + little(local + 28, 2);
    if (*begin > zip->size || member->stored > zip->size - *begin) return damaged(name, "it ends too early", error);
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

static int fetch_deflated(const struct blob *zip, const struct member *member, int64_t begin, const char *name,
                          struct encoded *out, struct error *error)
{
    /* Deflate never makes bytes much longer: those of a head come from a head. */
    const size_t needed = out->whole || member->stored < out->count + SLACK ? member->stored : out->count + SLACK;
    uint8_t *packed = memory_allocate(needed);
    if (packed == NULL) return error_no_memory(error, name, needed);
    size_t made = 0;
    bool ended;
    int status = blob_read_named(zip, begin, packed, needed, name, error);
    if (status == SIMCLR_OK) {
        status = inflate_bytes(packed, needed, out->bytes, out->count, &made, &ended);
        if (status == SIMCLR_NO_MEMORY) error_no_memory(error, name, 1 << 16);
        if (status == SIMCLR_CORRUPT || (status == SIMCLR_OK && out->whole && (made != out->count || !ended)))
            status = damaged(name, "its packed bytes", error);
    }
    memory_free(packed);
    out->count = made;
    return status;
}

int zip_fetch(const struct blob *zip, const struct member *member, const char *name, size_t at_most,
              struct encoded *out, struct error *error)
{
    int64_t begin = 0;
    *out = (struct encoded){0};
    int status = find_bytes(zip, member, name, &begin, error);
    if (status != SIMCLR_OK) return status;
    out->count = member->size < at_most ? member->size : at_most;
    out->whole = out->count == member->size;
    out->total = member->size;
    out->bytes = memory_allocate(out->count);
    if (out->bytes == NULL)
        status = error_no_memory(error, name, out->count);
    else if (member->file & MEMBER_DEFLATED)
        status = fetch_deflated(zip, member, begin, name, out, error);
    else
        status = blob_read_named(zip, begin, out->bytes, out->count, name, error);
    if (status == SIMCLR_OK && out->whole && crc32(0, out->bytes, (uInt)out->count) != member->crc)
        status = damaged(name, "its CRC is wrong", error);
    if (status != SIMCLR_OK) {
        memory_free(out->bytes);
        *out = (struct encoded){0};
    }
    return status;
}
