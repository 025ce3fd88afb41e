/* Any bytes as a safetensors file: refused with a sentence, or every entry lies inside the file. Once as they are, and
 * once with the right checksum, which a mutation nearly never has. */
#include <string.h>

#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weights.h"
#include "fuzz.h"
#include "repair.h"

long fuzz_accepted;

/* As weights of whatever program: a network is found and described, or a sentence says what is wrong. Nothing of the
 * size that the names promise is allocated. */
static void look_at_weights(const struct safetensors *file)
{
    struct weights weights;
    struct model_config config;
    struct parameters parameters = {0};
    struct error error = {0};
    int status = weights_look(&weights, file, "fuzz", &error);
    if (status == SIMCLR_OK) {
        FUZZ_CHECK(weights.encoder + weights.outside <= safetensors_count(file));
        FUZZ_CHECK((weights.outside > 0) == (weights.example != NULL));
        status = weights_config(&weights, &config, &error);
    }
    if (status == SIMCLR_OK) status = model_describe(&parameters, &config, &error);
    if (status == SIMCLR_OK) status = weights_check(&weights, &parameters, &error);
    FUZZ_CHECK(status == SIMCLR_OK || (status < 0 && error.text[0] != '\0'));
    parameters_free(&parameters);
}

/* digits: of the checksum that was put right, or NULL. */
static void read_file(const uint8_t *bytes, size_t count, const char *digits)
{
    struct safetensors *file = NULL;
    struct error error = {0};
    const int status = safetensors_parse(&file, bytes, count, "fuzz", &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(file == NULL && status < 0 && error.text[0] != '\0');
        return;
    }
    volatile unsigned sum = 0; /* volatile: every byte really is read */
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        const uint8_t *data = entry->data;
        FUZZ_CHECK(data >= bytes && entry->bytes <= count && data + entry->bytes <= bytes + count);
        for (size_t b = 0; b < entry->bytes; b++) sum = sum + data[b];
        FUZZ_CHECK(safetensors_find(file, entry->name) != NULL);
    }
    look_at_weights(file);
    const char *checksum = safetensors_metadata(file, SAFETENSORS_CHECKSUM);
    const int verified = safetensors_verify(file, &error);
    fuzz_accepted += checksum && verified == SIMCLR_OK;
    FUZZ_CHECK(verified == SIMCLR_OK || verified == SIMCLR_CORRUPT);
    if (checksum && digits && !strcmp(checksum, digits)) FUZZ_CHECK(verified == SIMCLR_OK);
    safetensors_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char digits[9];
    read_file(bytes, count, NULL);
    uint8_t *repaired = malloc(count ? count : 1);
    FUZZ_CHECK(repaired != NULL);
    if (count) memcpy(repaired, bytes, count);
    if (repair_checksum(repaired, count, digits)) read_file(repaired, count, digits);
    free(repaired);
    return 0;
}
