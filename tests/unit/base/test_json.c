/* Reading JSON: what is one and what is none, what it says, and memory that runs out. */
#include "support/run.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "simclr/status.h"

#include "support/no_memory.h"

/* From a block of exactly its size, so that a sanitizer sees every over-read. */
static int read_exactly(struct json *json, const char *text, size_t length, struct json_problem *problem)
{
    char *block = malloc(length + !length);
    assert_non_null(block);
    memcpy(block, text, length);
    const int status = json_read(json, block, length, true, problem);
    free(block);
    return status;
}

static void refused(const char *text, size_t length, const char *what, size_t at)
{
    struct json json;
    struct json_problem problem = {0};
    const int status = read_exactly(&json, text, length, &problem);
    if (status != SIMCLR_CORRUPT || strcmp(problem.what, what) != 0 || problem.at != at)
        fail_msg("%.60s: status %d, %s at %zu", text, status, problem.what, problem.at);
    assert_null(json.values);
    assert_null(json.letters);
}
#define REFUSED(literal, what, at) refused(literal, sizeof(literal) - 1, what, at)

static void texts_that_are_none(void **state)
{
    (void)state;
    REFUSED("", "nothing where a value belongs", 0);
    REFUSED(" \n", "nothing where a value belongs", 2);
    REFUSED("[1, ", "nothing where a value belongs", 4);
    REFUSED("[1, ]", "nothing that a value begins with", 4);
    REFUSED("[1 2]", "a list without its end", 3);
    REFUSED("[1}", "a list without its end", 2);
    REFUSED("{\"a\": 1", "a list without its end", 7);
    REFUSED("{1: 2}", "no text in quotes where a name belongs", 1);
    REFUSED("{\"a\": 1,}", "no text in quotes where a name belongs", 8);
    REFUSED("{\"a\" 1}", "a name without a colon", 5);
    REFUSED("{\"a\": 1, \"b\": 2, \"a\": 3}", "a name that comes twice", 22);
    REFUSED("[[{\"x\": {\"a\": 1, \"\\u0061\": 2}}]]", "a name that comes twice", 27);
    REFUSED("1 1", "something after the end", 2);
    REFUSED("{}\0", "something after the end", 2);
    REFUSED("nul", "an unknown word", 0);
    REFUSED("True", "nothing that a value begins with", 0);
    REFUSED("NaN", "nothing that a value begins with", 0);
    REFUSED("'a'", "nothing that a value begins with", 0);
    REFUSED("\xEF\xBB\xBF{}", "nothing that a value begins with", 0); /* the caller takes the mark away */
    REFUSED("01", "something after the end", 1);
    REFUSED("-", "a number that lacks digits", 1);
    REFUSED("-x", "a number that lacks digits", 1);
    REFUSED("1.", "a number that lacks digits", 2);
    REFUSED(".5", "nothing that a value begins with", 0);
    REFUSED("1e", "a number that lacks digits", 2);
    REFUSED("1e+", "a number that lacks digits", 3);
    REFUSED("+1", "nothing that a value begins with", 0);
    REFUSED("0x10", "something after the end", 1);
    REFUSED("1e999", "a number beyond the range of double", 5);
    REFUSED("\"a", "a text without its end", 2);
    REFUSED("\"a\\\"", "a text without its end", 4);
    REFUSED("\"a\nb\"", "a control character in a text", 2);
    REFUSED("\"\\x41\"", "an unknown escape in a text", 2);
    REFUSED("\"\\", "an unknown escape in a text", 2);
    REFUSED("\"\\u12", "\\u without four digits", 5);
    REFUSED("\"\\u12g4\"", "\\u without four digits", 5);
    REFUSED("\"\\u0000\"", "a NUL in a text", 7);
    REFUSED("\"\\ud800\"", "half a surrogate pair", 7);
    REFUSED("\"\\ud800\\u0041\"", "half a surrogate pair", 13);
    REFUSED("\"\\udc00\"", "half a surrogate pair", 7);
    REFUSED("\"\xFF\"", "a text that is no UTF-8", 1);
    REFUSED("\"\xED\xA0\x80\"", "a text that is no UTF-8", 1);
    REFUSED("\"\xE2\x82", "a text that is no UTF-8", 1);
}

