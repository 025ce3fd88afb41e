/* base/escape.c -- see escape.h. */
#include "base/escape.h"

#include <string.h>

enum { LONGEST_ESCAPE = 4 };

size_t escape_utf8_length(const unsigned char *at, size_t count)
{
    size_t length = 0;
    if (count == 0) return 0;
    if (at[0] < 0x80) return 1;
    if (at[0] >= 0xC2 && at[0] <= 0xDF)
        length = 2;
    else if ((at[0] & 0xF0) == 0xE0)
        length = 3;
    else if (at[0] >= 0xF0 && at[0] <= 0xF4)
        length = 4;
    if (length > count) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    const bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    const bool surrogate = at[0] == 0xED && at[1] > 0x9F;
    const bool beyond = at[0] == 0xF4 && at[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

unsigned long escape_code_point(const unsigned char *at, size_t length)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned long code = at[0] & masks[length];
    for (size_t i = 1; i < length; i++) code = code << 6 | (at[i] & 0x3F);
    return code;
}

/* Code points that go out only escaped, in order. */
static const struct {
    unsigned long first, last;
} unseen[] = {
    {0x00, 0x1F},       /* C0 controls */
    {0x7F, 0x9F},       /* DEL and C1 controls */
    {0xAD, 0xAD},       /* soft hyphen */
    {0x61C, 0x61C},     /* Arabic letter mark */
    {0x180E, 0x180E},   /* Mongolian vowel separator */
    {0x200B, 0x200B},   /* zero width space; the joiners that follow are needed */
    {0x200E, 0x200F},   /* left-to-right and right-to-left marks */
    {0x2028, 0x202E},   /* separators of lines and paragraphs; embeddings and overrides of direction */
    {0x2060, 0x206F},   /* word joiner, invisible operators, isolates of direction */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFF9, 0xFFFB},   /* interlinear annotation */
    {0xFFFE, 0xFFFF},   /* no characters at all */
    {0xE0000, 0xE0FFF}, /* tags, and variation selectors for ideographs */
};

size_t escape_plain_length(const unsigned char *at, size_t count)
{
    const size_t length = escape_utf8_length(at, count);
    if (length == 0) return 0;
    const unsigned long code = escape_code_point(at, length);
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen && code >= unseen[i].first; i++)
        if (code <= unseen[i].last) return 0;
    return length;
}

bool escape_is_needed(const char *text, size_t count)
{
    size_t length;
    for (size_t at = 0; at < count; at += length) {
        length = escape_plain_length((const unsigned char *)text + at, count - at);
        if (length == 0) return true;
    }
    return false;
}

bool escape_holds_bytes(const char *text)
{
    const size_t count = strlen(text);
    for (size_t at = 0, length; at < count; at += length) {
        length = escape_utf8_length((const unsigned char *)text + at, count - at);
        if (length == 0 || (text[at] == '\\' && text[at + 1] == 'x')) return true;
    }
    return false;
}

void escape_add_bytes(struct text *out, const char *text)
{
    const size_t count = strlen(text);
    if (!escape_holds_bytes(text)) {
        text_add_bytes(out, text, count);
        return;
    }
    for (size_t at = 0, length; at < count; at += length) {
        length = escape_utf8_length((const unsigned char *)text + at, count - at);
        if (length == 0) {
            text_add(out, "\\x%02x", (unsigned char)text[at]);
            length = 1;
            continue;
        }
        text_add_bytes(out, text + at, length);
        if (text[at] == '\\') text_add_bytes(out, "\\", 1);
    }
}

/* The escaped form of the character or byte at `at`, in `out`; *taken: bytes of it. Returns the bytes of the form. */
static size_t escape_one(const unsigned char *at, size_t count, char out[LONGEST_ESCAPE], size_t *taken)
{
    static const char digits[] = "0123456789abcdef";
    *taken = escape_plain_length(at, count);
    if (*taken > 0 && *at != '\\') {
        memcpy(out, at, *taken);
        return *taken;
    }
    *taken = 1;
    out[0] = '\\';
    out[1] = *at == '\n' ? 'n' : *at == '\t' ? 't' : *at == '\r' ? 'r' : *at == '\\' ? '\\' : 'x';
    if (out[1] != 'x') return 2;
    out[2] = digits[*at >> 4];
    out[3] = digits[*at & 15];
    return 4;
}

void escape_add(struct text *out, const char *text, size_t count)
{
    for (size_t at = 0, taken; at < count; at += taken) {
        char form[LONGEST_ESCAPE];
        const size_t length = escape_one((const unsigned char *)text + at, count - at, form, &taken);
        text_add_bytes(out, form, length);
    }
}

size_t escape_write(char *out, size_t capacity, const char *text, size_t count)
{
    size_t used = 0, total = 0;
    for (size_t at = 0, taken; at < count; at += taken) {
        char form[LONGEST_ESCAPE];
        const size_t length = escape_one((const unsigned char *)text + at, count - at, form, &taken);
        if (total == used && used + length < capacity) {
            memcpy(out + used, form, length);
            used += length;
        }
        total += length;
    }
    if (capacity > 0) out[used] = '\0';
    return total;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t escape_undo(char *text, size_t count)
{
    size_t used = 0;
    for (size_t at = 0; at < count; at++, used++) {
        text[used] = text[at];
        if (text[at] != '\\') continue;
        const char letter = ++at < count ? text[at] : '\0';
        const int high = letter == 'x' && at + 2 < count ? digit_of(text[at + 1]) : -1;
        const int low = high >= 0 ? digit_of(text[at + 2]) : -1;
        if (letter == 'n')
            text[used] = '\n';
        else if (letter == 't')
            text[used] = '\t';
        else if (letter == 'r')
            text[used] = '\r';
        else if (low >= 0)
            text[used] = (char)(high * 16 + low);
        else if (letter != '\\')
            return (size_t)-1;
        if (low >= 0) at += 2;
    }
    return used;
}
