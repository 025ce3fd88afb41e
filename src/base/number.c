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

/* ---- floats ---- */

enum { FLOAT_DIGITS = 9, POWERS = 23 /* of ten that a double holds exactly */ };

static const double power_of_ten[POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* digits x 10^(exponent - count + 1): the first digit has the weight 10^exponent. */
struct decimal {
    int64_t digits;
    int count, exponent;
};

static double scaled(double value, int power)
{
    for (; power >= POWERS; power -= POWERS - 1) value *= power_of_ten[POWERS - 1];
    for (; power <= -POWERS; power += POWERS - 1) value /= power_of_ten[POWERS - 1];
    return power < 0 ? value / power_of_ten[-power] : value * power_of_ten[power];
}

/* The nearest of `count` digits to a number above 0, whose first digit has about that weight. */
static struct decimal decimal_of(double value, int count, int exponent)
{
    struct decimal out = {llrint(scaled(value, count - 1 - exponent)), count, exponent};
    if ((double)out.digits >= power_of_ten[count]) {
        out.digits = llrint(scaled(value, count - 2 - exponent));
        out.exponent++;
    }
    return out;
}

/* As the correctly rounded double. */
static double decimal_value(const struct decimal *decimal)
{
    char text[NUMBER_TEXT];
    const int power = decimal->exponent - decimal->count + 1;
    if (power > -POWERS && power < POWERS) return scaled((double)decimal->digits, power); /* one rounding */
    snprintf(text, sizeof text, "%" PRId64 "e%d", decimal->digits, power);
    return number_read(text, NULL);
}

static void decimal_write(const struct decimal *decimal, char *out)
{
    char digits[NUMBER_TEXT];
    const int last = snprintf(digits, sizeof digits, "%" PRId64, decimal->digits) - 1, first = decimal->exponent;
    if (first < -4 || first > 15) {
        snprintf(out, NUMBER_TEXT - 1, "%c%s%.8se%c%02d", digits[0], last > 0 ? "." : "", digits + 1,
                 first < 0 ? '-' : '+', abs(first) % 100);
        return;
    }
    for (int place = first > 0 ? first : 0, end = last - first; place >= -end || place >= 0; place--) {
        const int at = first - place;
        if (place == -1) *out++ = '.';
        *out++ = (char)(at < 0 || at > last ? '0' : digits[at]);
    }
    *out = '\0';
}

/* A whole number in the middle of two floats: readers take the one whose last bit is 0. */
static bool falls_to(float size, double middle)
{
    uint32_t bits;
    memcpy(&bits, &size, sizeof bits);
    return bits % 2 == 0 && middle == floor(middle) && middle < 0x1p53;
}

/* Readers round to the nearest float: what lies within the middles to both neighbours comes back. */
void number_format_float(float value, char out[NUMBER_TEXT])
{
    const float size = fabsf(value), next = nextafterf(size, INFINITY), before = nextafterf(size, 0);
    if (signbit(value)) *out++ = '-';
    if (size == 0) {
        memcpy(out, "0", 2);
        return;
    }
    const double exact = (double)size, low = (exact + (double)before) / 2;
    const double high = isinf(next) ? exact + (exact - low) : (exact + (double)next) / 2;
    int exponent = (int)floor(log10(exact));
    if (scaled(exact, FLOAT_DIGITS - 1 - exponent) < power_of_ten[FLOAT_DIGITS - 1]) exponent--;
    struct decimal best = decimal_of(exact, FLOAT_DIGITS, exponent);
    for (int count = FLOAT_DIGITS - 1; count > 0; count--) {
        const struct decimal shorter = decimal_of(exact, count, exponent);
        const double back = decimal_value(&shorter);
        const bool middle = (back == low || back == high) && falls_to(size, back);
        if ((back <= low || back >= high) && !middle) break;
        best = shorter;
    }
    decimal_write(&best, out);
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

/* ---- times ---- */

static const struct {
    char unit;
    double seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
enum { UNITS = sizeof units / sizeof *units };

bool number_parse_duration(const char *text, double *out)
{
    size_t next = 0; /* units from here on may still come */
    double sum = 0;
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return true;
    }
    if (*text == '\0') return false;
    while (*text != '\0') {
        char digits[NUMBER_TEXT];
        double value;
        const size_t length = strspn(text, "0123456789.");
        if (length == 0 || length >= sizeof digits) return false;
        memcpy(digits, text, length);
        digits[length] = '\0';
        if (!number_parse(digits, &value)) return false;
        while (next < UNITS && units[next].unit != text[length]) next++;
        if (next == UNITS) return false;
        sum += value * units[next++].seconds;
        text += length + 1;
    }
    if (!(sum <= 1e12)) return false;
    *out = sum;
    return true;
}

void number_format_duration(double seconds, char out[NUMBER_TEXT])
{
    int64_t left = (int64_t)seconds;
    int used = 0;
    if (!(seconds > 0)) {
        snprintf(out, NUMBER_TEXT, "0");
        return;
    }
    if (seconds >= 1e9 || (double)left != seconds) {
        char number[NUMBER_TEXT];
        number_format(seconds, number);
        snprintf(out, NUMBER_TEXT, "%.*ss", (int)(NUMBER_TEXT - 2), number);
        return;
    }
    for (size_t i = 0; i < UNITS; i++) {
        const int64_t unit = (int64_t)units[i].seconds, count = left / unit;
        if (count > 0) used += snprintf(out + used, NUMBER_TEXT - (size_t)used, "%" PRId64 "%c", count, units[i].unit);
        left -= count * unit;
    }
}
