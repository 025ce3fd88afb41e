/* Figures: values per image become values, intervals, runs and comparisons; a classifier's file says what the sweep's
 * classifier says. */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/clustering.h"
#include "evaluate/classifier.h"
#include "evaluate/figure.h"

static struct pool *pool;

enum { IMAGES = 120 };
static int32_t labels[IMAGES];
static uint8_t leaked[IMAGES];

/* Class 0 has three of four images. */
static struct figure_images some_images(void)
{
    for (int i = 0; i < IMAGES; i++) labels[i] = i % 4 == 3;
    return (struct figure_images){.count = IMAGES, .labels = labels, .classes = 3, .seed = 1};
}

static double *values(double (*of)(int i))
{
    double *out = memory_array(IMAGES, sizeof *out);
    for (int i = 0; i < IMAGES; i++) out[i] = of(i);
    return out;
}

static double of_first_class(int i)
{
    return i % 4 != 3;
}

static double first_twenty(int i)
{
    return i < 20;
}

static double with_gaps(int i)
{
    return i % 2 ? NAN : 0.25;
}

static double value_of(enum figure_kind kind, const double *per_image, const struct figure_images *images,
                       const uint8_t *skip, int64_t *counted)
{
    double out;
    assert_int_equal(figure_value(&out, kind, per_image, images, skip, counted, NULL), SIMCLR_OK);
    return out;
}

static void values_are_means(void **state)
{
    (void)state;
    struct figure_images images = some_images();
    int64_t counted;
    double *right = values(of_first_class), *gaps = values(with_gaps);
    assert_true(fabs(value_of(FIGURE_SHARE, right, &images, NULL, &counted) - 0.75) < 1e-12);
    assert_int_equal(counted, IMAGES);
    assert_true(fabs(value_of(FIGURE_CLASS_MEAN, right, &images, NULL, &counted) - 0.5) < 1e-12); /* 1 and 0 */
    assert_true(value_of(FIGURE_MEAN, gaps, &images, NULL, &counted) == 0.25);
    assert_int_equal(counted, IMAGES / 2);
    memset(leaked, 1, sizeof leaked);
    assert_true(isnan(value_of(FIGURE_MEAN, gaps, &images, leaked, &counted)));
    memory_free(right);
    memory_free(gaps);
}

static struct figure make(double *per_image, enum metric metric, enum figure_kind kind, enum evaluation_source source)
{
    const struct figure_images images = some_images();
    struct figure figure = {
        .protocol = "knn", .metric = metric, .kind = kind, .source = source, .per_image = per_image};
    figure.varied = "the seed";
    if (per_image) figure.value = value_of(kind, per_image, &images, NULL, &figure.images);
    return figure;
}

static void add(struct figures *figures, const struct figure *figure)
{
    assert_int_equal(figures_add(figures, figure, NULL), SIMCLR_OK);
}

static void runs_have_an_interval_where_they_differ(void **state)
{
    (void)state;
    struct figures figures = {0};
    struct figure_images images = some_images();
    memset(leaked, 0, sizeof leaked);
    for (int i = 0; i < 60; i++) leaked[i] = 1;
    images.leaked = leaked;
    struct figure first = make(values(first_twenty), METRIC_TOP1, FIGURE_SHARE, SOURCE_TRAINED);
    add(&figures, &first);
    for (int run = 1; run < 3; run++) {
        struct figure again = make(values(first_twenty), METRIC_TOP1, FIGURE_SHARE, SOURCE_TRAINED);
        again.value = 0.1 * run;
        add(&figures, &again);
        struct figure other = make(NULL, METRIC_NMI, FIGURE_NUMBER, SOURCE_TRAINED);
        other.value = run == 1 ? 0.5 : nextafter(0.5, 1); /* the same but for rounding */
        add(&figures, &other);
    }
    assert_int_equal(figures.count, 2);
    assert_int_equal(figures_finish(&figures, pool, &images, NULL), SIMCLR_OK);
    const struct figure *share = &figures.item[0], *number = &figures.item[1];
    assert_int_equal(share->run_count, 3);
    assert_true(fabs(share->value - 1.0 / 6) < 1e-12 && fabs(share->mean - (1.0 / 6 + 0.3) / 3) < 1e-12);
    assert_true(share->over_runs.low < share->mean && share->over_runs.high > share->mean);
    assert_true(share->over_images.low < share->value && share->over_images.high > share->value);
    assert_true(share->without_leaks == 0); /* all that was right was seen in training */
    assert_int_equal(number->run_count, 2);
    assert_true(fabs(number->mean - 0.5) < 1e-12 && isnan(number->over_runs.low) && isnan(number->over_images.low));
    figures_free(&figures);
}

