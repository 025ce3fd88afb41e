/* Views that the loader writes as bf16 train a bf16 network exactly as float32 views do, which the first convolution
 * rounds. A whole run ends in the same bytes, on every variant of the cpu backend, directly and by Winograd. */
#include "unit/train/run_fixture.h"

#include "run/features.h"
#include "run/settings.h"
#include "support/folder.h"
#include "train/pretrain.h"

static enum dtype float_images(const struct backend *backend, enum dtype precision)
{
    (void)backend;
    (void)precision;
    return DTYPE_F32;
}

/* What the run under way wrote its views as. */
static enum view_type seen;

static int pretrain(struct session *session, struct error *error)
{
    seen = session_view_type(session);
    return pretrain_run(session, error);
}

/* The same command on a backend that asks for float32. */
static int pretrain_on_floats(struct session *session, struct error *error)
{
    const struct backend_ops *real = session->backend->ops;
    struct backend_ops ops = *real;
    ops.image_type = float_images;
    session->backend->ops = &ops;
    const int status = pretrain(session, error);
    session->backend->ops = real;
    return status;
}

struct outcome {
    uint8_t *checkpoint, *metrics;
    size_t checkpoint_bytes, metrics_bytes;
};

/* Of an epoch's line all that a clock does not change: losses, diagnostics and kNN. */
static void keep_epochs(struct outcome *outcome)
{
    struct text kept = {0};
    char *path = file_join(folder, "metrics.jsonl");
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_read(path, 1 << 26, &bytes, &count, NULL), SIMCLR_OK);
    for (char *line = strtok((char *)bytes, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *seconds = strstr(line, "\"epoch/seconds\""), *rest = strstr(line, "\"epoch/alignment\"");
        const char *means = strstr(line, "\"epoch/loss\"");
        if (means == NULL) continue;
        assert_true(seconds > means && rest > seconds && strstr(rest, "knn") != NULL);
        text_add(&kept, "%.*s%s\n", (int)(seconds - means), means, rest);
    }
    memory_free(path);
    memory_free(bytes);
    assert_true(kept.length > 200);
    outcome->metrics = (uint8_t *)kept.bytes;
    outcome->metrics_bytes = kept.length;
}

static struct outcome run(const char *const options[][2], int (*command)(struct session *, struct error *),
                          enum view_type type)
{
    struct run_fixture run;
    struct outcome outcome;
    fixture_open(&run, folder);
    fixture_set(&run, "precision", "bf16");
    fixture_set(&run, "overwrite", "true");
    for (int i = 0; options[i][0] != NULL; i++) fixture_set(&run, options[i][0], options[i][1]);
    if (fixture_run(&run, command) != SIMCLR_OK) fail_msg("%s", run.error.text);
    assert_int_equal(seen, type);
    fixture_close(&run);
    char *path = file_join(folder, "checkpoints/step-00000006.safetensors");
    assert_int_equal(file_read(path, 1 << 26, &outcome.checkpoint, &outcome.checkpoint_bytes, NULL), SIMCLR_OK);
    memory_free(path);
    keep_epochs(&outcome);
    return outcome;
}

static void same_run(const char *const options[][2])
{
    struct outcome floats = run(options, pretrain_on_floats, VIEW_FLOAT32);
    struct outcome halves = run(options, pretrain, VIEW_BF16);
    assert_int_equal(halves.checkpoint_bytes, floats.checkpoint_bytes);
    assert_memory_equal(halves.checkpoint, floats.checkpoint, floats.checkpoint_bytes);
    assert_int_equal(halves.metrics_bytes, floats.metrics_bytes);
    assert_memory_equal(halves.metrics, floats.metrics, floats.metrics_bytes);
    memory_free(floats.checkpoint);
    memory_free(halves.checkpoint);
    memory_free(floats.metrics);
    memory_free(halves.metrics);
}

static void every_variant(void **state)
{
    (void)state;
    static const char *const convolutions[] = {"direct", "winograd"};
    for (const char *const *variant = simd_words(); *variant != NULL; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            const char *const options[][2] = {{"cpu", *variant}, {"convolution", convolutions[i]}, {NULL, NULL}};
            same_run(options);
        }
    }
}

/* The 7 x 7 stem, sizes whose rows are no whole vectors, operations behind the fused path, workers of their own. */
static void other_views(void **state)
{
    (void)state;
    const char *const stem[][2] = {{"stem", "imagenet"},
                                   {"image-size", "33"},
                                   {"blur-probability", "0.5"},
                                   {"workers", "2"},
                                   {"solarize-probability", "0.3"},
                                   {NULL, NULL}};
    const char *const mean[][2] = {{"image-size", "17"},
                                   {"mean", "0.4,0.5,0.6"},
                                   {"std", "0.2,0.3,0.25"},
                                   {"sobel-probability", "0.3"},
                                   {"batch", "15"},
                                   {"cutout-probability", "0.5"},
                                   {NULL, NULL}};
    same_run(stem);
    same_run(mean);
}

/* The pixels that kNN is compared with stay float32. */
static void pixels_stay_floats(void **state)
{
    (void)state;
    struct run_fixture run;
    struct features exact, features;
    struct view_policy policy;
    struct dataset *set;
    fixture_open(&run, folder);
    fixture_set(&run, "precision", "bf16");
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    assert_int_equal(session_view_policy(&run.session, &policy, &run.error), SIMCLR_OK);
    assert_int_equal(session_open_dataset(&run.session, "synthetic", DATASET_TRAIN, &set, &run.error), SIMCLR_OK);
    const struct features_request request = {.kind = FEATURES_PIXELS, .policy = &policy, .dataset = set};
    assert_int_equal(features_extract(&run.session, &request, &exact, &run.error), SIMCLR_OK);
    policy.type = VIEW_BF16; /* whatever the policy was for */
    assert_int_equal(features_extract(&run.session, &request, &features, &run.error), SIMCLR_OK);
    assert_int_equal(features.dim, 3 * 16 * 16);
    assert_memory_equal(features.values, exact.values, (size_t)exact.count * (size_t)exact.dim * sizeof(float));
    for (int64_t i = 0; i < exact.count * exact.dim; i++)
        assert_true(exact.values[i] >= -0.5f && exact.values[i] <= 0.5f);
    features_free(&exact);
    features_free(&features);
    dataset_close(&set);
    session_stop(&run.session);
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant),
        cmocka_unit_test(other_views),
        cmocka_unit_test(pixels_stay_floats),
    };
    return run_cases(tests, make_folder, remove_folder);
}
