/* data/bytes/unpack_zstd.c -- zstd by libzstd, where the program was built with it. */
#include <string.h>

#include "data/bytes/unpack.h"

bool unpack_is_zstd(const uint8_t *head, size_t count)
{
    return count >= 4 && memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0;
}

#ifdef SIMCLR_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

static const char *zstd_step(void *self, const uint8_t **in, size_t *in_bytes, uint8_t **out, size_t *out_bytes,
                             bool *ended)
{
    ZSTD_inBuffer from = {*in, *in_bytes, 0};
    ZSTD_outBuffer to = {*out, *out_bytes, 0};
    const size_t result = ZSTD_decompressStream(self, &to, &from); /* frame after frame */
    *in += from.pos;
    *in_bytes -= from.pos;
    *out += to.pos;
    *out_bytes -= to.pos;
    *ended = result == 0;
    if (!ZSTD_isError(result)) return NULL;
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? unpacker_no_memory : ZSTD_getErrorName(result);
}

static void zstd_close(void *self)
{
    ZSTD_freeDStream(self);
}

int unpacker_open_zstd(struct unpacker *unpacker, struct error *error)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL) return error_no_memory(error, "a zstd reader", 1 << 17);
    *unpacker = (struct unpacker){stream, zstd_step, zstd_close};
    return SIMCLR_OK;
}
#else
int unpacker_open_zstd(struct unpacker *unpacker, struct error *error)
{
    (void)unpacker;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "this program was built without libzstd: unpack the archive with `zstd -d` first");
}
#endif
