/* k-means against scikit-learn in float64 (tools/make_golden_scores.py); the same bits for any number of threads. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "eval/clustering.h"
#include "eval/kmeans.h"
#include "support/random.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3];

static struct backend *open_backend(const char *name, int threads)
{
    struct backend *backend = NULL;
    assert_int_equal(backend_create(name, simd_machine(), pools[threads - 1], &backend, NULL), SIMCLR_OK);
    return backend;
}

/* From the same start, so that every row has to end in the same cluster, with the same means. */
static void lloyd_matches_scikit_learn(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "cpu"};
    const struct reference_tensor rows = reference_get(&file, "case0.rows"),
                                  start = reference_get(&file, "case0.start"),
                                  centres = reference_get(&file, "case0.centres");
    const int32_t *want = reference_typed(reference_get(&file, "case0.cluster"), "I32");
    for (int b = 0; b < 2; b++) {
        struct backend *backend = open_backend(names[b], 2);
        const struct kmeans_args args = {.rows = reference_f32(rows),
                                         .count = rows.dim[0],
                                         .dim = (int)rows.dim[1],
                                         .clusters = (int)start.dim[0],
                                         .iterations = 1000,
                                         .start = reference_f32(start)};
        int32_t *cluster = memory_array((size_t)args.count, sizeof *cluster);
        float got_centres[6 * 6];
        struct kmeans got;
        assert_int_equal(kmeans_run(backend, &got, cluster, got_centres, &args, NULL), SIMCLR_OK);
        assert_true(got.settled && got.iterations > 5);
        assert_close(got.inertia, reference_number(reference_get(&file, "case0.inertia"), 0));
        for (int64_t i = 0; i < args.count; i++) assert_int_equal(cluster[i], want[i]);
        for (int i = 0; i < 6 * 6; i++) assert_close(got_centres[i], reference_number(centres, i));
        memory_free(cluster);
        backend_destroy(&backend);
    }
}

/* Clouds that lie apart: ten starts by k-means++ find the optimum that scikit-learn's fifty find. */
static void ten_starts_find_the_optimum(void **state)
{
    (void)state;
    const struct reference_tensor rows = reference_get(&file, "case1.rows"),
                                  start = reference_get(&file, "case1.start");
    struct backend *backend = open_backend("cpu", 2);
    const struct kmeans_args args = {.rows = reference_f32(rows),
                                     .count = rows.dim[0],
                                     .dim = (int)rows.dim[1],
                                     .clusters = (int)start.dim[0],
                                     .starts = KMEANS_STARTS,
                                     .iterations = KMEANS_ITERATIONS,
                                     .seed = 1};
    int32_t *cluster = memory_array((size_t)args.count, sizeof *cluster);
    struct kmeans got;
    assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, NULL), SIMCLR_OK);
    assert_close(got.inertia, reference_number(reference_get(&file, "case1.inertia"), 0));
    const struct clustering_args both = {.cluster = cluster,
                                         .label = reference_typed(reference_get(&file, "case1.cluster"), "I32"),
                                         .rows = args.count,
                                         .clusters = args.clusters,
                                         .classes = args.clusters};
    struct clustering same;
    assert_int_equal(clustering_compare(&same, NULL, &both, NULL), SIMCLR_OK);
    assert_true(same.accuracy == 1 && same.ari == 1);
    memory_free(cluster);
    backend_destroy(&backend);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { ROWS = 2777, DIM = 33, CLUSTERS = 23 };
    float *rows = memory_array((size_t)ROWS * DIM, sizeof *rows);
    int32_t *cluster = memory_array((size_t)3 * ROWS, sizeof *cluster);
    static float centres[3][CLUSTERS * DIM];
    struct kmeans got[3];
    random_normals(rows, (size_t)ROWS * DIM, 0);
    for (int t = 0; t < 3; t++) {
        struct backend *backend = open_backend("cpu", t + 1);
        const struct kmeans_args args = {
            .rows = rows, .count = ROWS, .dim = DIM, .clusters = CLUSTERS, .starts = 3, .iterations = 40, .seed = 9};
        assert_int_equal(kmeans_run(backend, &got[t], cluster + t * ROWS, centres[t], &args, NULL), SIMCLR_OK);
        backend_destroy(&backend);
        assert_memory_equal(cluster, cluster + t * ROWS, ROWS * sizeof *cluster);
        assert_memory_equal(centres[0], centres[t], sizeof centres[0]);
        assert_true(got[t].inertia == got[0].inertia && got[t].start == got[0].start);
    }
    memory_free(rows);
    memory_free(cluster);
}

static void equal_rows_fill_one_cluster(void **state)
{
    (void)state;
    float rows[20 * 3], zeros[20 * 3] = {0};
    int32_t cluster[20];
    struct kmeans got;
    struct backend *backend = open_backend("cpu", 2);
    for (int i = 0; i < 60; i++) rows[i] = (float)(1 + i % 3);
    struct kmeans_args args = {.rows = rows, .count = 20, .dim = 3, .clusters = 4, .starts = 2, .iterations = 50};
    for (int pass = 0; pass < 2; pass++) {
        args.rows = pass ? zeros : rows;
        assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, NULL), SIMCLR_OK);
        assert_true(got.settled && got.inertia < 1e-12);
        for (int i = 0; i < 20; i++) assert_int_equal(cluster[i], cluster[0]);
    }
    backend_destroy(&backend);
}

/* Two centres in one place: one of them loses its rows, and gets the one that is farthest from its own. */
static void an_empty_cluster_gets_a_row(void **state)
{
    (void)state;
    const float rows[] = {1, 0, 1, 0.1f, 1, -0.1f, 0, 1, -1, 0}, start[] = {1, 0, 1, 0, 0, 1};
    int32_t cluster[5];
    struct kmeans got;
    struct backend *backend = open_backend("ref", 1);
    const struct kmeans_args args = {
        .rows = rows, .count = 5, .dim = 2, .clusters = 3, .iterations = 50, .start = start};
    assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, NULL), SIMCLR_OK);
    static const int32_t want[] = {0, 0, 0, 2, 1};
    for (int i = 0; i < 5; i++) assert_int_equal(cluster[i], want[i]);
    assert_true(got.settled);
    backend_destroy(&backend);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    float rows[] = {1, 0, NAN, 1};
    int32_t cluster[2];
    struct kmeans got;
    struct error error = {0};
    struct backend *backend = open_backend("ref", 1);
    struct kmeans_args args = {.rows = rows, .count = 2, .dim = 2, .clusters = 2, .starts = 1, .iterations = 5};
    assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 1"));
    rows[2] = 0;
    args.clusters = 3;
    assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "2 rows cannot fill 3"));
    args.clusters = 0;
    assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, &error), SIMCLR_INVALID);
    args.clusters = 2;
    for (long n = 1; n <= 11; n++) {
        memory_fail_after(n);
        assert_int_equal(kmeans_run(backend, &got, cluster, NULL, &args, &error), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
    assert_stops(pools[0], kmeans_run(backend, &got, cluster, NULL, &args, NULL));
    backend_destroy(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lloyd_matches_scikit_learn),  cmocka_unit_test(ten_starts_find_the_optimum),
        cmocka_unit_test(threads_change_no_bit),       cmocka_unit_test(equal_rows_fill_one_cluster),
        cmocka_unit_test(an_empty_cluster_gets_a_row), cmocka_unit_test(bad_input_is_refused),
    };
    return scores_run(tests, "kmeans", &file, pools);
}
