/* Any bytes as a pickle of PyTorch, and as an archive of one with its storages. They are refused with a sentence, or
 * every tensor lies in its storage and can be read. */
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "run/torch/tensors.h"
#include "run/torch/torch.h"
#include "run/torch/values.h"

long fuzz_accepted;

enum { STORAGE_MOST = 1 << 16 };

/* Every element of the tensor is read out of a storage of exactly its size. */
static void read_values(const struct torch_tensor *tensor, const struct safetensors_entry *entry)
{
    const size_t size = torch_type_bytes(tensor->type);
    if (size == 0 || tensor->elements > STORAGE_MOST || entry->bytes > STORAGE_MOST) return;
    uint8_t *storage = malloc((size_t)tensor->elements * size + 1), *values = malloc(entry->bytes + 1);
    FUZZ_CHECK(storage && values);
    uint8_t *exact = realloc(storage, tensor->elements > 0 ? (size_t)tensor->elements * size : 1);
    FUZZ_CHECK(exact != NULL);
    memset(exact, 1, (size_t)tensor->elements * size);
    values[entry->bytes] = 0xA5;
    torch_values(values, exact, tensor, entry);
    FUZZ_CHECK(values[entry->bytes] == 0xA5);
    free(values);
    free(exact);
    fuzz_accepted++;
}

static void check_pickle(const struct pickle *pickle, size_t count)
{
    FUZZ_CHECK(pickle->result > 0 && pickle->result < pickle->value_count);
    for (uint32_t i = 0; i < pickle->value_count; i++) {
        const struct pickle_value *value = pickle_at(pickle, i);
        if (value->kind == PICKLE_TEXT) FUZZ_CHECK(value->text.at + (size_t)value->text.length <= count);
        if (value->kind != PICKLE_DICT) continue;
        FUZZ_CHECK(value->items.count % 2 == 0 && value->items.last < pickle->item_count);
    }
}

static void read_pickle(const uint8_t *bytes, size_t count)
{
    struct pickle pickle;
    struct torch_tensors tensors;
    struct error error = {0};
    int status = pickle_read(&pickle, bytes, count, "fuzz", &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(status < 0 && error.text[0] != '\0' && pickle.values == NULL);
        return;
    }
    check_pickle(&pickle, count);
    status = torch_tensors_find(&tensors, &pickle, "fuzz", &error);
    FUZZ_CHECK(status == SIMCLR_OK || (status < 0 && error.text[0] != '\0' && tensors.count == 0));
    for (int i = 0; i < tensors.count; i++) {
        FUZZ_CHECK(strlen(tensors.entries[i].name) <= TORCH_NAME_MAX);
        if (!tensors.entries[i].instead) read_values(&tensors.tensors[i], &tensors.entries[i]);
    }
    torch_tensors_free(&tensors);
    pickle_free(&pickle);
}

static void read_archive(const uint8_t *bytes, size_t count)
{
    struct safetensors *file;
    struct torch_told told;
    struct error error = {0};
    const int status = torch_parse(&file, &told, bytes, count, "fuzz", &error);
    FUZZ_CHECK(status == SIMCLR_OK || (status < 0 && error.text[0] != '\0' && file == NULL));
    for (int i = 0; file && i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        if (entry->instead || entry->bytes > STORAGE_MOST) continue;
        const int loaded = safetensors_load(file, entry, &error);
        FUZZ_CHECK(loaded == SIMCLR_OK ? entry->data != NULL : loaded < 0 && error.text[0] != '\0');
        volatile unsigned sum = 0; /* volatile: every byte really is read */
        for (size_t b = 0; loaded == SIMCLR_OK && b < entry->bytes; b++) sum = sum + ((const uint8_t *)entry->data)[b];
        fuzz_accepted += loaded == SIMCLR_OK;
    }
    safetensors_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count >= 4 && memcmp(bytes, "PK\3\4", 4) == 0)
        read_archive(bytes, count);
    else
        read_pickle(bytes, count);
    return 0;
}
