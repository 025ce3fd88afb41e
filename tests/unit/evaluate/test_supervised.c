/* The supervised baseline: it learns from labels alone, leaves a run like any other, and goes on to the byte. */
#include "unit/train/run_fixture.h"

#include "checkpoint/checkpoint.h"
#include "evaluate/protocols.h"
#include "run/metrics.h"
#include "run/model_open.h"
#include "support/files.h"
#include "support/folder.h"

static int supervised(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_SUPERVISED, error);
}

/* 60 drawn images of 16 x 16, two batches of 30, three epochs. extra: names and values, or NULL. */
static int run_in(struct run_fixture *run, const char *out, int64_t interrupt_at, const char *const *extra)
{
    static const char *const options[][2] = {
        {"data", "synthetic"},    {"synthetic-images", "60"},
        {"image-size", "16"},     {"width", "0.125"},
        {"batch", "30"},          {"epochs", "3"},
        {"threads", "2"},         {"precision", "float32"},
        {"log-every", "1"},       {"json", "true"},
        {"learning-rate", "0.5"}, {"device", "cpu"},
    };
    char *path = file_join(folder, out);
    *run = (struct run_fixture){.interrupt_at = interrupt_at};
    assert_int_equal(config_create(&run->config, COMMAND_SUPERVISED, &run->error), SIMCLR_OK);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) fixture_set(run, options[i][0], options[i][1]);
    fixture_set(run, "out", path);
    for (; extra && *extra; extra += 2) fixture_set(run, extra[0], extra[1]);
    memory_free(path);
    return fixture_run(run, supervised);
}

static void run_whole(struct run_fixture *run, const char *out, const char *const *extra)
{
    if (run_in(run, out, -1, extra) != SIMCLR_OK) fail_msg("%s", run->error.text);
}

/* The loss of each step by metrics.jsonl: steps 1 to 6, each once. */
static void read_losses(const char *out, double losses[6])
{
    struct metrics_history history;
    char *path = file_join(folder, out);
    assert_int_equal(metrics_read(path, &history, NULL), SIMCLR_OK);
    assert_int_equal(history.count, 6);
    for (int i = 0; i < 6; i++) {
        const double *loss = metrics_find(&history.rows[i], "supervised/loss");
        assert_true(loss && history.rows[i].step == i + 1);
        losses[i] = *loss;
    }
    metrics_history_free(&history);
    memory_free(path);
}

static void a_run_learns_and_leaves_its_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"run/config.yaml",
                                        "run/environment.json",
                                        "run/train.log",
                                        "run/images.txt",
                                        "run/exported/config.json",
                                        "run/exported/encoder.safetensors",
                                        "run/checkpoints/step-00000002.safetensors",
                                        "run/checkpoints/step-00000006.safetensors"};
    struct run_fixture run;
    double losses[6];
    char *predictions = file_join(folder, "predictions.npz");
    run_whole(&run, "run", (const char *[]){"predictions", predictions, NULL});
    struct bytes archive = read_file("predictions.npz");
    assert_true(archive.count > 60 * 10 * sizeof(float) && memcmp(archive.data, "PK", 2) == 0);
    memory_free(archive.data);
    memory_free(predictions);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!has_file(names[i])) fail_msg("%s is missing", names[i]);
    assert_int_equal(run.steps_seen, 6);
    assert_non_null(strstr(run.output.bytes, "\"protocol\": \"supervised\""));
    assert_non_null(strstr(run.output.bytes, "\"encoder_frozen\": false"));
    assert_non_null(strstr(run.output.bytes, "\"labels\": \"100%\", \"labelled_images\": 60, \"epochs\": 3"));
    assert_non_null(strstr(run.output.bytes, "\"supervised\": {\"top1\": {\"value\": "));
    assert_non_null(strstr(run.output.bytes, "\"images\": 60"));
    assert_true(fixture_said(&run, "60 labelled images of 60 (100 %), 3 epochs"));
    fixture_close(&run);
    read_losses("run", losses);
    assert_true(losses[0] > 2.302 && losses[0] < 2.303); /* log 10: the classifier starts at zero */
    assert_true(losses[5] < losses[0]);
}

