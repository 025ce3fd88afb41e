/* config/values.c -- one option's value as text: read, checked, written. */
#include "config/values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "base/number.h"

enum { LONGEST_VALUE = 4095, LONGEST_LIST = 1 << 18 };

static void *field_of(struct config *config, const struct option_row *row)
{
    return (char *)config + row->offset;
}

static const void *field_in(const struct config *config, const struct option_row *row)
{
    return (const char *)config + row->offset;
}

static bool is_text(enum option_type type)
{
    return type == OPTION_STRING || type == OPTION_LIST || type == OPTION_CHOICE || type == OPTION_RGB;
}

static bool takes_auto(const struct option_row *row)
{
    return (row->automatic || strcmp(row->default_text, "auto") == 0) && !is_text(row->type);
}

/* What "auto" is stored as: a value that the option cannot have otherwise. */
static double auto_value(const struct option_row *row)
{
    return row->minimum > 0 ? 0 : -1;
}

/* Is `word` one of "a|b|c"? */
static bool in_choices(const char *choices, const char *word)
{
    const size_t length = strlen(word);

    for (const char *choice = choices; length > 0;) {
        const size_t span = strcspn(choice, "|");
        if (span == length && memcmp(choice, word, length) == 0) return true;
        if (choice[span] == '\0') return false;
        choice += span + 1;
    }
    return false;
}

/* The number that `word` stands for in "none=0|linear=1". */
static bool alias_value(const char *aliases, const char *word, double *out)
{
    const size_t length = strlen(word);

    for (const char *alias = aliases; alias && length > 0;) {
        const size_t span = strcspn(alias, "|");
        if (span > length && alias[length] == '=' && memcmp(alias, word, length) == 0) {
            char digits[NUMBER_TEXT];
            snprintf(digits, sizeof digits, "%.*s", (int)(span - length - 1), alias + length + 1);
            return number_parse(digits, out);
        }
        alias = alias[span] ? alias + span + 1 : NULL;
    }
    return false;
}

