/* base/number.c -- numbers as text, the same in every locale. */
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"

double number_read(const char *text, char **end)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc has it ready: nothing is allocated */
    if (!plain) {
        if (end) *end = (char *)text;
        return 0;
    }
    const double value = strtod_l(text, end, plain);
    freelocale(plain);
    return value;
}

bool number_parse(const char *text, double *out)
{
    /* strtod also takes hexadecimal, "nan", "inf" and leading blanks; a recipe's number is none of these. */
    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0') return false;
    char *end = NULL;
    const double value = number_read(text, &end);
    if (*end != '\0' || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool number_parse_integer(const char *text, int64_t *out)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789+-")] != '\0') return false;
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (*end != '\0' || errno != 0) return false;
    *out = value;
    return true;
}

bool number_parse_bytes(const char *text, int64_t *out)
{
    static const char suffixes[] = "KMGT";
    char digits[NUMBER_TEXT];
    const size_t length = strspn(text, "0123456789.");
    double value, unit = 1;

    if (length == 0 || length >= sizeof digits) return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!number_parse(digits, &value)) return false;
    const char *rest = text + length;
    if (*rest != '\0' && *rest != 'B') {
        const char *suffix = strchr(suffixes, *rest >= 'a' ? *rest - ('a' - 'A') : *rest);
        if (!suffix) return false;
        for (const char *s = suffixes; s <= suffix; s++) unit *= 1024;
        rest += rest[1] == 'i' && rest[2] == 'B' ? 2 : 1;
    }
    if (*rest == 'B') rest++;
    value = floor(value * unit);
    if (*rest != '\0' || value > 9e15) return false;
    *out = (int64_t)value;
    return true;
}

static bool reads_back(const char *text, double value)
{
    char *end;
    return number_read(text, &end) == value;
}

void number_format(double value, char out[NUMBER_TEXT])
{
    for (int digits = 15; digits <= 17; digits++) {
        format_write(out, NUMBER_TEXT, "%.*g", digits, value);
        if (reads_back(out, value)) break;
    }
}

void number_format_shortest(double value, char out[NUMBER_TEXT])
{
    const bool whole = value == floor(value) && fabs(value) < 1e15;
    if (whole) format_write(out, NUMBER_TEXT, "%.0f", value);
    for (int digits = 1; !whole && digits <= 17; digits++) {
        format_write(out, NUMBER_TEXT, "%.*g", digits, value);
        if (reads_back(out, value)) break;
    }
}

void number_format_bytes(int64_t value, char out[NUMBER_TEXT])
{
    static const char suffixes[] = "KMGT";
    int power = 0;

    while (power < 4 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        power++;
    }
    if (power == 0)
        snprintf(out, NUMBER_TEXT, "%" PRId64, value);
    else
        snprintf(out, NUMBER_TEXT, "%" PRId64 "%c", value, suffixes[power - 1]);
}
