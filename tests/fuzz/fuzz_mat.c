/* Any bytes as the meta.mat of ImageNet's devkit: refused with a sentence, or every class has a name without
 * separators. */
#include <string.h>

#include "data/names/devkit.h"
#include "fuzz.h"

long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct devkit devkit;
    struct error error = {0};
    const int status = devkit_parse(&devkit, bytes, count, "fuzz", &error);
    int classes = 0;
    fuzz_accepted += status == SIMCLR_OK;
    FUZZ_CHECK(status == SIMCLR_OK || (status < 0 && error.text[0] != '\0'));
    for (int i = 1; status == SIMCLR_OK && i <= devkit.ids; i++) {
        FUZZ_CHECK(strlen(devkit.wnid[i]) < WNID_MAX && strpbrk(devkit.wnid[i], " /\t\n") == NULL);
        classes += devkit.wnid[i][0] != '\0';
    }
    FUZZ_CHECK(status != SIMCLR_OK || (classes == devkit.classes && classes > 0));
    devkit_free(&devkit);
    return 0;
}
