/* What is unlike a set of rows: similarities and their quantile against plain sums in double, for rows and for centres.
 * One row in a hundred of the same kind is below it. The bits are the same for any number of threads and queries. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/novelty.h"

enum { DIM = 24 };
static struct pool *pools[3];

static struct backend *open_backend(const char *name, int threads)
{
    struct backend *backend = NULL;
    assert_int_equal(backend_create(name, simd_machine(), pools[threads - 1], &backend, NULL), SIMCLR_OK);
    return backend;
}

/* Rows around `kinds` directions. */
static float *draw_rows(int64_t count, int kinds, uint64_t seed)
{
    float *rows = memory_array((size_t)count * DIM, sizeof *rows);
    struct rng rng = rng_open(seed, RNG_TEST, 0, 0, 0);
    assert_non_null(rows);
    for (int64_t i = 0; i < count; i++) {
        const int kind = (int)rng_below(&rng, (uint32_t)kinds);
        struct rng direction = rng_open(99, RNG_TEST, 1, (uint32_t)kind, 0);
        for (int d = 0; d < DIM; d++) rows[i * DIM + d] = (float)(3 * rng_normal(&direction) + rng_normal(&rng)) * 0.5f;
    }
    return rows;
}

static double cosine(const float *a, const float *b)
{
    double product = 0, aa = 0, bb = 0;
    for (int d = 0; d < DIM; d++) {
        product += (double)a[d] * (double)b[d];
        aa += (double)a[d] * (double)a[d];
        bb += (double)b[d] * (double)b[d];
    }
    return product / sqrt(aa * bb);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void rows_are_kept_and_measured(void **state)
{
    (void)state;
    enum { COUNT = 350 };
    float *rows = draw_rows(COUNT, 5, 1);
    double nearest[COUNT];
    struct novelty novelty;
    const struct novelty_limits limits = novelty_limits_usual();
    static const char *const names[] = {"ref", "cpu"};
    for (int b = 0; b < 2; b++) {
        struct backend *backend = open_backend(names[b], 2);
        assert_int_equal(novelty_measure(backend, &novelty, rows, COUNT, DIM, &limits, NULL), SIMCLR_OK);
        assert_true(novelty.count == COUNT && novelty.dim == DIM && !novelty.centres);
        for (int i = 0; i < COUNT; i++) {
            const float *kept = novelty.rows + (ptrdiff_t)i * DIM;
            assert_true(cosine(kept, rows + (ptrdiff_t)i * DIM) > 1 - 1e-4); /* bf16 has eight bits */
            for (int d = 0; d < DIM; d++) assert_true(kept[d] == bf16_to_float(bf16_from_float(kept[d])));
            nearest[i] = -1;
            for (int j = 0; j < COUNT; j++)
                if (j != i)
                    nearest[i] = fmax(nearest[i], cosine(rows + (ptrdiff_t)i * DIM, novelty.rows + (ptrdiff_t)j * DIM));
        }
        qsort(nearest, COUNT, sizeof *nearest, by_size);
        assert_true(fabs((double)novelty.least - nearest[COUNT / 100]) < 1e-6); /* the fourth of 350 */
        novelty_free(&novelty);
        backend_destroy(&backend);
    }
    memory_free(rows);
}

/* A row of the same kind is rarely below it, one of another kind always; centres of so few rows that each row pulls
 * its own to itself too. */
static void one_in_a_hundred_is_below(void **state)
{
    (void)state;
    enum { COUNT = 3000, FRESH = 20000, KINDS = 7 };
    float *rows = draw_rows(COUNT, KINDS, 1), *fresh = draw_rows(FRESH, KINDS, 2), *other = draw_rows(100, 1, 3);
    float *similarity = memory_array(FRESH, sizeof *similarity);
    const struct novelty_limits kept = novelty_limits_usual(),
                                centres = {.rows = 1000, .sample = 2000, .centres = 500, .rounds = 5};
    struct backend *backend = open_backend("cpu", 2);
    for (int i = 0; i < 100 * DIM; i++) other[i] = (i % 2 ? 1.0f : -1.0f) * fabsf(other[i]);
    for (int c = 0; c < 2; c++) {
        struct novelty novelty;
        int below = 0;
        assert_int_equal(novelty_measure(backend, &novelty, rows, COUNT, DIM, c ? &centres : &kept, NULL), SIMCLR_OK);
        assert_true(novelty.centres == (c == 1) && novelty.count == (c ? 500 : COUNT));
        assert_int_equal(novelty_search(backend, &novelty, fresh, FRESH, similarity, NULL), SIMCLR_OK);
        for (int i = 0; i < FRESH; i++) below += similarity[i] < novelty.least;
        /* Of `measured` rows one in a hundred is below by construction: the share of all such rows has a standard
         * deviation of sqrt(0.01 / measured), 0.0018 and 0.0022. Four of them. */
        const double share = (double)below / FRESH, measured = c ? 2000 : COUNT;
        if (fabs(share - 0.01) > 4 * sqrt(0.01 / measured)) fail_msg("%s: share %g", c ? "centres" : "rows", share);
        assert_int_equal(novelty_search(backend, &novelty, other, 100, similarity, NULL), SIMCLR_OK);
        for (int i = 0; i < 100; i++) assert_true(similarity[i] < novelty.least);
        novelty_free(&novelty);
    }
    backend_destroy(&backend);
    memory_free(rows);
    memory_free(fresh);
    memory_free(other);
    memory_free(similarity);
}

/* Rows that are all there twice, or sixteen times, are as near to what is kept as bf16 lets them be. One in a hundred
 * of them is below, and one that another machine's kernels make is not either. */
static void twins_are_not_unlike_themselves(void **state)
{
    (void)state;
    enum { COUNT = 640 };
    float *rows = draw_rows(COUNT, 1, 1), *elsewhere = memory_array((size_t)COUNT * DIM, sizeof *elsewhere);
    float similarity[COUNT];
    const struct novelty_limits kept = novelty_limits_usual(),
                                centres = {.rows = 100, .sample = COUNT, .centres = 40, .rounds = 3};
    struct backend *backend = open_backend("cpu", 2);
    struct rng rng = rng_open(5, RNG_TEST, 0, 0, 0);
    for (int c = 0; c < 2; c++) {
        const int times = c ? 16 : 2;
        struct novelty novelty;
        int below = 0, below_elsewhere = 0;
        for (int i = 0; i < COUNT; i++)
            memmove(rows + (ptrdiff_t)i * DIM, rows + (ptrdiff_t)(i - i % times) * DIM, DIM * sizeof *rows);
        for (int i = 0; i < COUNT * DIM; i++) elsewhere[i] = rows[i] * (1 + 2e-7f * (float)rng_normal(&rng));
        assert_int_equal(novelty_measure(backend, &novelty, rows, COUNT, DIM, c ? &centres : &kept, NULL), SIMCLR_OK);
        assert_true(novelty.centres == (c == 1) && novelty.count == (c ? 40 : COUNT));
        assert_int_equal(novelty_search(backend, &novelty, rows, COUNT, similarity, NULL), SIMCLR_OK);
        for (int i = 0; i < COUNT; i++) below += similarity[i] < novelty.least;
        assert_int_equal(novelty_search(backend, &novelty, elsewhere, COUNT, similarity, NULL), SIMCLR_OK);
        for (int i = 0; i < COUNT; i++) below_elsewhere += similarity[i] < novelty.least;
        if (below > COUNT / 100 || below_elsewhere > COUNT / 100)
            fail_msg("%s: %d of %d, made elsewhere %d", c ? "centres" : "rows", below, COUNT, below_elsewhere);
        novelty_free(&novelty);
    }
    backend_destroy(&backend);
    memory_free(rows);
    memory_free(elsewhere);
}

/* Any number of threads, any number of queries at once, an extreme one beside them too. */
static void a_row_has_the_same_bits_in_any_company(void **state)
{
    (void)state;
    enum { COUNT = 700, QUERIES = 40 };
    float *rows = draw_rows(COUNT, 5, 1), *queries = draw_rows(QUERIES, 9, 2);
    float first[QUERIES], again[QUERIES];
    const struct novelty_limits limits[2] = {novelty_limits_usual(),
                                             {.rows = 100, .sample = 650, .centres = 60, .rounds = 4}};
    for (int d = 0; d < DIM; d++) queries[d] *= 1e25f;
    for (int c = 0; c < 2; c++)
        for (int threads = 1; threads <= 3; threads++) {
            struct backend *backend = open_backend("cpu", threads);
            struct novelty novelty, same;
            assert_int_equal(novelty_measure(backend, &novelty, rows, COUNT, DIM, &limits[c], NULL), SIMCLR_OK);
            assert_int_equal(novelty_measure(backend, &same, rows, COUNT, DIM, &limits[c], NULL), SIMCLR_OK);
            assert_memory_equal(novelty.rows, same.rows, (size_t)novelty.count * DIM * sizeof(float));
            assert_true(novelty.least == same.least);
            float *to = threads == 1 ? first : again;
            assert_int_equal(novelty_search(backend, &novelty, queries, QUERIES, to, NULL), SIMCLR_OK);
            assert_memory_equal(first, to, sizeof first);
            for (int i = 0; i < QUERIES; i += 3) {
                const int some = QUERIES - i < 3 ? QUERIES - i : 3;
                assert_int_equal(novelty_search(backend, &novelty, queries + (ptrdiff_t)i * DIM, some, again + i, NULL),
                                 SIMCLR_OK);
            }
            assert_memory_equal(first, again, sizeof first);
            novelty_free(&novelty);
            novelty_free(&same);
            backend_destroy(&backend);
        }
    memory_free(rows);
    memory_free(queries);
}

static void odd_rows_are_met(void **state)
{
    (void)state;
    struct error error;
    struct backend *backend = open_backend("cpu", 1);
    const struct novelty_limits limits = novelty_limits_usual(),
                                few = {.rows = 3, .sample = 8, .centres = 2, .rounds = 3};
    float rows[8 * DIM] = {0}, similarity = 7;
    struct novelty novelty = {.count = 5};
    assert_int_equal(novelty_measure(backend, &novelty, rows, 1, DIM, &limits, NULL), SIMCLR_OK); /* it is alone */
    assert_true(!novelty.rows && novelty.count == 0);
    assert_int_equal(novelty_measure(backend, &novelty, rows, 8, DIM, &few, NULL), SIMCLR_OK); /* zeros: no direction */
    assert_true(!novelty.rows && novelty.count == 0);
    for (int i = 0; i < 8; i++) rows[i * DIM + i % 4] = 2;
    assert_int_equal(novelty_measure(backend, &novelty, rows, 8, DIM, &limits, NULL), SIMCLR_OK);
    assert_true(novelty.least == 1 - 0x1p-18F); /* each row is there twice */
    assert_int_equal(novelty_search(backend, &novelty, rows + 20, 1, &similarity, NULL), SIMCLR_OK);
    assert_true(similarity == 0); /* a row of zeros */
    novelty_free(&novelty);
    rows[5 * DIM + 3] = NAN;
    assert_int_equal(novelty_measure(backend, &novelty, rows, 8, DIM, &limits, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 5 "));
    assert_null(novelty.rows);
    backend_destroy(&backend);
}

static int open_pools(void **state)
{
    (void)state;
    int failed = 0;
    for (int i = 0; i < 3; i++) failed |= pool_create(&pools[i], i + 1, NULL);
    return failed;
}

static int close_pools(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) pool_destroy(&pools[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_kept_and_measured),
        cmocka_unit_test(one_in_a_hundred_is_below),
        cmocka_unit_test(twins_are_not_unlike_themselves),
        cmocka_unit_test(a_row_has_the_same_bits_in_any_company),
        cmocka_unit_test(odd_rows_are_met),
    };
    return run_cases(tests, open_pools, close_pools);
}
