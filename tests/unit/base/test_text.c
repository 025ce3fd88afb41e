/* The growing string, JSON, checksums, clocks and the log. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"

static void text_grows(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 1000; i++) text_add(&text, "%03d,", i);
    assert_false(text.failed);
    assert_int_equal(text.length, 4000);
    assert_int_equal(strlen(text.bytes), 4000);
    assert_int_equal(strncmp(text.bytes + 4 * 517, "517,", 4), 0);
    text_add_bytes(&text, "", 0);
    assert_int_equal(text.length, 4000);
    text_free(&text);
    assert_null(text.bytes);
}

static void text_remembers_failure(void **state)
{
    (void)state;
    struct text text = {0};
    memory_fail_after(1);
    text_add(&text, "lost");
    memory_fail_after(0);
    assert_true(text.failed);
    text_add(&text, "also lost");
    assert_int_equal(text.length, 0);
    text_free(&text);
}

static void json_document(void **state)
{
    (void)state;
    struct text text = {0};
    text_json_open_object(&text, NULL);
    text_json_string(&text, "name", "a \"b\" \\ \n \t \x01 \xC3\xA9 \xFF \xED\xA0\x80");
    text_json_integer(&text, "big", INT64_MIN);
    text_json_boolean(&text, "yes", true);
    text_json_number(&text, "nan", NAN);
    text_json_number(&text, "infinity", -INFINITY);
    text_json_open_array(&text, "list");
    text_json_number(&text, NULL, 0.1);
    text_json_number(&text, NULL, -30);
    text_json_open_object(&text, NULL);
    text_json_close_object(&text);
    text_json_close_array(&text);
    text_json_open_object(&text, "inner");
    text_json_boolean(&text, "no", false);
    text_json_close_object(&text);
    text_json_close_object(&text);
    assert_string_equal(text.bytes, "{\"name\": \"a \\\"b\\\" \\\\\\\\ \\n \\t \\u0001 \xC3\xA9 "
                                    "\\\\xff \\\\xed\\\\xa0\\\\x80\", "
                                    "\"big\": -9223372036854775808, \"yes\": true, \"nan\": null, \"infinity\": null, "
                                    "\"list\": [0.1, -30, {}], \"inner\": {\"no\": false}}");
    text_add(&text, "\n");
    text_json_open_object(&text, NULL); /* the next line of JSON lines: no comma before it */
    text_json_close_object(&text);
    assert_string_equal(text.bytes + text.length - 4, "}\n{}");
    text_free(&text);
}

static void quoted(const char *value, const char *expected)
{
    struct text text = {0};
    text_json_string(&text, NULL, value);
    assert_string_equal(text.bytes, expected);
    text_free(&text);
}

/* Names of any bytes: valid JSON in UTF-8, nothing that a terminal obeys, and two names stay two. */
static void json_names(void **state)
{
    (void)state;
    quoted("a\\b", "\"a\\\\b\"");
    quoted("a\xFF", "\"a\\\\xff\"");         /* reads as a\xff */
    quoted("a\\xff", "\"a\\\\\\\\xff\"");    /* reads as a\\xff: another name */
    quoted("\\\xFF", "\"\\\\\\\\\\\\xff\""); /* reads as \\\xff */
    quoted("a\xC2\x9B"
           "b",
           "\"a\\u009bb\"");
    quoted("\xE2\x80\xAE\x7F", "\"\\u202e\\u007f\"");
    quoted("\xF3\xA0\x80\x81\xF0\x9F\x90\x88", "\"\\udb40\\udc01\xF0\x9F\x90\x88\""); /* a tag, and a cat */
    struct text text = {0};
    text_json_exact(&text, "key", "\\x1B \xE2\x80\xAE");
    assert_string_equal(text.bytes, "\"key\": \"\\\\x1B \\u202e\"");
    text_free(&text);
}

static void numbers_read_back_equal(void **state)
{
    (void)state;
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    const double fixed[] = {0, 1, -1, 0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 1.2e11};
    for (int i = 0; i < 20000; i++) {
        double value;
        const uint64_t bits = (uint64_t)rng_word(&rng) << 32 | rng_word(&rng);
        memcpy(&value, &bits, sizeof value);
        if (i < (int)(sizeof fixed / sizeof *fixed)) value = fixed[i];
        if (!isfinite(value)) continue;
        struct text text = {0};
        text_json_number(&text, NULL, value);
        assert_true(strtod(text.bytes, NULL) == value);
        text_free(&text);
    }
    struct text text = {0};
    text_json_number(&text, NULL, 0.3);
    assert_string_equal(text.bytes, "0.3");
    text_free(&text);
}

/* By the instruction, where there is one, and by the table. */
static void crc32c_known_answers(void **state)
{
    (void)state;
    static uint32_t (*const ways[])(uint32_t, const void *, size_t) = {crc32c_extend, crc32c_extend_portable};
    unsigned char bytes[32];
    for (int way = 0; way < 2; way++) {
        assert_int_equal(ways[way](0, "", 0), 0);
        assert_int_equal(ways[way](0, "123456789", 9), 0xE3069283u);
        memset(bytes, 0, sizeof bytes); /* RFC 3720, B.4 */
        assert_int_equal(ways[way](0, bytes, 32), 0x8A9136AAu);
        memset(bytes, 0xFF, sizeof bytes);
        assert_int_equal(ways[way](0, bytes, 32), 0x62A8AB43u);
        for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
        assert_int_equal(ways[way](0, bytes, 32), 0x46DD794Eu);
        for (size_t cut = 0; cut <= 32; cut++) /* in two parts, begun at every alignment */
            assert_int_equal(ways[way](ways[way](0, bytes, cut), bytes + cut, 32 - cut), 0x46DD794Eu);
    }
    assert_int_equal(crc32c(bytes, 32), 0x46DD794Eu);
}

static void hash_sees_every_byte(void **state)
{
    (void)state;
    unsigned char bytes[100] = {0};
    for (size_t count = 0; count <= sizeof bytes; count++) {
        const uint64_t hash = hash64(bytes, count, 7);
        assert_int_equal(hash, hash64(bytes, count, 7));
        assert_true(hash != hash64(bytes, count, 8));
        for (size_t i = 0; i < count; i++) {
            bytes[i] ^= 0x80;
            assert_true(hash64(bytes, count, 7) != hash);
            bytes[i] ^= 0x80;
        }
    }
    assert_true(hash64(bytes, 8, 0) != hash64(bytes, 16, 0)); /* zeros of another length */
}

static void keep_line(void *cookie, enum log_level level, const char *line)
{
    char **kept = cookie;
    assert_int_equal(level, LOG_WARNING);
    assert_null(*kept);
    *kept = memory_string(line);
}

static void log_and_clock(void **state)
{
    (void)state;
    char *kept = NULL;
    const struct log log = {keep_line, &kept};
    log_warning(&log, "%d images", 3);
    assert_string_equal(kept, "3 images");
    memory_free(kept);
    log_warning(&(struct log){0}, "dropped");
    log_info(NULL, "dropped");
    const double before = clock_seconds();
    assert_true(clock_seconds() >= before);
    assert_true(clock_wall() > 1.7e9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_remembers_failure),
        cmocka_unit_test(json_document),
        cmocka_unit_test(json_names),
        cmocka_unit_test(numbers_read_back_equal),
        cmocka_unit_test(crc32c_known_answers),
        cmocka_unit_test(hash_sees_every_byte),
        cmocka_unit_test(log_and_clock),
    };
    return run_cases(tests, NULL, NULL);
}
