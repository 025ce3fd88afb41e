/* Tables of features: the files that NumPy and safetensors write (tests/fuzz/corpus/features, made by
 * tools/make_golden_scores.py), files that lie, and names in all their forms. */
#include "support/run.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "run/table/feature_table.h"
#include "run/table/texts.h"
#include "support/folder.h"

static const char *corpus(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "tests/fuzz/corpus/features/%s", name);
    return path;
}

static void open_fine(struct feature_table *table, const char *path)
{
    struct error error = {0};
    if (feature_table_open(table, path, &error) != SIMCLR_OK) fail_msg("%s", error.text);
}

/* All of them hold the same four rows. */
static void assert_rows(const struct feature_table *table)
{
    assert_int_equal(table->catalog.count, 4);
    assert_int_equal(table->dim, 3);
    for (int i = 0; i < 12; i++) assert_true(table->values[i] == (float)i / 8);
}

static void assert_names(const struct feature_table *table, const char *const *names)
{
    for (int i = 0; i < 4; i++) assert_string_equal(catalog_name(&table->catalog, i), names[i]);
}

static void assert_labels(const struct feature_table *table, const int32_t *labels)
{
    for (int i = 0; i < 4; i++) assert_int_equal(table->catalog.label[i], labels[i]);
}

static const char *const NUMBERS[] = {"0", "1", "2", "3"};

static void numpy_files_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"a.jpg", "\xC3\xBC/\xCE\xB2.png", "\xFF.jpg", "d, \"e\".jpg"};
    struct feature_table table;
    open_fine(&table, corpus("plain.npy"));
    assert_rows(&table);
    assert_names(&table, NUMBERS);
    assert_true(!table.named && !table.labelled && table.catalog.label[0] == -1 && table.catalog.classes == 0);
    feature_table_free(&table);

    open_fine(&table, corpus("version2.npy"));
    assert_rows(&table);
    feature_table_free(&table);

    open_fine(&table, corpus("plain.npz"));
    assert_rows(&table);
    assert_names(&table, names);
    assert_labels(&table, (const int32_t[]){2, 0, -1, 2});
    assert_true(table.named && table.labelled && table.ignored == 0);
    assert_int_equal(table.catalog.classes, 3);
    feature_table_free(&table);

    open_fine(&table, corpus("packed.npz"));
    assert_rows(&table);
    assert_names(&table, names);
    assert_labels(&table, (const int32_t[]){1, 0, 1, 0});
    feature_table_free(&table);

    open_fine(&table, corpus("float16.npy"));
    assert_rows(&table);
    feature_table_free(&table);

    open_fine(&table, corpus("commented.npy"));
    assert_rows(&table);
    assert_names(&table, NUMBERS);
    feature_table_free(&table);

    open_fine(&table, corpus("classes.npz"));
    assert_rows(&table);
    assert_labels(&table, (const int32_t[]){1, 0, -1, 1});
    assert_int_equal(table.catalog.classes, 3); /* one of them without a row */
    assert_string_equal(table.catalog.class_name[0], "ca\nt");
    assert_string_equal(table.catalog.class_name[2], "\xFF");
    assert_int_equal(table.ignored, 0);
    feature_table_free(&table);

    open_fine(&table, corpus("text_labels.npz")); /* which are no numbers: they are the classes */
    assert_labels(&table, (const int32_t[]){1, -1, 0, 1});
    assert_int_equal(table.catalog.classes, 2);
    feature_table_free(&table);

    open_fine(&table, corpus("texts.npz"));
    assert_rows(&table);
    assert_names(&table, (const char *const[]){"a", "b", "c\xFF", "d"});
    assert_labels(&table, (const int32_t[]){1, 0, -1, 1});
    assert_string_equal(table.catalog.class_name[0], "cat");
    assert_string_equal(table.catalog.class_name[1], "dog");
    assert_int_equal(table.ignored, 1);
    assert_string_equal(table.first_ignored, "more.npy");
    feature_table_free(&table);
}

