/* kNN, logistic regression and diagnostics: facts that need no reference (test_eval_reference.c has those that do). */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rank.h"
#include "base/rng.h"
#include "eval/diagnostics.h"
#include "eval/interval.h"
#include "eval/knn.h"
#include "eval/logistic.h"
#include "eval/neighbours.h"

static struct pool *pool;

static struct backend *open_backend(const char *name)
{
    struct backend *backend = NULL;
    struct error error = {0};
    if (backend_create(name, simd_machine(), pool, &backend, &error) != SIMCLR_OK) fail_msg("%s: %s", name, error.text);
    return backend;
}

/* More rows than a tile, against a plain search; self left out; k larger than the set. */
static void knn_equals_plain_search(void **state)
{
    (void)state;
    enum { ROWS = 4500, DIM = 5, K = 7 };
    float *rows = memory_array((size_t)ROWS * DIM, sizeof(float));
    int32_t *found = memory_array((size_t)ROWS * K, sizeof(int32_t));
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = (float)rng_normal(&rng);
    struct backend *backend = open_backend("ref");
    const struct neighbours_args args = {
        .rows = rows, .count = ROWS, .query = rows, .query_count = ROWS, .dim = DIM, .k = K, .leave_out_self = true};
    assert_int_equal(neighbours_find(backend, found, NULL, &args, NULL), SIMCLR_OK);
    for (int q = 0; q < ROWS; q += 379) {
        double best = -2;
        int nearest = -1;
        for (int i = 0; i < ROWS; i++) {
            double dot = 0, a = 0, b = 0;
            for (int d = 0; d < DIM; d++) {
                dot += (double)rows[q * DIM + d] * rows[i * DIM + d];
                a += (double)rows[q * DIM + d] * rows[q * DIM + d];
                b += (double)rows[i * DIM + d] * rows[i * DIM + d];
            }
            if (i != q && dot / sqrt(a * b) > best) {
                best = dot / sqrt(a * b);
                nearest = i;
            }
        }
        assert_int_equal(found[q * K], nearest);
        for (int k = 0; k < K; k++) assert_int_not_equal(found[q * K + k], q);
    }
    int32_t few[8];
    const struct neighbours_args small = {
        .rows = rows, .count = 3, .query = rows, .query_count = 1, .dim = DIM, .k = 8};
    assert_int_equal(neighbours_find(backend, few, NULL, &small, NULL), SIMCLR_OK);
    assert_int_equal(few[0], 0);
    assert_int_equal(few[3], -1);
    backend_destroy(&backend);
    memory_free(rows);
    memory_free(found);
}

