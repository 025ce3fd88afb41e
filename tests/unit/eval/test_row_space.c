/* The space of few rows: an orthonormal basis whatever the rows are, and a classifier fitted in it is the one that is
 * fitted on the features. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/logistic.h"
#include "eval/row_space.h"

static struct pool *pool;
static const char *const backend_names[] = {"ref", "cpu"};
enum { BACKENDS = 2 };

static struct backend *open_backend(const char *name, struct pool *of)
{
    struct backend *backend = NULL;
    struct error error = {0};
    if (backend_create(name, simd_machine(), of, &backend, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return backend;
}

/* Rows with much in common, so that what tells them is small; row 3 is row 0 again, row 4 is zero, row 5 the sum of
 * rows 1 and 2. */
enum { DEPENDENT = 3 };
static float *draw_rows(int rows, int dim)
{
    float *x = memory_array((size_t)rows * (size_t)dim, sizeof *x);
    struct rng rng = rng_open(3, RNG_TEST, (uint32_t)rows, (uint32_t)dim, 0);
    for (int d = 0; d < dim; d++) {
        const double common = 100 * rng_normal(&rng);
        for (int i = 0; i < rows; i++) x[i * dim + d] = (float)(common + rng_normal(&rng));
    }
    for (int d = 0; d < dim && rows > 5; d++) {
        x[3 * dim + d] = x[d];
        x[4 * dim + d] = 0;
        x[5 * dim + d] = x[dim + d] + x[2 * dim + d];
    }
    return x;
}

static double product(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check_space(const struct row_space *space, const float *x, int rows)
{
    const int dim = space->dim, rank = space->rank;
    for (int a = 0; a < rank; a++)
        for (int b = 0; b <= a; b++) {
            const double dot = product(space->basis + (size_t)a * dim, space->basis + (size_t)b * dim, dim);
            if (!(fabs(dot - (a == b)) < 2e-6)) fail_msg("%d and %d of %d: %g", a, b, rank, dot);
        }
    for (int i = 0; i < rows; i++) {
        const double length = sqrt(product(x + (size_t)i * dim, x + (size_t)i * dim, dim));
        double wrong = 0;
        for (int d = 0; d < dim; d++) {
            double sum = -(double)x[i * dim + d];
            for (int r = 0; r < rank; r++)
                sum += (double)space->coordinates[i * rank + r] * (double)space->basis[(size_t)r * dim + d];
            wrong += sum * sum;
        }
        if (!(sqrt(wrong) <= 5e-6 * length)) fail_msg("row %d: %g of %g is lost", i, sqrt(wrong), length);
    }
}

static void basis_spans_the_rows(void **state)
{
    (void)state;
    static const int SIZES[][2] = {{1, 2}, {2, 40}, {16, 64}, {17, 700}, {40, 101}, {70, 1500}};
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(backend_names[b], pool);
        for (size_t k = 0; k < sizeof SIZES / sizeof *SIZES; k++) {
            const int rows = SIZES[k][0], dim = SIZES[k][1];
            float *x = draw_rows(rows, dim);
            struct row_space space;
            assert_int_equal(row_space_find(&space, backend, x, rows, dim, NULL), SIMCLR_OK);
            assert_int_equal(space.rank, rows > 5 ? rows - DEPENDENT : rows);
            check_space(&space, x, rows);
            row_space_free(&space);
            memory_free(x);
        }
        backend_destroy(&backend);
    }
}

static void rows_of_zeros_have_a_coordinate(void **state)
{
    (void)state;
    const float x[4 * 10] = {0};
    struct backend *backend = open_backend("ref", pool);
    struct row_space space;
    assert_int_equal(row_space_find(&space, backend, x, 4, 10, NULL), SIMCLR_OK);
    assert_int_equal(space.rank, 1);
    for (int i = 0; i < 4; i++) assert_true(space.coordinates[i] == 0);
    row_space_free(&space);
    backend_destroy(&backend);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    enum { ROWS = 50, DIM = 900 };
    float *x = draw_rows(ROWS, DIM);
    struct row_space first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        struct pool *own;
        struct row_space space;
        assert_int_equal(pool_create(&own, threads, NULL), SIMCLR_OK);
        struct backend *backend = open_backend("cpu", own);
        assert_int_equal(row_space_find(&space, backend, x, ROWS, DIM, NULL), SIMCLR_OK);
        if (threads == 1) {
            first = space;
        } else {
            assert_int_equal(space.rank, first.rank);
            assert_memory_equal(space.basis, first.basis, (size_t)first.rank * DIM * sizeof(float));
            assert_memory_equal(space.coordinates, first.coordinates, (size_t)first.rank * ROWS * sizeof(float));
            row_space_free(&space);
        }
        backend_destroy(&backend);
        pool_destroy(&own);
    }
    row_space_free(&first);
    memory_free(x);
}

/* ---- the classifier ------------------------------------------------------------------------------------------ */
enum { ROWS = 45, DIM = 130, CLASSES = 3 };

static void standardize(float *out, const float *x, const struct logistic_sweep *sweep)
{
    for (int i = 0; i < ROWS * DIM; i++)
        out[i] = (float)(((double)x[i] - sweep->mean[i % DIM]) * sweep->scale[i % DIM]);
}