static void what_a_text_says(void **state)
{
    (void)state;
    static const char text[] =
        " {\"whole\": [0, -7, 9223372036854775807, -9223372036854775808, 9223372036854775808],\n"
        "\"real\": [0.5, -0, 1e3, 2.5E-1, 1.0], \"words\": [true, false, null],\t"
        "\"inner\": {\"a\": {\"b\": [[], {}, [[3]]]}, \"\": 1},\r"
        "\"text\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u732B\\ud83d\\ude00\xC3\xA9\", \"last\": \"\"} ";
    struct json json;
    assert_int_equal(read_exactly(&json, text, sizeof text - 1, NULL), SIMCLR_OK);
    const struct json_value *all = json.values, *whole = json_member(all, "whole"), *real = json_member(all, "real");
    assert_int_equal(all->kind, JSON_OBJECT);
    assert_int_equal(all->count, 6);
    assert_int_equal(all->at, 1);
    static const int64_t integers[] = {0, -7, INT64_MAX, INT64_MIN};
    assert_int_equal(whole->count, 5);
    for (size_t i = 0; i < 4; i++) {
        const struct json_value *value = json_element(whole, i);
        assert_true(json_is(value, JSON_INTEGER) && value->integer == integers[i]);
        assert_true(value->number >= (double)integers[i] && value->number <= (double)integers[i]);
    }
    assert_true(json_is(json_element(whole, 4), JSON_REAL)); /* beyond int64_t */
    assert_true(json_element(whole, 4)->number > 9.2e18);
    assert_null(json_element(whole, 5));
    static const double reals[] = {0.5, 0, 1000, 0.25, 1};
    for (size_t i = 0; i < 5; i++) {
        const struct json_value *value = json_element(real, i);
        assert_true(json_is_number(value) && value->number >= reals[i] && value->number <= reals[i]);
        assert_int_equal(value->kind, i == 1 ? JSON_INTEGER : JSON_REAL);
    }
    const struct json_value *words = json_member(all, "words");
    assert_true(json_is(json_element(words, 0), JSON_BOOLEAN) && json_element(words, 0)->integer == 1);
    assert_true(json_is(json_element(words, 1), JSON_BOOLEAN) && json_element(words, 1)->integer == 0);
    assert_true(json_is(json_element(words, 2), JSON_NULL));
    const struct json_value *b = json_member(json_member(json_member(all, "inner"), "a"), "b");
    assert_int_equal(b->count, 3);
    assert_int_equal(json_element(json_element(json_element(b, 2), 0), 0)->integer, 3);
    assert_int_equal(json_member(json_member(all, "inner"), "")->integer, 1);
    assert_string_equal(json_member(all, "text")->string,
                        "\"\\/\b\f\n\r\t\xC3\xA9\xE7\x8C\xAB\xF0\x9F\x98\x80\xC3\xA9");
    assert_string_equal(json_member(all, "last")->string, "");
    assert_string_equal(json_first(all)->name, "whole"); /* in the text's order */
    assert_string_equal(json_next(json_first(all))->name, "real");
    assert_null(json_member(all, "other"));
    assert_null(json_member(whole, "whole")); /* no object */
    assert_null(json_element(all, 0));        /* no array */
    assert_null(json_member(NULL, "a"));
    json_free(&json);
}

static void the_last_of_equal_names(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": 1, \"b\": 2, \"a\": 3}";
    struct json json;
    assert_int_equal(json_read(&json, text, sizeof text - 1, false, NULL), SIMCLR_OK);
    assert_int_equal(json_member(json.values, "a")->integer, 3);
    json_free(&json);
}

static void depth_has_an_end(void **state)
{
    (void)state;
    char text[260];
    struct json json;
    struct json_problem problem = {0};
    memset(text, '[', 129);
    memset(text + 129, ']', 129);
    assert_int_equal(json_read(&json, text, 258, false, NULL), SIMCLR_OK);
    json_free(&json);
    memset(text, '[', sizeof text);
    assert_int_equal(json_read(&json, text, sizeof text, false, &problem), SIMCLR_CORRUPT);
    assert_string_equal(problem.what, "lists within lists, too deep");
    assert_int_equal(problem.at, 129);
}

static int attempt(void *context, const char *text, bool *opened, struct error *error)
{
    struct json *json = context;
    const int status = json_read(json, text, strlen(text), true, NULL);
    *opened = json->values && status;
    if (status == SIMCLR_NO_MEMORY) error_set(error, status, "no memory");
    json_free(json);
    return status;
}

static void no_memory(void **state)
{
    (void)state;
    struct json json;
    assert_int_equal(no_memory_steps(attempt, &json, "{\"a\": [1, \"two\"], \"b\": {}}"),
                     3); /* values, letters, names */
    assert_int_equal(no_memory_steps(attempt, &json, "[]"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_none),
        cmocka_unit_test(what_a_text_says),
        cmocka_unit_test(the_last_of_equal_names),
        cmocka_unit_test(depth_has_an_end),
        cmocka_unit_test(no_memory),
    };
    return run_cases(tests, NULL, NULL);
}
