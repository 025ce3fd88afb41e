/* base/csv.c -- see csv.h. */
#include "base/csv.h"

#include <string.h>

#include "base/escape.h"

static bool is_plain(const unsigned char *at, size_t count, size_t *length)
{
    const bool layout = *at == '\n' || *at == '\r' || *at == '\t';
    *length = layout ? 1 : escape_plain_length(at, count);
    return *length > 0;
}

static bool must_escape(const char *field, size_t count)
{
    for (size_t at = 0, length; at < count; at += length) {
        if (!is_plain((const unsigned char *)field + at, count - at, &length)) return true;
        if (field[at] == '\\' && field[at + 1] == 'x') return true;
    }
    return false;
}

bool csv_escapes(const char *field)
{
    return must_escape(field, strlen(field));
}

void csv_add(struct text *out, const char *field)
{
    const size_t count = strlen(field);
    const bool escaped = must_escape(field, count);
    const bool blank = count > 0 && (field[0] == ' ' || field[count - 1] == ' ');
    const bool quoted = blank || strpbrk(field, ",\"\n\r\t");
    if (quoted) text_add_bytes(out, "\"", 1);
    for (size_t at = 0, length; at < count; at += length) {
        if (!is_plain((const unsigned char *)field + at, count - at, &length)) {
            text_add(out, "\\x%02x", (unsigned char)field[at]);
            length = 1;
            continue;
        }
        text_add_bytes(out, field + at, length);
        if (field[at] == '"' || (escaped && field[at] == '\\')) text_add_bytes(out, field + at, 1);
    }
    if (quoted) text_add_bytes(out, "\"", 1);
}
