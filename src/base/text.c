/* base/text.c -- see text.h. */
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/number.h"

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

void text_add_shell(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
    const size_t length = strlen(word);
    const bool quoted = length == 0 || strspn(word, plain) != length || word[0] == '-';
    if (quoted) text_add(text, "'");
    for (const char *at = word; *at != '\0'; at++) text_add(text, *at == '\'' ? "'\\''" : "%c", *at);
    if (quoted) text_add(text, "'");
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int count = format_plain(NULL, 0, format, arguments);
    va_end(arguments);
    if (count < 0) text->failed = true;
    if (count >= 0 && reserve(text, (size_t)count)) {
        format_plain(text->bytes + text->length, (size_t)count + 1, format, again);
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

static void add_code_point(struct text *text, const unsigned char *at, size_t length)
{
    const unsigned long code = escape_code_point(at, length);
    if (code > 0xFFFF)
        text_add(text, "\\u%04lx\\u%04lx", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
    else
        text_add(text, "\\u%04lx", code);
}

static void add_quoted(struct text *text, const char *value, bool bytes)
{
    const unsigned char *at = (const unsigned char *)value, *end = at + strlen(value);
    text_add_bytes(text, "\"", 1);
    for (size_t length; at<end; at += length> 0 ? length : 1) {
        length = escape_utf8_length(at, (size_t)(end - at));
        if (length == 0)
            text_add(text, "\\\\x%02x", *at);
        else if (*at == '\\')
            text_add(text, "%s", bytes ? "\\\\\\\\" : "\\\\");
        else if (*at == '"')
            text_add(text, "\\\"");
        else if (*at == '\n' || *at == '\t')
            text_add(text, "%s", *at == '\n' ? "\\n" : "\\t");
        else if (escape_plain_length(at, (size_t)(end - at)) == 0)
            add_code_point(text, at, length);
        else
            text_add_bytes(text, (const char *)at, length);
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
        add_quoted(text, key, escape_holds_bytes(key));
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
    add_quoted(text, value, escape_holds_bytes(value));
}

void text_json_exact(struct text *text, const char *key, const char *value)
{
    begin_value(text, key);
    add_quoted(text, value, false);
}

void text_json_hash(struct text *text, const char *key, uint64_t hash)
{
    char digits[17];
    snprintf(digits, sizeof digits, "%016" PRIx64, hash);
    text_json_exact(text, key, digits);
}

void text_json_number(struct text *text, const char *key, double value)
{
    begin_value(text, key);
    if (!isfinite(value)) {
        text_add_bytes(text, "null", 4);
        return;
    }
    char digits[NUMBER_TEXT];
    number_format_shortest(value, digits);
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
