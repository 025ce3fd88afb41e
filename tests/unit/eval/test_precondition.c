/* The preconditioner of logistic regression: its Cholesky factor and inverse against plain doubles, what it does with a
 * matrix that has none, and that it changes the number of iterations and not the optimum. */
#include "unit/eval/logistic_fixture.h"

#include "eval/cholesky.h"

/* In place, the lower triangle of a [n][n]. */
static void plain_cholesky(double *a, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
}

static void plain_invert(double *inverse, const double *l, int n)
{
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            double sum = i == j ? 1 : 0;
            for (int k = j; k < i; k++) sum -= l[i * n + k] * inverse[k * n + j];
            inverse[i * n + j] = i < j ? 0 : sum / l[i * n + i];
        }
}

/* More than a strip, and not a multiple of one; condition number about 100. */
static void factor_and_inverse_match_doubles(void **state)
{
    (void)state;
    enum { SIZE = 11 * CHOLESKY_BLOCK, RANK = 40 };
    const size_t count = (size_t)SIZE * SIZE;
    float *start = memory_array(count, sizeof(float)), *matrix = memory_array(count, sizeof(float));
    float *row = memory_array((size_t)CHOLESKY_BLOCK * SIZE, sizeof(float)),
          *factors = memory_array((size_t)SIZE * RANK, sizeof(float));
    double *l = memory_array(count, sizeof(double)), *inverse = memory_array(count, sizeof(double));
    struct rng rng = rng_open(7, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < SIZE * RANK; i++) factors[i] = (float)rng_normal(&rng);
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j <= i; j++) {
            double sum = i == j ? 1 : 0;
            for (int k = 0; k < RANK; k++) sum += 0.1 * (double)factors[i * RANK + k] * (double)factors[j * RANK + k];
            start[i * SIZE + j] = (float)sum;
            l[i * SIZE + j] = (double)start[i * SIZE + j];
        }
    plain_cholesky(l, SIZE);
    plain_invert(inverse, l, SIZE);
    static float space[(1 + CHOLESKY_BLOCK) * SIZE];
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        for (size_t i = 0; i < count; i++) matrix[i] = start[i];
        assert_true(cholesky_factor(backend, matrix, SIZE, space));
        for (int i = 0; i < SIZE; i++)
            for (int j = 0; j < SIZE; j++)
                assert_true(fabs((double)matrix[i * SIZE + j] - (j <= i ? l[i * SIZE + j] : 0)) < 2e-5);
        cholesky_invert(backend, matrix, SIZE, row);
        for (size_t i = 0; i < count; i++) assert_true(fabs((double)matrix[i] - inverse[i]) < 2e-5);
        backend_destroy(&backend);
    }
    memory_free(start);
    memory_free(matrix);
    memory_free(row);
    memory_free(factors);
    memory_free(l);
    memory_free(inverse);
}

static void a_pivot_fails(void **state)
{
    (void)state;
    enum { SIZE = 2 * CHOLESKY_BLOCK };
    static float matrix[SIZE * SIZE], space[(1 + CHOLESKY_BLOCK) * SIZE];
    struct backend *backend = open_backend(0);
    for (int i = 0; i < SIZE; i++) matrix[i * SIZE + i] = 1;
    assert_true(cholesky_factor(backend, matrix, SIZE, space));
    matrix[100 * SIZE + 3] = 2; /* of the second block, so that the first one's update shows it */
    assert_false(cholesky_factor(backend, matrix, SIZE, space));
    matrix[100 * SIZE + 3] = 0;
    matrix[70 * SIZE + 70] = NAN;
    assert_false(cholesky_factor(backend, matrix, SIZE, space));
    backend_destroy(&backend);
}

/* ---- the matrix A -------------------------------------------------------------------------------------------- */

enum { ROWS = 300, DIM = 70, CLASSES = 3, ALL = CLASSES * (DIM + 1) };