static void safetensors_files_are_read(void **state)
{
    (void)state;
    struct feature_table table;
    open_fine(&table, corpus("float16.safetensors"));
    assert_rows(&table);
    feature_table_free(&table);

    open_fine(&table, corpus("plain.safetensors"));
    assert_rows(&table);
    assert_names(&table, (const char *const[]){"a", "b", "\xC3\xBC", "d"});
    assert_labels(&table, (const int32_t[]){3, -1, 0, 3});
    assert_int_equal(table.catalog.classes, 4);
    feature_table_free(&table);

    open_fine(&table, corpus("classes.safetensors")); /* zeros at the end are no classes */
    assert_labels(&table, (const int32_t[]){1, 0, -1, 1});
    assert_int_equal(table.catalog.classes, 2);
    assert_string_equal(table.catalog.class_name[1], "dog");
    feature_table_free(&table);

    open_fine(&table, corpus("texts.safetensors"));
    assert_rows(&table);
    assert_names(&table, NUMBERS);
    assert_labels(&table, (const int32_t[]){1, 0, -1, 1});
    assert_int_equal(table.ignored, 1);
    feature_table_free(&table);
}

/* What this program writes, with names and labels beside it. */
static void lists_lie_beside_npy(void **state)
{
    (void)state;
    const float x[12] = {0, 0.125f, 0.25f, 0.375f, 0.5f, 0.625f, 0.75f, 0.875f, 1, 1.125f, 1.25f, 1.375f};
    struct feature_table table;
    struct error error = {0};
    static const char names[] = "\xEF\xBB\xBF"
                                "a.jpg\r\nb c.jpg\n\xFF\nlast",
                      marked[] = "#simclr-list 1\nline\\nend\n\\x41\\\\\n\\t\\r\nplain\n",
                      labels[] = "cat\n\ndog\ncat\n", few[] = "cat\ncat\n", gap[] = "a\n\nb\nc\n";
    assert_int_equal(npy_write_float(at("x.npy"), x, 4, 3, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("x.txt"), names, sizeof names - 1, NULL), SIMCLR_OK);
    open_fine(&table, at("x.npy"));
    assert_rows(&table);
    assert_names(&table, (const char *const[]){"a.jpg", "b c.jpg", "\xFF", "last"});
    assert_true(table.named && !table.labelled);
    feature_table_free(&table);

    assert_int_equal(file_write_atomic(at("x.txt"), marked, sizeof marked - 1, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("x.labels.txt"), labels, sizeof labels - 1, NULL), SIMCLR_OK);
    open_fine(&table, at("x.npy"));
    assert_names(&table, (const char *const[]){"line\nend", "A\\", "\t\r", "plain"});
    assert_labels(&table, (const int32_t[]){0, -1, 1, 0});
    assert_string_equal(table.catalog.class_name[1], "dog");
    feature_table_free(&table);

    assert_int_equal(file_write_atomic(at("x.labels.txt"), few, sizeof few - 1, NULL), SIMCLR_OK);
    assert_int_equal(feature_table_open(&table, at("x.npy"), &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "x.labels.txt: has 2 labels for 4 rows"));
    assert_int_equal(file_write_atomic(at("x.txt"), gap, sizeof gap - 1, NULL), SIMCLR_OK);
    assert_int_equal(feature_table_open(&table, at("x.npy"), &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "x.txt: row 1 has an empty name"));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int status;
        const char *words;
    } cases[] = {
        {"lies.npy", SIMCLR_CORRUPT, "promises 60 bytes of numbers and it has 48"},
        {"overflow.npy", SIMCLR_CORRUPT, "promises more than"},
        {"longer.npy", SIMCLR_CORRUPT, "promises 48 bytes of numbers and it has 52"},
        {"cut.npy", SIMCLR_CORRUPT, "promises 48 bytes of numbers and it has 47"},
        {"fortran.npy", SIMCLR_DATA, "Fortran order"},
        {"float64.npy", SIMCLR_DATA, "are float64"},
        {"int32.npy", SIMCLR_DATA, "are int32"},
        {"big_endian.npy", SIMCLR_DATA, "are big-endian float32"},
        {"pickle.npy", SIMCLR_UNSUPPORTED, "pickle"},
        {"pickle.npz", SIMCLR_UNSUPPORTED, "names: holds Python objects"},
        {"structured.npy", SIMCLR_UNSUPPORTED, "structured"},
        {"vector.npy", SIMCLR_DATA, "has 1 axes and must have two"},
        {"empty.npy", SIMCLR_DATA, "0 rows of 3 features"},
        {"few_classes.npz", SIMCLR_DATA, "labels: row 0 has the label 2, and there are 2 names of classes"},
        {"no_features.npz", SIMCLR_DATA, "no array called features"},
        {"few_names.npz", SIMCLR_DATA, "names: has 3 names for 4 rows"},
        {"few.safetensors", SIMCLR_DATA, "names: has 3 names for 4 rows"},
        {"float_labels.npz", SIMCLR_DATA, "labels: is of float64"},
        {"not_finite.npz", SIMCLR_DATA, "row 2 (\xFF.jpg) has a value that is not finite in column 1"},
        {"weights.safetensors", SIMCLR_DATA, "no tensor called features"},
        {"names.txt", SIMCLR_DATA, "is no file of features"},
        {"absent.npy", SIMCLR_IO, "absent.npy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feature_table table;
        struct error error = {0};
        const int status = feature_table_open(&table, corpus(cases[i].file), &error);
        if (status != cases[i].status || !strstr(error.text, cases[i].words))
            fail_msg("%s: status %d, %s", cases[i].file, status, error.text);
        assert_null(table.values);
    }
}

