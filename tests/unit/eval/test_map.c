/* Maps: pairs and gradient against float64 values of NumPy (tools/make_golden_scores.py), the principal plane against
 * its singular vectors, clusters that stay apart, sets too small for all pairs. */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/map.h"
#include "eval/map_pairs.h"
#include "eval/neighbours.h"
#include "eval/principal.h"
#include "support/scores.h"

#include "support/no_memory.h"

static struct reference file;
static struct pool *pools[3];

static struct map_args golden(void)
{
    const struct reference_tensor x = reference_get(&file, "x"), neighbours = reference_get(&file, "neighbours");
    return (struct map_args){.rows = reference_typed(x, "F32"),
                             .neighbours = reference_typed(neighbours, "I32"),
                             .similarity = reference_typed(reference_get(&file, "similarity"), "F32"),
                             .count = 60,
                             .dim = 8,
                             .k = 15,
                             .seed = 5};
}

static void pairs_are_those_of_the_formulas(void **state)
{
    (void)state;
    static const char *const names[MAP_KINDS] = {"near", "middle", "far"};
    const struct map_args args = golden();
    for (int threads = 0; threads < 3; threads++) {
        struct map_pairs pairs;
        assert_int_equal(map_pairs_make(&pairs, pools[threads], &args, NULL), SIMCLR_OK);
        assert_int_equal(pairs.count, 60);
        for (int kind = 0; kind < MAP_KINDS; kind++) {
            const struct reference_tensor begin = reference_get(&file, "%s.begin", names[kind]);
            const struct reference_tensor other = reference_get(&file, "%s.other", names[kind]);
            assert_int_equal(begin.count, 61);
            assert_memory_equal(pairs.begin[kind], reference_typed(begin, "I64"), 61 * sizeof(int64_t));
            assert_int_equal(pairs.begin[kind][60], other.count);
            assert_memory_equal(pairs.other[kind], reference_typed(other, "I32"), (size_t)other.count * 4);
        }
        map_pairs_free(&pairs);
    }
}

static void gradient_is_that_of_the_loss(void **state)
{
    (void)state;
    static const double weight[MAP_KINDS] = {2, 500, 1};
    const struct map_args args = golden();
    const struct reference_tensor plane = reference_get(&file, "plane"), want = reference_get(&file, "gradient");
    struct map_pairs pairs;
    assert_int_equal(map_pairs_make(&pairs, pools[0], &args, NULL), SIMCLR_OK);
    for (int64_t i = 0; i < 60; i++) {
        double got[2];
        map_gradient(got, &pairs, reference_typed(plane, "F64"), i, weight);
        assert_close(got[0], reference_number(want, 2 * i));
        assert_close(got[1], reference_number(want, 2 * i + 1));
    }
    map_pairs_free(&pairs);
}

static void principal_plane_is_that_of_singular_vectors(void **state)
{
    (void)state;
    const struct map_args set = golden();
    const struct principal_args args = {.rows = set.rows, .count = 60, .dim = 8, .seed = 3};
    const struct reference_tensor want = reference_get(&file, "principal");
    double plane[120], first[120];
    for (int threads = 0; threads < 3; threads++) {
        assert_int_equal(principal_plane(plane, pools[threads], &args, NULL), SIMCLR_OK);
        for (int i = 0; i < 120; i++) assert_close(plane[i], reference_number(want, i));
        if (threads == 0) memcpy(first, plane, sizeof first);
        assert_memory_equal(plane, first, sizeof first);
    }
}

/* Rows around three centres, and their graph. */
enum { ROWS = 600, DIM = 24, K = 50 };
static float rows[ROWS][DIM];
static int32_t neighbours[ROWS * K];
static float similarity[ROWS * K];

static struct map_args clusters(int count)
{
    struct backend *backend;
    assert_int_equal(backend_create("cpu", simd_machine(), pools[0], &backend, NULL), SIMCLR_OK);
    struct rng rng = rng_open(8, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < count; i++)
        for (int d = 0; d < DIM; d++) rows[i][d] = (float)(0.3 * rng_normal(&rng) + (d == i % 3 ? 2 : 0));
    const struct neighbours_args args = {.rows = rows[0],
                                         .query = rows[0],
                                         .count = count,
                                         .query_count = count,
                                         .dim = DIM,
                                         .k = K,
                                         .leave_out_self = true};
    for (int i = 0; i < K; i++) neighbours[i] = -1; /* a single row has none */
    if (count > 1) assert_int_equal(neighbours_find(backend, neighbours, similarity, &args, NULL), SIMCLR_OK);
    backend_destroy(&backend);
    return (struct map_args){.rows = rows[0],
                             .neighbours = neighbours,
                             .similarity = similarity,
                             .count = count,
                             .dim = DIM,
                             .k = K,
                             .seed = 1};
}

