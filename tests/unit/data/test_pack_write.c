/* The writer of raw packs: goes on after what it left, and never takes what cannot be read for the end. */
#include "support/run.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/sets/pack.h"
#include "data/write/pack_write.h"
#include "support/folder.h"

/* Images 0 to 5 of 4 x 3; numbers 1 and 4 cannot be used. */
static struct pack_writer *write_some(const char *path, int64_t *next)
{
    uint8_t pixels[4 * 3 * 3];
    struct error error = {0};
    struct pack_writer *writer;
    int64_t unusable;
    memset(pixels, 7, sizeof pixels);
    const struct image image = {.width = 4, .height = 3, .rgb = pixels};
    assert_int_equal(pack_writer_open(&writer, path, next, &unusable, &error), SIMCLR_OK);
    for (int64_t i = *next; i < 6; i++)
        assert_int_equal(pack_writer_add(writer, i, i % 3 == 1 ? NULL : &image, (int)i, &error), SIMCLR_OK);
    assert_int_equal(pack_writer_flush(writer, &error), SIMCLR_OK);
    return writer;
}

static void what_was_unusable_is_counted_again(void **state)
{
    (void)state;
    struct error error = {0};
    int64_t next, unusable, images;
    struct pack_writer *writer = write_some(at("a.pack"), &next);
    assert_int_equal(next, 0);
    pack_writer_close(&writer);
    assert_int_equal(pack_writer_open(&writer, at("a.pack"), &next, &unusable, &error), SIMCLR_OK);
    assert_int_equal(next, 6);
    assert_int_equal(unusable, 2);
    assert_int_equal(pack_writer_commit(&writer, NULL, 0, &images, &error), SIMCLR_OK);
    assert_int_equal(images, 4);
    assert_true(file_exists(at("a.pack")) && !file_exists(at("a.pack.index.part")));
}

/* The journal is shorter than what was written to it, as a failing disk may leave it: no index is made of the rest. */
static void a_journal_that_is_cut_makes_no_pack(void **state)
{
    (void)state;
    static const int lengths[] = {0, PACK_ENTRY_BYTES, 6 * PACK_ENTRY_BYTES - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct error error = {0};
        int64_t next, images;
        struct pack_writer *writer = write_some(at("%zu.pack", i), &next);
        assert_int_equal(truncate(at("%zu.pack.index.part", i), lengths[i]), 0);
        assert_int_equal(pack_writer_commit(&writer, NULL, 0, &images, &error), SIMCLR_IO);
        assert_non_null(strstr(error.text, ".pack.index.part: cannot be read again"));
        assert_null(writer);
        assert_false(file_exists(at("%zu.pack", i)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_unusable_is_counted_again),
        cmocka_unit_test(a_journal_that_is_cut_makes_no_pack),
    };
    return run_cases(tests, make_folder, remove_folder);
}