static void knn_refuses_bad_input(void **state)
{
    (void)state;
    struct backend *backend = open_backend("ref");
    const float rows[4] = {1, 0, 0, 1};
    const int32_t good[2] = {0, 1}, bad[2] = {0, -1};
    struct error error = {0};
    struct knn_args args = {.train = rows,
                            .train_labels = bad,
                            .train_count = 2,
                            .query = rows,
                            .query_count = 2,
                            .dim = 2,
                            .classes = 2,
                            .k = 1,
                            .temperature = 0.1};
    assert_int_equal(knn_classify(backend, &args, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 1"));
    args.train_labels = good;
    args.temperature = 0;
    assert_int_equal(knn_classify(backend, &args, &error), SIMCLR_INVALID);
    args.temperature = 0.1;
    args.k = 0;
    assert_int_equal(knn_classify(backend, &args, &error), SIMCLR_INVALID);
    backend_destroy(&backend);
}

/* A broken row never counts as right: not by the class of the lowest number, nor by pulling others to its own class. */
static void knn_has_no_answer_for_broken_rows(void **state)
{
    (void)state;
    struct backend *backend = open_backend("ref");
    const float train[] = {1, 0, NAN, 1, 0, 1, INFINITY, 0}, query[] = {NAN, 0, 0, 1, 1, 0, INFINITY, 1};
    const int32_t labels[] = {0, 0, 1, 0};
    int32_t predicted[4], top5[4 * 5], nearest[4 * 4];
    const struct knn_args args = {.train = train,
                                  .train_labels = labels,
                                  .train_count = 4,
                                  .query = query,
                                  .query_count = 4,
                                  .dim = 2,
                                  .classes = 2,
                                  .k = 4,
                                  .temperature = 0.1,
                                  .predicted = predicted,
                                  .top5 = top5};
    assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
    static const int32_t want[] = {-1, 1, 0, -1};
    for (int q = 0; q < 4; q++) {
        assert_int_equal(predicted[q], want[q]);
        assert_int_equal(top5[q * 5], want[q]);
        if (want[q] < 0) assert_int_equal(top5[q * 5 + 1], -1);
    }
    const struct neighbours_args search = {
        .rows = train, .query = query, .count = 4, .query_count = 4, .dim = 2, .k = 4};
    assert_int_equal(neighbours_find(backend, nearest, NULL, &search, NULL), SIMCLR_OK);
    assert_int_equal(nearest[0], -1);
    assert_int_equal(nearest[4], 2);
    assert_int_equal(nearest[4 + 1], 0);
    assert_int_equal(nearest[4 + 2], -1); /* two of the four training rows are broken */
    backend_destroy(&backend);
}

/* One neighbour is one vote for one class: top-5 is then top-1, however many classes there are. */
static void knn_names_no_class_without_a_vote(void **state)
{
    (void)state;
    enum { CLASSES = 7 };
    struct backend *backend = open_backend("ref");
    float rows[CLASSES * CLASSES] = {0};
    int32_t labels[CLASSES], top5[CLASSES * 5];
    for (int i = 0; i < CLASSES; i++) {
        rows[i * CLASSES + i] = 1;
        labels[i] = i;
    }
    struct knn_args args = {.train = rows,
                            .train_labels = labels,
                            .train_count = CLASSES,
                            .query = rows,
                            .query_count = CLASSES,
                            .dim = CLASSES,
                            .classes = CLASSES,
                            .k = 1,
                            .temperature = 0.1,
                            .top5 = top5};
    assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
    for (int q = 0; q < CLASSES; q++) {
        assert_int_equal(top5[q * 5], q);
        for (int i = 1; i < 5; i++) assert_int_equal(top5[q * 5 + i], -1);
    }
    args.k = CLASSES; /* all have a vote: the five places are filled */
    assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
    for (int q = 0; q < CLASSES; q++) assert_int_not_equal(top5[q * 5 + 4], -1);
    backend_destroy(&backend);
}

/* exp(s / temperature) leaves the range of doubles below a temperature of 1 / 700: all votes would be infinite, or 0,
 * and the class of the lowest number would win. */
static void knn_votes_at_the_lowest_temperature(void **state)
{
    (void)state;
    struct backend *backend = open_backend("ref");
    const float train[] = {0.9f, 0.4359f, 1, 0, -0.9f, 0.4359f, -1, 0}, query[] = {1, 0};
    const int32_t labels[] = {0, 1, 1, 0};
    int32_t predicted, top5[5];
    double votes[2];
    struct knn_args args = {.train = train,
                            .train_labels = labels,
                            .train_count = 2,
                            .query = query,
                            .query_count = 1,
                            .dim = 2,
                            .classes = 2,
                            .k = 2,
                            .temperature = 0.001,
                            .votes = votes,
                            .predicted = &predicted,
                            .top5 = top5};
    assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
    assert_int_equal(predicted, 1); /* the nearer one: similarity 1 against 0.9 */
    assert_int_equal(top5[1], 0);
    assert_true(isfinite(votes[0]) && isfinite(votes[1]) && votes[0] > 0);
    args.train = train + 4; /* both far away: -0.9 is nearer than -1 */
    args.train_labels = labels + 2;
    assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
    assert_int_equal(predicted, 1);
    assert_int_equal(top5[1], 0);
    backend_destroy(&backend);
}

/* Two Gaussian clouds per class are separable: the sweep must find a classifier that predicts them. */
static void sweep_learns(void **state)
{
    (void)state;
    enum { ROWS = 600, DIM = 8, CLASSES = 3 };
    float *x = memory_array((size_t)ROWS * DIM, sizeof(float)),
          *logits = memory_array((size_t)ROWS * CLASSES, sizeof(float));
    int32_t labels[ROWS];
    struct rng rng = rng_open(5, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % CLASSES;
        for (int d = 0; d < DIM; d++) x[i * DIM + d] = (float)(100 + 10 * rng_normal(&rng) + (d == labels[i] ? 60 : 0));
        x[i * DIM + 7] = 4; /* a constant feature must not become a division by zero */
    }
    struct backend *backend = open_backend("ref");
    const struct logistic_args args = {
        .x = x, .labels = labels, .rows = ROWS, .dim = DIM, .classes = CLASSES, .max_iterations = 200, .l2 = -1};
    struct logistic_sweep sweep;
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
    assert_true(sweep.held_out_top1 > 0.9);
    assert_int_equal(sweep.folds, 1); /* a tenth of each class is enough here */
    assert_int_equal(sweep.held_out, ROWS / 10);
    assert_false(sweep.cut);
    assert_int_equal(logistic_predict(backend, &sweep, x, ROWS, logits, NULL), SIMCLR_OK);
    int correct = 0;
    for (int i = 0; i < ROWS; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (logits[i * CLASSES + c] > logits[i * CLASSES + best]) best = c;
        correct += best == labels[i];
    }
    assert_true(correct > ROWS * 95 / 100);
    logistic_sweep_free(&sweep);
    backend_destroy(&backend);
    memory_free(x);
    memory_free(logits);
}

enum { FEW_DIM = 24, FEW_CLASSES = 20 };

/* Rows in which a class is told only by a small difference between features that all rise and fall together: a strong
 * penalty does not see it. */
static void draw_few(float *x, int32_t *labels, int rows, uint64_t seed)
{
    struct rng rng = rng_open(seed, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < rows; i++) {
        const double common = 10 * rng_normal(&rng);
        labels[i] = i % FEW_CLASSES;
        for (int d = 0; d < FEW_DIM; d++)
            x[i * FEW_DIM + d] = (float)(common + 0.1 * rng_normal(&rng) + (d == labels[i] ? 1 : 0));
    }
}

/* Four rows a class give no tenth. The penalty is chosen all the same, by folds; today's strongest would be wrong. */
static void sweep_chooses_with_few_rows(void **state)
{
    (void)state;
    enum { EACH = 4, ROWS = EACH * FEW_CLASSES, TEST = 200 };
    float *x = memory_array((size_t)(ROWS + TEST) * FEW_DIM, sizeof(float)),
          *logits = memory_array((size_t)TEST * FEW_CLASSES, sizeof(float));
    int32_t labels[ROWS + TEST];
    draw_few(x, labels, ROWS + TEST, 7);
    struct backend *backend = open_backend("ref");
    struct logistic_args args = {.x = x,
                                 .labels = labels,
                                 .rows = ROWS,
                                 .dim = FEW_DIM,
                                 .classes = FEW_CLASSES,
                                 .max_iterations = 200,
                                 .l2 = -1};
    double right[2];
    for (int given = 0; given < 2; given++) {
        struct logistic_sweep sweep;
        args.l2 = given ? 0.1 : -1; /* 0.1: what was taken where nothing was held out */
        assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
        assert_int_equal(sweep.folds, EACH);
        assert_int_equal(sweep.held_out, ROWS);
        if (!given) assert_true(sweep.l2 < 0.1 && sweep.held_out_top1 > 0.8);
        assert_int_equal(logistic_predict(backend, &sweep, x + ROWS * FEW_DIM, TEST, logits, NULL), SIMCLR_OK);
        right[given] = 0;
        for (int i = 0; i < TEST; i++)
            right[given] += rank_of_label(logits + i * FEW_CLASSES, FEW_CLASSES, labels[ROWS + i]) == 0;
        logistic_sweep_free(&sweep);
    }
    assert_true(right[0] > 0.9 * TEST && right[0] > right[1] + 0.1 * TEST);
    backend_destroy(&backend);
    memory_free(x);
    memory_free(logits);
}

/* One row a class: nothing can choose, so the program asks. Classes of one row beside others are never held out. */
static void sweep_never_takes_an_unchosen_penalty(void **state)
{
    (void)state;
    float x[(FEW_CLASSES + 3) * FEW_DIM];
    int32_t labels[FEW_CLASSES + 3];
    draw_few(x, labels, FEW_CLASSES + 3, 8);
    struct backend *backend = open_backend("ref");
    struct error error = {0};
    struct logistic_sweep sweep;
    struct logistic_args args = {.x = x,
                                 .labels = labels,
                                 .rows = FEW_CLASSES,
                                 .dim = FEW_DIM,
                                 .classes = FEW_CLASSES,
                                 .max_iterations = 50,
                                 .l2 = -1};
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "--l2"));
    args.l2 = 0.01;
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
    assert_int_equal(sweep.folds, 0);
    assert_true(sweep.l2 == 0.01 && sweep.held_out_top1 < 0);
    logistic_sweep_free(&sweep);
    args.l2 = -1;
    args.rows = FEW_CLASSES + 3; /* three classes have a second row */
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
    assert_int_equal(sweep.folds, 2);
    assert_int_equal(sweep.held_out, 6);
    logistic_sweep_free(&sweep);
    backend_destroy(&backend);
}

