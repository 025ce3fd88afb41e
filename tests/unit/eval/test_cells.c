/* The graph by cells of k-means: what it finds of an exact search, and that it does not depend on the threads. */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cells.h"
#include "support/random.h"
#include "support/scores.h"

enum { ROWS = 5000, NOISE = 10000, DIM = 24, K = 20 };

static struct pool *pools[3];
static struct backend *backends[3];

static int open_all(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        if (pool_create(&pools[i], i + 1, NULL) || backend_create("cpu", simd_machine(), pools[i], &backends[i], NULL))
            return 1;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        backend_destroy(&backends[i]);
        pool_destroy(&pools[i]);
    }
    return 0;
}

/* Clouds of 25 rows, as views of one picture are: neighbours lie near each other. */
static float *make_clouds(void)
{
    float *rows = memory_array((size_t)ROWS * DIM, sizeof *rows), noise[DIM];
    for (int i = 0; i < ROWS; i++) {
        random_normals(rows + (size_t)i * DIM, DIM, (uint32_t)(i % (ROWS / 25)));
        random_normals(noise, DIM, (uint32_t)(100000 + i));
        for (int d = 0; d < DIM; d++) rows[(size_t)i * DIM + (size_t)d] += 0.3F * noise[d];
    }
    return rows;
}

static struct neighbour *search(int threads, const float *rows, int64_t count, double *recall)
{
    const struct cells_args args = {.rows = rows, .count = count, .dim = DIM, .k = K};
    struct neighbour *list = memory_array((size_t)count * K, sizeof *list);
    struct error error;
    if (cells_search(backends[threads - 1], list, recall, &args, &error)) fail_msg("%s", error.text);
    return list;
}

static double cosine(const float *rows, int64_t a, int64_t b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < DIM; d++) {
        const double x = (double)rows[a * DIM + d], y = (double)rows[b * DIM + d];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* Whoever is in a list is as similar as it says, stands once, and is not the row itself. */
static void assert_lists_are_true(const struct neighbour *list, const float *rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < K; k++) {
            const struct neighbour one = list[i * K + k];
            if (one.row < 0) continue;
            assert_true(one.row != i && one.row < count);
            assert_true(fabs((double)one.similarity - cosine(rows, i, one.row)) < 1e-5);
            if (k > 0) assert_true(one.similarity <= list[i * K + k - 1].similarity);
            for (int j = 0; j < k; j++) assert_true(list[i * K + j].row != one.row);
        }
}

/* The share of the exact ten that are found, of all rows. */
static double count_recall(const struct neighbour *list, const float *rows, int64_t count)
{
    const struct neighbours_args args = {.rows = rows,
                                         .query = rows,
                                         .count = count,
                                         .query_count = count,
                                         .dim = DIM,
                                         .k = CELLS_RECALL_K,
                                         .leave_out_self = true};
    struct neighbour *exact = memory_array((size_t)count * CELLS_RECALL_K, sizeof *exact);
    int found = 0;
    assert_int_equal(neighbours_search(backends[1], exact, &args, NULL), SIMCLR_OK);
    for (int64_t i = 0; i < count; i++)
        for (int a = 0; a < CELLS_RECALL_K; a++)
            for (int b = 0; b < CELLS_RECALL_K; b++) found += exact[i * CELLS_RECALL_K + a].row == list[i * K + b].row;
    memory_free(exact);
    return (double)found / (double)(count * CELLS_RECALL_K);
}

static void clouds_are_found(void **state)
{
    (void)state;
    double recall, again;
    float *rows = make_clouds();
    struct neighbour *list = search(2, rows, ROWS, &recall);
    assert_lists_are_true(list, rows, ROWS);
    assert_true(recall > 0.99);
    assert_true(fabs(recall - count_recall(list, rows, ROWS)) < 0.01);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct neighbour *other = search(threads, rows, ROWS, &again);
        assert_memory_equal(list, other, (size_t)ROWS * K * sizeof *list);
        assert_true(again == recall);
        memory_free(other);
    }
    memory_free(list);
    memory_free(rows);
}

/* Without structure the nearest lie anywhere: the recall says so, and is that of all rows, not of those that
 * the cells begin from. */
static void the_recall_of_noise_is_what_it_is(void **state)
{
    (void)state;
    double recall;
    float *rows = memory_array((size_t)NOISE * DIM, sizeof *rows);
    random_normals(rows, (size_t)NOISE * DIM, 1);
    struct neighbour *list = search(2, rows, NOISE, &recall);
    assert_lists_are_true(list, rows, NOISE);
    assert_true(recall > 0.3 && recall < 0.99);
    assert_true(fabs(recall - count_recall(list, rows, NOISE)) < 0.03);
    memory_free(list);
    memory_free(rows);
}

/* Rows that are equal, rows of zeros, and fewer rows than places. */
static void odd_sets_have_lists_too(void **state)
{
    (void)state;
    double recall;
    float *rows = memory_array(300 * DIM, sizeof *rows);
    for (int i = 0; i < 300 * DIM; i++) rows[i] = 2;
    struct neighbour *list = search(2, rows, 300, &recall);
    assert_true(recall == 1);
    for (int64_t i = 0; i < 300; i++)
        for (int k = 0; k < K; k++) assert_int_equal(list[i * K + k].row, k + (k >= i)); /* the lower row first */
    memory_free(list);
    memset(rows, 0, 300 * DIM * sizeof *rows);
    list = search(3, rows, 300, &recall);
    for (int64_t i = 0; i < 300 * K; i++) assert_true(list[i].similarity == 0);
    memory_free(list);
    random_normals(rows, 7 * DIM, 1);
    list = search(1, rows, 7, &recall);
    assert_true(recall == 1);
    for (int64_t i = 0; i < 7; i++) assert_true(list[i * K + 5].row >= 0 && list[i * K + 6].row == -1);
    memory_free(list);
    memory_free(rows);
}

static void what_cannot_be_searched_is_refused(void **state)
{
    (void)state;
    static const float row[DIM];
    struct neighbour list[K];
    double recall;
    struct cells_args args = {.rows = row, .count = 1, .dim = DIM, .k = K};
    assert_int_equal(cells_search(backends[0], list, &recall, &args, NULL), SIMCLR_INVALID);
    float *rows = make_clouds();
    struct neighbour *lists = memory_array((size_t)ROWS * K, sizeof *lists);
    args.rows = rows, args.count = ROWS;
    assert_stops(pools[1], cells_search(backends[1], lists, &recall, &args, NULL));
    memory_free(lists);
    memory_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clouds_are_found),
        cmocka_unit_test(the_recall_of_noise_is_what_it_is),
        cmocka_unit_test(odd_sets_have_lists_too),
        cmocka_unit_test(what_cannot_be_searched_is_refused),
    };
    return run_cases(tests, open_all, close_all);
}
