/* Any bytes as JSON: refused with what is wrong and where, or values that lie within each other as their spans say,
 * with texts that are UTF-8. Written out again they are read as the same values. */
#include <stdbool.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "fuzz.h"
#include "simclr/status.h"

long fuzz_accepted;

static void write_text(struct text *out, const char *string)
{
    text_add(out, "\"");
    for (const char *at = string; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == '"' || *at == '\\')
            text_add(out, "\\u%04x", (unsigned)*at);
        else
            text_add_bytes(out, at, 1);
    text_add(out, "\"");
}

static void write_value(struct text *out, const struct json_value *value)
{
    const bool object = value->kind == JSON_OBJECT;
    char number[NUMBER_TEXT];
    if (value->name) write_text(out, value->name), text_add(out, ":");
    switch (value->kind) {
    case JSON_NULL:
        text_add(out, "null");
        return;
    case JSON_BOOLEAN:
        text_add(out, value->integer ? "true" : "false");
        return;
    case JSON_INTEGER:
        text_add(out, "%lld", (long long)value->integer);
        return;
    case JSON_REAL:
        number_format_shortest(value->number, number);
        text_add(out, strpbrk(number, ".e") ? "%s" : "%s.0", number);
        return;
    case JSON_STRING:
        write_text(out, value->string);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    text_add(out, object ? "{" : "[");
    const struct json_value *inner = json_first(value);
    size_t span = 1;
    for (size_t i = 0; i < value->count; i++, inner = json_next(inner)) {
        if (i > 0) text_add(out, ",");
        FUZZ_CHECK((inner->name != NULL) == object && inner->at > value->at);
        span += inner->span;
        write_value(out, inner);
    }
    FUZZ_CHECK(span == value->span);
    text_add(out, object ? "}" : "]");
}

static void check_utf8(const char *string)
{
    const size_t count = strlen(string);
    for (size_t at = 0, length; at < count; at += length) {
        length = escape_utf8_length((const unsigned char *)string + at, count - at);
        FUZZ_CHECK(length > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct json json, again;
    struct json_problem problem = {0};
    const int status = json_read(&json, (const char *)bytes, size, size % 2, &problem);
    FUZZ_CHECK(status == SIMCLR_OK || (problem.what && problem.at <= size));
    if (status) return 0;
    fuzz_accepted++;
    struct text first = {0}, second = {0};
    write_value(&first, json.values);
    for (size_t i = 0; i < json.values->span; i++) {
        if (json.values[i].name) check_utf8(json.values[i].name);
        if (json.values[i].string) check_utf8(json.values[i].string);
    }
    FUZZ_CHECK(json_read(&again, first.bytes, first.length, size % 2, NULL) == SIMCLR_OK);
    write_value(&second, again.values);
    FUZZ_CHECK(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0);
    text_free(&first);
    text_free(&second);
    json_free(&json);
    json_free(&again);
    return 0;
}
