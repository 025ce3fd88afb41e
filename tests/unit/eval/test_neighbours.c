/* The nearest rows: ranks of SciPy (tools/make_golden_scores.py), ties by whole numbers, the same bits for any number
 * of threads, on every backend and variant that this machine runs. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/neighbours.h"
#include "support/random.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3];

/* "ref", then "cpu" with each mask that its product has kernels for. NULL at the end, or where this machine lacks them.
 */
static struct backend *open_variant(int variant, int threads, bool *end)
{
    static const char *const words[] = {"ref", "portable", "avx2", "avx512"};
    struct backend *backend = NULL;
    enum simd simd = simd_machine();
    *end = variant == sizeof words / sizeof *words;
    if (*end) return NULL;
    const char *word = words[variant];
    if (variant > 0 && !simd_runs(word)) {
        skip_part("this CPU lacks %s", word);
        return NULL;
    }
    if (variant > 0) assert_int_equal(simd_choose(word, "test", &simd, NULL), SIMCLR_OK);
    assert_int_equal(backend_create(variant > 0 ? "cpu" : "ref", simd, pools[threads - 1], &backend, NULL), SIMCLR_OK);
    return backend;
}

static void ranks_match_scipy(void **state)
{
    (void)state;
    bool end = false;
    for (int variant = 0; !end; variant++) {
        struct backend *backend = open_variant(variant, 2, &end);
        for (int number = 0; backend && number < 2; number++) {
            const struct reference_tensor rows = reference_get(&file, "case%d.rows", number),
                                          query = reference_get(&file, "case%d.query", number),
                                          want = reference_get(&file, "case%d.neighbours", number),
                                          similarity = reference_get(&file, "case%d.similarity", number);
            const bool graph = number == 0; /* there `query` has numbers of rows */
            const int k = (int)want.dim[1];
            const struct neighbours_args args = {.rows = reference_f32(rows),
                                                 .query = reference_f32(graph ? rows : query),
                                                 .count = rows.dim[0],
                                                 .query_count = graph ? rows.dim[0] : query.dim[0],
                                                 .dim = (int)rows.dim[1],
                                                 .k = k,
                                                 .leave_out_self = graph};
            int32_t *row = memory_array((size_t)(args.query_count * k), sizeof *row);
            float *found = memory_array((size_t)(args.query_count * k), sizeof *found);
            assert_int_equal(neighbours_find(backend, row, found, &args, NULL), SIMCLR_OK);
            for (int64_t q = 0; q < want.dim[0]; q++) {
                const int64_t at = graph ? (int64_t)reference_number(query, q) : q;
                for (int i = 0; i < k; i++) {
                    assert_int_equal(row[at * k + i], (int32_t)reference_number(want, q * k + i));
                    assert_close(found[at * k + i], reference_number(similarity, q * k + i));
                }
            }
            memory_free(row);
            memory_free(found);
        }
        backend_destroy(&backend);
    }
}

enum { ROWS = 4700, DIM = 8, K = 60 };

/* Rows of 1 and -1: all have one length and products are whole numbers, so that most neighbours are exactly as near as
 * others, across the borders of tiles too. */
static void draw_signs(float *rows)
{
    struct rng rng = rng_open(5, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = rng_below(&rng, 2) ? 1 : -1;
}

static void assert_list_is_right(const int32_t *list, const float *rows, int query)
{
    int at = 0;
    for (int product = DIM; product >= -DIM && at < K; product -= 2)
        for (int row = 0; row < ROWS && at < K; row++) {
            int dot = 0;
            for (int d = 0; d < DIM; d++) dot += (int)(rows[query * DIM + d] * rows[row * DIM + d]);
            if (row != query && dot == product) assert_int_equal(list[at++], row);
        }
    assert_int_equal(at, K);
}

static void ties_go_to_the_lower_row(void **state)
{
    (void)state;
    float *rows = memory_array((size_t)ROWS * DIM, sizeof *rows);
    int32_t *list = memory_array((size_t)ROWS * K, sizeof *list);
    bool end = false;
    draw_signs(rows);
    for (int variant = 0; !end; variant++) {
        struct backend *backend = open_variant(variant, 2, &end);
        const struct neighbours_args args = {.rows = rows,
                                             .query = rows,
                                             .count = ROWS,
                                             .query_count = ROWS,
                                             .dim = DIM,
                                             .k = K,
                                             .leave_out_self = true};
        if (!backend) continue;
        assert_int_equal(neighbours_find(backend, list, NULL, &args, NULL), SIMCLR_OK);
        for (int query = 0; query < ROWS; query += 47) assert_list_is_right(list + (size_t)query * K, rows, query);
        backend_destroy(&backend);
    }
    memory_free(rows);
    memory_free(list);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { COUNT = 4300, WIDTH = 40, NEAREST = 50 };
    float *rows = memory_array((size_t)COUNT * WIDTH, sizeof *rows);
    struct neighbour *lists = memory_array((size_t)3 * COUNT * NEAREST, sizeof *lists);
    const size_t list = (size_t)COUNT * NEAREST;
    bool end = false;
    random_normals(rows, (size_t)COUNT * WIDTH, 0);
    for (int variant = 0; !end; variant++) {
        struct backend *backend = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            backend = open_variant(variant, threads, &end);
            const struct neighbours_args args = {.rows = rows,
                                                 .query = rows,
                                                 .count = COUNT,
                                                 .query_count = COUNT,
                                                 .dim = WIDTH,
                                                 .k = NEAREST,
                                                 .leave_out_self = true};
            if (!backend) break;
            assert_int_equal(neighbours_search(backend, lists + (size_t)(threads - 1) * list, &args, NULL), SIMCLR_OK);
            assert_memory_equal(lists, lists + (size_t)(threads - 1) * list, list * sizeof *lists);
            backend_destroy(&backend);
        }
    }
    memory_free(rows);
    memory_free(lists);
}

