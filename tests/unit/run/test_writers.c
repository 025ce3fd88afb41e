/* Tables of features that are written. What this program reads of them is what was written, to the bit, whatever the
 * shapes and the names. A failure leaves nothing behind. tests/system/test_formats.sh has other readers. */
#include "support/run.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/half.h"
#include "base/memory.h"
#include "run/table/feature_table.h"
#include "support/folder.h"
#include "support/tables.h"

static const enum table_format read_back[] = {TABLE_NPY, TABLE_NPZ, TABLE_SAFETENSORS};
enum { READ_BACK = sizeof read_back / sizeof *read_back, DRAWN = 22 };

static const char *class_of(const struct feature_table *table, int64_t row)
{
    const int32_t label = table->catalog.label[row];
    return label < 0 ? "" : table->catalog.class_name[label];
}

static void assert_same(const struct drawn_table *drawn, const struct feature_table *read, const char *path)
{
    const size_t dim = (size_t)drawn->shape.dim;
    assert_int_equal(read->catalog.count, drawn->shape.rows);
    assert_int_equal(read->dim, dim);
    assert_int_equal(read->labelled, drawn->shape.classes > 0);
    assert_true(read->named && read->ignored == 0);
    for (int64_t i = 0; i < drawn->shape.rows; i++) {
        const int32_t label = drawn->labels[i];
        assert_string_equal(catalog_name(&read->catalog, i), drawn->names[i]);
        assert_string_equal(class_of(read, i), label < 0 ? "" : drawn->classes[label]);
        for (size_t d = 0; d < dim; d++) {
            const float written = drawn->values[(size_t)i * dim + d], got = read->values[(size_t)i * dim + d];
            const float wanted = drawn->shape.half ? half_to_float(half_from_float(written)) : written;
            if (memcmp(&got, &wanted, sizeof got) != 0)
                fail_msg("%s: row %d, feature %zu: %.9g, not %.9g", path, (int)i, d, (double)got, (double)wanted);
        }
    }
}

static void tables_come_back(void **state)
{
    (void)state;
    struct error error = {0};
    int read = 0;
    for (uint32_t number = 1; number < DRAWN; number++) { /* table 0 has no row, which is not read */
        for (int i = 0; i < 2 * READ_BACK; i++) {
            const enum table_format format = read_back[i % READ_BACK];
            struct drawn_table drawn;
            struct feature_table table;
            const char *path = at("t%u%s", number, table_format_ending(format));
            drawn_table(&drawn, number, i >= READ_BACK);
            if (drawn_table_write(&drawn, path, format, number % 5 == 0, &error)) fail_msg("%s", error.text);
            if (feature_table_open(&table, path, &error)) fail_msg("%u: %s", number, error.text);
            assert_same(&drawn, &table, path);
            feature_table_free(&table);
            drawn_table_free(&drawn);
            read++;
        }
        remove(at("t%u.labels.txt", number)); /* of a table with labels, where the next has none */
    }
    assert_int_equal(read, (DRAWN - 1) * 2 * READ_BACK);
}

static int files_here(void)
{
    int count = 0;
    DIR *here = opendir(folder);
    assert_non_null(here);
    while (readdir(here)) count++;
    closedir(here);
    return count;
}

static void half_precision_has_an_end(void **state)
{
    (void)state;
    struct error error = {0};
    const char *const classes[] = {"c"};
    const float values[2] = {65519, 65520};
    const int before = files_here();
    for (int i = 0; i < READ_BACK; i++) {
        struct table_writer *writer;
        const struct table_shape shape = {.rows = 2, .dim = 1, .half = true, .classes = 1, .class_names = classes};
        const char *path = at("half%s", table_format_ending(read_back[i]));
        assert_int_equal(table_writer_open(&writer, path, read_back[i], &shape, &error), SIMCLR_OK);
        assert_int_equal(table_writer_add(writer, &(struct table_row){"a.png", 0, &values[0]}, &error), SIMCLR_OK);
        assert_int_equal(table_writer_add(writer, &(struct table_row){"b.png", 0, &values[1]}, &error), SIMCLR_DATA);
        assert_non_null(strstr(error.text, "b.png: its feature 0 is 65520"));
        table_writer_close(&writer);
    }
    assert_int_equal(files_here(), before);
}

