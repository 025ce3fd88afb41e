/* base/format.c -- see format.h. A conversion is taken out of the format and handed to snprintf by itself, but for %s,
 * which is done here. */
#include "base/format.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

/* ---- the C locale ---- */

int format_plain(char *out, size_t capacity, const char *format, va_list arguments)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc has it ready: nothing is allocated */
    const locale_t before = plain ? uselocale(plain) : (locale_t)0;
    const int count = vsnprintf(out, capacity, format, arguments);
    if (plain) {
        uselocale(before);
        freelocale(plain);
    }
    return count;
}

int format_write(char *out, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int count = format_plain(out, capacity, format, arguments);
    va_end(arguments);
    return count;
}

/* ---- one conversion at a time ---- */

enum { SPEC_BYTES = 32, NUMBER_BYTES = 400 }; /* %f of the largest double has 309 digits and what stands around them */

struct conversion {
    char spec[SPEC_BYTES]; /* with numbers in place of `*` */
    int width, precision;  /* -1: none */
    bool left, slice;      /* slice: the precision was an argument, and says how long the text is */
    char length;           /* 'h', 'H' (hh), 'l', 'L' (ll), 'z', 'j', 't' or 0 */
    char letter;
};

struct sink {
    char *out;
    size_t capacity, used, total; /* used: written; total: what all of it takes */
    size_t columns;               /* characters of all of it */
    size_t longest;               /* text: longer ones are cut in the middle */
    bool escape;
};

static bool continues(char byte) /* of a character in UTF-8, all bytes but the first */
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* As much as fits; after something that did not, nothing. */
static void put(struct sink *sink, const char *bytes, size_t count)
{
    const bool whole = sink->total == sink->used && sink->capacity > 0;
    const size_t room = whole ? sink->capacity - 1 - sink->used : 0, fits = count < room ? count : room;
    if (fits > 0) memcpy(sink->out + sink->used, bytes, fits);
    sink->used += fits;
    sink->total += count;
    for (size_t i = 0; i < count; i++) sink->columns += !continues(bytes[i]);
}

static void put_shown(struct sink *sink, const char *text, size_t count)
{
    if (!sink->escape) {
        put(sink, text, count);
        return;
    }
    for (size_t at = 0, step; at < count; at += step) { /* character by character: no block is needed */
        char form[8];
        step = escape_plain_length((const unsigned char *)text + at, count - at);
        if (step == 0) step = 1;
        put(sink, form, escape_write(form, sizeof form, text + at, step));
    }
}

/* A text that is longer than `most` is cut in the middle. */
static void put_cut(struct sink *sink, const char *text, size_t count, size_t most)
{
    char mark[40];
    if (count <= most) {
        put_shown(sink, text, count);
        return;
    }
    size_t marked = (size_t)snprintf(mark, sizeof mark, "...[%zu bytes]...", count);
    if (most < marked + 16) marked = (size_t)snprintf(mark, sizeof mark, "...");
    const size_t kept = most > marked ? most - marked : 0;
    size_t head = marked > 3 ? kept / 2 : kept, tail = marked > 3 ? kept - head : 0;
    while (head > 0 && continues(text[head])) head--;
    while (tail > 0 && continues(text[count - tail])) tail--;
    put_shown(sink, text, head);
    put(sink, mark, marked);
    put_shown(sink, text + count - tail, tail);
}

static void put_text(struct sink *sink, const struct conversion *conversion, const char *text)
{
    const char *shown = text ? text : "(null)";
    const size_t precision = conversion->precision >= 0 ? (size_t)conversion->precision : SIZE_MAX;
    size_t most = sink->longest, count = conversion->slice ? strnlen(shown, precision) : strlen(shown);
    if (!conversion->slice && precision < most) most = precision;
    struct sink measure = {.longest = sink->longest, .escape = sink->escape};
    put_cut(&measure, shown, count, most);
    const size_t wide = measure.columns;
    const size_t width = conversion->width > 0 ? (size_t)conversion->width : 0;
    if (!conversion->left)
        for (size_t i = wide; i < width; i++) put(sink, " ", 1);
    put_cut(sink, shown, count, most);
    if (conversion->left)
        for (size_t i = wide; i < width; i++) put(sink, " ", 1);
}

/* Reads digits, or `*`, which is the next argument. */
static const char *read_number(const char *at, int *out, bool *argument, va_list *arguments)
{
    *argument = *at == '*';
    *out = *argument ? va_arg(*arguments, int) : 0;
    if (*argument) return at + 1;
    while (*at >= '0' && *at <= '9') *out = *out * 10 + (*at++ - '0');
    return at;
}

/* The conversion behind a percent sign; returns what follows it. */
static const char *read_conversion(const char *at, struct conversion *out, va_list *arguments)
{
    char flags[8] = "";
    size_t count = 0;
    bool argument;
    *out = (struct conversion){.width = -1, .precision = -1};
    for (; *at != '\0' && strchr("-+ #0", *at) && count < sizeof flags - 1; at++) flags[count++] = *at;
    flags[count] = '\0';
    if (*at == '*' || (*at >= '1' && *at <= '9')) at = read_number(at, &out->width, &argument, arguments);
    out->left = strchr(flags, '-') || (out->width < -1);
    if (out->width < -1) out->width = -out->width;
    if (*at == '.') at = read_number(at + 1, &out->precision, &out->slice, arguments);
    if (out->precision < 0) out->slice = false;
    if (*at == 'h' || *at == 'l') {
        out->length = *at++;
        if (*at == out->length) {
            out->length = *at == 'h' ? 'H' : 'L';
            at++;
        }
    } else if (*at == 'z' || *at == 'j' || *at == 't') {
        out->length = *at++;
    }
    out->letter = *at != '\0' ? *at++ : '\0';
    char *spec = out->spec, *end = out->spec + sizeof out->spec;
    spec += snprintf(spec, (size_t)(end - spec), "%%%s%s", flags, out->left && !strchr(flags, '-') ? "-" : "");
    if (out->width >= 0) spec += snprintf(spec, (size_t)(end - spec), "%d", out->width % 1000);
    if (out->precision >= 0) snprintf(spec, (size_t)(end - spec), ".%d", out->precision % 1000);
    return at;
}

