/* LiDAR, alpha, consistency, hubness and intrinsic dimension against NumPy, SciPy and scikit-learn in float64
 * (tools/make_golden_scores.py), at known answers, and at features that are broken or collapsed. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "eval/neighbours.h"
#include "eval/quality.h"
#include "support/random.h"
#include "support/scores.h"

enum { CASES = 4 };

static struct reference file;
static struct pool *pools[3];

static struct backend *open_backend(void)
{
    struct backend *backend = NULL;
    assert_int_equal(backend_create("cpu", simd_machine(), pools[1], &backend, NULL), SIMCLR_OK);
    return backend;
}

static double wanted(const char *what, int number, int64_t index)
{
    return reference_number(reference_get(&file, "case%d.%s", number, what), index);
}

static struct reference_tensor features(int number)
{
    return reference_get(&file, "case%d.h", number);
}

static struct quality_graph graph_of(int number)
{
    const struct reference_tensor list = reference_get(&file, "case%d.neighbours", number);
    return (struct quality_graph){
        .neighbours = reference_typed(list, "I32"), .rows = list.dim[0], .k = (int)list.dim[1]};
}

static void spectra_match_scipy(void **state)
{
    (void)state;
    for (int number = 0; number < CASES; number++) {
        const struct reference_tensor h = features(number);
        const struct quality_views args = {
            .h = reference_f32(h), .images = h.dim[0], .views = (int)h.dim[1], .dim = (int)h.dim[2]};
        double lidar[3];
        struct quality_alpha alpha[3];
        for (int t = 0; t < 3; t++) {
            assert_int_equal(quality_lidar(&lidar[t], pools[t], &args, NULL), SIMCLR_OK);
            assert_int_equal(quality_alpha(&alpha[t], pools[t], args.h, h.dim[0] * h.dim[1], args.dim, NULL),
                             SIMCLR_OK);
            assert_true(lidar[t] == lidar[0]);
            assert_memory_equal(&alpha[t], &alpha[0], sizeof alpha[0]);
        }
        assert_close(lidar[0], wanted("lidar", number, 0));
        assert_int_equal(alpha[0].last - alpha[0].first + 1, (int)wanted("alpha", number, 2));
        if (isnan(wanted("alpha", number, 0))) {
            assert_true(isnan(alpha[0].alpha) && isnan(alpha[0].r2));
            continue;
        }
        assert_close(alpha[0].alpha, wanted("alpha", number, 0));
        assert_close(alpha[0].r2, wanted("alpha", number, 1));
    }
}

static void graphs_match_scikit_learn(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    for (int number = 0; number < CASES; number++) {
        const struct reference_tensor h = features(number);
        const struct quality_graph graph = graph_of(number);
        const int64_t images = h.dim[0], views = h.dim[1];
        const int dim = (int)h.dim[2];
        struct quality_dimension dimension;
        double hubness, share;
        assert_int_equal(quality_dimension(&dimension, &graph, reference_f32(h), dim, NULL), SIMCLR_OK);
        assert_close(dimension.dimension, wanted("dimension", number, 0));
        assert_int_equal(dimension.rows, images * views);
        assert_int_equal(quality_hubness(&hubness, &graph, NULL), SIMCLR_OK);
        assert_close(hubness, wanted("hubness", number, 0));

        float *view[2];
        for (int v = 0; v < 2; v++) {
            view[v] = memory_array((size_t)(images * dim), sizeof(float));
            for (int64_t i = 0; i < images; i++)
                memcpy(view[v] + i * dim, reference_f32(h) + (i * views + v) * dim, (size_t)dim * sizeof(float));
        }
        assert_int_equal(quality_consistency(&share, backend, view[0], view[1], images, dim, NULL), SIMCLR_OK);
        assert_close(share, wanted("consistency", number, 0));
        memory_free(view[0]);
        memory_free(view[1]);
    }
    backend_destroy(&backend);
}

/* Points of a plane within 20 dimensions have dimension 2 (unit rows: a plane through a far point, so that scaling
 * bends it little), and images that all look the same have no direction that tells them apart. */
