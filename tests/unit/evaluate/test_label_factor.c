/* How many times fewer labels: interpolated on the logarithm, and told as a bound where a curve begins above. */
#include "support/run.h"

#include <math.h>

#include "base/rng.h"
#include "base/text.h"
#include "evaluate/suite_report.h"

static void factors_are_interpolated(void **state)
{
    (void)state;
    const struct label_curve ours = {3, {100, 1000, 10000}, {0.5, 0.7, 0.8}};
    struct label_curve supervised = {3, {100, 1000, 10000}, {0.2, 0.5, 0.75}};
    struct label_factor factor;
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.accuracy == 0.75 && factor.bound == 0); /* ours needs 10^3.5 for it, supervised all */
    assert_true(fabs(factor.factor - 10000 / pow(10, 3.5)) < 1e-9);
    supervised.accuracy[2] = 0.5; /* which ours has with its fewest: at least so many times fewer */
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.bound == 1 && fabs(factor.factor - 10) < 1e-9);
    assert_true(label_factor_find(&factor, &supervised, &ours));
    assert_true(factor.bound == -1 && fabs(factor.factor - 0.1) < 1e-9);
    supervised.accuracy[0] = 0.5;
    assert_false(label_factor_find(&factor, &ours, &supervised)); /* both with their fewest: nothing is known */
    supervised.count = 1;
    assert_false(label_factor_find(&factor, &ours, &supervised));
}

/* Accuracies that fall with more labels do not confuse it. */
static void curves_may_fall(void **state)
{
    (void)state;
    const struct label_curve ours = {3, {10, 100, 1000}, {0.3, 0.6, 0.55}};
    const struct label_curve supervised = {3, {10, 100, 1000}, {0.1, 0.05, 0.6}};
    struct label_factor factor;
    assert_true(label_factor_find(&factor, &ours, &supervised));
    assert_true(factor.accuracy == 0.6 && fabs(factor.factor - 10) < 1e-9 && factor.bound == 0);
}

/* The labels of --labels are judged last, and have their place on the curve by their number. As many labels as a share
 * has are no second point of it. */
static void labels_of_any_number_take_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *protocol;
        int64_t labelled;
        double value;
    } rows[] = {{"finetune-1%", 10, 0.2},   {"finetune-100%", 1000, 0.8}, {"finetune-labels", 100, 0.6},
                {"finetune-labels", 10, 1}, {"supervised", 10, 0.1},      {"supervised", 100, 0.3},
                {"supervised", 1000, 0.6}};
    enum { ROWS = sizeof rows / sizeof *rows };
    struct figure figures[ROWS];
    for (int f = 0; f < ROWS; f++)
        figures[f] = (struct figure){.protocol = rows[f].protocol,
                                     .metric = METRIC_TOP1,
                                     .source = f < 4 ? SOURCE_TRAINED : SOURCE_UNTRAINED,
                                     .value = rows[f].value,
                                     .labelled = rows[f].labelled};
    const struct suite suite = {.runs = 1, .figures = {.item = figures, .count = ROWS}};
    struct factors factors;
    assert_true(factors_find(&factors, &suite));
    assert_true(fabs(factors.run[0].accuracy - 0.6) < 1e-12 && fabs(factors.run[0].factor - 10) < 1e-9);
}

/* ---- over runs ---- */

enum { RUNS = 3, SHARES = 3 };

/* Top-1 with 10, 100 and 1,000 labels of fine-tuning and of supervised training. make_curves is told, for each run, the
 * first of these shares that reaches 0.8, the highest accuracy. */
struct curves {
    struct figure figures[2 * SHARES];
    double runs[2 * SHARES][RUNS];
    struct suite suite;
};