/* Integers of every length are widened to the longest. */
static int write_integer(char *out, size_t capacity, const struct conversion *conversion, va_list *arguments)
{
    char spec[SPEC_BYTES + 4];
    snprintf(spec, sizeof spec, "%sj%c", conversion->spec, conversion->letter);
    const bool is_signed = conversion->letter == 'd' || conversion->letter == 'i';
    intmax_t value;
    /* NOLINTBEGIN(bugprone-branch-clone): types that are equal here differ on other machines */
    switch (conversion->length) {
    case 'l':
        value = is_signed ? (intmax_t)va_arg(*arguments, long) : (intmax_t)va_arg(*arguments, unsigned long);
        break;
    case 'L':
        value = is_signed ? (intmax_t)va_arg(*arguments, long long) : (intmax_t)va_arg(*arguments, unsigned long long);
        break;
    case 'z':
    case 't':
        value = (intmax_t)va_arg(*arguments, size_t); /* of a size and a difference: as wide as each other */
        break;
    case 'j':
        value = va_arg(*arguments, intmax_t);
        break;
    default:
        value = is_signed ? (intmax_t)va_arg(*arguments, int) : (intmax_t)va_arg(*arguments, unsigned);
        break;
    }
    /* NOLINTEND(bugprone-branch-clone) */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return snprintf(out, capacity, spec, value);
#pragma GCC diagnostic pop
}

static int write_other(char *out, size_t capacity, const struct conversion *conversion, va_list *arguments)
{
    char spec[SPEC_BYTES + 4];
    snprintf(spec, sizeof spec, "%s%c", conversion->spec, conversion->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (conversion->letter == 'c') return snprintf(out, capacity, spec, va_arg(*arguments, int));
    if (conversion->letter == 'p') return snprintf(out, capacity, spec, va_arg(*arguments, void *));
    return format_write(out, capacity, spec, va_arg(*arguments, double));
#pragma GCC diagnostic pop
}

static void put_all(struct sink *sink, const char *format, va_list given)
{
    char number[NUMBER_BYTES];
    va_list arguments;
    va_copy(arguments, given);
    while (*format != '\0') {
        const size_t plain = strcspn(format, "%");
        put(sink, format, plain);
        format += plain;
        if (*format == '\0') break;
        struct conversion conversion;
        format = read_conversion(format + 1, &conversion, &arguments);
        if (conversion.letter == '%') {
            put(sink, "%", 1);
        } else if (conversion.letter == 's') {
            put_text(sink, &conversion, va_arg(arguments, const char *));
        } else {
            const int count = strchr("diuxXo", conversion.letter)
                                  ? write_integer(number, sizeof number, &conversion, &arguments)
                                  : write_other(number, sizeof number, &conversion, &arguments);
            if (count > 0) put(sink, number, (size_t)count < sizeof number ? (size_t)count : sizeof number - 1);
        }
    }
    va_end(arguments);
    if (sink->capacity > 0) sink->out[sink->used] = '\0';
}

/* ---- the two uses ---- */

void format_sentence(char *out, size_t capacity, const char *format, va_list arguments)
{
    static const size_t most[] = {SIZE_MAX, 1024, 512, 256, 192, 128, 96, 64, 48, 40};
    struct sink sink = {.capacity = 0};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        sink = (struct sink){.out = out, .capacity = capacity, .longest = most[i]};
        put_all(&sink, format, arguments);
        if (sink.total < capacity) return;
    }
    size_t end = sink.used, last = end; /* too many of them: it ends where a character does */
    while (last > 0 && continues(out[last - 1])) last--;
    if (last > 0 && escape_utf8_length((const unsigned char *)out + last - 1, end - last + 1) == 0) end = last - 1;
    out[end] = '\0';
}

void format_line(char *out, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_sentence(out, capacity, format, arguments);
    va_end(arguments);
}

size_t format_escaped(char *out, size_t capacity, const char *format, va_list arguments)
{
    struct sink sink = {.out = out, .capacity = capacity, .longest = SIZE_MAX, .escape = true};
    put_all(&sink, format, arguments);
    return sink.total;
}

void format_duration(char *out, size_t capacity, double seconds)
{
    out[0] = '\0';
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e12) return;
    const int64_t whole = llround(seconds);
    if (whole < 60)
        format_write(out, capacity, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    else if (whole < 3600)
        format_write(out, capacity, "%" PRId64 " min %" PRId64 " s", whole / 60, whole % 60);
    else if (whole < INT64_C(172800)) /* two days */
        format_write(out, capacity, "%" PRId64 " h %" PRId64 " min", whole / 3600, whole / 60 % 60);
    else
        format_write(out, capacity, "%" PRId64 " days %" PRId64 " h", whole / 86400, whole / 3600 % 24);
}
