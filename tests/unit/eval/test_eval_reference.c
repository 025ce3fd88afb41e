/* kNN, logistic regression and diagnostics against float64 values, those of the reference folder: on `ref`, and on
 * every variant of the cpu backend that runs here. */
#include "ops/ops.h"

#include <math.h>

#include "base/memory.h"
#include "eval/diagnostics.h"
#include "eval/knn.h"
#include "eval/logistic.h"
#include "support/reference.h"

static struct reference file;
static bool have_reference;

/* ---- every variant ---------------------------------------------------------------------------------------------- */

typedef void on_target(const struct ops_target *target);

struct everywhere {
    on_target *test;
    int count;
};

static void visit(const char *variant, void *context)
{
    struct everywhere *everywhere = context;
    for (int threads = 1; threads <= 2; threads++) {
        struct ops_target target;
        ops_open(&target, variant ? "cpu" : "ref", variant, threads);
        everywhere->test(&target);
        ops_close(&target);
    }
    everywhere->count++;
}

static void everywhere(on_target *test)
{
    struct everywhere each = {.test = test};
    visit(NULL, &each);
    ops_each_variant(visit, &each);
    assert_true(each.count >= 3); /* ref; portable and emulated run anywhere */
}

/* ---- kNN -------------------------------------------------------------------------------------------------------- */

static int32_t *read_labels(const char *name, int64_t *count)
{
    const struct reference_tensor tensor = reference_get(&file, "%s", name);
    int32_t *labels = memory_array((size_t)tensor.count, sizeof *labels);
    assert_non_null(labels);
    for (int64_t i = 0; i < tensor.count; i++) labels[i] = (int32_t)reference_number(tensor, i);
    *count = tensor.count;
    return labels;
}

static void compare_knn(const struct ops_target *target)
{
    int64_t train_count, query_count;
    int32_t *train_labels = read_labels("knn.train_labels", &train_count),
            *query_labels = read_labels("knn.query_labels", &query_count);
    double *votes = memory_array((size_t)query_count * 10, sizeof(double));
    int32_t *predicted = memory_array((size_t)query_count, sizeof(int32_t));
    for (int i = 0; i < 3; i++) {
        const struct knn_args args = {
            .train = reference_f32(reference_get(&file, "knn.train")),
            .train_labels = train_labels,
            .train_count = train_count,
            .query = reference_f32(reference_get(&file, "knn.query")),
            .query_count = query_count,
            .dim = 64,
            .classes = 10,
            .k = (int)reference_number(reference_get(&file, "knn%d.k", i), 0),
            .temperature = reference_number(reference_get(&file, "knn%d.tau", i), 0),
            .votes = votes,
            .predicted = predicted,
        };
        assert_int_equal(knn_classify(target->backend, &args, NULL), SIMCLR_OK);
        const struct reference_tensor want = reference_get(&file, "knn%d.votes", i),
                                      best = reference_get(&file, "knn%d.predicted", i);
        for (int64_t j = 0; j < want.count; j++) {
            const double value = reference_number(want, j);
            if (!(fabs(votes[j] - value) <= 1e-4 * fmax(1, fabs(value))))
                fail_msg("%s: knn%d, vote %lld: %.9g, not %.9g", target->label, i, (long long)j, votes[j], value);
        }
        for (int64_t j = 0; j < best.count; j++)
            if (predicted[j] != (int32_t)reference_number(best, j))
                fail_msg("%s: knn%d, query %lld: class %d", target->label, i, (long long)j, (int)predicted[j]);
    }
    memory_free(train_labels);
    memory_free(query_labels);
    memory_free(votes);
    memory_free(predicted);
}

static void knn_matches_reference(void **state)
{
    (void)state;
    if (!have_reference) skip_reference("evaluation");
    everywhere(compare_knn);
}

/* ---- logistic regression ---------------------------------------------------------------------------------------- */

enum { DIM = 20, CLASSES = 5 };

/* A flat optimum: the objective is the claim, to a millionth of itself. */
static void compare_fit(const struct ops_target *target, const struct logistic_args *args, int number)
{
    double weight[CLASSES * DIM] = {0}, bias[CLASSES] = {0}, difference = 0, norm = 0;
    struct lbfgs_result result;
    assert_int_equal(logistic_fit(target->backend, args, weight, bias, &result, NULL), SIMCLR_OK);
    const double want = reference_number(reference_get(&file, "logistic%d.objective", number), 0);
    if (!(fabs(result.objective - want) <= 1e-6 * fabs(want)))
        fail_msg("%s: logistic%d%s%s: an objective of %.12g, not %.12g", target->label, number,
                 args->columns ? ", by columns" : "", args->preconditioner ? ", preconditioned" : "", result.objective,
                 want);
    const struct reference_tensor optimum = reference_get(&file, "logistic%d.weight", number);
    for (int j = 0; j < CLASSES * DIM; j++) {
        const double value = reference_number(optimum, j);
        difference += (weight[j] - value) * (weight[j] - value);
        norm += value * value;
    }
    assert_true(sqrt(difference / norm) < 1e-2);
}

/* Also by the ways that the sweep takes: x read by columns, and preconditioned. */
static void compare_logistic(const struct ops_target *target)
{
    int64_t rows;
    int32_t *labels = read_labels("logistic.y", &rows);
    const float *x = reference_f32(reference_get(&file, "logistic.x"));
    float *columns = logistic_columns(target->backend, x, rows, DIM, CLASSES);
    struct preconditioner *preconditioner = preconditioner_create(target->backend, x, rows, DIM);
    assert_true(columns && preconditioner);
    for (int i = 0; i < 3; i++)
        for (int way = 0; way < 4; way++) {
            const struct logistic_args args = {
                .x = x,
                .labels = labels,
                .rows = rows,
                .dim = DIM,
                .classes = CLASSES,
                .max_iterations = 1000,
                .l2 = reference_number(reference_get(&file, "logistic%d.l2", i), 0),
                .columns = way & 1 ? columns : NULL,
                .preconditioner = way & 2 ? preconditioner : NULL,
            };
            compare_fit(target, &args, i);
        }
    preconditioner_destroy(&preconditioner);
    memory_free(columns);
    memory_free(labels);
}

static void logistic_matches_reference(void **state)
{
    (void)state;
    if (!have_reference) skip_reference("evaluation");
    everywhere(compare_logistic);
}

/* ---- diagnostics ------------------------------------------------------------------------------------------------ */

/* They use no backend. */
static void diagnostics_match_reference(void **state)
{
    (void)state;
    if (!have_reference) skip_reference("evaluation");
    struct diagnostics got;
    assert_int_equal(diagnostics_run(&got, reference_f32(reference_get(&file, "diagnostics.h")), 128, 64, NULL),
                     SIMCLR_OK);
    assert_true(fabs(got.alignment - reference_number(reference_get(&file, "diagnostics.alignment"), 0)) < 1e-4);
    assert_true(fabs(got.uniformity - reference_number(reference_get(&file, "diagnostics.uniformity"), 0)) < 1e-4);
    const double rank = reference_number(reference_get(&file, "diagnostics.rankme"), 0);
    assert_true(fabs(got.rankme - rank) < 1e-4 * rank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knn_matches_reference),
        cmocka_unit_test(logistic_matches_reference),
        cmocka_unit_test(diagnostics_match_reference),
    };
    have_reference = reference_open(&file, "evaluation");
    ops_report_variants();
    const int failed = run_cases(tests, NULL, NULL);
    reference_close(&file);
    return failed;
}
