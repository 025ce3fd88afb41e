/* Any bytes as a gzip or zstd stream, in pieces of the size that the first byte says: they come to an end, and write no
 * further than asked. */
#include "base/memory.h"
#include "data/bytes/unpack.h"
#include "fuzz.h"

long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    enum { OUT = 512, MOST = 1 << 18 };
    struct unpacker unpacker = {0};
    if (count < 6) return 0;
    const size_t piece = (size_t)bytes[0] + 1;
    bytes++, count--;
    const int status =
        unpack_is_zstd(bytes, count) ? unpacker_open_zstd(&unpacker, NULL) : unpacker_open_gzip(&unpacker, NULL);
    if (status != SIMCLR_OK) return 0;
    uint8_t *out = memory_allocate(OUT);
    size_t made = 0;
    const char *wrong = NULL;
    for (size_t at = 0; at < count && made < MOST && wrong == NULL;) {
        const size_t have = count - at < piece ? count - at : piece;
        const uint8_t *in = bytes + at;
        size_t in_bytes = have, room = OUT;
        uint8_t *to = out;
        bool ended;
        wrong = unpacker.step(unpacker.self, &in, &in_bytes, &to, &room, &ended);
        FUZZ_CHECK(in_bytes <= have && room <= OUT && to == out + (OUT - room));
        FUZZ_CHECK(wrong != NULL || in_bytes < have || room < OUT); /* it moves */
        at += have - in_bytes;
        made += OUT - room;
    }
    fuzz_accepted += wrong == NULL;
    unpacker.close(unpacker.self);
    memory_free(out);
    return 0;
}
