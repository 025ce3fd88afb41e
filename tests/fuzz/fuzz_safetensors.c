/* Any bytes as a safetensors file: refused with a sentence, or every entry lies inside the file. */
#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct safetensors *file = NULL;
    struct error error = {0};
    const int status = safetensors_parse(&file, bytes, count, "fuzz", &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(file == NULL && status < 0 && error.text[0] != '\0');
        return 0;
    }
    volatile unsigned sum = 0; /* volatile: every byte really is read */
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        const uint8_t *data = entry->data;
        FUZZ_CHECK(data >= bytes && entry->bytes <= count && data + entry->bytes <= bytes + count);
        for (size_t b = 0; b < entry->bytes; b++) sum = sum + data[b];
        FUZZ_CHECK(safetensors_find(file, entry->name) != NULL);
    }
    safetensors_close(&file);
    return 0;
}
