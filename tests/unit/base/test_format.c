/* Formatting: every conversion as the C library does it, in the C locale; long names cut in the middle; names escaped.
 */
#include "support/run.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"

static char ours[2048], theirs[2048];

/* The same through both of ours and through the C library: equal where there is nothing to escape or to cut. */
static void __attribute__((format(printf, 1, 2))) same(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int count = vsnprintf(theirs, sizeof theirs, format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    format_sentence(ours, sizeof ours, format, arguments);
    va_end(arguments);
    assert_string_equal(ours, theirs);
    va_start(arguments, format);
    assert_int_equal(format_escaped(ours, sizeof ours, format, arguments), count);
    va_end(arguments);
    assert_string_equal(ours, theirs);
    va_start(arguments, format);
    assert_int_equal(format_escaped(NULL, 0, format, arguments), count);
    va_end(arguments);
}

static void conversions_are_those_of_the_c_library(void **state)
{
    (void)state;
    same("nothing");
    same("%%|%c|%5c|%-5c|", 'a', 'b', 'c');
    same("%d|%5d|%-5d|%05d|%+d|% d|%d", 1, 2, 3, 4, 5, 6, INT_MIN);
    same("%i %u %x %X %o %#x %08x", -7, 7u, 255u, 255u, 8u, 255u, 48879u);
    same("%ld %lu %lld %llu", LONG_MIN, ULONG_MAX, LLONG_MIN, ULLONG_MAX);
    same("%zu %zd %jd %ju", SIZE_MAX, (ssize_t)-1, INTMAX_MIN, UINTMAX_MAX);
    same("%" PRId64 " %" PRIu64 " %016" PRIx64 " %08" PRIx32, INT64_MIN, UINT64_MAX, UINT64_C(77), UINT32_C(5));
    same("%hd %hhd %hu", (short)-3, (signed char)-4, (unsigned short)65535);
    same("%f %.2f %8.3f %-8.1f| %g %.9g %.17g %e %.3G", 1.5, 2.345, 3.14159, 2.0, 0.1, 1e-20, 1.0 / 3, 12345.678, 1e10);
    same("%f %g %g %g", DBL_MAX, (double)NAN, (double)INFINITY, -0.0);
    same("%s|%10s|%-10s|%.3s|%.*s|%*s|%-*s|", "a", "b", "c", "abc", 2, "xyz", 4, "d", 4, "e");
    same("%-24.48s %9" PRId64 "  %s\n", "cats", INT64_C(3), "###");
    same("%s", "");
    same("%*d|%-*d|%.*f", 6, 42, 6, 42, 2, 2.5);
}

static void __attribute__((format(printf, 2, 3))) sentence(size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_sentence(ours, capacity, format, arguments);
    va_end(arguments);
    assert_true(strlen(ours) < capacity);
}

static void long_names_are_cut_in_the_middle(void **state)
{
    (void)state;
    char name[4001];
    memset(name, 'a', 4000);
    memcpy(name, "BEGIN", 5);
    strcpy(name + 3997, "END");
    sentence(512, "%s: cannot open: %s", name, "No such file or directory");
    assert_ptr_equal(strstr(ours, "BEGIN"), ours);
    assert_non_null(strstr(ours, "...[4000 bytes]..."));
    assert_non_null(strstr(ours, "END: cannot open: No such file or directory"));
    sentence(512, "%s: cannot become %s: reason", name, name); /* both, and nothing of the sentence is lost */
    assert_non_null(strstr(ours, "END: cannot become BEGIN"));
    assert_non_null(strstr(ours, "END: reason"));
    sentence(512, "\"%.40s\"", name);
    assert_string_equal(ours, "\"BEGINaaaaaa...[4000 bytes]...aaaaaaaaEND\"");
    sentence(512, "%.5s|", "abcdefgh"); /* no room for a mark that says more */
    assert_string_equal(ours, "ab...|");
    sentence(512, "%.8s|", "abcdefgh");
    assert_string_equal(ours, "abcdefgh|");
    /* Characters stay whole. */
    for (int i = 0; i < 1000; i++) memcpy(name + 3 * i, "\xE7\x8C\xAB", 3);
    name[3000] = '\0';
    for (size_t capacity = 40; capacity < 600; capacity++) {
        sentence(capacity, "%s: x", name);
        assert_false(escape_is_needed(ours, strlen(ours)));
    }
    sentence(20, "%s", "a sentence that cannot be cut anywhere, which ends early");
    assert_int_equal(strlen(ours), 19);
    struct error error = {0};
    error_set(&error, SIMCLR_IO, "%s: reason", name);
    error_prefix(&error, "%s", name);
    assert_non_null(strstr(error.text, ": reason"));
    assert_int_equal(error.status, SIMCLR_IO);
}

static void __attribute__((format(printf, 1, 2))) output(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t count = format_escaped(ours, sizeof ours, format, arguments);
    va_end(arguments);
    assert_int_equal(count, strlen(ours));
}

static void names_in_output_are_escaped(void **state)
{
    (void)state;
    output("%s:\n  %-8s|%4d\n", "a\nb", "\x1B[m", 7);
    assert_string_equal(ours, "a\\nb:\n  \\x1b[m  |   7\n"); /* our own line ends stay */
    output("%-6s|%6s|", "caf\xC3\xA9", "caf\xC3\xA9");       /* columns, not bytes */
    assert_string_equal(ours, "caf\xC3\xA9  |  caf\xC3\xA9|");
    output("%s", "back\\slash");
    assert_string_equal(ours, "back\\\\slash");
    output("%.*s|", 2, "abc");
    assert_string_equal(ours, "ab|");
}

static void a_comma_locale_changes_nothing(void **state)
{
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8"))
        skip_case("no locale with a decimal comma is installed");
    sentence(512, "%g %.2f", 0.5, 2.25);
    assert_string_equal(ours, "0.5 2.25");
    output("%g", 0.5);
    assert_string_equal(ours, "0.5");
    format_write(ours, sizeof ours, "%g", 0.5);
    assert_string_equal(ours, "0.5");
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions_are_those_of_the_c_library),
        cmocka_unit_test(long_names_are_cut_in_the_middle),
        cmocka_unit_test(names_in_output_are_escaped),
        cmocka_unit_test(a_comma_locale_changes_nothing),
    };
    return run_cases(tests, NULL, NULL);
}