/* Pixel-like: every feature shares most of what it says with all the others, and features fade. */
static void fill_correlated(float *x, int32_t *labels, double fade)
{
    struct rng rng = rng_open(11, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        const double common = rng_normal(&rng);
        double score[CLASSES] = {0};
        for (int d = 0; d < DIM; d++) {
            const double own = rng_normal(&rng) * pow(fade, (double)d / DIM);
            x[i * DIM + d] = (float)(0.5 + common + own);
            score[d % CLASSES] += own;
        }
        labels[i] = 0;
        for (int c = 1; c < CLASSES; c++)
            if (score[c] + rng_normal(&rng) > score[labels[i]]) labels[i] = c;
    }
}

/* A of precondition.h times `vector` of one class, in doubles. */
static void plain_product(double *out, const float *x, const double *vector, double curvature, double l2)
{
    for (int d = 0; d <= DIM; d++) out[d] = d < DIM ? l2 * vector[d] : 0;
    for (int i = 0; i < ROWS; i++) {
        double sum = vector[DIM];
        for (int d = 0; d < DIM; d++) sum += (double)x[i * DIM + d] * vector[d];
        for (int d = 0; d < DIM; d++) out[d] += curvature * sum * (double)x[i * DIM + d] / ROWS;
        out[DIM] += curvature * sum / ROWS;
    }
}

static void apply_solves(void **state)
{
    (void)state;
    float *x = memory_array((size_t)ROWS * DIM, sizeof(float));
    int32_t labels[ROWS];
    double in[ALL], out[ALL], one[DIM + 1], back[DIM + 1];
    struct rng rng = rng_open(12, RNG_TEST, 0, 0, 0);
    fill_correlated(x, labels, 0.3);
    for (int i = 0; i < ALL; i++) in[i] = 1e-9 * rng_normal(&rng); /* as small as gradients near the optimum */
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        struct preconditioner *preconditioner = preconditioner_create(backend, x, ROWS, DIM);
        assert_non_null(preconditioner);
        float *space = memory_array(preconditioner_space(preconditioner, CLASSES), sizeof(float));
        for (int trial = 0; trial < 2; trial++) { /* it can be factored again */
            const double curvature = trial == 0 ? 0.3 : 0.02, l2 = trial == 0 ? 0.01 : 0.1;
            assert_true(preconditioner_factor(preconditioner, curvature, l2));
            preconditioner_apply(preconditioner, out, in, CLASSES, space);
            for (int c = 0; c < CLASSES; c++) {
                for (int d = 0; d < DIM; d++) one[d] = out[c * DIM + d];
                one[DIM] = out[CLASSES * DIM + c];
                plain_product(back, x, one, curvature, l2);
                for (int d = 0; d < DIM; d++) assert_true(fabs(back[d] - in[c * DIM + d]) < 1e-3 * 1e-9);
                assert_true(fabs(back[DIM] - in[CLASSES * DIM + c]) < 1e-3 * 1e-9);
            }
        }
        preconditioner_destroy(&preconditioner);
        memory_free(space);
        backend_destroy(&backend);
    }
    memory_free(x);
}

/* Features twice, a feature that is always 0, no l2: the diagonal is raised until float32 can factor it. */
static void singular_features_are_ridged(void **state)
{
    (void)state;
    float *x = memory_array((size_t)ROWS * DIM, sizeof(float));
    int32_t labels[ROWS];
    double in[ALL], out[ALL], product = 0;
    fill_correlated(x, labels, 1);
    for (int i = 0; i < ROWS; i++) {
        x[i * DIM + 5] = 0;
        for (int d = DIM / 2; d < DIM; d++) x[i * DIM + d] = x[i * DIM + d - DIM / 2];
    }
    struct backend *backend = open_backend(1);
    struct preconditioner *preconditioner = preconditioner_create(backend, x, ROWS, DIM);
    float *space = memory_array(preconditioner_space(preconditioner, CLASSES), sizeof(float));
    assert_true(preconditioner_factor(preconditioner, 1.0 / 3, 0));
    for (int i = 0; i < ALL; i++) in[i] = i % 7 - 3;
    preconditioner_apply(preconditioner, out, in, CLASSES, space);
    for (int i = 0; i < ALL; i++) product += in[i] * out[i];
    assert_true(isfinite(product) && product > 0);
    preconditioner_destroy(&preconditioner);

    x[7] = INFINITY;
    preconditioner = preconditioner_create(backend, x, ROWS, DIM);
    assert_false(preconditioner_factor(preconditioner, 1.0 / 3, 1));
    preconditioner_destroy(&preconditioner);
    assert_null(preconditioner_create(backend, x, ROWS, PRECONDITIONER_DIM_MAX + 1));
    memory_free(space);
    memory_free(x);
    backend_destroy(&backend);
}

