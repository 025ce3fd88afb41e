/* Any bytes as a classifier: refused with a sentence, or every number and name can be read, and rows can be judged.
 * Once as they are, and once with the right checksum, which a mutation nearly never has. */
#include <math.h>
#include <string.h>

#include "evaluate/classifier.h"
#include "fuzz.h"
#include "repair.h"

long fuzz_accepted;

static void read_file(const uint8_t *bytes, size_t count)
{
    struct classifier c;
    struct error error = {0};
    const int status = classifier_parse(&c, bytes, count, "fuzz", &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(status < 0 && error.text[0] != '\0');
        FUZZ_CHECK(!c.weight && !c.bias && !c.class_name && !c.novelty.rows && !c.encoder.path);
        return;
    }
    fuzz_accepted++;
    FUZZ_CHECK(c.classes > 0 && c.dim > 0 && c.temperature > 0 && isfinite(c.temperature));
    for (int i = 0; i < c.classes; i++) {
        FUZZ_CHECK(isfinite(c.bias[i]));
        const char *end = c.class_name[i] + strlen(c.class_name[i]);
        FUZZ_CHECK(c.class_name[i] >= c.names.bytes && end < c.names.bytes + c.names.length);
    }
    for (int64_t i = 0; i < (int64_t)c.classes * c.dim; i++) FUZZ_CHECK(isfinite(c.weight[i]));
    for (int64_t i = 0; i < c.novelty.count * c.novelty.dim; i++) FUZZ_CHECK(fabsf(c.novelty.rows[i]) < 1.1f);
    FUZZ_CHECK(!c.encoder.known || (c.encoder.image_size > 0 && c.encoder.layer >= 0));
    classifier_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char digits[9];
    read_file(bytes, count);
    uint8_t *repaired = malloc(count ? count : 1);
    FUZZ_CHECK(repaired != NULL);
    if (count) memcpy(repaired, bytes, count);
    if (repair_checksum(repaired, count, digits)) read_file(repaired, count);
    free(repaired);
    return 0;
}