static void make_curves(struct curves *out, const int ours[RUNS], const int supervised[RUNS])
{
    static const char *const names[] = {"finetune-1%", "finetune-10%", "finetune-100%"};
    *out = (struct curves){.suite = {.runs = RUNS}};
    for (int f = 0; f < 2 * SHARES; f++) {
        const int share = f % SHARES, *reached = f < SHARES ? ours : supervised;
        for (int run = 0; run < RUNS; run++) out->runs[f][run] = share >= reached[run] ? 0.8 : 0.1 + 0.1 * share;
        out->figures[f] = (struct figure){.protocol = f < SHARES ? names[share] : "supervised",
                                          .metric = METRIC_TOP1,
                                          .source = f < SHARES ? SOURCE_TRAINED : SOURCE_UNTRAINED,
                                          .value = out->runs[f][0],
                                          .labelled = (int64_t)pow(10, 1 + share),
                                          .runs = out->runs[f],
                                          .run_count = RUNS};
    }
    out->suite.figures = (struct figures){.item = out->figures, .count = 2 * SHARES};
}

static void says(const struct factors *factors, const char *words, const char *member)
{
    struct text text = {0}, json = {0};
    factors_markdown(factors, &text);
    text_json_open_object(&json, NULL);
    factors_json(factors, &json);
    text_json_close_object(&json);
    if (!strstr(text.bytes, words)) fail_msg("%s", text.bytes);
    if (!strstr(json.bytes, member)) fail_msg("%s", json.bytes);
    text_free(&text);
    text_free(&json);
}

/* 10, 1 and 1: the mean of logarithms is a third of log 10, their deviation log 10 / sqrt(3). The arithmetic mean was
 * 4, and its interval reached below 0. */
static void runs_have_a_geometric_mean(void **state)
{
    (void)state;
    struct curves curves;
    struct factors factors;
    make_curves(&curves, (int[]){1, 2, 2}, (int[]){2, 2, 2});
    assert_true(factors_find(&factors, &curves.suite));
    const double half = 4.302652729911275 * log(10) / 3; /* t(0.975, 2) */
    assert_int_equal(factors.runs, RUNS);
    assert_true(fabs(factors.mean - cbrt(10)) < 1e-9);
    assert_true(fabs(factors.interval.low / exp(log(10) / 3 - half) - 1) < 1e-9 && factors.interval.low > 0);
    assert_true(fabs(factors.interval.high / exp(log(10) / 3 + half) - 1) < 1e-9);
    says(&factors, "needs 10.00 times the labels of the fine-tuned encoder. Over 3 runs, the geometric mean: 2.15 [",
         "\"geometric_mean\": 2.1544");

    make_curves(&curves, (int[]){1, 1, 1}, (int[]){2, 2, 2}); /* all alike: no interval */
    assert_true(factors_find(&factors, &curves.suite));
    assert_true(fabs(factors.mean - 10) < 1e-9 && isnan(factors.interval.low) && isnan(factors.interval.high));
    says(&factors, "geometric mean: 10.00.\n", "}], \"geometric_mean\": ");
}

static void bounds_have_no_mean(void **state)
{
    (void)state;
    struct curves curves;
    struct factors factors;
    make_curves(&curves, (int[]){1, 0, 2}, (int[]){2, 2, 0});
    assert_true(factors_find(&factors, &curves.suite));
    assert_true(factors.runs == RUNS && isnan(factors.mean) && isnan(factors.interval.low));
    says(&factors, "needs 10.00 times", "\"runs\": [{\"value\": ");
    says(&factors, "Of each run, for the accuracy of that run: 10.00, at least 100.00, at most 0.01.\n",
         "\"accuracy\": 0.8, \"is\": \"at least\"}");

    make_curves(&curves, (int[]){1, 0, 1},
                (int[]){2, 0, 2}); /* of the second nothing is known: the third still counts */
    assert_true(factors_find(&factors, &curves.suite));
    assert_true(factors.runs == RUNS && isnan(factors.mean) && isnan(factors.run[1].factor));
    says(&factors, "run: 10.00, not known, 10.00.\n", "{\"accuracy\": 0.8}");

    make_curves(&curves, (int[]){0, 1, 1}, (int[]){0, 2, 2});
    assert_false(factors_find(&factors, &curves.suite));
}