/* Headers that NumPy does not write, each with the 48 bytes that follow. */
static void headers_are_read_word_by_word(void **state)
{
    (void)state;
#define PLAIN "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }"
    static const struct {
        const char *dictionary;
        bool fine;
    } cases[] = {
        {PLAIN, true},
        {"{\"shape\":(4,3),\"descr\":\"<f4\",\"fortran_order\":False}  \n", true},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (12,), }", true},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (12), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", false}, /* one number, 4 bytes */
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4, -3), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,, 3), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 3), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,4,3), }", false},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (4, 3), }", false},
        {"{'descr': '<f4', 'fortran_order': False}", false},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), 'more': 1}", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), } more", false},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (4, 3), }", false},
        {"{'descr': '', 'fortran_order': False, 'shape': (4, 3), }", false},
        {"{'descr': '<f4x', 'fortran_order': False, 'shape': (4, 3), }", false},
        {"{'descr': '<f4000000000', 'fortran_order': False, 'shape': (4, 3), }", false},
        {"", false},
        {"{", false},
        {PLAIN "# lists beside it are escaped   \n", true},
        {PLAIN "  # lists beside it are escaped, or not\n", true},
        {PLAIN "  # another\n \t# lists beside it are escaped", true},
        {PLAIN "#", true},
        {PLAIN "#\nmore", false},
        {PLAIN "/* lists beside it are escaped */", false},
    };
#undef PLAIN
    int escaped = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[256] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
        const size_t length = strlen(cases[i].dictionary);
        struct npy_array array;
        struct error error = {0};
        bytes[8] = (uint8_t)length;
        memcpy(bytes + 10, cases[i].dictionary, length);
        const int status = npy_parse(&array, bytes, 10 + length + 48, 10 + length + 48, "x", &error);
        if ((status == SIMCLR_OK) != cases[i].fine) fail_msg("%s: %d, %s", cases[i].dictionary, status, error.text);
        assert_true(status == SIMCLR_OK || error.text[0] != '\0');
        escaped += array.escaped;
    }
    assert_int_equal(escaped, 2);
}

