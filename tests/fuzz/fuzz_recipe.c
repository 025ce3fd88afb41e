/* Any text as a recipe: refused with a sentence, or it survives being written and read again. */
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "fuzz.h"

long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct config *config = NULL, *again = NULL;
    struct error error = {0};
    FUZZ_CHECK(config_create(&config, COMMAND_PRETRAIN, &error) == SIMCLR_OK);
    const int status = config_parse_recipe(config, (const char *)bytes, count, "fuzz", 1, &error);
    if (status == SIMCLR_OK) {
        fuzz_accepted++;
        char *yaml = config_to_yaml(config, CONFIG_AS_IT_IS);
        FUZZ_CHECK(yaml && config_create(&again, COMMAND_PRETRAIN, &error) == SIMCLR_OK);
        FUZZ_CHECK(config_parse_recipe(again, yaml, strlen(yaml), "again", 1, &error) == SIMCLR_OK);
        char *differences = config_differences(config, again);
        FUZZ_CHECK(differences && differences[0] == '\0');
        memory_free(differences);
        memory_free(yaml);
        config_destroy(&again);
    } else {
        FUZZ_CHECK(status < 0 && error.text[0] != '\0');
    }
    config_destroy(&config);
    return 0;
}
