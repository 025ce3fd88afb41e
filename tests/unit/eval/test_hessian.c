/* The Hessian of logistic regression: its inverse against plain doubles, and the fits that need it. */
#include "unit/eval/logistic_fixture.h"

#include "eval/hessian.h"

enum { DIM = 24, PAIRS = 4, CLASSES = 2 * PAIRS, ROWS = 800, UNKNOWNS = (DIM + 1) * CLASSES };

/* Pairs of classes around centres of their own. Each pair has its own directions of very different size, along which a
 * linear map decides nearly which of the two a row is. What is true of all rows is true of no pair. */
static void fill(float *x, int32_t *labels, double smallest, double noise)
{
    struct rng rng = rng_open(91, RNG_TEST, 0, 0, 0);
    double centre[PAIRS][DIM], map[PAIRS][DIM], mix[PAIRS][DIM][DIM];
    for (int k = 0; k < PAIRS; k++)
        for (int d = 0; d < DIM; d++) {
            centre[k][d] = 2 * rng_normal(&rng);
            map[k][d] = rng_normal(&rng);
            for (int e = 0; e < DIM; e++) mix[k][d][e] = rng_normal(&rng) / sqrt(DIM);
        }
    for (int i = 0; i < ROWS; i++) {
        const int k = i % PAIRS;
        double hidden[DIM], score = noise * rng_normal(&rng);
        for (int d = 0; d < DIM; d++) score += map[k][d] * (hidden[d] = rng_normal(&rng));
        labels[i] = 2 * k + (score > 0);
        for (int e = 0; e < DIM; e++) {
            double sum = centre[k][e];
            for (int d = 0; d < DIM; d++) sum += hidden[d] * pow(smallest, (double)d / (DIM - 1)) * mix[k][d][e];
            x[i * DIM + e] = (float)sum;
        }
    }
}

/* error: p - label of random logits. */
static void softmax_error(float *error, double (*p)[CLASSES], const int32_t *labels)
{
    struct rng rng = rng_open(92, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += p[i][c] = exp(2 * rng_normal(&rng));
        for (int c = 0; c < CLASSES; c++) {
            p[i][c] /= sum;
            error[i * CLASSES + c] = (float)(p[i][c] - (labels[i] == c));
        }
    }
}

/* H in doubles, as in hessian.h, of unknowns in the order of a fit: weights, then biases. */
static int class_of(int unknown)
{
    return unknown < CLASSES * DIM ? unknown / DIM : unknown - CLASSES * DIM;
}

static double value_of(const float *row, int unknown)
{
    return unknown < CLASSES * DIM ? (double)row[unknown % DIM] : 1;
}

static void plain_hessian(double *h, const float *x, double (*p)[CLASSES], double l2)
{
    memset(h, 0, sizeof(double) * UNKNOWNS * UNKNOWNS);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < UNKNOWNS; i++) {
            const int c = class_of(i);
            const double own = value_of(x + r * DIM, i) / ROWS * p[r][c];
            for (int j = 0; j < UNKNOWNS; j++)
                h[i * UNKNOWNS + j] += own * ((c == class_of(j)) - p[r][class_of(j)]) * value_of(x + r * DIM, j);
        }
    for (int i = 0; i < CLASSES * DIM; i++) h[i * (UNKNOWNS + 1)] += l2;
}

/* The objective of a fit in doubles; p and gradient out. */
static double plain_objective(const double *point, const float *x, const int32_t *labels, double (*p)[CLASSES],
                              double *gradient, double l2)
{
    double loss = 0, penalty = 0;
    for (int i = 0; i < UNKNOWNS; i++) {
        gradient[i] = i < CLASSES * DIM ? l2 * point[i] : 0;
        if (i < CLASSES * DIM) penalty += point[i] * point[i];
    }
    for (int r = 0; r < ROWS; r++) {
        double logit[CLASSES] = {0}, sum = 0, largest = -INFINITY;
        for (int i = 0; i < UNKNOWNS; i++) logit[class_of(i)] += point[i] * value_of(x + r * DIM, i);
        for (int c = 0; c < CLASSES; c++) largest = fmax(largest, logit[c]);
        for (int c = 0; c < CLASSES; c++) sum += p[r][c] = exp(logit[c] - largest);
        for (int c = 0; c < CLASSES; c++) p[r][c] /= sum;
        loss += (largest + log(sum) - logit[labels[r]]) / ROWS;
        for (int i = 0; i < UNKNOWNS; i++)
            gradient[i] += (p[r][class_of(i)] - (class_of(i) == labels[r])) * value_of(x + r * DIM, i) / ROWS;
    }
    return loss + l2 / 2 * penalty;
}

/* h step = gradient by elimination; a curvature for all biases together, as nothing else has one. */
static void solve(double *h, double *step)
{
    for (int i = CLASSES * DIM; i < UNKNOWNS; i++)
        for (int j = CLASSES * DIM; j < UNKNOWNS; j++) h[i * UNKNOWNS + j] += 1;
    for (int k = 0; k < UNKNOWNS; k++)
        for (int i = k + 1; i < UNKNOWNS; i++) {
            const double share = h[i * UNKNOWNS + k] / h[k * (UNKNOWNS + 1)];
            for (int j = k; j < UNKNOWNS; j++) h[i * UNKNOWNS + j] -= share * h[k * UNKNOWNS + j];
            step[i] -= share * step[k];
        }
    for (int i = UNKNOWNS - 1; i >= 0; i--) {
        for (int j = i + 1; j < UNKNOWNS; j++) step[i] -= h[i * UNKNOWNS + j] * step[j];
        step[i] /= h[i * (UNKNOWNS + 1)];
    }
}

