/* base/text.c -- see text.h. */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Makes room for `more` bytes and a final NUL. */
static bool reserve(struct text *text, size_t more)
{
    if (text->failed) return false;
    if (more < text->capacity && text->length < text->capacity - more) return true;
    size_t needed, capacity;
    if (__builtin_add_overflow(text->length, more, &needed) || __builtin_mul_overflow(needed + 1, 2, &capacity)) {
        text->failed = true;
        return false;
    }
    if (capacity < 64) capacity = 64;
    char *bytes = memory_grow(text->bytes, text->length, capacity, 1);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count)) return;
    if (count > 0) memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (count < 0) text->failed = true;
    if (count >= 0 && reserve(text, (size_t)count)) {
        vsnprintf(text->bytes + text->length, (size_t)count + 1, format, again);
        text->length += (size_t)count;
    }
    va_end(again);
}

void text_free(struct text *text)
{
    memory_free(text->bytes);
    *text = (struct text){0};
}

/* ---- JSON ---- */

/* Bytes of the well-formed UTF-8 sequence at `at` (1 to 4), 0 if there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at)
{
    if (at[0] < 0x80) return 1;
    size_t length = 0;
    if (at[0] >= 0xC2 && at[0] <= 0xDF)
        length = 2;
    else if ((at[0] & 0xF0) == 0xE0)
        length = 3;
    else if (at[0] >= 0xF0 && at[0] <= 0xF4)
        length = 4;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    const bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    const bool surrogate = at[0] == 0xED && at[1] > 0x9F;
    const bool beyond = at[0] == 0xF4 && at[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

static void add_quoted(struct text *text, const char *value)
{
    text_add_bytes(text, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)value; *at != '\0';) {
        const size_t length = utf8_length(at);
        if (length == 0)
            text_add(text, "\\ufffd"); /* a file name need not be UTF-8; JSON must be */
        else if (*at == '"' || *at == '\\')
            text_add(text, "\\%c", *at);
        else if (*at == '\n')
            text_add(text, "\\n");
        else if (*at == '\t')
            text_add(text, "\\t");
        else if (*at < 0x20)
            text_add(text, "\\u%04x", *at);
        else
            text_add_bytes(text, (const char *)at, length);
        at += length == 0 ? 1 : length;
    }
    text_add_bytes(text, "\"", 1);
}

/* The comma, if something stands before on this level, and the key. The last byte written tells: nothing, an opening
 * bracket or a line's end (JSON lines) need no comma. */
static void begin_value(struct text *text, const char *key)
{
    const char last = text->length == 0 ? '\n' : text->bytes[text->length - 1];
    if (last != '{' && last != '[' && last != '\n') text_add_bytes(text, ", ", 2);
    if (key != NULL) {
        add_quoted(text, key);
        text_add_bytes(text, ": ", 2);
    }
}

void text_json_open_object(struct text *text, const char *key)
{
    begin_value(text, key);
    text_add_bytes(text, "{", 1);
}

void text_json_close_object(struct text *text)
{
    text_add_bytes(text, "}", 1);
}

void text_json_open_array(struct text *text, const char *key)
{
    begin_value(text, key);
    text_add_bytes(text, "[", 1);
}

void text_json_close_array(struct text *text)
{
    text_add_bytes(text, "]", 1);
}

void text_json_string(struct text *text, const char *key, const char *value)
{
    begin_value(text, key);
    add_quoted(text, value);
}

void text_json_number(struct text *text, const char *key, double value)
{
    begin_value(text, key);
    if (!isfinite(value)) {
        text_add_bytes(text, "null", 4);
        return;
    }
    char digits[40];
    const bool whole = value == floor(value) && fabs(value) < 1e15; /* 10, not 1e+01 */
    if (whole) snprintf(digits, sizeof digits, "%.0f", value);
    for (int precision = 1; !whole && precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    char *comma = strchr(digits, ','); /* the host program may have set a locale that writes 0,5 */
    if (comma != NULL) *comma = '.';
    text_add_bytes(text, digits, strlen(digits));
}

void text_json_integer(struct text *text, const char *key, int64_t value)
{
    begin_value(text, key);
    text_add(text, "%lld", (long long)value);
}

void text_json_boolean(struct text *text, const char *key, bool value)
{
    begin_value(text, key);
    text_add(text, "%s", value ? "true" : "false");
}
