/* Blocks: aligned, zeroed, refused when absurd; the failure injection that other tests rely on. */
#include "support/run.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static void aligned_and_zeroed(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 63, 64, 65, 4096, (4 << 20) - 1, 4 << 20, (9 << 20) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = memory_allocate(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % (sizes[i] >= 4 << 20 ? 2 << 20 : 64), 0);
        for (size_t at = 0; at < sizes[i]; at++)
            if (block[at] != 0) fail_msg("byte %zu of %zu is not zero", at, sizes[i]);
        memset(block, 0xA5, sizes[i]);
        memory_free(block);
    }
    memory_free(NULL);
}

/* Memory to work in: pages of 2 MiB to itself where it is large, like any other block where it is not. */
static void working_memory(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 100, (512 << 10) - 1, 512 << 10, 2 << 20, (2 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const bool large = sizes[i] >= 512 << 10;
        unsigned char *block = memory_allocate_working(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % (large ? 2 << 20 : 64), 0);
        assert_true(memory_working_bytes(sizes[i]) >= sizes[i]);
        assert_int_equal(memory_working_bytes(sizes[i]) % (large ? 2 << 20 : 1), 0);
        for (size_t at = 0; at < sizes[i]; at++) assert_int_equal(block[at], 0);
        memset(block, 0xA5, large ? memory_working_bytes(sizes[i]) : sizes[i]);
        memory_free(block);
    }
    assert_null(memory_allocate_working(SIZE_MAX));
    assert_null(memory_allocate_working((size_t)PTRDIFF_MAX));
    memory_fail_after(1);
    assert_null(memory_allocate_working(1 << 20));
    memory_fail_after(0);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    assert_null(memory_allocate(SIZE_MAX));
    assert_null(memory_allocate(SIZE_MAX - 100));
    assert_null(memory_allocate((size_t)PTRDIFF_MAX));
    assert_null(memory_array(SIZE_MAX / 2, 3));
    assert_null(memory_array((size_t)1 << 32, (size_t)1 << 32));
}

static void the_peak_knows_a_large_block(void **state)
{
    (void)state;
    const size_t before = memory_peak_resident(), bytes = (size_t)64 << 20;
    unsigned char *block = memory_allocate(bytes);
    assert_non_null(block);
    memset(block, 1, bytes);
    memory_free(block);
    assert_true(before > 0);
    assert_true(memory_peak_resident() >= bytes);
    assert_true(memory_peak_resident() >= before);
}

static void grow_keeps_contents(void **state)
{
    (void)state;
    int *items = memory_array(3, sizeof *items);
    for (int i = 0; i < 3; i++) items[i] = i + 1;
    items = memory_grow(items, 3, 100, sizeof *items);
    assert_non_null(items);
    for (int i = 0; i < 100; i++) assert_int_equal(items[i], i < 3 ? i + 1 : 0);
    assert_null(memory_grow(items, 100, SIZE_MAX / 2, sizeof *items));
    assert_int_equal(items[2], 3); /* the old block is still there */
    items = memory_grow(items, 100, 2, sizeof *items);
    assert_int_equal(items[1], 2);
    memory_free(items);
    char *fresh = memory_grow(NULL, 0, 8, 1);
    assert_non_null(fresh);
    memory_free(fresh);
}

static void strings_are_copied(void **state)
{
    (void)state;
    char original[] = "photo";
    char *copy = memory_string(original);
    original[0] = 'X';
    assert_string_equal(copy, "photo");
    memory_free(copy);
}

static void failures_can_be_injected(void **state)
{
    (void)state;
    memory_fail_after(2);
    void *first = memory_allocate(8);
    void *second = memory_allocate(8);
    void *third = memory_allocate(8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    memory_fail_after(1);
    assert_null(memory_string("x"));
    memory_fail_after(0);
    memory_free(first);
    memory_free(third);
}

static void error_sentences(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, SIMCLR_IO, "%s: cannot open", "a.jpg"), SIMCLR_IO);
    assert_int_equal(error.status, SIMCLR_IO);
    assert_int_equal(error_prefix(&error, "list line %d", 3), SIMCLR_IO);
    assert_string_equal(error.text, "list line 3: a.jpg: cannot open");
    assert_int_equal(error_set(&error, SIMCLR_DATA, "again: %s", error.text), SIMCLR_DATA);
    assert_string_equal(error.text, "again: list line 3: a.jpg: cannot open");
    assert_int_equal(error_set(NULL, SIMCLR_DEVICE, "nobody listens"), SIMCLR_DEVICE);
    assert_int_equal(error_no_memory(&error, "the arena", 2 << 20), SIMCLR_NO_MEMORY);
    assert_non_null(strstr(error.text, "the arena"));
    assert_non_null(strstr(error.text, "2.0 MiB"));
    char lengthy[2000];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    error_set(&error, SIMCLR_IO, "%s: cannot open",
              lengthy); /* a name is cut in its middle, the sentence stays whole */
    assert_true(strlen(error.text) < sizeof error.text);
    assert_non_null(strstr(error.text, "x...[1999 bytes]...x"));
    assert_string_equal(error.text + strlen(error.text) - strlen("x: cannot open"), "x: cannot open");
    error_prefix(&error, "%s", lengthy);
    assert_true(strlen(error.text) < sizeof error.text);
    assert_non_null(strstr(error.text, ": cannot open"));
    error_set(&error, SIMCLR_IO, "%s", lengthy);
    error_prefix(&error, "ab");
    assert_int_equal(strncmp(error.text, "ab: xxx", 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_zeroed),       cmocka_unit_test(working_memory),
        cmocka_unit_test(absurd_sizes_are_refused), cmocka_unit_test(the_peak_knows_a_large_block),
        cmocka_unit_test(grow_keeps_contents),      cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(failures_can_be_injected), cmocka_unit_test(error_sentences),
    };
    return run_cases(tests, NULL, NULL);
}
