/* The page: names are escaped, whatever they are made of; what is opened is closed; headings are in order; pictures lie
 * in it; memory that runs out ends with a sentence. */

#include "support/run.h"

#include "base/file.h"
#include "base/memory.h"
#include "page/base64.h"
#include "page/page.h"
#include "support/folder.h"
#include "support/html.h"
#include "support/no_memory.h"

static void well_formed(const char *html)
{
    const char *problem = html_problem(html);
    if (problem) fail_msg("not well formed at: %.80s", problem);
}

/* The page written to a file and read again; `html` is freed by memory_free. */
static char *finish(struct page *page)
{
    uint8_t *html = NULL;
    size_t bytes = 0;
    assert_int_equal(page_finish(page, at("page.html"), NULL), SIMCLR_OK);
    assert_int_equal(file_read(at("page.html"), 1 << 24, &html, &bytes, NULL), SIMCLR_OK);
    assert_int_equal(strlen((char *)html), bytes);
    well_formed((char *)html);
    return (char *)html;
}

static void names_are_escaped(void **state)
{
    (void)state;
    struct page page;
    page_begin(&page, "<script>alert(1)</script>");
    page_paragraph(&page, "%s and %s", "a&b\"c'd", "\xff\n\t\x1b[31m\xe2\x80\xae");
    page_element(&page, "p", "class=\"x\"", "%s", "</p><img src=x onerror=alert(1)>");
    page_section(&page, "names", "Names & \"<h2>\"");
    const char *const columns[] = {"<td>", "100 %"};
    page_table(&page, "<caption>", columns, 2);
    page_row(&page);
    page_row_name(&page, "%s", "<\xc3\xa9>");
    page_number(&page, "%.1f %%", 12.34);
    page_close(&page);
    page_table_close(&page);
    page_figure(&page, NULL);
    const struct image picture = {1, 1, (uint8_t[]){1, 2, 3}};
    page_picture(&page, simd_machine(), &picture, 32, "%s", "\"onload=\"alert(1)");
    page_figure_close(&page, "%s", "</figcaption>");
    char *html = finish(&page);
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "<img src=x"));
    assert_non_null(strstr(html, "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>"));
    assert_non_null(strstr(html, "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
    assert_non_null(strstr(html, "a&amp;b&quot;c&#39;d and \\xff\\n\\t\\x1b[31m\\xe2\\x80\\xae</p>"));
    assert_non_null(strstr(html, "<th scope=\"row\">&lt;\xc3\xa9&gt;</th>"));
    assert_non_null(strstr(html, "<td class=\"number\">12.3 %</td>"));
    assert_non_null(strstr(html, "alt=\"&quot;onload=&quot;alert(1)\">"));
    memory_free(html);
}

static void headings_leave_no_level_out(void **state)
{
    (void)state;
    struct page page;
    page_begin(&page, "levels");
    page_heading(&page, 4, "%s", "two");
    page_heading(&page, 3, "%s", "three");
    page_heading(&page, 6, "%s", "four");
    page_heading(&page, 1, "%s", "two again");
    char *html = finish(&page);
    assert_non_null(strstr(html, "<h2>two</h2>"));
    assert_non_null(strstr(html, "<h3>three</h3>"));
    assert_non_null(strstr(html, "<h4>four</h4>"));
    assert_non_null(strstr(html, "<h2>two again</h2>"));
    memory_free(html);
}

static void what_is_open_is_closed(void **state)
{
    (void)state;
    struct page page;
    page_begin(&page, "open");
    page_section(&page, "a", "A");
    page_details(&page, "more");
    page_grid(&page, 96);
    page_figure(&page, "right");
    page_text(&page, "words");
    char *html = finish(&page);
    assert_non_null(strstr(html, "words</figure>"));
    memory_free(html);
    page_begin(&page, "too deep");
    for (int i = 0; i < 2 * PAGE_DEEPEST; i++) page_open(&page, "div", NULL);
    assert_true(page.html.failed);
    page_free(&page);
}

static void bytes_become_letters(void **state)
{
    (void)state;
    static const char *const expected[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                           "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; /* RFC 4648, 10 */
    for (size_t i = 0; i <= 6; i++) {
        struct text text = {0};
        base64_add(&text, (const uint8_t *)"foobar", i);
        assert_string_equal(text.bytes ? text.bytes : "", expected[i]);
        text_free(&text);
    }
    struct text text = {0};
    base64_add(&text, (const uint8_t[]){0xFB, 0xFF, 0xBF}, 3);
    assert_string_equal(text.bytes, "+/+/");
    text_free(&text);
}

static void pictures_are_reduced_and_never_enlarged(void **state)
{
    (void)state;
    struct page page;
    struct image wide;
    assert_int_equal(image_create(400, 1, &wide, NULL), SIMCLR_OK);
    page_begin(&page, "pictures");
    page_picture(&page, simd_machine(), &wide, 100, "wide");
    wide.width = 20;
    page_picture(&page, simd_machine(), &wide, 100, "small");
    char *html = finish(&page);
    assert_non_null(strstr(html, "<img width=\"100\" height=\"1\" src=\"data:image/jpeg;base64,/9j/"));
    assert_non_null(strstr(html, "<img width=\"20\" height=\"1\" class=\"pixels\" src=\"data:image/jpeg;base64,/9j/"));
    memory_free(html);
    image_free(&wide);
}

static int write_page(void *context, const char *path, bool *opened, struct error *error)
{
    (void)context;
    struct page page;
    const uint8_t rgb[12] = {0};
    const struct image picture = {2, 2, (uint8_t *)(uintptr_t)rgb};
    page_begin(&page, "memory");
    page_section(&page, "s", "S");
    page_picture(&page, simd_machine(), &picture, 1, "p");
    page_paragraph(&page, "%s", "words");
    const int status = page_finish(&page, path, error);
    *opened = page.html.bytes != NULL;
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    assert_true(no_memory_steps(write_page, NULL, at("memory.html")) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(headings_leave_no_level_out),
        cmocka_unit_test(what_is_open_is_closed),
        cmocka_unit_test(bytes_become_letters),
        cmocka_unit_test(pictures_are_reduced_and_never_enlarged),
        cmocka_unit_test(memory_runs_out),
    };
    return run_cases(tests, make_folder, remove_folder);
}