/* ---- the fit --------------------------------------------------------------------------------------------------- */

/* Rows read by columns, more than a tile of them: the same objective on the same path. */
static void columns_change_nothing(void **state)
{
    (void)state;
    enum { MANY = 2 * LOGISTIC_TILE + 37 };
    float *x = memory_array((size_t)MANY * DIM, sizeof(float));
    int32_t *labels = memory_array(MANY, sizeof(int32_t));
    for (int i = 0; i < MANY; i += ROWS) {
        const int first = i + ROWS <= MANY ? i : MANY - ROWS;
        fill_correlated(x + (size_t)first * DIM, labels + first, 0.3);
    }
    for (int i = 0; i < MANY; i++) labels[i] = (labels[i] + i % 5 / 4) % CLASSES; /* not separable */
    struct logistic_args args = {
        .x = x, .labels = labels, .rows = MANY, .dim = DIM, .classes = CLASSES, .max_iterations = 7, .l2 = 1e-4};
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        const struct lbfgs_result by_row = fit(backend, &args);
        float *columns = logistic_columns(backend, x, MANY, DIM, CLASSES);
        assert_non_null(columns);
        args.columns = columns;
        const struct lbfgs_result by_column = fit(backend, &args);
        args.columns = NULL;
        assert_int_equal(by_row.iterations, by_column.iterations);
        assert_true(fabs(by_row.objective - by_column.objective) < 1e-6);
        assert_null(logistic_columns(backend, x, MANY, DIM, 1000));
        memory_free(columns);
        backend_destroy(&backend);
    }
    memory_free(labels);
    memory_free(x);
}

static void same_optimum_in_a_tenth_of_the_iterations(void **state)
{
    (void)state;
    float *x = memory_array((size_t)ROWS * DIM, sizeof(float));
    int32_t labels[ROWS];
    fill_correlated(x, labels, 0.003);
    struct logistic_args args = {
        .x = x, .labels = labels, .rows = ROWS, .dim = DIM, .classes = CLASSES, .max_iterations = 20000, .l2 = 1e-5};
    /* The measure is ref: with products in float32, L-BFGS alone comes to a halt before it is there. */
    struct backend *ref = open_backend(0);
    const struct lbfgs_result plain = fit(ref, &args);
    backend_destroy(&ref);
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        args.preconditioner = preconditioner_create(backend, x, ROWS, DIM);
        const struct lbfgs_result fast = fit(backend, &args);
        print_message("%s: %d iterations, %d with the preconditioner (%.9f, %.9f)\n", backend_names[b],
                      plain.iterations, fast.iterations, plain.objective, fast.objective);
        assert_true(fabs(plain.objective - fast.objective) <= 1e-6 * fmax(1, plain.objective));
        assert_true(plain.iterations > 10 * fast.iterations);
        preconditioner_destroy(&args.preconditioner);
        backend_destroy(&backend);
    }
    memory_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factor_and_inverse_match_doubles),
        cmocka_unit_test(a_pivot_fails),
        cmocka_unit_test(apply_solves),
        cmocka_unit_test(singular_features_are_ridged),
        cmocka_unit_test(columns_change_nothing),
        cmocka_unit_test(same_optimum_in_a_tenth_of_the_iterations),
    };
    if (pool_create(&pool, 2, NULL) != SIMCLR_OK) return 1;
    const int failed = run_cases(tests, NULL, NULL);
    pool_destroy(&pool);
    return failed;
}
