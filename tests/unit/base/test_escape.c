/* Escapes: what goes out is one line of well-formed UTF-8 that a terminal takes for text, and comes back byte by byte.
 */
#include "support/run.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/rng.h"

static const char *escaped(const char *text, size_t count)
{
    static char out[4096];
    const size_t length = escape_write(out, sizeof out, text, count);
    assert_int_equal(length, strlen(out));
    return out;
}
#define ESCAPED(literal) escaped(literal, sizeof(literal) - 1)

static void what_is_escaped(void **state)
{
    (void)state;
    assert_string_equal(ESCAPED("photos/cat 1.jpg"), "photos/cat 1.jpg");
    assert_string_equal(ESCAPED("caf\xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x88"),
                        "caf\xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x88");
    assert_string_equal(ESCAPED("a\nb\rc\td"), "a\\nb\\rc\\td");
    assert_string_equal(ESCAPED("a\\nb"), "a\\\\nb"); /* not the same as a line end */
    assert_string_equal(ESCAPED("\x1B]0;owned\x07"), "\\x1b]0;owned\\x07");
    assert_string_equal(ESCAPED("\x7F"), "\\x7f");
    assert_string_equal(ESCAPED("a\xC2\x9B"
                                "31m"),
                        "a\\xc2\\x9b31m"); /* U+009B, a terminal's ESC [ */
    assert_string_equal(ESCAPED("\xFF\xC0\xAF\xED\xA0\x80"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80"); /* no UTF-8 */
    assert_string_equal(ESCAPED("cut \xE7\x8C"), "cut \\xe7\\x8c");
    assert_string_equal(ESCAPED("a\xE2\x80\xAEgpj.exe"), "a\\xe2\\x80\\xaegpj.exe"); /* right-to-left override */
    assert_string_equal(ESCAPED("\xE2\x81\xA6\xE2\x81\xA9"), "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"); /* isolates */
    assert_string_equal(ESCAPED("\xE2\x80\xA8\xC2\x85"), "\\xe2\\x80\\xa8\\xc2\\x85"); /* other ends of lines */
    assert_string_equal(ESCAPED("\xEF\xBB\xBF"
                                "a\xE2\x80\x8B"),
                        "\\xef\\xbb\\xbf"
                        "a\\xe2\\x80\\x8b");
    assert_string_equal(ESCAPED("\xE2\x80\x8D"), "\xE2\x80\x8D"); /* the joiner of emoji stays */
    assert_string_equal(escaped("a\0b", 3), "a\\x00b");
    assert_false(escape_is_needed("a\\b", 3));
    assert_true(escape_is_needed("a\nb", 3));
}

/* Nothing but characters that may go out, and no line end. */
static bool is_fit(const char *text)
{
    const size_t count = strlen(text);
    for (size_t at = 0, length; at < count; at += length) {
        length = escape_plain_length((const unsigned char *)text + at, count - at);
        if (length == 0) return false;
    }
    return true;
}

/* Random bytes, of which many are parts of characters, controls and backslashes. */
static size_t random_name(struct rng *rng, char *name, size_t most)
{
    static const char *const pieces[] = {
        "\\", "\n", "x",       "\xE2\x80\xAE", "\xC2\x9B", "\xF0\x9F\x90\x88", "\xE2\x80", "\xEF\xBB\xBF", " ", "n",
        "\t", "\r", "\x1B[2J", "\xFF",         "00",       "\xC3\xA9"};
    size_t count = 0;
    const size_t wanted = rng_below(rng, (uint32_t)most);
    while (count < wanted) {
        const uint32_t draw = rng_word(rng);
        if (draw % 3 == 0) {
            name[count++] = (char)(1 + draw / 3 % 255);
            continue;
        }
        const char *piece = pieces[draw / 3 % (sizeof pieces / sizeof *pieces)];
        for (; *piece && count < wanted; piece++) name[count++] = *piece;
    }
    name[count] = '\0';
    return count;
}

static void it_comes_back(void **state)
{
    (void)state;
    struct rng rng = rng_open(7, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 20000; i++) {
        char name[64], small[32];
        const size_t count = random_name(&rng, name, sizeof name - 1);
        struct text text = {0};
        text_add_bytes(&text, "", 0);
        escape_add(&text, name, count);
        assert_true(is_fit(text.bytes));
        assert_string_equal(escaped(name, count), text.bytes);
        const size_t all = escape_write(small, sizeof small, name, count); /* cut: still fit, and a beginning */
        assert_int_equal(all, text.length);
        assert_true(is_fit(small) && strncmp(small, text.bytes, strlen(small)) == 0);
        assert_int_equal(escape_undo(text.bytes, text.length), count);
        assert_memory_equal(text.bytes, name, count);
        text_free(&text);
    }
}

static void what_is_no_escape(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\\", "a\\", "\\q", "\\x", "\\x1", "\\x1g", "\\xg1", "\\u0041", "\\0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[16];
        strcpy(text, wrong[i]);
        assert_int_equal(escape_undo(text, strlen(text)), (size_t)-1);
    }
    char upper[] = "\\x1B\\xfF\\\\";
    assert_int_equal(escape_undo(upper, strlen(upper)), 3);
    assert_memory_equal(upper, "\x1B\xFF\\", 3);
}

static void lists_have_a_mark_where_they_need_it(void **state)
{
    (void)state;
    assert_false(lines_need_mark("a b\\n.png"));
    assert_true(lines_need_mark("a\nb"));
    assert_true(lines_need_mark("a\t1"));
    assert_true(lines_need_mark("a "));
    assert_true(lines_need_mark(""));
    assert_true(lines_need_mark("\xFF.png"));
    assert_true(lines_need_mark("#simclr-list 1"));
    assert_int_equal(lines_mark_length("#simclr-list 1\na\n", 17), 15);
    assert_int_equal(lines_mark_length("#simclr-list 1\r\na\n", 18), 16);
    assert_int_equal(lines_mark_length("#simclr-list 1", 14), 14);
    assert_int_equal(lines_mark_length("#simclr-list 12\n", 16), 0);
    assert_int_equal(lines_mark_length("simclr-list 1\n", 14), 0);
    struct text text = {0};
    lines_add(&text, "a\\b", false);
    lines_add(&text, "a\\b", true);
    lines_add(&text, "a  ", true);
    lines_add(&text, "", true);
    lines_add(&text, "#simclr-list 1\n ", true);
    assert_string_equal(text.bytes, "a\\b\na\\\\b\na \\x20\n\n\\x23simclr-list 1\\n\\x20\n");
    text_free(&text);
}

static void keep_line(void *cookie, enum log_level level, const char *line)
{
    (void)level;
    strcpy(cookie, line);
}

static void lines_of_the_log_are_escaped(void **state)
{
    (void)state;
    char line[8192];
    const struct log log = {keep_line, line};
    log_warning(&log, "%s: left out", "a\x1B[2J\nsimclr: all is well.png");
    assert_string_equal(line, "a\\x1b[2J\\nsimclr: all is well.png: left out");
    char longest[4000]; /* escaped it is four times as long, and still whole */
    memset(longest, 1, sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    log_warning(&log, "%s: reason", longest);
    assert_true(is_fit(line));
    assert_non_null(strstr(line, "...[3999 bytes]..."));
    assert_string_equal(line + strlen(line) - 8, ": reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_escaped),
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(what_is_no_escape),
        cmocka_unit_test(lists_have_a_mark_where_they_need_it),
        cmocka_unit_test(lines_of_the_log_are_escaped),
    };
    return run_cases(tests, NULL, NULL);
}