static double few_more(int i)
{
    return i < 29;
}

static double some_more(int i)
{
    return i < 24;
}

/* p from b = 9, c = 0 is 2 / 2^9; from b = 4, c = 0 it is 0.125: never better. */
static void better_needs_a_small_p(void **state)
{
    (void)state;
    const struct figure_images images = some_images();
    struct comparison comparison;
    struct figure less = make(values(first_twenty), METRIC_TOP1, FIGURE_SHARE, SOURCE_OTHER);
    struct figure more = make(values(few_more), METRIC_TOP1, FIGURE_SHARE, SOURCE_TRAINED);
    struct figure some = make(values(some_more), METRIC_TOP1, FIGURE_SHARE, SOURCE_TRAINED);
    assert_int_equal(figure_compare(&comparison, &more, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(fabs(comparison.p - 2 / 512.0) < 1e-12 && comparison.only_first == 9 && comparison.only_second == 0);
    assert_string_equal(comparison.verdict, "better");
    assert_true(comparison.interval.low > 0 && fabs(comparison.difference - 9.0 / IMAGES) < 1e-12);
    assert_int_equal(figure_compare(&comparison, &less, &more, pool, &images, NULL), SIMCLR_OK);
    assert_string_equal(comparison.verdict, "worse");
    assert_int_equal(figure_compare(&comparison, &some, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(fabs(comparison.p - 0.125) < 1e-12);
    assert_string_equal(comparison.verdict, "not told apart");
    assert_int_equal(figure_compare(&comparison, &less, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(comparison.p == 1);
    assert_string_equal(comparison.verdict, "not told apart");

    /* Of a loss the lower is the better; permutations find what McNemar finds, and a mean per class too. */
    more.kind = less.kind = FIGURE_MEAN;
    more.metric = less.metric = METRIC_NLL;
    assert_int_equal(figure_compare(&comparison, &more, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(fabs(comparison.p - 2 / 512.0) < 1e-3);
    assert_string_equal(comparison.verdict, "worse");
    more.kind = less.kind = FIGURE_CLASS_MEAN;
    more.metric = less.metric = METRIC_PER_CLASS;
    assert_int_equal(figure_compare(&comparison, &more, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(comparison.p < 0.05);
    assert_string_equal(comparison.verdict, "better");
    memory_free(less.per_image);
    memory_free(more.per_image);
    memory_free(some.per_image);
}

static void standardisation_is_folded_in(void **state)
{
    (void)state;
    enum { ROWS = 40, DIM = 5, CLASSES = 3 };
    float x[ROWS * DIM], logits[ROWS * CLASSES];
    double weight[CLASSES * DIM], bias[CLASSES], mean[DIM], scale[DIM];
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    struct backend *backend = NULL;
    struct classifier classifier;
    for (int i = 0; i < ROWS * DIM; i++) x[i] = (float)(rng_normal(&rng) * 3 + 1);
    for (int i = 0; i < CLASSES * DIM; i++) weight[i] = rng_normal(&rng);
    for (int i = 0; i < CLASSES; i++) bias[i] = rng_normal(&rng);
    for (int i = 0; i < DIM; i++) mean[i] = 1 + rng_normal(&rng);
    for (int i = 0; i < DIM; i++) scale[i] = i == 2 ? 0 : rng_uniform(&rng); /* a constant column */
    const struct logistic_sweep sweep = {.dim = DIM,
                                         .classes = CLASSES,
                                         .temperature = 1.5,
                                         .weight = weight,
                                         .bias = bias,
                                         .mean = mean,
                                         .scale = scale};
    assert_int_equal(backend_create("ref", simd_machine(), pool, &backend, NULL), SIMCLR_OK);
    assert_int_equal(logistic_predict(backend, &sweep, x, ROWS, logits, NULL), SIMCLR_OK);
    assert_int_equal(classifier_from_sweep(&classifier, &sweep, NULL), SIMCLR_OK);
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < CLASSES; c++) {
            double standardised = bias[c], sum = (double)classifier.bias[c];
            for (int d = 0; d < DIM; d++) {
                standardised += weight[c * DIM + d] * ((double)x[i * DIM + d] - mean[d]) * scale[d];
                sum += (double)classifier.weight[c * DIM + d] * (double)x[i * DIM + d];
            }
            assert_true(fabs(sum - standardised) < 1e-5);
            assert_true(fabs((double)logits[i * CLASSES + c] - standardised) < 1e-5);
        }
    assert_true(classifier.temperature == 1.5);
    classifier_free(&classifier);
    backend_destroy(&backend);
}

/* ---- how often intervals hold the truth -------------------------------------------------------------------------- */

enum { REPETITIONS = 200 };

/* The interval of a figure, as `evaluate` finds it. per_image and context are taken over. */
static struct interval interval_of(struct figure figure, const struct figure_images *images)
{
    struct figures figures = {0};
    add(&figures, &figure);
    assert_int_equal(figures_finish(&figures, pool, images, NULL), SIMCLR_OK);
    const struct interval got = figures.item[0].over_images;
    figures_free(&figures);
    assert_false(got.low > figure.value || figure.value > got.high);
    return got;
}

/* Partitions that agree in a share of rows, and else by chance: their true nmi, and one interval of a sample. */
enum { ROWS = 250, GROUPS = 5 };

static double true_nmi(double agree)
{
    const double side = 1.0 / GROUPS, other = (1 - agree) * side * side, same = agree * side + other;
    const double information =
        GROUPS * same * log(same / (side * side)) + GROUPS * (GROUPS - 1) * other * log(other / (side * side));
    return agree > 0 ? information / log(GROUPS) : 0;
}

static struct interval nmi_of(const int32_t *cluster, const int32_t *label, uint32_t seed)
{
    struct clustering_args *args = memory_allocate(sizeof *args + 2 * ROWS * sizeof(int32_t));
    int32_t *copy = (int32_t *)(void *)(args + 1);
    struct clustering found;
    const struct figure_images images = {.count = ROWS, .labels = copy + ROWS, .classes = GROUPS, .seed = seed};
    memcpy(copy, cluster, ROWS * sizeof *copy);
    memcpy(copy + ROWS, label, ROWS * sizeof *copy);
    *args = (struct clustering_args){copy, copy + ROWS, ROWS, GROUPS, GROUPS};
    assert_int_equal(clustering_compare(&found, NULL, args, NULL), SIMCLR_OK);
    const struct figure figure = {.protocol = "cluster",
                                  .metric = METRIC_NMI,
                                  .value = found.nmi,
                                  .images = ROWS,
                                  .resampled = clustering_resampled_nmi,
                                  .basic = true,
                                  .context = args};
    return interval_of(figure, &images);
}

static struct interval sample_nmi(double agree, uint32_t number, uint32_t r)
{
    struct rng rng = rng_open(74, RNG_TEST, number, r, 0);
    int32_t label[ROWS], cluster[ROWS];
    for (int i = 0; i < ROWS; i++) {
        label[i] = (int32_t)rng_below(&rng, GROUPS);
        cluster[i] = rng_uniform(&rng) < agree ? label[i] : (int32_t)rng_below(&rng, GROUPS);
    }
    return nmi_of(cluster, label, r);
}

/* In 200 synthetic repetitions the 95 % intervals hold the truth in 90 to 99 %. Chance puts nmi above the truth, and
 * that of a resample once more: percentiles would hold 0 never. The interval ends at 0 there and has nothing to miss on
 * that side, so it holds 0 nearly always. */
static void intervals_hold_the_true_nmi(void **state)
{
    (void)state;
    static const struct {
        double agree, width;
        int least, most; /* of 100 */
    } cases[] = {{0, 0.03, 99, 100}, {0.3, 0.15, 90, 99}, {0.6, 0.25, 90, 99}, {0.95, 0.4, 90, 99}};
    for (uint32_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double truth = true_nmi(cases[k].agree);
        double width = 0;
        int held = 0;
        for (uint32_t r = 0; r < REPETITIONS; r++) {
            const struct interval got = sample_nmi(cases[k].agree, k, r);
            held += got.low <= truth && truth <= got.high;
            width += (got.high - got.low) / REPETITIONS;
        }
        if (held < REPETITIONS * cases[k].least / 100 || held > REPETITIONS * cases[k].most / 100 ||
            width > cases[k].width)
            fail_msg("%d of %d intervals hold %g, their mean width is %g", held, REPETITIONS, truth, width);
    }
}

/* Of one to three rows that disagree one resample in forty has none: how much is missing is not known from below. With
 * none at all there is no interval. */
static void a_few_rows_that_disagree_leave_the_low_end_open(void **state)
{
    (void)state;
    int32_t label[ROWS], cluster[ROWS];
    for (uint32_t r = 0; r < 24; r++) {
        struct rng rng = rng_open(81, RNG_TEST, 0, r, 0);
        const int off = (int)(r % 4);
        for (int i = 0; i < ROWS; i++) {
            label[i] = i < GROUPS ? i : (int32_t)rng_below(&rng, GROUPS);
            cluster[i] = i < off ? (label[i] + 1) % GROUPS : label[i];
        }
        const struct interval got = nmi_of(cluster, label, r);
        if (off > 0 ? !(got.low == 0 && got.high < 1) : !isnan(got.low) || !isnan(got.high))
            fail_msg("%d rows disagree: %g to %g", off, got.low, got.high);
    }
}

/* Classes of like size and of very different ones, of middling accuracies and of ones near 1, few classes and many. */
enum { MOST_CLASSES = 400 };

static const struct class_case {
    int drawn, classes;
    double share[5], accuracy[5]; /* of more classes: all alike, the first of each counts */
} class_cases[] = {
    {300, 5, {0.2, 0.2, 0.2, 0.2, 0.2}, {0.9, 0.8, 0.7, 0.6, 0.5}},
    {300, 5, {0.5, 0.25, 0.15, 0.07, 0.03}, {0.9, 0.8, 0.7, 0.6, 0.5}},
    {500, 5, {0.4, 0.3, 0.2, 0.07, 0.03}, {0.95, 0.95, 0.95, 0.95, 0.95}},
    {100, 5, {0.2, 0.2, 0.2, 0.2, 0.2}, {0.95, 0.96, 0.97, 0.98, 0.99}},
    {60, 3, {0.34, 0.33, 0.33}, {0.99, 0.99, 0.99}},
    {30, 2, {0.5, 0.5}, {0.6, 0.6}},
    {2000, MOST_CLASSES, {1.0 / MOST_CLASSES}, {0.99}},
    {2000, MOST_CLASSES, {1.0 / MOST_CLASSES}, {0.7}},
};

static struct interval sample_class_mean(const struct class_case *of, uint32_t number, uint32_t r)
{
    struct rng rng = rng_open(80, RNG_TEST, number, r, 0);
    int32_t *drawn = memory_array((size_t)of->drawn, sizeof *drawn);
    const struct figure_images images = {.count = of->drawn, .labels = drawn, .classes = of->classes, .seed = r};
    struct figure figure = {.protocol = "linear", .metric = METRIC_PER_CLASS, .kind = FIGURE_CLASS_MEAN};
    figure.per_image = memory_array((size_t)of->drawn, sizeof *figure.per_image);
    assert_true(drawn && figure.per_image);
    for (int i = 0; i < of->drawn; i++) {
        double u = rng_uniform(&rng);
        if (of->classes > 5) drawn[i] = (int32_t)(u * of->classes);
        for (; of->classes <= 5 && drawn[i] < of->classes - 1 && u >= of->share[drawn[i]]; drawn[i]++)
            u -= of->share[drawn[i]];
        figure.per_image[i] = rng_uniform(&rng) < of->accuracy[of->classes > 5 ? 0 : drawn[i]];
    }
    figure.value = value_of(figure.kind, figure.per_image, &images, NULL, &figure.images);
    const struct interval got = interval_of(figure, &images);
    memory_free(drawn);
    return got;
}

static void intervals_hold_the_true_mean_per_class(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < sizeof class_cases / sizeof *class_cases; k++) {
        const struct class_case *of = &class_cases[k];
        double truth = of->classes > 5 ? of->accuracy[0] : 0;
        int held = 0;
        for (int c = 0; of->classes <= 5 && c < of->classes; c++) truth += of->accuracy[c] / of->classes;
        for (uint32_t r = 0; r < REPETITIONS; r++) {
            const struct interval got = sample_class_mean(of, k, r);
            held += got.low <= truth && truth <= got.high;
        }
        if (held < REPETITIONS * 90 / 100 || held > REPETITIONS * 99 / 100)
            fail_msg("case %d: %d of %d intervals hold %g", (int)k, held, REPETITIONS, truth);
    }
}

static double one_and_a_tenth(int i)
{
    return i % 4 != 3 ? 1 : 0.1; /* by class */
}

static double a_tenth(int i)
{
    (void)i;
    return 0.1;
}

static double a_tenth_more(int i)
{
    return i % 4 != 3 ? 1.1 : 0.2;
}

/* Wilson's intervals stay; a bootstrap's would have no width, and so would that of a difference. */
static void equal_values_have_no_interval(void **state)
{
    (void)state;
    const struct figure_images images = some_images();
    double (*const equal[])(int) = {a_tenth, one_and_a_tenth, first_twenty, of_first_class};
    const enum figure_kind kinds[] = {FIGURE_MEAN, FIGURE_MEAN, FIGURE_SHARE, FIGURE_CLASS_MEAN};
    const bool known[] = {false, true, true, true};
    for (int i = 0; i < 4; i++) {
        struct figures figures = {0};
        struct figure figure = make(values(equal[i]), METRIC_BRIER, kinds[i], SOURCE_TRAINED);
        add(&figures, &figure);
        assert_int_equal(figures_finish(&figures, pool, &images, NULL), SIMCLR_OK);
        const struct interval got = figures.item[0].over_images;
        assert_true(known[i] ? got.low < got.high : isnan(got.low) && isnan(got.high));
        figures_free(&figures);
    }
    struct comparison comparison;
    struct figure less = make(values(one_and_a_tenth), METRIC_BRIER, FIGURE_MEAN, SOURCE_OTHER);
    struct figure more = make(values(a_tenth_more), METRIC_BRIER, FIGURE_MEAN, SOURCE_TRAINED);
    assert_int_equal(figure_compare(&comparison, &less, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(comparison.difference == 0 && comparison.p == 1);
    assert_true(isnan(comparison.interval.low) && isnan(comparison.interval.high));
    assert_int_equal(figure_compare(&comparison, &more, &less, pool, &images, NULL), SIMCLR_OK);
    assert_true(fabs(comparison.difference - 0.1) < 1e-12 && comparison.p < 0.05);
    assert_true(isnan(comparison.interval.low) && isnan(comparison.interval.high));
    memory_free(less.per_image);
    memory_free(more.per_image);
}

static double always(void *context, const uint32_t *times, int64_t count)
{
    (void)times, (void)count;
    return *(const double *)context;
}

/* An interval of no width would promise what nobody knows. Where a protocol gives the value without leaks it stays. */
static void equal_resamples_have_no_interval(void **state)
{
    (void)state;
    const int32_t classes[] = {0, 1, 0, 1};
    const struct figure_images images = {.count = 4, .labels = classes, .classes = 2};
    for (int given = 0; given < 2; given++) {
        struct figures figures = {0};
        double *value = memory_array(1, sizeof *value);
        *value = 1;
        const struct figure figure = {.protocol = "multilabel",
                                      .metric = METRIC_MAP,
                                      .value = 1,
                                      .images = 4,
                                      .without_leaks = 0.5,
                                      .without_is_given = given == 1,
                                      .resampled = always,
                                      .context = value};
        assert_int_equal(figures_add(&figures, &figure, NULL), SIMCLR_OK);
        assert_int_equal(figures_finish(&figures, pool, &images, NULL), SIMCLR_OK);
        assert_true(isnan(figures.item[0].over_images.low) && isnan(figures.item[0].over_images.high));
        assert_true(given ? figures.item[0].without_leaks == 0.5 : isnan(figures.item[0].without_leaks));
        figures_free(&figures);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_means),
        cmocka_unit_test(runs_have_an_interval_where_they_differ),
        cmocka_unit_test(better_needs_a_small_p),
        cmocka_unit_test(intervals_hold_the_true_nmi),
        cmocka_unit_test(a_few_rows_that_disagree_leave_the_low_end_open),
        cmocka_unit_test(intervals_hold_the_true_mean_per_class),
        cmocka_unit_test(equal_resamples_have_no_interval),
        cmocka_unit_test(equal_values_have_no_interval),
        cmocka_unit_test(standardisation_is_folded_in),
    };
    if (pool_create(&pool, 2, NULL) != SIMCLR_OK) return 1;
    const int failed = run_cases(tests, NULL, NULL);
    pool_destroy(&pool);
    return failed;
}
