/* Test labels are used once, after every choice: with other test labels the same is chosen, and fitted to the same
 * bytes. Only the scores change. */
#include "unit/train/run_fixture.h"

#include "base/rng.h"
#include "eval/clustering.h"
#include "evaluate/label_sets.h"
#include "evaluate/protocols.h"
#include "support/folder.h"
#include "train/pretrain.h"
#include "unit/evaluate/suite_fixture.h"

enum { PERMUTATIONS = 3 };

static void permute(int32_t *labels, int64_t count, uint32_t number)
{
    struct rng rng = rng_open(78, RNG_TEST, 0, number, 0);
    for (int64_t i = count - 1; i > 0; i--) {
        const int64_t j = rng_below(&rng, (uint32_t)(i + 1));
        const int32_t swap = labels[i];
        labels[i] = labels[j];
        labels[j] = swap;
    }
}

/* ---- protocols on tables ---------------------------------------------------------------------------------------- */

enum { TRAIN = 600, TEST = 150, DIM = 8, CLASSES = 5 };

struct parts {
    float train[TRAIN * DIM], test[TEST * DIM];
    int32_t train_labels[TRAIN], test_labels[TEST];
};

/* Classes that overlap, so that held-out rows are wrong here and there, and choose. */
static void draw_parts(struct parts *out)
{
    struct rng rng = rng_open(79, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < TRAIN + TEST; i++) {
        float *x = i < TRAIN ? out->train + i * DIM : out->test + (i - TRAIN) * DIM;
        const int32_t label = (int32_t)rng_below(&rng, CLASSES);
        for (int d = 0; d < DIM; d++) x[d] = (float)(rng_normal(&rng) + (d == label ? 1.5 : 0));
        *(i < TRAIN ? out->train_labels + i : out->test_labels + i - TRAIN) = label;
    }
}

/* Of which classes each image is, as a file of --label-sets says it: its own, and of every third the next one too. */
static void read_sets(struct suite_fixture *fixture, struct label_sets *sets)
{
    struct text text = {0};
    struct error error = {0};
    for (int part = 0; part < PART_COUNT; part++)
        for (int64_t i = 0; i < fixture->features[part].count; i++) {
            const int label = fixture->features[part].labels[i];
            text_add(&text, "%s\tclass %d", evaluation_name(&fixture->evaluation, (enum evaluation_part)part, i),
                     label);
            if (i % 3 == 0) text_add(&text, "\tclass %d", (label + 1) % CLASSES);
            text_add(&text, "\n");
        }
    assert_false(text.failed);
    const int status = label_sets_parse(sets, &fixture->evaluation, "LIST", text.bytes, text.length, &error);
    if (status) fail_msg("%s", error.text);
    fixture->suite.label_sets = sets;
    text_free(&text);
}

static void judge(struct suite_fixture *fixture, const struct parts *parts)
{
    static const char *const protocols[] = {"knn", "linear", "cluster", "multilabel"};
    const struct suite_tables tables = {.values = {parts->train, parts->test},
                                        .labels = {parts->train_labels, parts->test_labels},
                                        .rows = {TRAIN, TEST},
                                        .dim = DIM,
                                        .classes = CLASSES};
    struct label_sets sets = {0};
    suite_fixture_open(fixture, &tables);
    read_sets(fixture, &sets);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) suite_fixture_run(fixture, protocols[i], 1);
    label_sets_free(&sets);
}

/* Settings of all figures, and what was found on the way: k, temperatures, penalties, numbers of held-out rows. Of
 * `multilabel` the log has the penalty, and what was held out to choose it; the detail is a score. */
static void assert_same_words(const struct suite_fixture *one, const struct suite_fixture *other)
{
    assert_int_equal(one->suite.figures.count, other->suite.figures.count);
    for (int i = 0; i < one->suite.figures.count; i++) {
        const struct figure *a = &one->suite.figures.item[i], *b = &other->suite.figures.item[i];
        assert_string_equal(a->protocol, b->protocol);
        assert_string_equal(a->setting, b->setting);
        if (strcmp(a->protocol, "multilabel") != 0) assert_string_equal(a->detail, b->detail);
    }
    assert_non_null(strstr(one->log.bytes, "multilabel on features: l2 "));
    assert_string_equal(one->log.bytes, other->log.bytes);
}

static void assert_same_classifier(const struct classifier *one, const struct classifier *other)
{
    assert_true(one->classes == CLASSES && one->dim == DIM);
    assert_memory_equal(one->weight, other->weight, sizeof(float) * CLASSES * DIM);
    assert_memory_equal(one->bias, other->bias, sizeof(float) * CLASSES);
    assert_true(one->temperature == other->temperature && one->l2 == other->l2);
    assert_true(one->temperature != 1); /* one was found */
}

static const int32_t *clusters_of(const struct suite_fixture *fixture)
{
    const struct figure *nmi = suite_fixture_figure(fixture, "cluster", "", METRIC_NMI);
    return ((const struct clustering_args *)nmi->context)->cluster;
}

static void assert_other_scores(const struct suite_fixture *one, const struct suite_fixture *other)
{
    static const struct {
        const char *protocol, *setting;
        enum metric metric;
    } scores[] = {{"knn", "chosen", METRIC_TOP1},
                  {"linear", "", METRIC_TOP1},
                  {"linear", "probabilities with one temperature", METRIC_NLL},
                  {"cluster", "", METRIC_NMI},
                  {"multilabel", "", METRIC_MAP_11}};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        const double a = suite_fixture_figure(one, scores[i].protocol, scores[i].setting, scores[i].metric)->value,
                     b = suite_fixture_figure(other, scores[i].protocol, scores[i].setting, scores[i].metric)->value;
        if (!(fabs(a - b) > 1e-3)) fail_msg("%s has %g and %g", scores[i].protocol, a, b);
    }
}