/* Known answers: identical rows are collapsed (rank 1, no spread); orthogonal rows have full rank. */
static void diagnostics_know_the_extremes(void **state)
{
    (void)state;
    float same[6 * 3], orthogonal[4 * 4] = {0}, wide[4 * 9] = {0};
    struct diagnostics got;
    for (int i = 0; i < 18; i++) same[i] = (float)(1 + i % 3);
    assert_int_equal(diagnostics_run(&got, same, 3, 3, NULL), SIMCLR_OK);
    assert_true(fabs(got.alignment) < 1e-12 && fabs(got.uniformity) < 1e-12 && got.feature_std < 1e-6);
    assert_true(fabs(got.rankme - 1) < 1e-3);
    for (int i = 0; i < 4; i++) orthogonal[i * 5] = wide[i * 9 + i] = 2;
    assert_int_equal(diagnostics_run(&got, orthogonal, 2, 4, NULL), SIMCLR_OK);
    assert_true(fabs(got.alignment - 2) < 1e-12 && fabs(got.uniformity + 4) < 1e-9 && fabs(got.rankme - 4) < 1e-3);
    assert_int_equal(diagnostics_run(&got, wide, 2, 9, NULL), SIMCLR_OK);
    assert_true(fabs(got.rankme - 4) < 1e-3);
}

