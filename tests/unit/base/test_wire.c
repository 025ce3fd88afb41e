/* The wire format of protocol buffers: bytes as its documentation has them, and what is refused. */
#include "support/run.h"

#include "base/wire.h"

static void fields_have_the_documented_bytes(void **state)
{
    (void)state;
    /* "Encoding" of protobuf.dev: field 1 with 150; field 2 with "testing"; field 3 with a message of field 1 = 150 */
    static const char expected[] = "\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x25\x00\x00\x80\x3f"
                                   "\x29\x00\x00\x00\x00\x00\x00\xf0\xbf";
    struct text out = {0}, message = {0};
    wire_add_integer(&out, 1, 150);
    wire_add_text(&out, 2, "testing");
    wire_add_integer(&message, 1, 150);
    wire_add_message(&out, 3, &message);
    assert_int_equal(message.length, 0);
    wire_add_float(&out, 4, 1);
    wire_add_double(&out, 5, -1);
    assert_int_equal(out.length, sizeof expected - 1);
    assert_memory_equal(out.bytes, expected, out.length);
    text_free(&message);
    text_free(&out);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, 127, 128, 16383, 16384, INT64_MAX, -1, INT64_MIN};
    enum { COUNT = sizeof values / sizeof *values, LARGEST = 0x1FFFFFFF };
    struct text out = {0};
    for (int i = 0; i < COUNT; i++) wire_add_integer(&out, i % 2 ? LARGEST : 1, values[i]);
    wire_add_bytes(&out, 16, "a\0b", 3);
    wire_add_bytes(&out, 16, "", 0);
    struct wire_reader reader = {(const uint8_t *)out.bytes, (const uint8_t *)out.bytes + out.length};
    struct wire_field field;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(wire_next(&reader, &field), WIRE_FIELD);
        assert_int_equal(field.number, i % 2 ? LARGEST : 1);
        assert_int_equal(field.kind, WIRE_VARINT);
        assert_true((int64_t)field.value == values[i]);
    }
    assert_int_equal(wire_next(&reader, &field), WIRE_FIELD);
    assert_int_equal(field.count, 3);
    assert_memory_equal(field.bytes, "a\0b", 3);
    assert_int_equal(wire_next(&reader, &field), WIRE_FIELD);
    assert_int_equal(field.count, 0);
    assert_int_equal(wire_next(&reader, &field), WIRE_END);
    text_free(&out);
}

/* Cut numbers and fields, numbers beyond 64 bits, groups, field 0. */
static void damage_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
    } damaged[] = {{"\x08", 1},
                   {"\x08\x96", 2},
                   {"\x80", 1},
                   {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},
                   {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
                   {"\x12\x08testing", 9},
                   {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
                   {"\x25\x00\x00\x80", 4},
                   {"\x29\x00\x00\x00\x00\x00\x00\xf0", 8},
                   {"\x0b", 1},
                   {"\x0e\x01", 2},
                   {"\x00\x01", 2}};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        const uint8_t *bytes = (const uint8_t *)damaged[i].bytes;
        struct wire_reader reader = {bytes, bytes + damaged[i].count};
        struct wire_field field;
        if (wire_next(&reader, &field) != WIRE_DAMAGED) fail_msg("number %zu was taken", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_the_documented_bytes),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damage_is_told),
    };
    return run_cases(tests, NULL, NULL);
}
