/* Fields of CSV: what a reader of RFC 4180 gives back. */
#include "support/run.h"

#include "base/csv.h"

static void expect(const char *field, const char *csv)
{
    struct text out = {0};
    csv_add(&out, field);
    assert_false(out.failed);
    assert_string_equal(out.bytes ? out.bytes : "", csv);
    text_free(&out);
}

static void quotes_stand_where_they_are_needed(void **state)
{
    (void)state;
    expect("", "");
    expect("a.jpg", "a.jpg");
    expect("a b.jpg", "a b.jpg");
    expect("a,b", "\"a,b\"");
    expect("say \"x\"", "\"say \"\"x\"\"\"");
    expect("a\nb\tc\rd", "\"a\nb\tc\rd\"");
    expect(" a", "\" a\"");
    expect("a ", "\"a \"");
    expect("<script>", "<script>");
    expect("\xC3\xBC\xE2\x82\xAC", "\xC3\xBC\xE2\x82\xAC");
}

static void other_bytes_are_written_out(void **state)
{
    (void)state;
    expect("\xFF.jpg", "\\xff.jpg");
    expect("a\x1B[2J", "a\\x1b[2J");
    expect("\xE2\x80\xAE"
           "gpj",
           "\\xe2\\x80\\xaegpj"); /* a mark of direction */
    expect("a\\b", "a\\b");
    expect("a\\b\xFF", "a\\\\b\\xff");
    expect("\\xff", "\\\\xff"); /* reads as if a byte had been written */
    expect("\xFF,", "\"\\xff,\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_stand_where_they_are_needed),
        cmocka_unit_test(other_bytes_are_written_out),
    };
    return run_cases(tests, NULL, NULL);
}