/* The header tells that they are; their own mark is one more way, as it was before there was a word in the header. */
static void escaped_lists_have_a_line_a_row(void **state)
{
    (void)state;
    static const char *const lists[] = {"line\\nend\n\\x23simclr-list 1\n\\\\\nplain\n",
                                        "#simclr-list 1\nline\\nend\n\\x23simclr-list 1\n\\\\\nplain\n"};
    static const char labels[] = "\\xff\n\n\\\\\n\\xff\n";
    const float x[12] = {0, 0.125f, 0.25f, 0.375f, 0.5f, 0.625f, 0.75f, 0.875f, 1, 1.125f, 1.25f, 1.375f};
    char file[NPY_HEADER + sizeof x];
    const size_t head = npy_header_beside(file, "<f4", 4, 3, true);
    assert_int_equal(head,
                     npy_header_beside(file, "<f4", INT64_MAX, INT32_MAX, true)); /* it is filled in where it lies */
    assert_int_equal(head, npy_header(file, "<f4", 4, 3));
    npy_header_beside(file, "<f4", 4, 3, true);
    memcpy(file + head, x, sizeof x);
    assert_int_equal(file_write_atomic(at("e.npy"), file, head + sizeof x, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("e.labels.txt"), labels, sizeof labels - 1, NULL), SIMCLR_OK);
    for (int i = 0; i < 2; i++) {
        struct feature_table table;
        assert_int_equal(file_write_atomic(at("e.txt"), lists[i], strlen(lists[i]), NULL), SIMCLR_OK);
        open_fine(&table, at("e.npy"));
        assert_rows(&table);
        assert_names(&table, (const char *const[]){"line\nend", "#simclr-list 1", "\\", "plain"});
        assert_labels(&table, (const int32_t[]){1, -1, 0, 1});
        assert_string_equal(table.catalog.class_name[0], "\\");
        assert_string_equal(table.catalog.class_name[1], "\xFF");
        feature_table_free(&table);
    }
}

static void each_form_gives_texts(void **state)
{
    (void)state;
    static const uint32_t wide[] = {'a', 0x20AC, 0x1F600, 0 /**/, 0xD800,   0, 0, 0 /**/,
                                    0,   'b',    0,       0 /**/, 0x110000, 0, 0, 0};
    static const int16_t whole[] = {-3, 32767};
    struct text text = {0};
    struct error error = {0};
    struct texts texts = {.form = TEXTS_ITEMS,
                          .bytes = (const uint8_t *)wide,
                          .count = sizeof wide,
                          .array = {.type = 'U', .item = 16, .rank = 1, .dims = {4}}};
    assert_int_equal(texts_open(&texts, "x", &error), SIMCLR_OK);
    assert_int_equal(texts_next(&texts, &text, 0, "x", &error), SIMCLR_OK);
    assert_string_equal(text.bytes, "a\xE2\x82\xAC\xF0\x9F\x98\x80");
    for (int i = 1; i < 4; i++) {
        assert_int_equal(texts_next(&texts, &text, i, "x", &error), SIMCLR_CORRUPT);
        char words[32];
        snprintf(words, sizeof words, "item %d is no text", i);
        assert_non_null(strstr(error.text, words));
    }
    texts = (struct texts){.form = TEXTS_ITEMS,
                           .bytes = (const uint8_t *)whole,
                           .count = sizeof whole,
                           .array = {.type = 'i', .item = 2, .rank = 1, .dims = {2}}};
    assert_int_equal(texts_next(&texts, &text, 0, "x", &error), SIMCLR_OK);
    assert_string_equal(text.bytes, "-3");
    assert_int_equal(texts_next(&texts, &text, 1, "x", &error), SIMCLR_OK);
    assert_string_equal(text.bytes, "32767");
    static const char unended[] = {'a', '\0', 'b'};
    texts = (struct texts){.form = TEXTS_ENDED, .bytes = (const uint8_t *)unended, .count = 3};
    assert_int_equal(texts_count(&texts), 2);
    assert_int_equal(texts_next(&texts, &text, 0, "x", &error), SIMCLR_OK);
    assert_int_equal(texts_next(&texts, &text, 1, "x", &error), SIMCLR_CORRUPT);
    static const char *const bad[] = {"#simclr-list 1\n\\q\n", "#simclr-list 1\n\\x4\n", "#simclr-list 1\na\\\n",
                                      "#simclr-list 1\n\\x00\n"};
    for (int i = 0; i < 4; i++) {
        texts = (struct texts){.form = TEXTS_LINES, .bytes = (const uint8_t *)bad[i], .count = strlen(bad[i])};
        assert_int_equal(texts_open(&texts, "x", &error), SIMCLR_OK);
        assert_int_equal(texts_count(&texts), 1);
        assert_int_equal(texts_next(&texts, &text, 0, "x", &error), SIMCLR_CORRUPT);
    }
    text_free(&text);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    static const char *const files[] = {"plain.npy", "packed.npz", "texts.safetensors"};
    for (int f = 0; f < 3; f++) {
        int refused = 0, status = SIMCLR_NO_MEMORY;
        for (long n = 1; n <= 60; n++) {
            struct feature_table table;
            struct error error = {0};
            memory_fail_after(n);
            status = feature_table_open(&table, corpus(files[f]), &error);
            memory_fail_after(0);
            if (status == SIMCLR_OK)
                assert_rows(&table);
            else if (status != SIMCLR_NO_MEMORY || table.values)
                fail_msg("%s, %ld: %d %s", files[f], n, status, error.text);
            refused += status != SIMCLR_OK;
            feature_table_free(&table);
        }
        assert_int_equal(status, SIMCLR_OK);
        assert_true(refused >= 3);
    }
}

