/* support/scores.h -- tests only: what the tests of eval's numbers share. Expected values come from
 * tests/golden/data/scores_NAME.safetensors (tools/make_golden_scores.py), pools of 1, 2 and 3 threads show that no
 * result depends on their number. support/run.h comes before this header. */
#ifndef SUPPORT_SCORES_H
#define SUPPORT_SCORES_H

#include <math.h>

#include "base/pool.h"
#include "support/reference.h"

/* Within 1e-6, relative above 1. */
#define assert_close(got, want) scores_assert_close(got, want, __FILE__, __LINE__)
static inline void scores_assert_close(double got, double want, const char *path, int line)
{
    if (fabs(got - want) <= 1e-6 * fmax(1, fabs(want))) return;
    print_error("%.12g is not %.12g\n", got, want);
    _fail(path, line);
}

/* What `call` returns while a pool is asked to stop is SIMCLR_INTERRUPTED. */
#define assert_stops(pool, call)                                                                                       \
    do {                                                                                                               \
        static const atomic_int scores_asked = 1;                                                                      \
        pool_set_stop(pool, (struct stop){&scores_asked});                                                             \
        assert_int_equal(call, SIMCLR_INTERRUPTED);                                                                    \
        pool_set_stop(pool, (struct stop){0});                                                                         \
    } while (0)

/* All cases of `tests`, an array, with `file` open and `pools` made: the exit status. */
#define scores_run(tests, name, file, pools) scores_run_cases(tests, sizeof(tests) / sizeof *(tests), name, file, pools)
static inline int scores_run_cases(const struct CMUnitTest *tests, size_t count, const char *name,
                                   struct reference *file, struct pool **pools)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/data/scores_%s.safetensors", name);
    if (!reference_open_path(file, path)) {
        fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    for (int i = 0; i < 3; i++)
        if (pool_create(&pools[i], i + 1, NULL) != SIMCLR_OK) return 1;
    const int failed = run_group(name, tests, count, NULL, NULL);
    for (int i = 0; i < 3; i++) pool_destroy(&pools[i]);
    reference_close(file);
    return failed;
}

#endif
