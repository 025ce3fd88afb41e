/* base/json.c -- see json.h. The text is read twice: once to check it and to count its values, once to keep them. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/number.h"
#include "simclr/status.h"

enum { DEEPEST = 128 };

struct reader {
    const unsigned char *text, *at, *end;
    struct json_value *values; /* NULL: they are only counted */
    size_t count;
    char *letters; /* where the next one goes; NULL: they are only checked */
    size_t most;   /* members that one object has */
    const char *wrong;
    const char *twice; /* the name that comes twice */
};

static bool fails(struct reader *reader, const char *what)
{
    reader->wrong = what;
    return false;
}

static bool is_blank(unsigned char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && is_blank(*reader->at)) reader->at++;
}

static bool is_digit(unsigned char letter)
{
    return letter >= '0' && letter <= '9';
}

/* Takes the letter where it comes next. */
static bool takes(struct reader *reader, char letter)
{
    const bool found = reader->at < reader->end && *reader->at == (unsigned char)letter;
    reader->at += found;
    return found;
}

/* ---- strings ------------------------------------------------------------------------------------------------ */
static void put(struct reader *reader, const unsigned char *bytes, size_t count)
{
    if (!reader->letters) return;
    memcpy(reader->letters, bytes, count);
    reader->letters += count;
}

static void put_code_point(struct reader *reader, unsigned long code)
{
    static const unsigned long lasts[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    static const unsigned char firsts[] = {0, 0xC0, 0xE0, 0xF0};
    unsigned char bytes[4];
    int more = 0;
    while (code > lasts[more]) more++;
    for (int i = more; i > 0; i--, code >>= 6) bytes[i] = (unsigned char)(0x80 | (code & 0x3F));
    bytes[0] = (unsigned char)(firsts[more] | code);
    put(reader, bytes, (size_t)more + 1);
}

/* Four hexadecimal digits. */
static bool read_unit(struct reader *reader, unsigned long *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = reader->at < reader->end ? memchr(digits, *reader->at, sizeof digits - 1) : NULL;
        if (!digit) return fails(reader, "\\u without four digits");
        *unit = *unit << 4 | ((unsigned long)(digit - digits) & 15);
        reader->at++;
    }
    return true;
}

/* After \u. Code points above FFFF are two units. */
static bool read_code_point(struct reader *reader)
{
    unsigned long code, second;
    if (!read_unit(reader, &code)) return false;
    if (code == 0) return fails(reader, "a NUL in a text");
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (!takes(reader, '\\') || !takes(reader, 'u')) return fails(reader, "half a surrogate pair");
        if (!read_unit(reader, &second)) return false;
        if (second < 0xDC00 || second > 0xDFFF) return fails(reader, "half a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return fails(reader, "half a surrogate pair");
    }
    put_code_point(reader, code);
    return true;
}

static bool read_escape(struct reader *reader)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name = reader->at < reader->end ? memchr(names, *reader->at, sizeof names - 1) : NULL;
    if (takes(reader, 'u')) return read_code_point(reader);
    if (!name) return fails(reader, "an unknown escape in a text");
    reader->at++;
    put(reader, (const unsigned char *)&values[name - names], 1);
    return true;
}

