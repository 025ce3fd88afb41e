/* Any bytes as a zip archive: refused with a sentence, or every member can be fetched or is refused with one. */
#include "base/memory.h"
#include "data/archives/index_zip.h"
#include "fuzz.h"

long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const size_t heads[] = {0, 100, SIZE_MAX};
    const struct blob blob = blob_of_memory(bytes, count);
    struct members members = {0};
    struct error error = {0};
    if (index_zip(&members, &blob, "fuzz", &error) != SIMCLR_OK) FUZZ_CHECK(error.text[0] != '\0');
    for (int64_t i = 0; i < members.names.count && i < 16; i++)
        for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
            struct encoded out;
            if (members.at[i].size > 1 << 20) continue; /* a set refuses what is above its limit before */
            const int status = member_fetch(&blob, true, &members.at[i], "fuzz", heads[h], &out, &error);
            volatile unsigned sum = 0; /* volatile: every byte really is read */
            for (size_t b = 0; b < out.count; b++) sum = sum + out.bytes[b];
            fuzz_accepted += status == SIMCLR_OK;
            FUZZ_CHECK(status == SIMCLR_OK || (out.bytes == NULL && error.text[0] != '\0'));
            FUZZ_CHECK(status != SIMCLR_OK || (out.count <= heads[h] && out.count <= members.at[i].size));
            memory_free(out.bytes);
        }
    members_free(&members);
    return 0;
}