/* Its checkpoint and its export are an encoder like any other: the same one. */
static void what_was_trained_can_be_used(void **state)
{
    (void)state;
    static const char *const names[] = {"run", "run/exported"};
    uint64_t hashes[2];
    struct run_fixture run;
    run_whole(&run, "run", NULL);
    assert_int_equal(run.steps_seen, 0); /* it was finished: tested again, and trained no further */
    const char *hash = strstr(run.output.bytes, "\"encoder_hash\": \"");
    unsigned long long printed;
    assert_true(hash && sscanf(hash, "\"encoder_hash\": \"%llx", &printed) == 1);
    fixture_close(&run);
    assert_int_equal(config_create(&run.config, COMMAND_KNN, &run.error), SIMCLR_OK);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    for (int i = 0; i < 2; i++) {
        struct model *model;
        struct view_policy policy;
        char *path = file_join(folder, names[i]);
        if (model_open(&run.session, path, &model, &policy, &run.error)) fail_msg("%s", run.error.text);
        assert_int_equal(policy.size, 16);
        hashes[i] = parameters_encoder_hash(&model->parameters);
        model_destroy(&model);
        memory_free(path);
    }
    assert_true(hashes[0] == hashes[1] && hashes[0] == printed);
    session_stop(&run.session);
    fixture_close(&run);
}

/* Stopped after any step, a run that goes on ends in the same bytes, and its metrics are whole. */
static void going_on_is_bit_equal(void **state)
{
    (void)state;
    static const char *const afresh[] = {"overwrite", "true", NULL};
    struct run_fixture run;
    double whole[6], resumed[6];
    run_whole(&run, "run", afresh);
    fixture_close(&run);
    struct bytes expected = read_file("run/checkpoints/step-00000006.safetensors");
    struct bytes encoder = read_file("run/exported/encoder.safetensors");
    read_losses("run", whole);
    for (int stop = 1; stop <= 5; stop += 2) {
        assert_int_equal(run_in(&run, "run", stop, afresh), SIMCLR_INTERRUPTED);
        assert_non_null(strstr(run.error.text, "the same command goes on from the checkpoint"));
        fixture_close(&run);
        assert_false(has_file("run/checkpoints/step-00000006.safetensors"));
        run_whole(&run, "run", NULL);
        assert_int_equal(run.first_step, stop + 1);
        fixture_close(&run);
        assert_same_file("run/checkpoints/step-00000006.safetensors", expected);
        assert_same_file("run/exported/encoder.safetensors", encoder);
        read_losses("run", resumed);
        assert_memory_equal(resumed, whole, sizeof whole);
    }
    memory_free(expected.data);
    memory_free(encoder.data);
}

static void another_run_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *extra[5];
        const char *says;
    } cases[] = {
        {{"labels", "50%", NULL}, "labels"},
        {{"training-views", "simclr", NULL}, "training-views"},
        {{"epochs", "2", NULL}, "epochs"},
        {{"synthetic-images", "80", NULL}, "synthetic-images"},
    };
    struct run_fixture run;
    run_whole(&run, "run", NULL);
    fixture_close(&run);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run_in(&run, "run", -1, cases[i].extra), SIMCLR_INVALID);
        assert_non_null(strstr(run.error.text, "holds a run with other options"));
        assert_non_null(strstr(run.error.text, cases[i].says));
        fixture_close(&run);
    }
    assert_int_equal(run_in(&run, "fresh", -1, (const char *[]){"resume", "true", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "no checkpoint to resume from"));
    fixture_close(&run);
}

/* With more epochs a finished run goes on, with the warm-up that it had. */
static void further_epochs_go_on(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole(&run, "further", NULL);
    fixture_close(&run);
    run_whole(&run, "further", (const char *[]){"epochs", "5", NULL});
    assert_int_equal(run.first_step, 7);
    assert_int_equal(run.steps_seen, 4);
    assert_true(fixture_said(&run, "further epochs: 5, where the run was to have 3; on the cosine over all of them"));
    assert_true(fixture_said(&run, "0.3 of 5 epochs of warm-up"));
    fixture_close(&run);
    assert_true(has_file("further/checkpoints/step-00000010.safetensors"));
}