static void known_answers(void **state)
{
    (void)state;
    enum { ROWS = 2000, DIM = 20, K = 2 };
    float *h = memory_array((size_t)ROWS * DIM, sizeof *h);
    int32_t *nearest = memory_array((size_t)ROWS * K, sizeof *nearest);
    float plane[ROWS * 2];
    struct backend *backend = open_backend();
    random_floats(plane, ROWS * 2, 0);
    for (int i = 0; i < ROWS; i++) {
        h[i * DIM] = 3;
        h[i * DIM + 1] = plane[2 * i];
        h[i * DIM + 2] = plane[2 * i + 1];
    }
    const struct neighbours_args args = {
        .rows = h, .count = ROWS, .query = h, .query_count = ROWS, .dim = DIM, .k = K, .leave_out_self = true};
    assert_int_equal(neighbours_find(backend, nearest, NULL, &args, NULL), SIMCLR_OK);
    const struct quality_graph graph = {.neighbours = nearest, .rows = ROWS, .k = K};
    struct quality_dimension dimension;
    assert_int_equal(quality_dimension(&dimension, &graph, h, DIM, NULL), SIMCLR_OK);
    assert_true(fabs(dimension.dimension - 2) < 0.2);

    double lidar, share;
    struct quality_alpha alpha;
    for (int i = 0; i < ROWS * DIM; i++) h[i] = (float)(i % DIM);
    const struct quality_views same = {.h = h, .images = ROWS / 4, .views = 4, .dim = DIM};
    assert_int_equal(quality_lidar(&lidar, pools[1], &same, NULL), SIMCLR_OK);
    assert_true(lidar == 1);
    assert_int_equal(quality_alpha(&alpha, pools[1], h, ROWS, DIM, NULL), SIMCLR_OK);
    assert_true(isnan(alpha.alpha) && isnan(alpha.r2)); /* half of 20 dimensions leaves no rank from 11 on */
    assert_int_equal(quality_consistency(&share, backend, h, h, ROWS, DIM, NULL), SIMCLR_OK);
    assert_true(share == 1.0 / ROWS); /* all are equally near, and the lowest is right once */
    assert_int_equal(quality_dimension(&dimension, &graph, h, DIM, NULL), SIMCLR_OK);
    assert_true(isnan(dimension.dimension) && dimension.rows == 0); /* every row has an equal */
    backend_destroy(&backend);
    memory_free(h);
    memory_free(nearest);
}

/* A ring: each row is a neighbour of ten others. Then one that all others point to. */
static void hubs_have_a_long_tail(void **state)
{
    (void)state;
    int32_t list[50 * 10];
    double skewness;
    struct quality_graph graph = {.neighbours = list, .rows = 50, .k = 10};
    for (int i = 0; i < 50; i++)
        for (int j = 0; j < 10; j++) list[i * 10 + j] = (i + j + 1) % 50;
    assert_int_equal(quality_hubness(&skewness, &graph, NULL), SIMCLR_OK);
    assert_true(skewness == 0);
    for (int i = 1; i < 50; i++) list[i * 10 + 9] = 0;
    assert_int_equal(quality_hubness(&skewness, &graph, NULL), SIMCLR_OK);
    assert_true(skewness > 3);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    float h[24];
    int32_t list[20 * 10];
    struct error error = {0};
    double value;
    struct quality_alpha alpha;
    struct quality_dimension dimension;
    random_floats(h, 24, 1);
    struct quality_views views = {.h = h, .images = 4, .views = 2, .dim = 3};
    for (long n = 1; n <= 7; n++) {
        memory_fail_after(n);
        assert_int_equal(quality_lidar(&value, pools[0], &views, &error), SIMCLR_NO_MEMORY);
    }
    for (long n = 1; n <= 5; n++) {
        memory_fail_after(n);
        assert_int_equal(quality_alpha(&alpha, pools[0], h, 8, 3, &error), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
    assert_int_equal(quality_lidar(&value, pools[0], &views, &error), SIMCLR_OK);
    assert_stops(pools[0], quality_lidar(&value, pools[0], &views, &error));
    assert_stops(pools[0], quality_alpha(&alpha, pools[0], h, 8, 3, &error));
    h[16] = NAN;
    assert_int_equal(quality_lidar(&value, pools[0], &views, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 5"));
    assert_int_equal(quality_alpha(&alpha, pools[0], h, 8, 3, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 5"));
    views.views = 1;
    assert_int_equal(quality_lidar(&value, pools[0], &views, &error), SIMCLR_INVALID);
    assert_int_equal(quality_alpha(&alpha, pools[0], h, 1, 3, &error), SIMCLR_INVALID);

    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 10; j++) list[i * 10 + j] = (i + j + 1) % 20;
    struct quality_graph graph = {.neighbours = list, .rows = 20, .k = 9};
    assert_int_equal(quality_hubness(&value, &graph, &error), SIMCLR_INVALID);
    graph.k = 10;
    list[10] = 20;
    assert_int_equal(quality_hubness(&value, &graph, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "row 1 has row 20"));
    list[10] = 1;
    assert_int_equal(quality_dimension(&dimension, &graph, h, 1, &error), SIMCLR_INVALID);
    list[10] = 2;
    memory_fail_after(1);
    assert_int_equal(quality_hubness(&value, &graph, &error), SIMCLR_NO_MEMORY);
    memory_fail_after(1);
    assert_int_equal(quality_dimension(&dimension, &graph, h, 1, &error), SIMCLR_NO_MEMORY);
    memory_fail_after(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectra_match_scipy),  cmocka_unit_test(graphs_match_scikit_learn),
        cmocka_unit_test(known_answers),        cmocka_unit_test(hubs_have_a_long_tail),
        cmocka_unit_test(bad_input_is_refused),
    };
    return scores_run(tests, "quality", &file, pools);
}
