/* Which processors are for computing and which for others, on machines that are described in a folder, and that threads
 * really move. */
#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/affinity.h"
#include "base/file.h"
#include "base/pool.h"
#include "support/folder.h"

/* The folder of a machine whose processor i has the siblings that list[i] names. */
static const char *machine(const char *name, const char *const *list, int count)
{
    static char described[128];
    char path[256];
    snprintf(described, sizeof described, "%s/%s", folder, name);
    assert_int_equal(file_make_folder(described, NULL), SIMCLR_OK);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/cpu%d", described, i);
        assert_int_equal(file_make_folder(path, NULL), SIMCLR_OK);
        strcat(path, "/topology");
        assert_int_equal(file_make_folder(path, NULL), SIMCLR_OK);
        strcat(path, "/thread_siblings_list");
        assert_int_equal(file_write_atomic(path, list[i], strlen(list[i]), NULL), SIMCLR_OK);
    }
    return described;
}

static struct affinity set_of(const int *processors, int count)
{
    struct affinity set = {{0}};
    for (int i = 0; i < count; i++) affinity_add(&set, processors[i]);
    return set;
}

/* The division as text: "0 1 | 2 3". */
static const char *divided(const struct affinity *allowed, int threads, const char *described)
{
    static char text[512];
    struct affinity computing, others;
    text[0] = '\0';
    if (!affinity_divide(allowed, threads, described, &computing, &others)) return "no";
    for (int part = 0; part < 2; part++) {
        if (part == 1) strcat(text, "| ");
        for (int i = 0; i < AFFINITY_MOST; i++)
            if (affinity_has(part == 0 ? &computing : &others, i)) sprintf(text + strlen(text), "%d ", i);
    }
    return text;
}

static void cores_before_their_second_threads(void **state)
{
    (void)state;
    static const char *const split[8] = {"0,4\n", "1,5\n", "2,6\n", "3,7\n", "0,4\n", "1,5\n", "2,6\n", "3,7\n"};
    static const char *const paired[8] = {"0-1\n", "0-1\n", "2-3\n", "2-3\n", "4-5\n", "4-5\n", "6-7\n", "6-7\n"};
    static const int all[8] = {0, 1, 2, 3, 4, 5, 6, 7}, odd[3] = {3, 6, 7};
    const struct affinity every = set_of(all, 8), some = set_of(odd, 3);
    const char *described = machine("split", split, 8);
    assert_string_equal(divided(&every, 4, described), "0 1 2 3 | 4 5 6 7 ");
    assert_string_equal(divided(&every, 5, described), "0 1 2 3 4 | 5 6 7 ");
    assert_string_equal(divided(&every, 1, described), "0 | 1 2 3 4 5 6 7 ");
    assert_string_equal(divided(&some, 2, folder), "3 6 | 7 "); /* 2 is not ours, so 6 is the first of its core */
    described = machine("paired", paired, 8);
    assert_string_equal(divided(&every, 4, described), "0 2 4 6 | 1 3 5 7 ");
    assert_string_equal(divided(&every, 6, described), "0 1 2 3 4 6 | 5 7 ");
    assert_string_equal(divided(&every, 8, described), "no");
    assert_string_equal(divided(&every, 0, described), "no");
    /* what is not told, or not understood, counts as a core */
    static const char *const strange[3] = {"", "x-y\n", "99999999999999999999-\n"};
    assert_string_equal(divided(&every, 3, machine("strange", strange, 3)), "0 1 2 | 3 4 5 6 7 ");
    assert_string_equal(divided(&every, 3, "/nowhere"), "0 1 2 | 3 4 5 6 7 ");
}

static void sets_hold_what_was_added(void **state)
{
    (void)state;
    struct affinity set = {{0}};
    assert_int_equal(affinity_count(&set), 0);
    assert_false(affinity_apply(&set)); /* a thread must run somewhere */
    affinity_add(&set, 63);
    affinity_add(&set, 64);
    affinity_add(&set, AFFINITY_MOST - 1);
    affinity_add(&set, AFFINITY_MOST);
    affinity_add(&set, -1);
    assert_int_equal(affinity_count(&set), 3);
    assert_true(affinity_has(&set, 63) && affinity_has(&set, 64) && affinity_has(&set, AFFINITY_MOST - 1));
    assert_false(affinity_has(&set, 65) || affinity_has(&set, AFFINITY_MOST) || affinity_has(&set, -1));
}

static void see_where_it_runs(void *context, int thread, int threads)
{
    (void)threads;
    ((struct affinity *)context)[thread] = affinity_now();
}

static bool equal(const struct affinity *a, const struct affinity *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* All threads of a pool move, twice is once, and the last release brings them back. */
static void pools_move_and_come_back(void **state)
{
    (void)state;
    const struct affinity before = affinity_now();
    const int processors = affinity_count(&before), allowed = pool_available_cpus();
    struct pool *pool;
    if (processors < 2) skip_case("one processor only");
    assert_int_equal(pool_create(&pool, processors, NULL), SIMCLR_OK);
    assert_int_equal(pool_processors(pool), pool_available_cpus());
    assert_null(pool_confine(pool)); /* nothing would be left */
    pool_destroy(&pool);
    const int threads = processors > 2 ? 2 : 1;
    struct affinity seen[2];
    assert_int_equal(pool_create(&pool, threads, NULL), SIMCLR_OK);
    const struct affinity *others = pool_confine(pool);
    assert_non_null(others);
    assert_int_equal(affinity_count(others), processors - threads);
    assert_ptr_equal(pool_confine(pool), others);
    for (int round = 0; round < 2; round++) {
        pool_split(pool, see_where_it_runs, seen);
        for (int t = 0; t < threads; t++) {
            assert_int_equal(affinity_count(&seen[t]), threads);
            for (int i = 0; i < AFFINITY_MOST; i++)
                assert_int_equal(affinity_has(&seen[t], i), affinity_has(&before, i) && !affinity_has(others, i));
        }
        if (round == 0) pool_release(pool);
    }
    assert_int_equal(pool_processors(pool), allowed); /* as it was made, whatever it is confined to */
    pool_release(pool);
    pool_split(pool, see_where_it_runs, seen);
    for (int t = 0; t < threads; t++) assert_true(equal(&seen[t], &before));
    pool_destroy(&pool);
    const struct affinity after = affinity_now();
    assert_true(equal(&after, &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_before_their_second_threads),
        cmocka_unit_test(sets_hold_what_was_added),
        cmocka_unit_test(pools_move_and_come_back),
    };
    return run_cases(tests, make_folder, remove_folder);
}