/* Other views, and fewer labels, make another network. */
static void views_and_labels_matter(void **state)
{
    (void)state;
    static const char *const variants[][5] = {{"training-views", "simclr", NULL}, {"labels", "3/class", NULL}};
    static const char *const names[] = {"views", "few"};
    struct run_fixture run;
    struct bytes first = read_file("run/exported/encoder.safetensors");
    for (int i = 0; i < 2; i++) {
        run_whole(&run, names[i], variants[i]);
        if (i == 1) assert_true(fixture_said(&run, "30 labelled images of 60 (50 %)"));
        fixture_close(&run);
        struct bytes other =
            read_file(i == 0 ? "views/exported/encoder.safetensors" : "few/exported/encoder.safetensors");
        assert_int_equal(other.count, first.count);
        assert_memory_not_equal(other.data, first.data, first.count);
        memory_free(other.data);
    }
    memory_free(first.data);
}

/* AlexNet: its images are large enough, and dropout goes on with the same draws. */
static void alexnet_goes_on_too(void **state)
{
    (void)state;
    static const char *const options[] = {"encoder", "alexnet", "image-size", "auto", "learning-rate", "auto", NULL};
    struct run_fixture run;
    double losses[6];
    run_whole(&run, "alexnet", options);
    assert_true(fixture_said(&run, "image size: 64 ("));
    assert_true(fixture_said(&run, "AlexNet, width 0.125, 64 pixels, 10 classes"));
    assert_true(fixture_said(&run, "peak rate 0.00117187,")); /* 0.01 x 30 / 256 */
    fixture_close(&run);
    read_losses("alexnet", losses);
    for (int i = 0; i < 6; i++) assert_true(losses[i] > 2 && losses[i] < 2.6);
    assert_true(losses[0] < 2.302 || losses[0] > 2.3031); /* the classifier does not start at zero */
    struct bytes expected = read_file("alexnet/checkpoints/step-00000006.safetensors");
    struct bytes encoder = read_file("alexnet/exported/encoder.safetensors");
    const char *afresh[sizeof options / sizeof *options + 2] = {"overwrite", "true"};
    memcpy(afresh + 2, options, sizeof options);
    for (int stop = 1; stop <= 3; stop += 2) {
        assert_int_equal(run_in(&run, "alexnet", stop, afresh), SIMCLR_INTERRUPTED);
        fixture_close(&run);
        run_whole(&run, "alexnet", options);
        assert_int_equal(run.first_step, stop + 1);
        fixture_close(&run);
        assert_same_file("alexnet/checkpoints/step-00000006.safetensors", expected);
        assert_same_file("alexnet/exported/encoder.safetensors", encoder);
    }
    memory_free(expected.data);
    memory_free(encoder.data);
    assert_int_equal(run_in(&run, "alexnet", -1, (const char *[]){"image-size", "auto", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "encoder"));
    fixture_close(&run);
    assert_int_equal(run_in(&run, "small", -1, (const char *[]){"encoder", "alexnet", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "AlexNet needs images of 63 pixels or more, not 16"));
    fixture_close(&run);
}

/* Weight decay multiplies every weight by about -600 a step: batch norm's statistics overflow first. */
static void divergence_names_what_is_not_finite(void **state)
{
    (void)state;
    struct run_fixture run;
    const int status = run_in(&run, "diverged", -1,
                              (const char *[]){"optimizer", "sgd", "learning-rate", "500", "weight-decay", "10",
                                               "warmup-epochs", "0", "epochs", "40", NULL});
    assert_int_equal(status, SIMCLR_DIVERGED);
    assert_true(fixture_said(&run, "batch norm's statistics are not finite: the step is skipped"));
    assert_non_null(strstr(run.error.text, "10 steps in a row were skipped, and in the last one "));
    assert_non_null(strstr(run.error.text, "batch norm's statistics are not finite: try a lower --learning-rate"));
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_learns_and_leaves_its_folder),
        cmocka_unit_test(what_was_trained_can_be_used),
        cmocka_unit_test(going_on_is_bit_equal),
        cmocka_unit_test(another_run_is_refused),
        cmocka_unit_test(further_epochs_go_on),
        cmocka_unit_test(views_and_labels_matter),
        cmocka_unit_test(alexnet_goes_on_too),
        cmocka_unit_test(divergence_names_what_is_not_finite),
    };
    return run_cases(tests, make_folder, remove_folder);
}