/* The optimum's objective by Newton's method in doubles, halving steps that do not descend. */
static double plain_optimum(const float *x, const int32_t *labels, double l2)
{
    double *h = memory_array((size_t)UNKNOWNS * UNKNOWNS, sizeof *h), (*p)[CLASSES] = memory_array(ROWS, sizeof *p);
    double point[UNKNOWNS] = {0}, next[UNKNOWNS], step[UNKNOWNS], size = 1;
    double objective = plain_objective(point, x, labels, p, step, l2);
    for (int iteration = 0; iteration < 60 && size > 1e-12; iteration++) {
        double ignored[UNKNOWNS], value, share = 1;
        plain_hessian(h, x, p, l2);
        solve(h, step);
        for (;; share /= 2) {
            for (int i = 0; i < UNKNOWNS; i++) next[i] = point[i] - share * step[i];
            value = plain_objective(next, x, labels, p, ignored, l2);
            if (value <= objective || share < 1e-9) break;
        }
        size = objective - value;
        objective = value;
        memcpy(point, next, sizeof point);
        plain_objective(point, x, labels, p, step, l2);
    }
    memory_free(h);
    memory_free(p);
    return objective;
}

/* H times H^-1 of a vector whose biases sum to 0 gives it back. Added in two parts, the second one not a whole tile. */
static void inverse_matches_doubles(void **state)
{
    (void)state;
    enum { PART = 512 };
    const double l2 = 1e-3;
    float *x = memory_array((size_t)ROWS * DIM, sizeof *x),
          *error = memory_array((size_t)ROWS * CLASSES, sizeof *error);
    double(*p)[CLASSES] = memory_array(ROWS, sizeof *p), vector[UNKNOWNS], solved[UNKNOWNS];
    double *h = memory_array((size_t)UNKNOWNS * UNKNOWNS, sizeof *h);
    int32_t labels[ROWS];
    struct rng rng = rng_open(93, RNG_TEST, 0, 0, 0);
    fill(x, labels, 0.1, 1);
    softmax_error(error, p, labels);
    plain_hessian(h, x, p, l2);
    for (int i = 0; i < UNKNOWNS; i++) vector[i] = 1e-9 * rng_normal(&rng); /* of any size */
    for (int c = 1; c < CLASSES; c++)
        vector[CLASSES * DIM] -= vector[CLASSES * DIM + c] + (c == 1) * vector[CLASSES * DIM];
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        struct hessian *hessian = hessian_create(backend, DIM, CLASSES, PART);
        for (int twice = 0; twice < 2; twice++) { /* what was added before is gone */
            hessian_clear(hessian);
            hessian_add(hessian, x, error, labels, PART, 1.0 / ROWS);
            hessian_add(hessian, x + PART * DIM, error + PART * CLASSES, labels + PART, ROWS - PART, 1.0 / ROWS);
            assert_true(hessian_factor(hessian, l2));
        }
        memcpy(solved, vector, sizeof solved);
        hessian_apply(hessian, solved);
        for (int i = 0; i < UNKNOWNS; i++) {
            double back = 0;
            for (int j = 0; j < UNKNOWNS; j++) back += h[i * UNKNOWNS + j] * solved[j];
            if (fabs(back - vector[i]) > 1e-3 * 1e-9)
                fail_msg("%s: %d is %g of %g", backend_names[b], i, back, vector[i]);
        }
        hessian_destroy(&hessian);
        assert_null(hessian);
        assert_null(hessian_create(backend, HESSIAN_SIZE_MAX / CLASSES, CLASSES, PART));
        backend_destroy(&backend);
    }
    memory_free(x);
    memory_free(error);
    memory_free(h);
    memory_free(p);
}

/* Features that nearly separate the classes and hardly a penalty: after a hundred iterations the fit is far from its
 * optimum, and some with the Hessian bring it there. */
static void hard_fits_reach_their_optimum(void **state)
{
    (void)state;
    float *x = memory_array((size_t)ROWS * DIM, sizeof *x);
    int32_t labels[ROWS];
    fill(x, labels, 0.01, 0.3);
    struct logistic_args args = {.x = x, .labels = labels, .rows = ROWS, .dim = DIM, .classes = CLASSES, .l2 = 1e-6};
    const double optimum = plain_optimum(x, labels, args.l2);
    for (int b = 0; b < BACKENDS; b++) {
        struct backend *backend = open_backend(b);
        args.preconditioner = preconditioner_create(backend, x, ROWS, DIM);
        args.max_iterations = 100;
        const struct lbfgs_result early = fit(backend, &args);
        args.max_iterations = 300;
        const struct lbfgs_result whole = fit(backend, &args);
        print_message("%s: %.9f after %d, %.9f after %d, the optimum is %.9f\n", backend_names[b], early.objective,
                      early.iterations, whole.objective, whole.iterations, optimum);
        assert_true(early.cut && early.objective > 1.01 * optimum);
        assert_true(!whole.cut && whole.goal == early.goal);
        assert_true(whole.iterations > 100 && whole.iterations < 250);
        assert_true(fabs(whole.objective - optimum) <= 1e-6 * optimum);
        preconditioner_destroy(&args.preconditioner);
        backend_destroy(&backend);
    }
    memory_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inverse_matches_doubles),
        cmocka_unit_test(hard_fits_reach_their_optimum),
    };
    if (pool_create(&pool, 2, NULL) != SIMCLR_OK) return 1;
    const int failed = run_cases(tests, NULL, NULL);
    pool_destroy(&pool);
    return failed;
}