static void protocols_choose_by_training_rows(void **state)
{
    (void)state;
    static struct parts parts;
    struct suite_fixture one, other;
    draw_parts(&parts);
    judge(&one, &parts);
    for (uint32_t number = 0; number < PERMUTATIONS; number++) {
        permute(parts.test_labels, TEST, number);
        judge(&other, &parts);
        assert_same_words(&one, &other);
        assert_same_classifier(&one.suite.classifier, &other.suite.classifier);
        assert_memory_equal(one.suite.predictions.probabilities, other.suite.predictions.probabilities,
                            sizeof(float) * TEST * CLASSES);
        assert_memory_equal(one.suite.predictions.top5, other.suite.predictions.top5, sizeof(int32_t) * TEST * 5);
        assert_memory_equal(clusters_of(&one), clusters_of(&other), sizeof(int32_t) * TEST);
        assert_other_scores(&one, &other);
        suite_fixture_close(&other);
    }
    suite_fixture_close(&one);
}

/* ---- classifiers on an encoder's features ------------------------------------------------------------------------ */

struct judged {
    struct score score;
    struct predictions predictions;
};

typedef int classify(struct evaluation *evaluation, const struct features *train, const struct features *test,
                     struct score *out, struct error *error);

static int by_knn(struct evaluation *evaluation, const struct features *train, const struct features *test,
                  struct score *out, struct error *error)
{
    return evaluation_knn(evaluation, SOURCE_TRAINED, train, test, out, error);
}

static int by_linear(struct evaluation *evaluation, const struct features *train, const struct features *test,
                     struct score *out, struct error *error)
{
    return evaluation_linear(evaluation, SOURCE_TRAINED, train, test, out, error);
}

static int by_sgd(struct evaluation *evaluation, const struct features *train, const struct features *test,
                  struct score *out, struct error *error)
{
    const struct linear_sgd_job job = {
        .evaluation = evaluation, .source = SOURCE_TRAINED, .seed = 1, .train = train, .test = test};
    return linear_sgd_run(&job, out, error);
}

static struct judged judge_by(classify *by, struct evaluation *evaluation, const struct features *train,
                              const struct features *test)
{
    struct judged out;
    struct error error = {0};
    if (by(evaluation, train, test, &out.score, &error)) fail_msg("%s", error.text);
    out.predictions = evaluation->predictions;
    evaluation->predictions = (struct predictions){0};
    assert_int_equal(out.predictions.count, test->count);
    return out;
}

/* What a classifier says of each image is the same to the bit: so is the classifier. */
static void compare_choices(classify *by, struct evaluation *evaluation, const struct features *train,
                            struct features *test)
{
    const struct judged one = judge_by(by, evaluation, train, test);
    bool differs = false;
    for (uint32_t number = 0; number < PERMUTATIONS; number++) {
        permute(test->labels, test->count, number);
        struct judged other = judge_by(by, evaluation, train, test);
        assert_true(one.score.l2 == other.score.l2 && one.score.rate == other.score.rate);
        assert_true(one.score.held_out_top1 == other.score.held_out_top1);
        assert_int_equal(one.score.held_out, other.score.held_out);
        assert_memory_equal(one.predictions.probabilities, other.predictions.probabilities,
                            sizeof(float) * (size_t)one.predictions.count * (size_t)one.predictions.classes);
        differs |= one.score.top1 != other.score.top1;
        predictions_free(&other.predictions);
    }
    assert_true(differs);
    struct judged done = one;
    predictions_free(&done.predictions);
}

/* As `simclr linear` opens it: 200 training and 200 test images. */
static void open_encoder(struct run_fixture *run, struct evaluation *evaluation)
{
    static const char *const options[][2] = {
        {"data", "synthetic"},       {"synthetic-images", "200"}, {"threads", "1"},     {"precision", "float32"},
        {"device", "cpu"},           {"sgd-epochs", "2"},         {"iterations", "20"}, {"sgd-batch", "50"},
        {"predictions", "kept.npz"}, {"checkpoint", folder}};
    fixture_open(run, folder);
    assert_int_equal(fixture_run(run, pretrain_run), SIMCLR_OK);
    fixture_close(run);
    *run = (struct run_fixture){0};
    assert_int_equal(config_create(&run->config, COMMAND_LINEAR, &run->error), SIMCLR_OK);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) fixture_set(run, options[i][0], options[i][1]);
    run->session = (struct session){.config = run->config, .log = {fixture_log, run}};
    assert_int_equal(session_start(&run->session, &run->error), SIMCLR_OK);
    if (evaluation_open(&run->session, evaluation, &run->error)) fail_msg("%s", run->error.text);
}

static void classifiers_choose_by_training_images(void **state)
{
    (void)state;
    struct run_fixture run;
    struct evaluation evaluation = {0};
    struct features train, test;
    open_encoder(&run, &evaluation);
    assert_int_equal(evaluation_features(&evaluation, SOURCE_TRAINED, &train, &test, &run.error), SIMCLR_OK);
    compare_choices(by_knn, &evaluation, &train, &test);
    compare_choices(by_linear, &evaluation, &train, &test);
    compare_choices(by_sgd, &evaluation, &train, &test);
    features_free(&train);
    features_free(&test);
    evaluation_close(&evaluation);
    session_stop(&run.session);
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocols_choose_by_training_rows),
        cmocka_unit_test(classifiers_choose_by_training_images),
    };
    return run_cases(tests, make_folder, remove_folder);
}
