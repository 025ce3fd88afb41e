/* Any bytes as the stored index of an archive, with the right checksum: refused, or every member lies inside. */
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/archives/members.h"
#include "data/numbering.h"
#include "fuzz.h"

long fuzz_accepted;

/* The same bytes as images.txt of a run's folder: refused, or items in ascending order. */
static void check_numbering(const uint8_t *bytes, size_t count)
{
    struct numbering numbering;
    struct error error = {0};
    char *text = memory_allocate(count + 1);
    memcpy(text, bytes, count);
    if (numbering_parse(text, count, "fuzz", &numbering, &error) == SIMCLR_OK) {
        fuzz_accepted++;
        for (int64_t i = 0; i < numbering.count; i++)
            FUZZ_CHECK(i == 0 || numbering.left_out[i] > numbering.left_out[i - 1]);
        numbering_free(&numbering);
    } else {
        FUZZ_CHECK(error.text[0] != '\0' && numbering.left_out == NULL);
    }
    memory_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    check_numbering(bytes, count);
    enum { STAMP_AT = 16, STAMP_BYTES = 24, LIMIT = 1 << 20 };
    int64_t stamp_words[3] = {0};
    if (count < STAMP_AT + STAMP_BYTES + sizeof(uint32_t)) return 0;
    uint8_t *copy = memory_allocate(count);
    memcpy(copy, bytes, count);
    memcpy(stamp_words, copy + STAMP_AT, STAMP_BYTES);
    const struct blob_stamp stamp = {.size = stamp_words[0],
                                     .changed = {.tv_sec = stamp_words[1], .tv_nsec = stamp_words[2]}};
    const uint32_t crc = crc32c(copy, count - sizeof crc);
    memcpy(copy + count - sizeof crc, &crc, sizeof crc);
    struct members members;
    struct error error = {0};
    if (members_unpack(&members, &stamp, LIMIT, copy, count, &error) == SIMCLR_OK) {
        fuzz_accepted++;
        for (int64_t i = 0; i < members.names.count; i++) {
            FUZZ_CHECK(members.at[i].offset >= 0 && members.at[i].offset + members.at[i].stored <= LIMIT);
            FUZZ_CHECK(members.names.label[i] >= -1 && members.names.label[i] < members.labels.names.count);
            FUZZ_CHECK(strlen(catalog_name(&members.names, i)) < count);
        }
        members_free(&members);
    } else {
        FUZZ_CHECK(error.text[0] != '\0' && members.at == NULL);
    }
    memory_free(copy);
    return 0;
}