/* A text with its quotes. Its letters and their NUL are fewer than the bytes that they were read from. */
static bool read_text(struct reader *reader, const char **out)
{
    *out = reader->letters;
    if (!takes(reader, '"')) return fails(reader, "no text in quotes where a name belongs");
    while (!takes(reader, '"')) {
        const size_t left = (size_t)(reader->end - reader->at);
        if (left == 0) return fails(reader, "a text without its end");
        if (*reader->at < 0x20) return fails(reader, "a control character in a text");
        if (takes(reader, '\\')) {
            if (!read_escape(reader)) return false;
            continue;
        }
        const size_t length = escape_utf8_length(reader->at, left);
        if (length == 0) return fails(reader, "a text that is no UTF-8");
        put(reader, reader->at, length);
        reader->at += length;
    }
    put(reader, (const unsigned char *)"", 1);
    return true;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */
static bool skip_digits(struct reader *reader)
{
    const unsigned char *start = reader->at;
    while (reader->at < reader->end && is_digit(*reader->at)) reader->at++;
    return reader->at > start || fails(reader, "a number that lacks digits");
}

static bool read_number(struct reader *reader, struct json_value *value)
{
    const unsigned char *start = reader->at;
    bool whole = true;
    takes(reader, '-');
    if (!takes(reader, '0') && !skip_digits(reader)) return false;
    if (takes(reader, '.')) {
        whole = false;
        if (!skip_digits(reader)) return false;
    }
    if (takes(reader, 'e') || takes(reader, 'E')) {
        whole = false;
        if (!takes(reader, '+')) takes(reader, '-');
        if (!skip_digits(reader)) return false;
    }
    value->kind = whole ? JSON_INTEGER : JSON_REAL;
    if (!reader->letters) return true;
    const size_t length = (size_t)(reader->at - start);
    memcpy(reader->letters, start, length); /* with a NUL for strtod; the next text takes the place */
    reader->letters[length] = '\0';
    errno = 0;
    if (whole) value->integer = strtoll(reader->letters, NULL, 10);
    if (whole && errno) value->kind = JSON_REAL, value->integer = 0;
    value->number = number_read(reader->letters, NULL);
    return isfinite(value->number) || fails(reader, "a number beyond the range of double");
}

/* ---- values ------------------------------------------------------------------------------------------------- */
static bool read_value(struct reader *reader, const char *name, int depth);

static bool read_list(struct reader *reader, struct json_value *list, char end, int depth)
{
    reader->at++;
    skip_blanks(reader);
    if (takes(reader, end)) return true;
    do {
        const char *name = NULL;
        if (list->kind == JSON_OBJECT) {
            skip_blanks(reader);
            if (!read_text(reader, &name)) return false;
            skip_blanks(reader);
            if (!takes(reader, ':')) return fails(reader, "a name without a colon");
        }
        if (!read_value(reader, name, depth + 1)) return false;
        list->count++;
        skip_blanks(reader);
    } while (takes(reader, ','));
    if (list->kind == JSON_OBJECT && list->count > reader->most) reader->most = list->count;
    return takes(reader, end) || fails(reader, "a list without its end");
}

static bool read_word(struct reader *reader, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return fails(reader, "an unknown word");
    reader->at += length;
    return true;
}

static bool read_kind(struct reader *reader, struct json_value *value, int depth)
{
    switch (*reader->at) {
    case '{':
        value->kind = JSON_OBJECT;
        return read_list(reader, value, '}', depth);
    case '[':
        value->kind = JSON_ARRAY;
        return read_list(reader, value, ']', depth);
    case '"':
        value->kind = JSON_STRING;
        return read_text(reader, &value->string);
    case 'n':
        value->kind = JSON_NULL;
        return read_word(reader, "null");
    case 't':
        value->kind = JSON_BOOLEAN, value->integer = 1;
        return read_word(reader, "true");
    case 'f':
        value->kind = JSON_BOOLEAN;
        return read_word(reader, "false");
    default:
        if (*reader->at != '-' && !is_digit(*reader->at)) return fails(reader, "nothing that a value begins with");
        return read_number(reader, value);
    }
}

static bool read_value(struct reader *reader, const char *name, int depth)
{
    const size_t index = reader->count++;
    skip_blanks(reader);
    struct json_value value = {.name = name, .at = (size_t)(reader->at - reader->text)};
    if (reader->at == reader->end) return fails(reader, "nothing where a value belongs");
    if (depth > DEEPEST) return fails(reader, "lists within lists, too deep");
    if (!read_kind(reader, &value, depth)) return false;
    value.span = reader->count - index;
    if (reader->values) reader->values[index] = value;
    return true;
}

static bool read_document(struct reader *reader)
{
    reader->at = reader->text;
    reader->count = 0;
    if (!read_value(reader, NULL, 0)) return false;
    skip_blanks(reader);
    return reader->at == reader->end || fails(reader, "something after the end");
}

/* ---- names that come twice ---------------------------------------------------------------------------------- */
static int by_name(const void *left, const void *right)
{
    const struct json_value *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static bool names_differ(struct reader *reader, const struct json_value **members)
{
    for (size_t i = 0; i < reader->count; i++) {
        const struct json_value *object = &reader->values[i], *member = json_first(object);
        if (object->kind != JSON_OBJECT || object->count < 2) continue;
        for (size_t m = 0; m < object->count; m++, member = json_next(member)) members[m] = member;
        qsort(members, object->count, sizeof(void *), by_name);
        for (size_t m = 1; m < object->count; m++) {
            if (strcmp(members[m - 1]->name, members[m]->name) != 0) continue;
            reader->at = reader->text + members[m]->at;
            reader->twice = members[m]->name;
            return fails(reader, "a name that comes twice");
        }
    }
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */
int json_read(struct json *out, const char *text, size_t length, bool distinct, struct json_problem *problem)
{
    const unsigned char *bytes = (const unsigned char *)text;
    struct reader reader = {.text = bytes, .end = bytes + length};
    const struct json_value **members = NULL;
    *out = (struct json){0};
    bool fine = read_document(&reader), room = true;
    if (fine) {
        out->values = reader.values = memory_array(reader.count, sizeof *out->values);
        out->letters = reader.letters = memory_allocate(length + 1);
        if (distinct) members = memory_array(reader.most + 1, sizeof(void *));
        room = out->values && out->letters && (members || !distinct);
    }
    if (fine && room) fine = read_document(&reader) && (!distinct || names_differ(&reader, members));
    memory_free(members);
    if (fine && room) return SIMCLR_OK;
    if (room && problem)
        *problem = (struct json_problem){.what = reader.wrong, .at = (size_t)(reader.at - reader.text)};
    if (room && problem && reader.twice) snprintf(problem->name, sizeof problem->name, "%s", reader.twice);
    json_free(out);
    return room ? SIMCLR_CORRUPT : SIMCLR_NO_MEMORY;
}

void json_free(struct json *json)
{
    memory_free(json->values);
    memory_free(json->letters);
    *json = (struct json){0};
}

bool json_is(const struct json_value *value, enum json_kind kind)
{
    return value && value->kind == kind;
}

bool json_is_number(const struct json_value *value)
{
    return json_is(value, JSON_INTEGER) || json_is(value, JSON_REAL);
}

const struct json_value *json_member(const struct json_value *object, const char *name)
{
    const struct json_value *found = NULL, *member;
    if (!json_is(object, JSON_OBJECT)) return NULL;
    member = json_first(object);
    for (size_t i = 0; i < object->count; i++, member = json_next(member))
        if (strcmp(member->name, name) == 0) found = member;
    return found;
}

const struct json_value *json_element(const struct json_value *array, size_t index)
{
    if (!json_is(array, JSON_ARRAY) || index >= array->count) return NULL;
    const struct json_value *value = json_first(array);
    while (index-- > 0) value = json_next(value);
    return value;
}