static void clusters_stay_apart(void **state)
{
    (void)state;
    const struct map_args args = clusters(ROWS);
    static double plane[2 * ROWS], first[2 * ROWS], principal[2 * ROWS];
    for (int threads = 0; threads < 3; threads++) {
        assert_int_equal(map_make(plane, principal, pools[threads], &args, NULL), SIMCLR_OK);
        if (threads == 0) memcpy(first, plane, sizeof first);
        assert_memory_equal(plane, first, sizeof first); /* bit for bit */
    }
    double middle[3][2] = {{0}}, widest = 0, closest = INFINITY;
    for (int i = 0; i < ROWS; i++)
        for (int axis = 0; axis < 2; axis++) middle[i % 3][axis] += plane[2 * i + axis] / (ROWS / 3.0);
    for (int i = 0; i < ROWS; i++)
        widest = fmax(widest, hypot(plane[2 * i] - middle[i % 3][0], plane[2 * i + 1] - middle[i % 3][1]));
    for (int c = 0; c < 3; c++)
        closest = fmin(closest, hypot(middle[c][0] - middle[(c + 1) % 3][0], middle[c][1] - middle[(c + 1) % 3][1]));
    assert_true(closest > 2 * widest);
    double kept, by_chance;
    int64_t looked_at;
    assert_int_equal(map_kept(&kept, &looked_at, pools[1], &args, plane, NULL), SIMCLR_OK);
    assert_int_equal(looked_at, ROWS);
    assert_int_equal(map_kept(&by_chance, &looked_at, pools[1], &args, principal, NULL), SIMCLR_OK);
    print_message("neighbours kept: map %.3f, principal plane %.3f\n", kept, by_chance);
    assert_true(kept > by_chance && kept < 1);
    assert_true(by_chance > 10.0 / ROWS);
}

static void all_neighbours_are_kept_of_a_plane(void **state)
{
    (void)state;
    struct map_args args = clusters(40);
    double plane[80], share;
    int64_t looked_at;
    for (int i = 0; i < 40; i++) plane[2 * i] = i * i, plane[2 * i + 1] = 0;
    for (int i = 0; i < 40; i++) { /* the graph of these points */
        int below = i - 1, above = i + 1;
        for (int j = 0; j < K; j++) {
            const bool down = below >= 0 && (above > 39 || i * i - below * below <= above * above - i * i);
            neighbours[i * K + j] = j < 39 ? (down ? below-- : above++) : -1;
        }
    }
    assert_int_equal(map_kept(&share, &looked_at, pools[0], &args, plane, NULL), SIMCLR_OK);
    assert_close(share, 1);
    plane[2 * 39] = -1; /* the last one beside the first: its ten are others, and it leaves the lists of ten */
    assert_int_equal(map_kept(&share, &looked_at, pools[0], &args, plane, NULL), SIMCLR_OK);
    assert_true(share < 1 && share > 0.8);
    args.k = 9;
    assert_int_equal(map_kept(&share, &looked_at, pools[0], &args, plane, NULL), SIMCLR_OK);
    assert_true(isnan(share));
}

static void small_and_flat_sets(void **state)
{
    (void)state;
    static double plane[2 * ROWS];
    for (int count = 1; count <= 33; count += count < 8 ? 1 : 5) {
        const struct map_args args = clusters(count);
        assert_int_equal(map_make(plane, NULL, pools[2], &args, NULL), SIMCLR_OK);
        for (int i = 0; i < 2 * count; i++) assert_true(isfinite(plane[i]));
    }
    struct map_args equal = clusters(50);
    for (int i = 0; i < 50 * DIM; i++) rows[i / DIM][i % DIM] = 1;
    for (int i = 0; i < 50 * K; i++) similarity[i] = 1;
    assert_int_equal(map_make(plane, NULL, pools[2], &equal, NULL), SIMCLR_OK);
    for (int i = 0; i < 100; i++) assert_true(isfinite(plane[i]));
    equal.count = 0;
    assert_int_equal(map_make(plane, NULL, pools[2], &equal, NULL), SIMCLR_INVALID);
}

static int attempt(void *context, const char *path, bool *opened, struct error *error)
{
    (void)path;
    static double plane[2 * ROWS];
    *opened = false;
    return map_make(plane, NULL, pools[0], context, error);
}

static void no_memory_and_a_stop(void **state)
{
    (void)state;
    struct map_args args = clusters(12);
    static double plane[24];
    assert_true(no_memory_steps(attempt, &args, "a map") >= 3 + 1 + 5 + 6);
    assert_stops(pools[1], map_make(plane, NULL, pools[1], &args, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_those_of_the_formulas),
        cmocka_unit_test(gradient_is_that_of_the_loss),
        cmocka_unit_test(principal_plane_is_that_of_singular_vectors),
        cmocka_unit_test(clusters_stay_apart),
        cmocka_unit_test(all_neighbours_are_kept_of_a_plane),
        cmocka_unit_test(small_and_flat_sets),
        cmocka_unit_test(no_memory_and_a_stop),
    };
    return scores_run(tests, "map", &file, pools);
}
