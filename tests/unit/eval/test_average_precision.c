/* Average precision and the linear classifiers of images of several classes, against scikit-learn
 * (tools/make_golden_scores.py); their intervals hold the truth. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/average_precision.h"
#include "eval/one_vs_rest.h"
#include "eval/statistics.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3];

static void figures_match_python(void **state)
{
    (void)state;
    for (int number = 0; number < 4; number++) {
        const struct reference_tensor score = reference_get(&file, "case%d.score", number);
        const struct reference_tensor member = reference_get(&file, "case%d.member", number);
        const struct reference_tensor want = reference_get(&file, "case%d.figures", number);
        const uint32_t *times = reference_typed(reference_get(&file, "case%d.times", number), "U32");
        const int classes = (int)score.dim[1];
        for (int eleven = 0; eleven < 2; eleven++) {
            struct average_precision *ranked;
            double mean[2] = {0};
            assert_int_equal(average_precision_create(&ranked, reference_f32(score), reference_u8(member), score.dim[0],
                                                      classes, eleven == 1, NULL),
                             SIMCLR_OK);
            for (int repeated = 0; repeated < 2; repeated++)
                for (int c = 0; c < classes; c++) {
                    const double value = reference_number(want, (repeated * classes + c) * 2 + eleven);
                    assert_close(average_precision_of(ranked, c, repeated ? times : NULL), value);
                    mean[repeated] += value / classes;
                }
            assert_close(average_precision_mean(ranked, NULL), mean[0]);
            assert_close(average_precision_resampled(ranked, times, score.dim[0]), mean[1]);
            memory_free(ranked);
        }
    }
}

/* By hand: of the class are the 1st, the 3rd and, of one score with one that is not, the 5th. Recall and precision at
 * each score: 1/3, 1; 2/3, 2/3; 1, 3/6. At recalls of 0 to 0.3 the best is 1, of 0.4 to 0.6 2/3, of 0.7 on 1/2. */
static void a_case_by_hand(void **state)
{
    (void)state;
    const float score[] = {9, 8, 7, 6, 5, 5, 4};
    const uint8_t member[] = {MEMBER_YES, MEMBER_NO, MEMBER_YES, MEMBER_NO, MEMBER_YES, MEMBER_NO, MEMBER_NO};
    struct average_precision *ranked;
    assert_int_equal(average_precision_create(&ranked, score, member, 7, 1, true, NULL), SIMCLR_OK);
    assert_close(average_precision_of(ranked, 0, NULL), (4 * 1 + 3 * (2.0 / 3) + 4 * 0.5) / 11);
    memory_free(ranked);
    assert_int_equal(average_precision_create(&ranked, score, member, 7, 1, false, NULL), SIMCLR_OK);
    assert_close(average_precision_of(ranked, 0, NULL), (1 + 2.0 / 3 + 0.5) / 3);
    memory_free(ranked);
}

