/* The thread pool: every index exactly once, static splits, the barrier, nesting, sleeping and waking. */
#include "support/run.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/pool.h"

enum { COUNT = 5000, THREADS = 4 };

struct tally {
    struct pool *pool;
    atomic_int seen[COUNT];
    atomic_int bad_thread;
    atomic_int total;
    int per_thread[THREADS];
    int phase_sum[3];
};

static void count_index(void *context, int64_t index, int thread)
{
    struct tally *tally = context;
    if (thread < 0 || thread >= pool_threads(tally->pool)) atomic_store(&tally->bad_thread, 1);
    atomic_fetch_add(&tally->seen[index], 1);
}

static struct tally *tally_create(int threads)
{
    struct tally *tally = memory_allocate(sizeof *tally);
    assert_non_null(tally);
    assert_int_equal(pool_create(&tally->pool, threads, NULL), SIMCLR_OK);
    return tally;
}

static void tally_destroy(struct tally *tally)
{
    pool_destroy(&tally->pool);
    assert_null(tally->pool);
    memory_free(tally);
}

static void every_index_exactly_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= THREADS; threads++) {
        struct tally *tally = tally_create(threads);
        assert_int_equal(pool_threads(tally->pool), threads);
        for (int round = 0; round < 20; round++) pool_run(tally->pool, COUNT - round, count_index, tally);
        for (int i = 0; i < COUNT; i++) assert_int_equal(atomic_load(&tally->seen[i]), i < COUNT - 19 ? 20 : COUNT - i);
        assert_int_equal(atomic_load(&tally->bad_thread), 0);
        pool_run(tally->pool, 0, count_index, tally);
        assert_int_equal(atomic_load(&tally->seen[0]), 20);
        tally_destroy(tally);
    }
}

static void add_thread(void *context, int thread, int threads)
{
    struct tally *tally = context;
    tally->per_thread[thread] += threads;
}

static void split_runs_once_per_thread(void **state)
{
    (void)state;
    struct tally *tally = tally_create(THREADS);
    for (int round = 0; round < 500; round++) pool_split(tally->pool, add_thread, tally);
    for (int i = 0; i < THREADS; i++) assert_int_equal(tally->per_thread[i], 500 * THREADS);
    tally_destroy(tally);
}

/* Each thread writes its own cell, waits, and sums all cells: without a barrier it would miss some. */
static void phases(void *context, int thread, int threads)
{
    struct tally *tally = context;
    for (int phase = 1; phase <= 200; phase++) {
        tally->per_thread[thread] = phase;
        pool_barrier(tally->pool);
        int sum = 0;
        for (int i = 0; i < threads; i++) sum += tally->per_thread[i];
        if (sum != phase * threads) atomic_store(&tally->bad_thread, phase);
        pool_barrier(tally->pool);
    }
}

static void barrier_separates_phases(void **state)
{
    (void)state;
    for (int threads = 1; threads <= THREADS; threads++) {
        struct tally *tally = tally_create(threads);
        pool_split(tally->pool, phases, tally);
        pool_split(tally->pool, phases, tally);
        assert_int_equal(atomic_load(&tally->bad_thread), 0);
        tally_destroy(tally);
    }
}

static void nested_part(void *context, int thread, int threads)
{
    struct tally *tally = context;
    pool_barrier(tally->pool); /* alone in a nested split: must not wait */
    atomic_fetch_add(&tally->total, thread == 0 && threads == 1);
}

static void nested_task(void *context, int64_t index, int thread)
{
    struct tally *tally = context;
    (void)index;
    (void)thread;
    pool_run(tally->pool, COUNT, count_index, tally);
    pool_split(tally->pool, nested_part, tally);
}

static void nested_calls_run_inline(void **state)
{
    (void)state;
    struct tally *tally = tally_create(THREADS);
    pool_run(tally->pool, 10, nested_task, tally);
    for (int i = 0; i < COUNT; i++) assert_int_equal(atomic_load(&tally->seen[i]), 10);
    assert_int_equal(atomic_load(&tally->total), 10);
    assert_int_equal(atomic_load(&tally->bad_thread), 0);
    tally_destroy(tally);
}

static void sleeping_threads_wake(void **state)
{
    (void)state;
    struct tally *tally = tally_create(THREADS);
    for (int round = 0; round < 5; round++) {
        usleep(3000); /* far longer than the spinning */
        pool_split(tally->pool, add_thread, tally);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(tally->per_thread[i], 5 * THREADS);
    tally_destroy(tally);
}

static void creation(void **state)
{
    (void)state;
    struct error error = {0};
    struct pool *pool;
    assert_int_equal(pool_create(&pool, -1, &error), SIMCLR_INVALID);
    assert_null(pool);
    assert_int_equal(pool_create(&pool, 0, &error), SIMCLR_OK);
    assert_int_equal(pool_threads(pool), pool_available_cpus());
    pool_destroy(&pool);
    pool_destroy(&pool);
    for (long n = 1; n <= 2; n++) {
        memory_fail_after(n);
        assert_int_equal(pool_create(&pool, 2, &error), SIMCLR_NO_MEMORY);
        assert_null(pool);
    }
    memory_fail_after(0);
}

static void shares_cover_the_range(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 40; count++) {
        for (int parts = 1; parts < 9; parts++) {
            int64_t expected = 0;
            for (int part = 0; part < parts; part++) {
                int64_t begin, end;
                pool_share(count, part, parts, &begin, &end);
                assert_int_equal(begin, expected);
                assert_true(end - begin >= count / parts && end - begin <= count / parts + 1);
                expected = end;
            }
            assert_int_equal(expected, count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_exactly_once), cmocka_unit_test(split_runs_once_per_thread),
        cmocka_unit_test(barrier_separates_phases), cmocka_unit_test(nested_calls_run_inline),
        cmocka_unit_test(sleeping_threads_wake),    cmocka_unit_test(creation),
        cmocka_unit_test(shares_cover_the_range),
    };
    return run_cases(tests, NULL, NULL);
}
