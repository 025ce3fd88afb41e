/* Placement by lifetime: nothing alive at one time shares bytes, and memory is reused. */
#include "support/run.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "nn/arena.h"

static void check_apart(const struct arena_block *blocks, int count, size_t total)
{
    for (int i = 0; i < count; i++) {
        const struct arena_block *a = &blocks[i];
        assert_int_equal(a->offset % (a->bytes >= 4096 ? 4096 : 64), 0);
        assert_true(a->offset + a->bytes <= total);
        for (int k = 0; k < i; k++) {
            const struct arena_block *b = &blocks[k];
            if (a->first > b->last || b->first > a->last) continue;
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    }
}

/* The most bytes alive in one step: no placement can need less. */
static size_t most_alive(const struct arena_block *blocks, int count, int steps)
{
    size_t most = 0;
    for (int step = 0; step < steps; step++) {
        size_t alive = 0;
        for (int i = 0; i < count; i++)
            if (blocks[i].first <= step && step <= blocks[i].last) alive += blocks[i].bytes;
        if (alive > most) most = alive;
    }
    return most;
}

static void test_random(void **state)
{
    (void)state;
    enum { COUNT = 120, STEPS = 60 };
    for (uint32_t round = 0; round < 50; round++) {
        struct rng rng = rng_open(round, RNG_TEST, 0, 0, 0);
        struct arena_block blocks[COUNT];
        size_t total, sum = 0;
        for (int i = 0; i < COUNT; i++) {
            int first = (int)rng_below(&rng, STEPS), last = first + (int)rng_below(&rng, 12);
            size_t bytes = (size_t)1 << rng_below(&rng, 18);
            blocks[i] = (struct arena_block){.bytes = bytes + rng_below(&rng, 100), .first = first, .last = last};
            sum += blocks[i].bytes;
        }
        assert_int_equal(arena_place(blocks, COUNT, &total, NULL), 0);
        check_apart(blocks, COUNT, total);
        size_t least = most_alive(blocks, COUNT, STEPS + 12);
        assert_true(total >= least && total < 1.5 * (double)least && total < sum);
    }
}

/* A chain in which each block is read by the next step only needs two places, however long it is. */
static void test_chain(void **state)
{
    (void)state;
    struct arena_block blocks[100];
    size_t total;
    for (int i = 0; i < 100; i++) blocks[i] = (struct arena_block){.bytes = 8192, .first = i, .last = i + 1};
    assert_int_equal(arena_place(blocks, 100, &total, NULL), 0);
    check_apart(blocks, 100, total);
    assert_int_equal(total, 2 * 8192);
}

/* A hole between two blocks is used when the third fits, and only then. */
static void test_hole(void **state)
{
    (void)state;
    size_t total;
    struct arena_block blocks[] = {{.bytes = 40960, .first = 0, .last = 9}, {.bytes = 20480, .first = 0, .last = 4},
                                   {.bytes = 16384, .first = 0, .last = 9}, {.bytes = 12288, .first = 5, .last = 9},
                                   {.bytes = 8192, .first = 5, .last = 9},  {.bytes = 100, .first = 5, .last = 9}};
    assert_int_equal(arena_place(blocks, 6, &total, NULL), 0);
    check_apart(blocks, 6, total);
    assert_int_equal(blocks[3].offset, 40960);
    assert_int_equal(blocks[4].offset, 40960 + 12288);
    assert_int_equal(total, 40960 + 20480 + 16384 + 128); /* the last found no place inside; totals are rounded to 64 */
}

static void test_edges(void **state)
{
    (void)state;
    size_t total = 1;
    assert_int_equal(arena_place(NULL, 0, &total, NULL), 0);
    assert_int_equal(total, 0);
    struct arena_block block = {.bytes = 10, .first = 0, .last = 0};
    memory_fail_after(1);
    int status = arena_place(&block, 1, &total, NULL);
    memory_fail_after(0);
    assert_int_equal(status, SIMCLR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_edges),
    };
    return run_cases(tests, NULL, NULL);
}