bool value_is_utf8(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        int more; /* continuation bytes */
        if (*p < 0x80)
            more = 0;
        else if ((*p & 0xe0) == 0xc0)
            more = 1;
        else if ((*p & 0xf0) == 0xe0)
            more = 2;
        else if ((*p & 0xf8) == 0xf0)
            more = 3;
        else
            return false;
        uint32_t code = more == 0 ? *p : *p & (0x3fu >> more);
        for (int i = 1; i <= more; i++) {
            if ((p[i] & 0xc0) != 0x80) return false;
            code = code << 6 | (p[i] & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
        p += more + 1;
    }
    return true;
}

/* "r,g,b" with three numbers in range, or "". */
static bool rgb_is_valid(const struct option_row *row, const char *value)
{
    if (value[0] == '\0') return true;
    for (int channel = 0; channel < 3; channel++) {
        char digits[NUMBER_TEXT];
        double number;
        const size_t span = strcspn(value, ",");
        if (span >= sizeof digits) return false;
        memcpy(digits, value, span);
        digits[span] = '\0';
        const char *first = digits + strspn(digits, " ");
        if (!number_parse(first, &number) || number < row->minimum || number > row->maximum) return false;
        value += span;
        if (channel < 2 && *value++ != ',') return false;
    }
    return *value == '\0';
}

static int put_text(struct config *config, const struct option_row *row, const char *value)
{
    char *copy = memory_string(value);
    if (!copy) return SIMCLR_NO_MEMORY;
    char **field = field_of(config, row);
    memory_free(*field);
    *field = copy;
    return SIMCLR_OK;
}

static int set_text(struct config *config, const struct option_row *row, const char *value)
{
    const bool not_given = value[0] == '\0' && row->default_text[0] == '\0';
    const size_t longest = row->type == OPTION_LIST ? LONGEST_LIST : LONGEST_VALUE;
    if (row->type == OPTION_CHOICE && !not_given && !in_choices(row->choices, value)) return SIMCLR_INVALID;
    if (row->type == OPTION_RGB && !rgb_is_valid(row, value)) return SIMCLR_INVALID;
    if (strlen(value) > longest || !value_is_utf8(value)) return SIMCLR_INVALID;
    return put_text(config, row, value);
}

static int set_integer(struct config *config, const struct option_row *row, const char *value)
{
    int64_t number;
    double alias;

    if (takes_auto(row) && strcmp(value, "auto") == 0) {
        number = (int64_t)auto_value(row);
    } else if (alias_value(row->aliases, value, &alias)) {
        number = (int64_t)alias;
    } else {
        const bool bytes = row->type == OPTION_BYTES;
        const bool read = bytes ? number_parse_bytes(value, &number) : number_parse_integer(value, &number);
        if (!read || (double)number < row->minimum || (double)number > row->maximum) return SIMCLR_INVALID;
        if (row->choices && !in_choices(row->choices, value)) return SIMCLR_INVALID;
    }
    *(int64_t *)field_of(config, row) = number;
    return SIMCLR_OK;
}

static int set_number(struct config *config, const struct option_row *row, const char *value)
{
    double number;

    if (takes_auto(row) && strcmp(value, "auto") == 0) {
        number = auto_value(row);
    } else if (!alias_value(row->aliases, value, &number)) {
        if (!number_parse(value, &number) || number < row->minimum || number > row->maximum) return SIMCLR_INVALID;
    }
    *(double *)field_of(config, row) = number;
    return SIMCLR_OK;
}

int value_add(struct config *config, const struct option_row *row, const char *value)
{
    struct text lines = {0};
    const char *before = *(char *const *)field_in(config, row);
    if (strlen(value) > LONGEST_VALUE || !value_is_utf8(value)) return SIMCLR_INVALID;
    text_add(&lines, "%s%s%s", before, before[0] ? "\n" : "", value);
    int status = lines.failed ? SIMCLR_NO_MEMORY : SIMCLR_OK;
    if (!status) status = lines.length > LONGEST_LIST ? SIMCLR_INVALID : put_text(config, row, lines.bytes);
    text_free(&lines);
    return status;
}

static int set_duration(struct config *config, const struct option_row *row, const char *value)
{
    double seconds;
    if (!number_parse_duration(value, &seconds) || seconds < row->minimum || seconds > row->maximum)
        return SIMCLR_INVALID;
    *(double *)field_of(config, row) = seconds;
    return SIMCLR_OK;
}

int value_set(struct config *config, const struct option_row *row, const char *value)
{
    if (is_text(row->type)) return set_text(config, row, value);
    if (row->type == OPTION_DURATION) return set_duration(config, row, value);
    if (row->type == OPTION_NUMBER) return set_number(config, row, value);
    if (row->type != OPTION_BOOLEAN) return set_integer(config, row, value);
    const bool on = strcmp(value, "true") == 0;
    if (!on && strcmp(value, "false") != 0) return SIMCLR_INVALID;
    *(bool *)field_of(config, row) = on;
    return SIMCLR_OK;
}

bool value_is_auto(const struct config *config, const struct option_row *row)
{
    if (is_text(row->type)) {
        const char *text = *(char *const *)field_in(config, row);
        return text[0] == '\0' || strcmp(text, "auto") == 0;
    }
    if (!takes_auto(row)) return false;
    if (row->type == OPTION_NUMBER) return *(const double *)field_in(config, row) == auto_value(row);
    return *(const int64_t *)field_in(config, row) == (int64_t)auto_value(row);
}

void value_write(const struct config *config, const struct option_row *row, struct text *out)
{
    const void *field = field_in(config, row);
    char number[NUMBER_TEXT];

    if (is_text(row->type)) {
        text_add(out, "%s", *(char *const *)field);
        return;
    }
    if (row->type == OPTION_BOOLEAN) {
        text_add(out, "%s", *(const bool *)field ? "true" : "false");
        return;
    }
    if (value_is_auto(config, row)) {
        text_add(out, "auto");
        return;
    }
    if (row->type == OPTION_NUMBER)
        number_format(*(const double *)field, number);
    else if (row->type == OPTION_BYTES)
        number_format_bytes(*(const int64_t *)field, number);
    else if (row->type == OPTION_DURATION)
        number_format_duration(*(const double *)field, number);
    else
        snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)field);
    text_add(out, "%s", number);
}