/* More than an .npz can have is known before the first row. */
static void large_archives_are_refused(void **state)
{
    (void)state;
    struct table_writer *writer;
    struct error error = {0};
    const struct table_shape shape = {.rows = 1 << 20, .dim = 1024};
    assert_int_equal(table_writer_open(&writer, at("large.npz"), TABLE_NPZ, &shape, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "4 GiB"));
    assert_int_equal(table_writer_open(&writer, "/dev/null", TABLE_NPZ, &shape, &error), SIMCLR_UNSUPPORTED);
    assert_int_equal(table_writer_open(&writer, "/dev/null", TABLE_SAFETENSORS, &shape, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "no file on a disk"));
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct drawn_table drawn;
    drawn_table(&drawn, 1, false);
    for (int format = 0; format < TABLE_FORMATS; format++) {
        int status = SIMCLR_NO_MEMORY, refused = 0;
        const char *path = at("memory%s", table_format_ending((enum table_format)format));
        const int before = files_here();
        for (long n = 1; n < 60; n++) {
            struct error error = {0};
            memory_fail_after(n);
            status = drawn_table_write(&drawn, path, (enum table_format)format, false, &error);
            memory_fail_after(0);
            if (status == SIMCLR_OK) break;
            if (status != SIMCLR_NO_MEMORY || error.text[0] == '\0')
                fail_msg("%s, allocation %ld: %d %s", path, n, status, error.text);
            refused++;
            assert_int_equal(files_here(), before); /* neither a whole file nor a temporary one */
        }
        assert_int_equal(status, SIMCLR_OK);
        assert_true(refused >= 4);
    }
    drawn_table_free(&drawn);
}

/* The file may have so many bytes and no more: as a disk that is full. */
static void disks_may_fill_up(void **state)
{
    (void)state;
    struct drawn_table drawn;
    struct rlimit all;
    drawn_table(&drawn, 4, false);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (int format = 0; format < TABLE_FORMATS; format++) {
        char path[600];
        snprintf(path, sizeof path, "%s", at("disk%s", table_format_ending((enum table_format)format)));
        const int before = files_here();
        for (int step = 0; step < 6; step++) {
            static const rlim_t room[] = {0, 100, 4096, 60000, 159000, 200000};
            struct error error = {0};
            const struct rlimit limit = {room[step], all.rlim_max};
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
            const int status = drawn_table_write(&drawn, path, (enum table_format)format, step % 2, &error);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
            if (status != SIMCLR_IO || !strstr(error.text, "cannot write"))
                fail_msg("%s in %d bytes: %d %s", path, (int)room[step], status, error.text);
            /* lists beside it, which come first, may be whole */
            for (int i = 0; i < 2; i++) remove(at("disk%s", i ? ".txt" : ".labels.txt"));
            if (files_here() != before) fail_msg("%s in %d bytes: %s: files stay", path, (int)room[step], error.text);
        }
    }
    drawn_table_free(&drawn);
}

static void formats_are_told_by_names(void **state)
{
    (void)state;
    assert_int_equal(table_format_of_path("a.b/c.Parquet"), TABLE_PARQUET);
    assert_int_equal(table_format_of_path(".npy"), TABLE_FORMATS);
    assert_int_equal(table_format_of_path("npz"), TABLE_FORMATS);
    assert_int_equal(table_format_of_path("a.safetensors"), TABLE_SAFETENSORS);
    assert_int_equal(table_format_of_word("jsonl"), TABLE_JSONL);
    assert_int_equal(table_format_of_word("auto"), TABLE_FORMATS);
    assert_true(table_format_has_half(TABLE_NPY) && !table_format_has_half(TABLE_PARQUET));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_come_back),           cmocka_unit_test(half_precision_has_an_end),
        cmocka_unit_test(large_archives_are_refused), cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(disks_may_fill_up),          cmocka_unit_test(formats_are_told_by_names),
    };
    return run_cases(tests, make_folder, remove_folder);
}
