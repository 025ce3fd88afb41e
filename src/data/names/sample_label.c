/* data/names/sample_label.c -- see sample_label.h. */
#include "data/names/sample_label.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/lines.h"

static int keep(const char *text, size_t count, char label[SAMPLE_LABEL_MAX])
{
    while (count > 0 && strchr(" \t\r\n", text[count - 1]) != NULL && text[count - 1] != '\0') count--;
    while (count > 0 && (*text == ' ' || *text == '\t')) text++, count--;
    bool fine = count < SAMPLE_LABEL_MAX;
    for (size_t i = 0; i < count && fine; i++) fine = (unsigned char)text[i] >= ' ';
    if (!fine) return SIMCLR_CORRUPT;
    memcpy(label, text, count);
    label[count] = '\0';
    return SIMCLR_OK;
}

int sample_label_of_cls(const char *text, size_t count, char label[SAMPLE_LABEL_MAX])
{
    const size_t mark = lines_byte_order_length(text, count);
    const int status = keep(text + mark, count - mark, label);
    return status == SIMCLR_OK && label[0] == '\0' ? SIMCLR_CORRUPT : status;
}

int sample_label_of_json(const char *text, size_t count, char label[SAMPLE_LABEL_MAX])
{
    static const char *const keys[] = {"cls", "label", "class"};
    const size_t mark = lines_byte_order_length(text, count);
    struct json json;
    int status = json_read(&json, text + mark, count - mark, false, NULL);
    label[0] = '\0';
    if (status != SIMCLR_OK) return status;
    for (size_t i = 0; status == SIMCLR_OK && label[0] == '\0' && i < sizeof keys / sizeof *keys; i++) {
        const struct json_value *value = json_member(json.values, keys[i]);
        if (json_is(value, JSON_INTEGER))
            snprintf(label, SAMPLE_LABEL_MAX, "%" PRId64, value->integer);
        else if (json_is(value, JSON_STRING))
            status = keep(value->string, strlen(value->string), label);
    }
    json_free(&json);
    return status;
}