bool value_equal(const struct config *a, const struct config *b, const struct option_row *row)
{
    const void *x = field_in(a, row), *y = field_in(b, row);

    if (is_text(row->type)) return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    if (row->type == OPTION_BOOLEAN) return *(const bool *)x == *(const bool *)y;
    if (row->type == OPTION_NUMBER || row->type == OPTION_DURATION) return *(const double *)x == *(const double *)y;
    return *(const int64_t *)x == *(const int64_t *)y;
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

/* "a|b|c" as "a, b or c". */
static void list_choices(const char *choices, char *out, size_t capacity)
{
    size_t used = 0;

    for (const char *choice = choices; choice && used < capacity;) {
        const size_t span = strcspn(choice, "|");
        const char *next = choice[span] ? choice + span + 1 : NULL;
        const char *link = !next ? "" : strchr(next, '|') ? ", " : " or ";
        used += (size_t)snprintf(out + used, capacity - used, "%.*s%s", (int)span, choice, link);
        choice = next;
    }
}

/* The words of "none=0|linear=1" as ", none, linear". */
static void list_aliases(const char *aliases, char *out, size_t capacity)
{
    size_t used = 0;

    out[0] = '\0';
    for (const char *alias = aliases; alias && used < capacity;) {
        const size_t span = strcspn(alias, "|");
        used += (size_t)snprintf(out + used, capacity - used, ", %.*s", (int)strcspn(alias, "="), alias);
        alias = alias[span] ? alias + span + 1 : NULL;
    }
}

void value_allowed(const struct option_row *row, char out[ALLOWED_TEXT])
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT], aliases[64];
    const char *automatic = takes_auto(row) ? " or auto" : "";

    list_aliases(row->aliases, aliases, sizeof aliases);
    number_format(row->minimum, low);
    number_format(row->maximum, high);
    switch (row->type) {
    case OPTION_STRING:
        snprintf(out, ALLOWED_TEXT, "UTF-8 text of at most %d bytes", (int)LONGEST_VALUE);
        return;
    case OPTION_LIST:
        snprintf(out, ALLOWED_TEXT, "UTF-8 text of at most %d bytes, and %d in all", (int)LONGEST_VALUE,
                 (int)LONGEST_LIST);
        return;
    case OPTION_BOOLEAN:
        snprintf(out, ALLOWED_TEXT, "true or false");
        return;
    case OPTION_RGB:
        snprintf(out, ALLOWED_TEXT, "three numbers R,G,B, each from %s to %s", low, high);
        return;
    case OPTION_BYTES:
        snprintf(out, ALLOWED_TEXT, "a size such as 512M or 8G, at most 1024T%s", automatic);
        return;
    case OPTION_DURATION:
        snprintf(out, ALLOWED_TEXT, "a time such as 90s, 30m, 2h or 1h30m");
        return;
    case OPTION_NUMBER:
        snprintf(out, ALLOWED_TEXT, "a number from %s to %s%s%s", low, high, aliases, automatic);
        return;
    case OPTION_CHOICE:
        list_choices(row->choices, out, ALLOWED_TEXT);
        return;
    case OPTION_INTEGER:
        if (row->choices)
            list_choices(row->choices, out, ALLOWED_TEXT);
        else
            snprintf(out, ALLOWED_TEXT, "an integer from %s to %s%s%s", low, high, aliases, automatic);
        return;
    }
}

void value_shown(const char *text, char out[SHOWN_TEXT])
{
    format_line(out, SHOWN_TEXT, "%s", text);
}