/* A table whose rows are called by the letters of `names`, whose values are the letters twice. */
static void fill_table(struct feature_table *table, const char *names)
{
    *table = (struct feature_table){.dim = 2};
    table->values = memory_array(2 * strlen(names), sizeof *table->values);
    assert_non_null(table->values);
    for (int i = 0; names[i]; i++) {
        const char name[2] = {names[i], '\0'};
        assert_int_equal(catalog_add(&table->catalog, name, 0, NULL), SIMCLR_OK);
        table->values[2 * i] = table->values[2 * i + 1] = (float)names[i];
    }
}

static void rows_are_found_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *wanted;
        int status;
        const char *says;
    } cases[] = {
        {"abcd", "dbca", SIMCLR_OK, NULL},
        {"xaybz", "ba", SIMCLR_OK, NULL}, /* more rows than are wanted */
        {"abc", "abd", SIMCLR_DATA, "other.npy: has no row called d"},
        {"abcb", "abc", SIMCLR_DATA, "other.npy: two rows are called b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feature_table table, like;
        struct error error = {0};
        fill_table(&like, cases[i].wanted);
        for (long n = 1; n <= 4; n++) { /* each allocation fails once; the fourth is none of ours */
            fill_table(&table, cases[i].rows);
            memory_fail_after(n);
            const int status = feature_table_align(&table, &like, "other.npy", &error);
            memory_fail_after(0);
            const bool short_of_memory = n == 1 || (n == 2 && i < 3); /* names that stand twice end it before */
            assert_int_equal(status, short_of_memory ? SIMCLR_NO_MEMORY : cases[i].status);
            for (int k = 0; !status && cases[i].wanted[k]; k++)
                assert_true(table.values[2 * k] == (float)cases[i].wanted[k] &&
                            table.values[2 * k + 1] == (float)cases[i].wanted[k]);
            if (status == SIMCLR_DATA) assert_non_null(strstr(error.text, cases[i].says));
            feature_table_free(&table);
        }
        feature_table_free(&like);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_files_are_read),          cmocka_unit_test(safetensors_files_are_read),
        cmocka_unit_test(lists_lie_beside_npy),          cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(headers_are_read_word_by_word), cmocka_unit_test(escaped_lists_have_a_line_a_row),
        cmocka_unit_test(each_form_gives_texts),         cmocka_unit_test(memory_may_be_short),
        cmocka_unit_test(rows_are_found_by_name),
    };
    return run_cases(tests, make_folder, remove_folder);
}