static double objective(const float *x, const int32_t *labels, const double *weight, const double *bias, double l2)
{
    double loss = 0, penalty = 0;
    for (int i = 0; i < ROWS; i++) {
        double logit[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            logit[c] = bias[c];
            for (int d = 0; d < DIM; d++) logit[c] += weight[c * DIM + d] * (double)x[i * DIM + d];
        }
        for (int c = 0; c < CLASSES; c++) sum += exp(logit[c] - logit[labels[i]]);
        loss += log(sum) / ROWS;
    }
    for (int k = 0; k < CLASSES * DIM; k++) penalty += weight[k] * weight[k];
    return loss + l2 / 2 * penalty;
}

static void sweep_finds_the_optimum_of_the_features(void **state)
{
    (void)state;
    static const double PENALTIES[] = {1, 1e-2, 1e-4};
    float *x = draw_rows(ROWS, DIM), standardized[ROWS * DIM];
    int32_t labels[ROWS];
    for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES;
    assert_true(row_space_helps(ROWS, DIM));
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(backend_names[b], pool);
        for (int k = 0; k < 3; k++) {
            double weight[CLASSES * DIM] = {0}, bias[CLASSES] = {0};
            struct logistic_sweep sweep;
            struct logistic_args args = {.x = x,
                                         .labels = labels,
                                         .rows = ROWS,
                                         .dim = DIM,
                                         .classes = CLASSES,
                                         .max_iterations = 3000,
                                         .l2 = PENALTIES[k]};
            assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
            assert_true(sweep.dim == DIM && sweep.classes == CLASSES && !sweep.cut);
            standardize(standardized, x, &sweep);
            args.x = standardized;
            assert_int_equal(logistic_fit(backend, &args, weight, bias, NULL, NULL), SIMCLR_OK);
            const double got = objective(standardized, labels, sweep.weight, sweep.bias, args.l2);
            const double want = objective(standardized, labels, weight, bias, args.l2);
            if (!(fabs(got - want) <= 1e-6 * want)) fail_msg("l2 %g: %.9g instead of %.9g", args.l2, got, want);
            logistic_sweep_free(&sweep);
        }
        backend_destroy(&backend);
    }
    memory_free(x);
}

static int best_of(const float *row, const double *weight, const double *bias)
{
    int best = 0;
    double most = -INFINITY;
    for (int c = 0; c < CLASSES; c++) {
        double logit = bias[c];
        for (int d = 0; d < DIM; d++) logit += weight[c * DIM + d] * (double)row[d];
        if (logit > most) most = logit, best = c;
    }
    return best;
}

static void one_fit_finds_it_too(void **state)
{
    (void)state;
    enum { SEEN = 500 };
    static const double PENALTIES[] = {1, 1e-2, 1e-3 /* that of few labels */};
    static float rows[(ROWS + SEEN) * DIM];
    struct rng rng = rng_open(4, RNG_TEST, 0, 0, 0);
    int32_t labels[ROWS];
    for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES;
    for (int i = 0; i < (ROWS + SEEN) * DIM; i++)
        rows[i] = (float)(rng_normal(&rng) + 0.3 * (i / DIM % CLASSES == i % DIM % CLASSES));
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(backend_names[b], pool);
        for (int k = 0; k < 3; k++) {
            double weight[CLASSES * DIM] = {0}, bias[CLASSES] = {0}, few_weight[CLASSES * DIM], few_bias[CLASSES];
            struct lbfgs_result end = {0};
            const struct logistic_args args = {.x = rows,
                                               .labels = labels,
                                               .rows = ROWS,
                                               .dim = DIM,
                                               .classes = CLASSES,
                                               .max_iterations = 3000,
                                               .l2 = PENALTIES[k]};
            assert_int_equal(logistic_fit(backend, &args, weight, bias, NULL, NULL), SIMCLR_OK);
            assert_int_equal(logistic_fit_few_rows(backend, &args, few_weight, few_bias, &end, NULL), SIMCLR_OK);
            assert_false(end.cut);
            const double got = objective(rows, labels, few_weight, few_bias, args.l2);
            const double want = objective(rows, labels, weight, bias, args.l2);
            if (!(fabs(got - want) <= 1e-6 * want)) fail_msg("l2 %g: %.9g instead of %.9g", args.l2, got, want);
            for (int i = 0; i < ROWS + SEEN; i++)
                assert_int_equal(best_of(rows + i * DIM, few_weight, few_bias), best_of(rows + i * DIM, weight, bias));
        }
        backend_destroy(&backend);
    }
}

static void it_helps_with_few_rows_alone(void **state)
{
    (void)state;
    assert_true(row_space_helps(50, 150528) && row_space_helps(64, 128));
    assert_false(row_space_helps(65, 128) || row_space_helps(50000, 512));
    assert_false(row_space_helps(PRECONDITIONER_DIM_MAX + 1, 150528));
}

static int open_pool(void **state)
{
    (void)state;
    return pool_create(&pool, 2, NULL);
}

static int close_pool(void **state)
{
    (void)state;
    pool_destroy(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basis_spans_the_rows),   cmocka_unit_test(rows_of_zeros_have_a_coordinate),
        cmocka_unit_test(threads_change_nothing), cmocka_unit_test(sweep_finds_the_optimum_of_the_features),
        cmocka_unit_test(one_fit_finds_it_too),   cmocka_unit_test(it_helps_with_few_rows_alone),
    };
    return run_cases(tests, open_pool, close_pool);
}
