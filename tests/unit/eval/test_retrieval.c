/* recall@k and MAP@R against NumPy (tools/make_golden_scores.py), and what a list of neighbours may not be. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "eval/retrieval.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3];

static const int32_t *whole(const char *what, int number)
{
    return reference_typed(reference_get(&file, "case%d.%s", number, what), "I32");
}

static void assert_figures(const struct retrieval *got, struct reference_tensor want, int64_t first)
{
    for (int c = 0; c < RETRIEVAL_CUTS; c++) assert_close(got->recall[c], reference_number(want, first + c));
    assert_close(got->map_r, reference_number(want, first + RETRIEVAL_CUTS));
}

static void figures_match_python(void **state)
{
    (void)state;
    for (int number = 0; number < 3; number++) {
        const struct reference_tensor list = reference_get(&file, "case%d.neighbours", number);
        const struct reference_tensor want = reference_get(&file, "case%d.figures", number);
        const struct reference_tensor query = reference_get(&file, "case%d.per_query", number);
        const struct reference_tensor classes = reference_get(&file, "case%d.per_class", number);
        const struct retrieval_args args = {.neighbours = whole("neighbours", number),
                                            .labels = whole("labels", number),
                                            .rows = list.dim[0],
                                            .k = (int)list.dim[1],
                                            .classes = 8};
        struct retrieval got, per_class[8];
        double per_query[120];
        assert_int_equal(retrieval_measure(&got, per_class, per_query, &args, NULL), SIMCLR_OK);
        assert_figures(&got, want, 0);
        assert_int_equal(got.queries, (int64_t)reference_number(want, 4));
        assert_int_equal(got.lone, (int64_t)reference_number(want, 5));
        for (int64_t i = 0; i < args.rows; i++) {
            const double expected = reference_number(query, i);
            assert_true(isnan(expected) == isnan(per_query[i]));
            if (!isnan(expected)) assert_close(per_query[i], expected);
        }
        int judged = 0;
        for (int c = 0; c < 8; c++) {
            if (per_class[c].queries > 0)
                assert_figures(&per_class[c], classes, 4 * c);
            else
                assert_true(isnan(per_class[c].map_r) && isnan(reference_number(classes, 4 * c)));
            judged += per_class[c].queries > 0;
        }
        assert_true(judged >= 2);
    }
}

/* By hand: classes 0 0 0 1 1; the first finds one of its two at place 2, so MAP@R = (1/2)(1/2). */
static void a_case_by_hand(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 0, 0, 1, 1};
    const int32_t neighbours[] = {3, 1, 4, 2, /**/ 0, 2, 3, 4, /**/ 4, 3, 1, 0, /**/ 4, 0, 1, 2, /**/ -1, -1, -1, -1};
    const struct retrieval_args args = {.neighbours = neighbours, .labels = labels, .rows = 5, .k = 4, .classes = 2};
    struct retrieval got;
    double per_query[5];
    assert_int_equal(retrieval_measure(&got, NULL, per_query, &args, NULL), SIMCLR_OK);
    static const double want[] = {0.25, 1, 0, 1, 0};
    for (int i = 0; i < 5; i++) assert_true(per_query[i] == want[i]);
    assert_close(got.map_r, 0.45);
    assert_close(got.recall[0], 0.4);
    assert_close(got.recall[1], 0.8); /* the last has no neighbour: a broken row finds nothing */
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    int32_t labels[40] = {0}, neighbours[40 * 12];
    for (int i = 0; i < 40; i++) {
        labels[i] = i % 4;
        for (int j = 0; j < 12; j++) neighbours[i * 12 + j] = (i + j + 1) % 40;
    }
    struct retrieval got;
    struct error error = {0};
    struct retrieval_args args = {.neighbours = neighbours, .labels = labels, .rows = 40, .k = 12, .classes = 4};
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_OK);
    args.k = 9;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "10 nearest"));
    args.k = 12;
    for (int i = 0; i < 40; i++) labels[i] = i % 2;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "19 nearest"));
    for (int i = 0; i < 40; i++) labels[i] = i % 4;
    neighbours[12 * 7 + 3] = 7;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "row 7"));
    neighbours[12 * 7 + 3] = 40;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_INVALID);
    neighbours[12 * 7 + 3] = 1;
    labels[5] = 4;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_DATA);
    labels[5] = 1;
    for (long n = 1; n <= 2; n++) {
        memory_fail_after(n);
        assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
    for (int i = 0; i < 40; i++) labels[i] = -1;
    assert_int_equal(retrieval_measure(&got, NULL, NULL, &args, &error), SIMCLR_OK);
    assert_true(isnan(got.map_r) && got.queries == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_match_python),
        cmocka_unit_test(a_case_by_hand),
        cmocka_unit_test(bad_lists_are_refused),
    };
    return scores_run(tests, "retrieval", &file, pools);
}