/* One class has no image, one has no image but unknown ones, one has none where its image is not drawn. */
static void a_class_without_images_does_not_count(void **state)
{
    (void)state;
    const float score[] = {1, 1, 1, 3, 0, 2, 2, 2, 2};
    const uint8_t member[] = {MEMBER_NO, MEMBER_UNKNOWN, MEMBER_NO,      MEMBER_NO, MEMBER_NO,
                              MEMBER_NO, MEMBER_NO,      MEMBER_UNKNOWN, MEMBER_YES};
    const uint32_t without[] = {2, 1, 0};
    struct average_precision *ranked;
    assert_int_equal(average_precision_create(&ranked, score, member, 3, 3, true, NULL), SIMCLR_OK);
    assert_true(isnan(average_precision_of(ranked, 0, NULL)) && isnan(average_precision_of(ranked, 1, NULL)));
    assert_close(average_precision_mean(ranked, NULL), 0.5); /* one of the two with the largest score */
    assert_true(isnan(average_precision_mean(ranked, without)));
    memory_free(ranked);
    for (long n = 1; n <= 2; n++) {
        memory_fail_after(n);
        assert_int_equal(average_precision_create(&ranked, score, member, 3, 3, true, NULL), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
}

/* ---- intervals ------------------------------------------------------------------------------------------------ */

enum { REPETITIONS = 200, IMAGES = 600, CLASSES = 4, OTHERS = 1500 };

/* Images of classes of several sizes, with normal scores; those of the class are `apart` higher. */
static struct average_precision *draw(uint32_t number, double apart, bool eleven)
{
    static const double share[CLASSES] = {0.03, 0.1, 0.2, 0.4};
    static float score[IMAGES * CLASSES];
    static uint8_t member[IMAGES * CLASSES];
    struct rng rng = rng_open(79, RNG_TEST, 0, number, 0);
    for (int i = 0; i < IMAGES * CLASSES; i++) {
        member[i] = rng_uniform(&rng) < share[i % CLASSES] ? MEMBER_YES : MEMBER_NO;
        score[i] = (float)(rng_normal(&rng) + (member[i] == MEMBER_YES ? apart : 0));
    }
    struct average_precision *ranked;
    assert_int_equal(average_precision_create(&ranked, score, member, IMAGES, CLASSES, eleven, NULL), SIMCLR_OK);
    return ranked;
}

/* Over test sets of this size: the largest of precisions depends on it. */
static double expected(double apart, bool eleven)
{
    double sum = 0;
    for (uint32_t r = 0; r < OTHERS; r++) {
        struct average_precision *ranked = draw(REPETITIONS + r, apart, eleven);
        sum += average_precision_mean(ranked, NULL);
        memory_free(ranked);
    }
    return sum / OTHERS;
}

static void assert_coverage(double apart, bool eleven)
{
    const double truth = expected(apart, eleven);
    int held = 0;
    for (uint32_t r = 0; r < REPETITIONS; r++) {
        struct average_precision *ranked = draw(r, apart, eleven);
        const struct bootstrap_args args = {.metric = average_precision_resampled,
                                            .context = ranked,
                                            .count = IMAGES,
                                            .resamples = 400, /* the program's 2,000 take five times as long */
                                            .seed = r};
        struct interval got;
        assert_int_equal(statistics_bootstrap(&got, pools[1], &args, NULL), SIMCLR_OK);
        held += got.low <= truth && truth <= got.high;
        memory_free(ranked);
    }
    if (held < REPETITIONS * 90 / 100 || held > REPETITIONS * 99 / 100)
        fail_msg("%d of %d intervals hold the truth, %g apart, eleven %d", held, REPETITIONS, apart, eleven);
}

/* In 200 synthetic repetitions the 95 % intervals hold the truth in 90 to 99 %, where scores tell nothing too. */
static void intervals_hold_the_truth(void **state)
{
    (void)state;
    static const double apart[] = {0, 1.5};
    for (int i = 0; i < 2; i++) {
        assert_coverage(apart[i], false);
        assert_coverage(apart[i], true);
    }
}

/* ---- the classifiers ------------------------------------------------------------------------------------------- */

/* Their log odds on the rows that they were fitted on; the second case is one of few rows of many features. */
static void classifiers_match_scikit_learn(void **state)
{
    (void)state;
    for (int number = 0; number < 2; number++) {
        const struct reference_tensor x = reference_get(&file, "fit%d.x", number);
        const struct reference_tensor member = reference_get(&file, "fit%d.member", number);
        const struct reference_tensor want = reference_get(&file, "fit%d.score", number);
        const struct one_vs_rest_args args = {.x = reference_f32(x),
                                              .member = reference_u8(member),
                                              .rows = x.dim[0],
                                              .dim = (int)x.dim[1],
                                              .classes = (int)member.dim[1],
                                              .max_iterations = 1000,
                                              .l2 = reference_number(reference_get(&file, "fit%d.l2", number), 0)};
        float *first = NULL;
        const size_t cells = (size_t)args.rows * (size_t)args.classes;
        for (int p = 0; p < 3; p++) {
            struct one_vs_rest fit;
            struct backend *backend;
            struct error error = {0};
            float *score = memory_array(cells, sizeof *score);
            assert_int_equal(backend_create("cpu", simd_machine(), pools[p], &backend, &error), SIMCLR_OK);
            if (one_vs_rest_fit(backend, &args, 7, &fit, &error)) fail_msg("%s", error.text);
            assert_int_equal(fit.fitted, args.classes);
            assert_true(fit.folds > 0 && fit.held_out > 0 && fit.cut == 0 && fit.held_out_map > 0.3);
            assert_int_equal(one_vs_rest_score(backend, &fit, args.x, args.rows, score, &error), SIMCLR_OK);
            for (size_t i = 0; i < cells; i++) {
                const double value = reference_number(want, (int64_t)i);
                if (fabs((double)score[i] - value) > 2e-4 * fmax(1, fabs(value)))
                    fail_msg("case %d, %zu: %g is not %g", number, i, (double)score[i], value);
            }
            if (first) assert_memory_equal(score, first, cells * sizeof *score);
            if (first) memory_free(score);
            if (!first) first = score;
            one_vs_rest_free(&fit);
            backend_destroy(&backend);
        }
        memory_free(first);
    }
}

/* Of three penalties the one is taken whose classifiers put what is held out in the best order; of equal ones the
 * strongest. Most features are noise, so that weak penalties fit it. */
static void the_penalty_is_chosen_by_what_is_held_out(void **state)
{
    (void)state;
    enum { ROWS = 200, DIM = 60, KINDS = 2, PENALTIES = 3 };
    static const double grid[PENALTIES] = {1, 0.1, 1e-6};
    static float x[ROWS * DIM];
    static uint8_t member[ROWS * KINDS];
    struct backend *backend;
    assert_int_equal(backend_create("cpu", simd_machine(), pools[0], &backend, NULL), SIMCLR_OK);
    bool weakest = false, strongest = false;
    for (uint32_t trial = 0; trial < 4; trial++) {
        struct rng rng = rng_open(83, RNG_TEST, 0, trial, 0);
        for (int i = 0; i < ROWS * KINDS; i++) member[i] = rng_uniform(&rng) < 0.3 ? MEMBER_YES : MEMBER_NO;
        for (int i = 0; i < ROWS * DIM; i++) {
            const bool tells = i % DIM < KINDS && member[i / DIM * KINDS + i % DIM] == MEMBER_YES;
            x[i] = (float)(rng_normal(&rng) + (tells ? 0.7 : 0));
        }
        struct one_vs_rest_args args = {
            .x = x, .member = member, .rows = ROWS, .dim = DIM, .classes = KINDS, .max_iterations = 300};
        struct one_vs_rest fit;
        double best = 0, held_out[PENALTIES];
        int chosen = 0;
        for (int i = 0; i < PENALTIES; i++) {
            args.l2 = grid[i];
            assert_int_equal(one_vs_rest_fit(backend, &args, trial, &fit, NULL), SIMCLR_OK);
            held_out[i] = fit.held_out_map;
            if (held_out[i] > best) best = held_out[i], chosen = i;
            one_vs_rest_free(&fit);
        }
        args.l2 = -1;
        args.grid = grid;
        args.grid_count = PENALTIES;
        assert_int_equal(one_vs_rest_fit(backend, &args, trial, &fit, NULL), SIMCLR_OK);
        /* weaker ones start where a stronger one ended, so the optimum is met to the tolerance only */
        assert_true(fabs(fit.held_out_map - best) < 0.02);
        if (fabs(held_out[chosen] - held_out[(chosen + 1) % PENALTIES]) > 0.02) assert_true(fit.l2 == grid[chosen]);
        weakest |= held_out[PENALTIES - 1] < best - 0.02;
        strongest |= fit.l2 > grid[PENALTIES - 1];
        one_vs_rest_free(&fit);
    }
    assert_true(weakest && strongest);
    backend_destroy(&backend);
}

/* What can't be fitted is said, or has scores of 0. */
static void classes_of_one_kind_are_not_fitted(void **state)
{
    (void)state;
    enum { ROWS = 40 };
    float x[ROWS], score[ROWS * 2];
    uint8_t both[ROWS * 2], none[ROWS * 2];
    struct backend *backend;
    struct error error = {0};
    assert_int_equal(backend_create("cpu", simd_machine(), pools[0], &backend, NULL), SIMCLR_OK);
    for (int i = 0; i < ROWS; i++) {
        x[i] = (float)(i % 7);
        both[2 * i] = i % 7 > 3 ? MEMBER_YES : MEMBER_NO;
        both[2 * i + 1] = MEMBER_YES;
        none[2 * i] = none[2 * i + 1] = MEMBER_NO;
    }
    struct one_vs_rest_args args = {
        .x = x, .member = both, .rows = ROWS, .dim = 1, .classes = 2, .max_iterations = 100, .l2 = -1};
    struct one_vs_rest fit;
    assert_int_equal(one_vs_rest_fit(backend, &args, 1, &fit, &error), SIMCLR_OK);
    assert_int_equal(fit.fitted, 1);
    assert_int_equal(one_vs_rest_score(backend, &fit, x, ROWS, score, &error), SIMCLR_OK);
    for (int i = 0; i < ROWS; i++) {
        assert_true(score[2 * i + 1] == 0);
        assert_int_equal(score[2 * i] > 0, both[2 * i] == MEMBER_YES);
    }
    one_vs_rest_free(&fit);
    args.member = none;
    assert_int_equal(one_vs_rest_fit(backend, &args, 1, &fit, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "no image of any class is held out"));
    args.l2 = 1;
    assert_int_equal(one_vs_rest_fit(backend, &args, 1, &fit, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "no class has training images that are of it and others that are not"));
    args.member = both;
    int status = SIMCLR_NO_MEMORY;
    long n = 1;
    for (; status == SIMCLR_NO_MEMORY; n++) {
        memory_fail_after(n);
        status = one_vs_rest_fit(backend, &args, 1, &fit, &error);
        memory_fail_after(0);
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(n > 20);
    one_vs_rest_free(&fit);
    backend_destroy(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_match_python),
        cmocka_unit_test(a_case_by_hand),
        cmocka_unit_test(a_class_without_images_does_not_count),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(classifiers_match_scikit_learn),
        cmocka_unit_test(the_penalty_is_chosen_by_what_is_held_out),
        cmocka_unit_test(classes_of_one_kind_are_not_fitted),
    };
    return scores_run(tests, "average_precision", &file, pools);
}