static void what_is_missing_is_none(void **state)
{
    (void)state;
    bool end;
    struct backend *backend = open_variant(0, 1, &end);
    const float rows[] = {1, 0, NAN, 1, 0, 1, INFINITY, 0};
    int32_t row[4 * 4];
    float similarity[4 * 4];
    struct error error = {0};
    struct neighbours_args args = {
        .rows = rows, .query = rows, .count = 4, .query_count = 4, .dim = 2, .k = 4, .leave_out_self = true};
    assert_int_equal(neighbours_find(backend, row, similarity, &args, NULL), SIMCLR_OK);
    static const int32_t want[] = {2, -1, -1, -1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1, -1, -1};
    for (int i = 0; i < 16; i++) {
        assert_int_equal(row[i], want[i]);
        assert_true(similarity[i] == 0); /* the only two that are left are at right angles */
    }
    args.k = 0;
    assert_int_equal(neighbours_find(backend, row, similarity, &args, &error), SIMCLR_INVALID);
    args.k = 3;
    args.count = args.query_count = 1;
    row[0] = row[1] = row[2] = 7;
    similarity[0] = similarity[1] = similarity[2] = 7;
    assert_int_equal(neighbours_find(backend, row, similarity, &args, &error), SIMCLR_OK); /* there is no other row */
    for (int i = 0; i < 3; i++) assert_true(row[i] == -1 && similarity[i] == 0);
    args.k = 1;
    args.count = 0;
    assert_int_equal(neighbours_find(backend, row, similarity, &args, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "one row to search"));
    args.count = args.query_count = 4;
    for (long n = 1; n <= 5; n++) {
        memory_fail_after(n);
        assert_int_equal(neighbours_find(backend, row, similarity, &args, &error), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
    assert_stops(pools[0], neighbours_find(backend, row, similarity, &args, NULL));
    backend_destroy(&backend);
}

/* Rows so long or short that products of float32 overflow or vanish have the neighbours of their directions. */
static void length_decides_nothing(void **state)
{
    (void)state;
    enum { COUNT = 300, WIDTH = 12, NEAREST = 9 };
    static float plain[COUNT * WIDTH], scaled[COUNT * WIDTH];
    static int32_t want[COUNT * NEAREST], got[COUNT * NEAREST];
    static float similarity[COUNT * NEAREST];
    static const float lengths[] = {1e30F, 1e-30F, 1, 1e18F, 1e-18F, 3e37F, 1e-36F};
    random_normals(plain, COUNT * WIDTH, 3);
    for (int i = 0; i < COUNT * WIDTH; i++) scaled[i] = plain[i] * lengths[i / WIDTH % 7];
    scaled[5 * WIDTH + 2] = INFINITY;
    scaled[6 * WIDTH + 2] = NAN;
    plain[5 * WIDTH + 2] = plain[6 * WIDTH + 2] = NAN;
    for (int i = 0; i < WIDTH; i++) plain[8 * WIDTH + i] = scaled[8 * WIDTH + i] = 0;
    bool end = false;
    for (int variant = 0; !end; variant++) {
        struct backend *backend = open_variant(variant, 2, &end);
        struct neighbours_args args = {.rows = plain,
                                       .query = plain,
                                       .count = COUNT,
                                       .query_count = COUNT,
                                       .dim = WIDTH,
                                       .k = NEAREST,
                                       .leave_out_self = true};
        if (!backend) continue;
        assert_int_equal(neighbours_find(backend, want, NULL, &args, NULL), SIMCLR_OK);
        args.rows = args.query = scaled;
        assert_int_equal(neighbours_find(backend, got, similarity, &args, NULL), SIMCLR_OK);
        assert_memory_equal(want, got, sizeof want);
        for (int i = 0; i < COUNT * NEAREST; i++) assert_true(fabsf(similarity[i]) < 1.000001F);
        backend_destroy(&backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_match_scipy),       cmocka_unit_test(ties_go_to_the_lower_row),
        cmocka_unit_test(threads_change_no_bit),   cmocka_unit_test(length_decides_nothing),
        cmocka_unit_test(what_is_missing_is_none),
    };
    return scores_run(tests, "neighbours", &file, pools);
}
