/* Letters and digits are ASCII's, whatever the locale says. */
#include "support/run.h"

#include "base/letters.h"

static void any_case_of_ascii(void **state)
{
    (void)state;
    assert_true(letters_equal("TRAIN-I.Tar", "train-i.tar"));
    assert_true(letters_equal("", ""));
    assert_false(letters_equal("train", "trains"));
    assert_false(letters_equal("trains", "train"));
    assert_false(letters_equal("\xC3\x89", "\xC3\xA9")); /* no case beyond ASCII */
    assert_true(letters_begin("Validation", "VAL"));
    assert_true(letters_begin("x", ""));
    assert_false(letters_begin("va", "val"));
    for (int c = 0; c < 256; c++) {
        const char small = letter_small((char)c);
        assert_int_equal(small, c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c);
        assert_int_equal(letter_is_digit((char)c), c >= '0' && c <= '9');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_case_of_ascii)};
    return run_cases(tests, NULL, NULL);
}