static void wilson_interval(void **state)
{
    (void)state;
    double low, high;
    interval_wilson(50, 100, &low, &high); /* 0.4038, 0.5962: a textbook value */
    assert_true(fabs(low - 0.40383) < 1e-5 && fabs(high - 0.59617) < 1e-5);
    interval_wilson(0, 10, &low, &high);
    assert_true(low == 0 && fabs(high - 0.27753) < 1e-5);
}

/* Against the formula in Python. */
static void class_mean_interval(void **state)
{
    (void)state;
    static const struct {
        int64_t right[3], images[3];
        double low, high;
    } cases[] = {{{45, 8, 3}, {50, 20, 3}, 0.5814706422163969, 0.8859834529473827},
                 {{10, 5, 0}, {10, 5, 0}, 0.7516867000895618, 1},
                 {{0, 0, 0}, {0, 10, 0}, 0, 0.2867399192691985},
                 {{7, 0, 0}, {10, 0, 0}, 0.3906516703157787, 0.8946523619765419},
                 {{0, 0, 0}, {0, 0, 0}, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double low, high;
        interval_class_mean(cases[i].right, cases[i].images, 3, &low, &high);
        assert_true(fabs(low - cases[i].low) < 1e-12 && fabs(high - cases[i].high) < 1e-12);
    }
}

/* Rows of three classes around their own directions. */
static void make_rows(float *x, int32_t *labels, int rows, int dim, uint32_t item)
{
    struct rng rng = rng_open(3, RNG_TEST, 0, item, 0);
    for (int i = 0; i < rows; i++) {
        labels[i] = i % 3;
        for (int d = 0; d < dim; d++) x[i * dim + d] = (float)(rng_normal(&rng) + (d % 3 == labels[i] ? 1.0 : 0.0));
    }
}

/* A class without rows changes nothing of the others, and has no weight and a bias of -INFINITY. */
static void sweep_leaves_out_what_has_no_rows(void **state)
{
    (void)state;
    enum { ROWS = 60, DIM = 8 };
    static const int NUMBER[] = {0, 2, 3}; /* of three classes among five */
    float x[ROWS * DIM], logits[5];
    int32_t labels[ROWS], among[ROWS];
    struct backend *backend = open_backend("ref");
    struct logistic_sweep want, got;
    make_rows(x, labels, ROWS, DIM, 4);
    for (int i = 0; i < ROWS; i++) among[i] = NUMBER[labels[i]];
    struct logistic_args args = {
        .x = x, .labels = labels, .rows = ROWS, .dim = DIM, .classes = 3, .max_iterations = 300, .l2 = -1};
    args.calibrate = true;
    assert_int_equal(logistic_sweep(backend, &args, 1, &want, NULL), SIMCLR_OK);
    args.labels = among;
    args.classes = 5;
    assert_int_equal(logistic_sweep(backend, &args, 1, &got, NULL), SIMCLR_OK);
    assert_true(got.classes == 5 && got.l2 == want.l2 && got.temperature == want.temperature);
    for (int c = 0; c < 3; c++) {
        assert_memory_equal(got.weight + NUMBER[c] * DIM, want.weight + c * DIM, DIM * sizeof(double));
        assert_true(got.bias[NUMBER[c]] == want.bias[c]);
    }
    assert_int_equal(logistic_predict(backend, &got, x, 1, logits, NULL), SIMCLR_OK);
    assert_true(logits[1] == -INFINITY && logits[4] == -INFINITY && isfinite(logits[0]));
    logistic_sweep_free(&got);
    for (int i = 0; i < ROWS; i++) among[i] = 3; /* one class alone is nothing to tell apart */
    assert_int_equal(logistic_sweep(backend, &args, 1, &got, NULL), SIMCLR_DATA);
    logistic_sweep_free(&want);
    backend_destroy(&backend);
}

/* Votes from lists that were searched before, longer than k, are those of one search. */
static void knn_votes_from_lists(void **state)
{
    (void)state;
    enum { ROWS = 60, QUERIES = 20, DIM = 6, LONG = 25 };
    static float train[ROWS * DIM], query[QUERIES * DIM];
    int32_t labels[ROWS], unused[QUERIES], want[QUERIES * 5], got[QUERIES * 5], counts[3];
    static struct neighbour list[QUERIES * LONG];
    make_rows(train, labels, ROWS, DIM, 1);
    make_rows(query, unused, QUERIES, DIM, 2);
    struct backend *backend = open_backend("ref");
    const struct neighbours_args search = {
        .rows = train, .query = query, .count = ROWS, .query_count = QUERIES, .dim = DIM, .k = LONG};
    assert_int_equal(neighbours_search(backend, list, &search, NULL), SIMCLR_OK);
    for (int k = 1; k <= LONG; k += 6) {
        struct knn_args args = {.train = train,
                                .train_labels = labels,
                                .train_count = ROWS,
                                .query = query,
                                .query_count = QUERIES,
                                .dim = DIM,
                                .classes = 3,
                                .k = k,
                                .temperature = 0.07,
                                .top5 = want};
        assert_int_equal(knn_classify(backend, &args, NULL), SIMCLR_OK);
        args.top5 = got;
        assert_int_equal(knn_vote(&args, list, LONG, NULL), SIMCLR_OK);
        assert_memory_equal(want, got, sizeof want);
        args.temperature = INFINITY; /* each neighbour has one vote */
        assert_int_equal(knn_vote(&args, list, LONG, NULL), SIMCLR_OK);
        for (int q = 0; q < QUERIES; q++) {
            memset(counts, 0, sizeof counts);
            for (int i = 0; i < k; i++) counts[labels[list[q * LONG + i].row]]++;
            for (int c = 0; c < 3; c++) assert_true(counts[got[q * 5]] >= counts[c]);
        }
    }
    backend_destroy(&backend);
}

/* Another grid, and the temperature of what was held out, which the chosen fit did not see. */
static void sweep_takes_a_grid_and_finds_a_temperature(void **state)
{
    (void)state;
    enum { ROWS = 600, DIM = 12 };
    static float x[ROWS * DIM];
    static int32_t labels[ROWS];
    double papers[LOGISTIC_PAPERS_GRID];
    const double one[] = {0.02}, two[] = {1e-6, 1e-7};
    struct logistic_sweep sweep;
    struct error error = {0};
    logistic_papers_grid(papers);
    assert_true(fabs(papers[0] - 1e5) < 1e-6 && fabs(papers[LOGISTIC_PAPERS_GRID - 1] - 1e-6) < 1e-15);
    make_rows(x, labels, ROWS, DIM, 3);
    struct backend *backend = open_backend("cpu");
    struct logistic_args args = {.x = x,
                                 .labels = labels,
                                 .rows = ROWS,
                                 .dim = DIM,
                                 .classes = 3,
                                 .max_iterations = 300,
                                 .l2 = -1,
                                 .grid = one,
                                 .grid_count = 1};
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
    assert_true(sweep.l2 == 0.02 && sweep.temperature == 1 && sweep.folds == 1);
    logistic_sweep_free(&sweep);
    args.calibrate = true;
    args.grid = papers;
    args.grid_count = LOGISTIC_PAPERS_GRID;
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
    bool among = false;
    for (int i = 0; i < LOGISTIC_PAPERS_GRID; i++) among |= sweep.l2 == papers[i];
    assert_true(among && sweep.held_out_top1 > 0.5 && sweep.temperature > 0.01 && sweep.temperature < 100);
    logistic_sweep_free(&sweep);
    /* A strong penalty makes probabilities too timid, none too bold: of few rows, the temperature says which. */
    for (int strong = 0; strong < 2; strong++) {
        args.grid = strong ? one : two;
        args.grid_count = strong ? 1 : 2;
        args.rows = strong ? ROWS : 60; /* of 60 rows folds are held out */
        assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, NULL), SIMCLR_OK);
        assert_int_equal(sweep.folds, strong ? 1 : 10);
        assert_true(strong ? sweep.temperature < 1 : sweep.temperature > 1);
        logistic_sweep_free(&sweep);
    }
    args.grid_count = LOGISTIC_GRID_MAX + 1;
    assert_int_equal(logistic_sweep(backend, &args, 1, &sweep, &error), SIMCLR_INVALID);
    backend_destroy(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_leaves_out_what_has_no_rows),
        cmocka_unit_test(knn_equals_plain_search),
        cmocka_unit_test(knn_refuses_bad_input),
        cmocka_unit_test(knn_has_no_answer_for_broken_rows),
        cmocka_unit_test(knn_names_no_class_without_a_vote),
        cmocka_unit_test(knn_votes_at_the_lowest_temperature),
        cmocka_unit_test(sweep_learns),
        cmocka_unit_test(sweep_chooses_with_few_rows),
        cmocka_unit_test(sweep_never_takes_an_unchosen_penalty),
        cmocka_unit_test(knn_votes_from_lists),
        cmocka_unit_test(sweep_takes_a_grid_and_finds_a_temperature),
        cmocka_unit_test(diagnostics_know_the_extremes),
        cmocka_unit_test(wilson_interval),
        cmocka_unit_test(class_mean_interval),
    };
    if (pool_create(&pool, 2, NULL) != SIMCLR_OK) return 1;
    const int failed = run_cases(tests, NULL, NULL);
    pool_destroy(&pool);
    return failed;
}
