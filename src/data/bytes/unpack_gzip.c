/* data/bytes/unpack_gzip.c -- gzip by zlib: one member after another, as pigz and bgzip write them. */
#include <zlib.h>

#include "base/memory.h"
#include "data/bytes/unpack.h"

bool unpack_is_gzip(const uint8_t *head, size_t count)
{
    return count >= 3 && head[0] == 0x1F && head[1] == 0x8B && head[2] == 8;
}

struct gzip {
    z_stream stream;
    bool ended; /* a member has, and no other has begun */
};

static const char *gzip_step(void *self, const uint8_t **in, size_t *in_bytes, uint8_t **out, size_t *out_bytes,
                             bool *ended)
{
    struct gzip *gzip = self;
    z_stream *stream = &gzip->stream;
    if (gzip->ended && *in_bytes > 0) {
        if (**in == 0) { /* zeros after the end, as tapes have them */
            (*in)++, (*in_bytes)--;
            *ended = true;
            return NULL;
        }
        if (inflateReset(stream) != Z_OK) return "it cannot be read on";
        gzip->ended = false;
    }
    const uInt in_now = *in_bytes > 1u << 30 ? 1u << 30 : (uInt)*in_bytes;
    const uInt out_now = *out_bytes > 1u << 30 ? 1u << 30 : (uInt)*out_bytes;
    stream->next_in = (Bytef *)*in;
    stream->avail_in = in_now;
    stream->next_out = *out;
    stream->avail_out = out_now;
    const int result = inflate(stream, Z_NO_FLUSH);
    *in += in_now - stream->avail_in;
    *in_bytes -= in_now - stream->avail_in;
    *out += out_now - stream->avail_out;
    *out_bytes -= out_now - stream->avail_out;
    if (result == Z_STREAM_END) gzip->ended = true;
    *ended = gzip->ended;
    if (result == Z_MEM_ERROR) return unpacker_no_memory;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return stream->msg != NULL ? stream->msg : "its data are not gzip's";
    return NULL;
}

static void gzip_close(void *self)
{
    inflateEnd(&((struct gzip *)self)->stream);
    memory_free(self);
}

int unpacker_open_gzip(struct unpacker *unpacker, struct error *error)
{
    struct gzip *gzip = memory_allocate(sizeof *gzip);
    if (gzip == NULL) return error_no_memory(error, "a gzip reader", sizeof *gzip);
    if (inflateInit2(&gzip->stream, 16 + MAX_WBITS) != Z_OK) {
        memory_free(gzip);
        return error_no_memory(error, "a gzip reader", 1 << 16);
    }
    *unpacker = (struct unpacker){gzip, gzip_step, gzip_close};
    return SIMCLR_OK;
}
