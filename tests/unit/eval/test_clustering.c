/* NMI, the adjusted Rand index and matched accuracy against scikit-learn and SciPy (tools/make_golden_scores.py), and
 * the matching against every other one. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/clustering.h"
#include "eval/statistics.h"
#include "support/scores.h"

static struct reference file;
static struct pool *pools[3];

static void figures_match_scikit_learn(void **state)
{
    (void)state;
    for (int number = 0; number < 7; number++) {
        const struct reference_tensor cluster = reference_get(&file, "case%d.cluster", number);
        const struct reference_tensor sizes = reference_get(&file, "case%d.sizes", number);
        const struct reference_tensor want = reference_get(&file, "case%d.figures", number);
        const struct clustering_args args = {.cluster = reference_typed(cluster, "I32"),
                                             .label =
                                                 reference_typed(reference_get(&file, "case%d.label", number), "I32"),
                                             .rows = cluster.count,
                                             .clusters = (int)reference_number(sizes, 0),
                                             .classes = (int)reference_number(sizes, 1)};
        struct clustering got;
        int32_t match[12];
        assert_int_equal(clustering_compare(&got, match, &args, NULL), SIMCLR_OK);
        assert_close(got.nmi, reference_number(want, 0));
        assert_close(got.ari, reference_number(want, 1));
        assert_close(got.accuracy, reference_number(want, 2));
        assert_int_equal(got.rows, args.rows);
        int64_t right = 0; /* the match that is told is the one that was counted */
        for (int64_t i = 0; i < args.rows; i++) right += match[args.cluster[i]] == args.label[i];
        assert_close((double)right / (double)args.rows, got.accuracy);
    }
}

/* The most rows that any one-to-one matching of clusters from `cluster` on puts right. */
static int most_right(int counts[5][5], int cluster, unsigned taken)
{
    int most = 0;
    if (cluster == 5) return 0;
    for (int label = 0; label < 5; label++) {
        if (taken & 1u << label) continue;
        const int right = counts[cluster][label] + most_right(counts, cluster + 1, taken | 1u << label);
        if (right > most) most = right;
    }
    return most;
}

static void no_matching_is_better(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 300; trial++) {
        struct rng rng = rng_open(91, RNG_TEST, 0, trial, 0);
        int32_t cluster[60], label[60];
        int counts[5][5] = {{0}};
        for (int i = 0; i < 60; i++) {
            cluster[i] = (int32_t)rng_below(&rng, 5);
            label[i] = (int32_t)rng_below(&rng, 6) - 1;
            if (label[i] >= 0) counts[cluster[i]][label[i]]++;
        }
        const struct clustering_args args = {
            .cluster = cluster, .label = label, .rows = 60, .clusters = 5, .classes = 5};
        struct clustering got;
        assert_int_equal(clustering_compare(&got, NULL, &args, NULL), SIMCLR_OK);
        assert_close(got.accuracy * (double)got.rows, most_right(counts, 0, 0));
        assert_true(got.rows < 60); /* those without a label do not count */
    }
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    const int32_t cluster[] = {0, 1, 2}, label[] = {0, -1, 1}, none[] = {-1, -1, -1};
    struct clustering got;
    struct error error = {0};
    struct clustering_args args = {.cluster = cluster, .label = label, .rows = 3, .clusters = 3, .classes = 2};
    assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_OK);
    args.clusters = 2;
    assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "row 2"));
    args.clusters = 3;
    args.classes = 1;
    assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_DATA);
    args.label = none;
    assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_INVALID);
    args.classes = 1 << 20;
    assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_INVALID);
    args.classes = 2;
    args.label = label;
    for (long n = 1; n <= 9; n++) {
        memory_fail_after(n);
        assert_int_equal(clustering_compare(&got, NULL, &args, &error), SIMCLR_NO_MEMORY);
    }
    memory_fail_after(0);
}

