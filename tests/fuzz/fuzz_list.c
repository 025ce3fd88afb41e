/* Any bytes as a list of images: refused with a sentence, or names without line ends and labels among the classes. */
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "data/annotations.h"
#include "data/list.h"
#include "fuzz.h"

long fuzz_accepted;

/* Speed: a label of 999999 is fine, and makes a million classes. */
static bool has_long_number(const uint8_t *bytes, size_t count)
{
    size_t digits = 0;
    for (size_t i = 0; i < count && digits < 5; i++) digits = bytes[i] >= '0' && bytes[i] <= '9' ? digits + 1 : 0;
    return digits == 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (has_long_number(bytes, count)) return 0;
    const struct blob blob = blob_of_memory(bytes, count);
    struct catalog catalog = {.prefix = memory_string("folder/")};
    struct annotations annotations = {0};
    struct error error = {0};
    const int status = list_parse(&blob, "fuzz", &catalog, &error);
    fuzz_accepted += status == SIMCLR_OK;
    FUZZ_CHECK(status == SIMCLR_OK || error.text[0] != '\0');
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog.count; i++) {
        const char *name = catalog_name(&catalog, i);
        FUZZ_CHECK(name[0] != '\0' && strchr(name, '\n') == NULL && strchr(name, '\t') == NULL);
        FUZZ_CHECK(catalog.label[i] >= -1 && catalog.label[i] < catalog.classes);
    }
    catalog_free(&catalog);
    /* The same bytes as a file of labels. */
    char *text = memory_allocate(count + 1);
    memcpy(text, bytes, count);
    if (annotations_parse(&annotations, text, "fuzz", &error) == SIMCLR_OK)
        FUZZ_CHECK(annotations_find(&annotations, catalog_name(&annotations.images.names, 0)) >= -1);
    annotations_free(&annotations);
    memory_free(text);
    return 0;
}