/* ---- how often the interval holds the truth ---- */

enum { MOST_RUNS = 10 };

struct truth {
    double ours[SHARES], supervised[SHARES];
};

/* The factor of accuracies without noise. */
static double true_factor(const struct truth *truth)
{
    struct label_curve ours = {SHARES, {500, 5000, 50000}, {0}}, supervised = ours;
    struct label_factor factor;
    for (int share = 0; share < SHARES; share++) {
        ours.accuracy[share] = truth->ours[share];
        supervised.accuracy[share] = truth->supervised[share];
    }
    assert_true(label_factor_find(&factor, &ours, &supervised) && factor.bound == 0);
    return factor.factor;
}

/* Of accuracies that every run sees with a noise of its own. */
static void sample_factors(struct factors *out, const struct truth *truth, double noise, int runs, struct rng *rng)
{
    static const char *const names[] = {"finetune-1%", "finetune-10%", "finetune-100%"};
    struct figure figures[2 * SHARES];
    double seen[2 * SHARES][MOST_RUNS];
    for (int f = 0; f < 2 * SHARES; f++) {
        const int share = f % SHARES;
        for (int run = 0; run < runs; run++)
            seen[f][run] = (f < SHARES ? truth->ours : truth->supervised)[share] + noise * rng_normal(rng);
        figures[f] = (struct figure){.protocol = f < SHARES ? names[share] : "supervised",
                                     .metric = METRIC_TOP1,
                                     .source = f < SHARES ? SOURCE_TRAINED : SOURCE_UNTRAINED,
                                     .value = seen[f][0],
                                     .labelled = (int64_t)(500 * pow(10, share)),
                                     .runs = seen[f],
                                     .run_count = runs};
    }
    const struct suite suite = {.runs = runs, .figures = {.item = figures, .count = 2 * SHARES}};
    assert_true(factors_find(out, &suite));
}

/* In 1,000 synthetic repetitions the 95 % interval of the label factor holds the truth in 90 to 99 %: with 3 runs and
 * with 10, of a fine-tuned encoder that needs fewer labels, and of one that needs more. */
static void intervals_hold_the_true_factor(void **state)
{
    (void)state;
    enum { REPETITIONS = 1000 };
    static const struct truth truths[] = {{{0.60, 0.75, 0.82}, {0.25, 0.55, 0.78}},
                                          {{0.85, 0.90, 0.93}, {0.30, 0.70, 0.94}}};
    static const double noise[] = {0.01, 0.005};
    for (uint32_t t = 0; t < 2; t++)
        for (int runs = 3; runs <= MOST_RUNS; runs += 7) {
            const double factor = true_factor(&truths[t]);
            int held = 0;
            for (uint32_t r = 0; r < REPETITIONS; r++) {
                struct rng rng = rng_open(82, RNG_TEST, t, r, (uint32_t)runs);
                struct factors got;
                sample_factors(&got, &truths[t], noise[t], runs, &rng);
                assert_true(got.interval.low < got.mean && got.mean < got.interval.high);
                held += got.interval.low <= factor && factor <= got.interval.high;
            }
            if (held < REPETITIONS * 90 / 100 || held > REPETITIONS * 99 / 100)
                fail_msg("%d runs: %d of %d intervals hold %g", runs, held, REPETITIONS, factor);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_interpolated),
        cmocka_unit_test(curves_may_fall),
        cmocka_unit_test(labels_of_any_number_take_their_place),
        cmocka_unit_test(runs_have_a_geometric_mean),
        cmocka_unit_test(bounds_have_no_mean),
        cmocka_unit_test(intervals_hold_the_true_factor),
    };
    return run_cases(tests, NULL, NULL);
}