/* Rows drawn twice are rows that are there twice, but no pair; too many groups have no interval. */
static void resamples_are_tables(void **state)
{
    (void)state;
    enum { ROWS = 60 };
    int32_t cluster[2 * ROWS], label[2 * ROWS];
    uint32_t times[ROWS];
    struct clustering want;
    int rows = 0;
    struct clustering_args args = {.cluster = cluster, .label = label, .rows = ROWS, .clusters = 4, .classes = 3};
    for (int i = 0; i < ROWS; i++) {
        cluster[i] = i * 7 % 11 % 4;
        label[i] = i * 5 % 13 % 3;
        times[i] = (uint32_t)(i % 3);
    }
    const double nmi = clustering_resampled_nmi(&args, times, ROWS), ari = clustering_resampled_ari(&args, times, ROWS);
    int32_t drawn_cluster[2 * ROWS], drawn_label[2 * ROWS];
    for (int i = 0; i < ROWS; i++)
        for (uint32_t k = 0; k < times[i]; k++, rows++) {
            drawn_cluster[rows] = cluster[i];
            drawn_label[rows] = label[i];
        }
    const struct clustering_args drawn = {
        .cluster = drawn_cluster, .label = drawn_label, .rows = rows, .clusters = 4, .classes = 3};
    assert_int_equal(clustering_compare(&want, NULL, &drawn, NULL), SIMCLR_OK);
    assert_close(nmi, want.nmi);
    assert_true(ari < want.ari - 1e-3); /* without the pairs of a row and its copy */
    struct clustering_args turned = {.cluster = label, .label = cluster, .rows = ROWS, .clusters = 3, .classes = 4};
    assert_close(clustering_resampled_nmi(&turned, times, ROWS), nmi); /* neither side comes first */
    assert_close(clustering_resampled_ari(&turned, times, ROWS), ari);
    for (int i = 0; i < ROWS; i++) times[i] = i < ROWS / 2;
    args.rows = ROWS / 2;
    assert_int_equal(clustering_compare(&want, NULL, &args, NULL), SIMCLR_OK);
    assert_close(clustering_resampled_ari(&args, times, ROWS), want.ari);
    args.classes = CLUSTERING_RESAMPLED_GROUPS + 1;
    assert_true(isnan(clustering_resampled_nmi(&args, times, ROWS)));
}

/* In 200 synthetic repetitions the 95 % intervals of ari hold the truth in 90 to 99 %, of partitions that agree a
 * little, much and nearly wholly. Of chance they do so nearly always. The truth is that of the shares that rows are
 * drawn by. */
static void intervals_hold_the_true_ari(void **state)
{
    (void)state;
    enum { ROWS = 500, GROUPS = 5, REPETITIONS = 200 };
    static const struct {
        double agree;
        int least, most; /* of 100 */
    } cases[] = {{0, 99, 100}, {0.3, 90, 99}, {0.7, 90, 99}, {0.95, 90, 99}};
    int32_t cluster[ROWS], label[ROWS];
    struct pool *pool;
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double a = cases[k].agree, same = a / GROUPS + (1 - a) / (GROUPS * GROUPS),
                     other = (1 - a) / (GROUPS * GROUPS);
        const double together = GROUPS * same * same + GROUPS * (GROUPS - 1) * other * other, side = 1.0 / GROUPS;
        const double truth = (together - side * side) / (side - side * side);
        int held = 0;
        for (int r = 0; r < REPETITIONS; r++) {
            struct rng rng = rng_open(73, RNG_TEST, (uint32_t)k, (uint32_t)r, 0);
            struct clustering_args rows = {cluster, label, ROWS, GROUPS, GROUPS};
            const struct bootstrap_args args = {.metric = clustering_resampled_ari,
                                                .context = &rows,
                                                .count = ROWS,
                                                .resamples = 400,
                                                .seed = (uint64_t)r};
            struct interval got;
            for (int i = 0; i < ROWS; i++) {
                label[i] = (int32_t)rng_below(&rng, GROUPS);
                cluster[i] = rng_uniform(&rng) < a ? label[i] : (int32_t)rng_below(&rng, GROUPS);
            }
            assert_int_equal(statistics_bootstrap(&got, pool, &args, NULL), SIMCLR_OK);
            held += got.low <= truth && truth <= got.high;
        }
        if (held < REPETITIONS * cases[k].least / 100 || held > REPETITIONS * cases[k].most / 100)
            fail_msg("%g agreeing: %d of %d intervals hold %g", a, held, REPETITIONS, truth);
    }
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_match_scikit_learn),  cmocka_unit_test(no_matching_is_better),
        cmocka_unit_test(bad_input_is_refused),        cmocka_unit_test(resamples_are_tables),
        cmocka_unit_test(intervals_hold_the_true_ari),
    };
    return scores_run(tests, "clustering", &file, pools);
}
