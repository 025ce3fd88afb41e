/* When a session's threads get processors of their own (--pin). Never a training: only what the session decides. */
#include "support/run.h"

#include "base/pool.h"
#include "run/session.h"

/* What a session with these options would do; threads of the pool: `threads`. */
static bool pins(int threads, const char *workers, const char *pin, int *out_workers)
{
    struct error error = {0};
    struct config *config = NULL;
    struct pool *pool = NULL;
    assert_int_equal(config_create(&config, COMMAND_PRETRAIN, &error), SIMCLR_OK);
    if (workers) assert_int_equal(config_set(config, "workers", workers, 2, &error), SIMCLR_OK);
    if (pin) assert_int_equal(config_set(config, "pin", pin, 2, &error), SIMCLR_OK);
    assert_int_equal(pool_create(&pool, threads, &error), SIMCLR_OK);
    const struct session session = {.config = config, .pool = pool};
    const bool pinned = session_pin(&session);
    *out_workers = session_workers(&session);
    pool_destroy(&pool);
    config_destroy(&config);
    return pinned;
}

/* Two runs, each with half of the threads, would be pinned to the same processors. */
static void threads_alone_pin_nothing(void **state)
{
    (void)state;
    const int processors = pool_available_cpus();
    for (int threads = 1; threads <= processors && threads <= 4; threads++) {
        int workers;
        assert_false(pins(threads, NULL, NULL, &workers));
        assert_true(workers >= 0 && workers <= processors - threads);
        assert_false(pins(threads, NULL, "off", &workers));
        assert_true(pins(threads, NULL, "on", &workers));
    }
}

/* Of a pool of one thread: how many processors there are, and whether a quota made them fewer. */
static int processors_of(bool *quota)
{
    struct error error = {0};
    struct pool *pool = NULL;
    assert_int_equal(pool_create(&pool, 1, &error), SIMCLR_OK);
    const int processors = pool_processors(pool);
    *quota = pool_quota(pool) > 0;
    pool_destroy(&pool);
    return processors;
}

static void threads_and_workers_that_take_all_are_pinned(void **state)
{
    (void)state;
    bool quota;
    int workers;
    char text[16];
    const int processors = processors_of(&quota);
    snprintf(text, sizeof text, "%d", processors - 1);
    assert_int_equal(pins(1, text, NULL, &workers), !quota); /* other containers would choose the same processors */
    assert_int_equal(workers, processors - 1);
}

static void processors_that_are_left_over_pin_nothing(void **state)
{
    (void)state;
    bool quota;
    int workers;
    char text[16];
    const int processors = processors_of(&quota);
    if (processors < 2) skip_case("one processor: none can be left over");
    snprintf(text, sizeof text, "%d", processors - 2);
    assert_false(pins(1, text, NULL, &workers));
    assert_int_equal(workers, processors - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_alone_pin_nothing),
        cmocka_unit_test(threads_and_workers_that_take_all_are_pinned),
        cmocka_unit_test(processors_that_are_left_over_pin_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
