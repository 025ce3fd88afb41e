/* run/evaluated.c -- see evaluated.h. */
#include "run/evaluated.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

enum { BYTES_MAX = 64 << 20 };

bool evaluated_folder(const char *folder, char **model)
{
    char *path = file_join(folder, "evaluation.json");
    const bool there = path && file_exists(path);
    uint8_t *text = NULL;
    size_t count = 0;
    struct json json = {0};
    *model = NULL;
    if (there && !file_read(path, BYTES_MAX, &text, &count, NULL) &&
        !json_read(&json, (const char *)text, count, false, NULL)) {
        const struct json_value *named = json_member(json.values, "checkpoint");
        if (json_is(named, JSON_STRING)) *model = memory_string(named->string);
    }
    json_free(&json);
    memory_free(text);
    memory_free(path);
    return there;
}
