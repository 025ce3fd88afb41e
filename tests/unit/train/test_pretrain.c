/* A whole pretraining run: its folder, resuming bit for bit, refusals, and steps that are not finite. */
#include "unit/train/run_fixture.h"

#include <math.h>
#include <sys/stat.h>

#include "run/features.h"
#include "run/metrics.h"
#include "run/model_open.h"
#include "run/settings.h"
#include "support/files.h"
#include "support/folder.h"
#include "train/health.h"
#include "train/pretrain.h"

static int run_once(struct run_fixture *run, const char *const *extra)
{
    fixture_open(run, folder);
    for (; extra != NULL && *extra != NULL; extra += 2) fixture_set(run, extra[0], extra[1]);
    return fixture_run(run, pretrain_run);
}

/* Runs to the end, or fails with the run's own sentence. */
static void run_whole(const char *const *extra)
{
    struct run_fixture run;
    if (run_once(&run, extra) != SIMCLR_OK) fail_msg("%s", run.error.text);
    fixture_close(&run);
}

/* Every step has one line, every epoch one more, in order. */
static void assert_metrics_whole(void)
{
    static const int expected[] = {1, 2, 3, 3, 4, 5, 6, 6};
    struct bytes text = read_file("metrics.jsonl");
    size_t line = 0;
    for (char *at = (char *)text.data; *at != '\0'; at = strchr(at, '\n') + 1) {
        long long step;
        assert_true(line < sizeof expected / sizeof *expected);
        assert_int_equal(sscanf(at, "{\"step\": %lld", &step), 1);
        assert_int_equal(step, expected[line++]);
    }
    assert_int_equal(line, sizeof expected / sizeof *expected);
    memory_free(text.data);
}

static void a_run_leaves_its_folder(void **state)
{
    (void)state;
    static const char *const names[] = {
        "config.yaml",
        "environment.json",
        "train.log",
        "metrics.jsonl",
        "exported/config.json",
        "exported/encoder.safetensors",
        "checkpoints/step-00000003.safetensors",
        "checkpoints/step-00000006.safetensors",
        "checkpoints/best.safetensors",
    };
    struct run_fixture run;
    assert_int_equal(run_once(&run, (const char *[]){"overwrite", "true", NULL}), SIMCLR_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!has_file(names[i])) fail_msg("%s is missing", names[i]);
    assert_true(fixture_said(&run, "views: cifar preset by the image size"));
    assert_true(fixture_said(&run, "epoch 2/2: loss"));
    assert_true(fixture_said(&run, "kNN"));
    assert_non_null(strstr(run.output.bytes, "next         simclr linear --checkpoint"));
    assert_int_equal(run.steps_seen, 6);
    assert_metrics_whole();
    struct bytes yaml = read_file("config.yaml");
    assert_non_null(strstr((char *)yaml.data, "overwrite: false")); /* repeating it must not destroy it */
    memory_free(yaml.data);
    fixture_close(&run);
}

/* From the lines of metrics.jsonl that close an epoch: all that a clock does not change. Caller frees. */
static char *epoch_metrics(void)
{
    struct bytes text = read_file("metrics.jsonl");
    struct text kept = {0};
    int lines = 0;
    for (char *line = strtok((char *)text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *means = strstr(line, "\"epoch/loss\""), *seconds = strstr(line, "\"epoch/seconds\"");
        const char *rest = strstr(line, "\"epoch/alignment\"");
        if (means == NULL) continue;
        assert_true(seconds != NULL && seconds > means && rest != NULL && rest > seconds);
        text_add(&kept, "%.*s%s\n", (int)(seconds - means), means, rest);
        lines++;
    }
    memory_free(text.data);
    assert_int_equal(lines, 2);
    assert_non_null(strstr(kept.bytes, "\"epoch/steps\": 3"));
    return kept.bytes;
}

/* The epoch's line of train.log up to its speed. Each epoch of the last run had one. Caller frees. */
static char *epoch_line(const struct run_fixture *run, const char *start)
{
    const char *line = strstr(run->log.bytes, start);
    assert_non_null(line);
    const char *end = strchr(line, '%');
    assert_true(end != NULL && end < strchr(line, '\n'));
    struct text kept = {0};
    text_add_bytes(&kept, line, (size_t)(end - line));
    return kept.bytes;
}

/* Stopped by request after any step, a run that goes on ends in the same bytes, and its epochs have the same means. */
static void resuming_is_bit_equal(void **state)
{
    (void)state;
    static const char *const devices[] = {"ref", "cpu"};
    for (int device = 0; device < 2; device++) {
        struct run_fixture whole;
        assert_int_equal(run_once(&whole, (const char *[]){"overwrite", "true", "device", devices[device], NULL}),
                         SIMCLR_OK);
        char *metrics = epoch_metrics(), *line = epoch_line(&whole, "epoch 2/2: loss ");
        fixture_close(&whole);
        struct bytes expected = read_file("checkpoints/step-00000006.safetensors");
        struct bytes encoder = read_file("exported/encoder.safetensors");
        for (int stop = device == 0 ? 5 : 1; stop <= 5; stop += 2) { /* ref is slow: once will do */
            struct run_fixture run;
            fixture_open(&run, folder);
            fixture_set(&run, "overwrite", "true");
            fixture_set(&run, "device", devices[device]);
            run.interrupt_at = stop;
            assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_INTERRUPTED);
            assert_non_null(strstr(run.error.text, "goes on from the checkpoint"));
            fixture_close(&run);
            assert_false(has_file("checkpoints/step-00000006.safetensors"));

            assert_int_equal(run_once(&run, (const char *[]){"device", devices[device], NULL}), SIMCLR_OK);
            assert_int_equal(run.first_step, stop + 1);
            char *resumed = epoch_metrics(), *resumed_line = epoch_line(&run, "epoch 2/2: loss ");
            assert_string_equal(resumed, metrics);
            assert_string_equal(resumed_line, line);
            memory_free(resumed);
            memory_free(resumed_line);
            fixture_close(&run);
            assert_same_file("checkpoints/step-00000006.safetensors", expected);
            assert_same_file("exported/encoder.safetensors", encoder);
            assert_metrics_whole();
        }
        memory_free(expected.data);
        memory_free(encoder.data);
        memory_free(metrics);
        memory_free(line);
    }
}

/* The largest figure of this name in metrics.jsonl, and the step where it first was. */
static double best_figure(const char *name, int64_t *step)
{
    struct metrics_history history;
    double best = -1;
    assert_int_equal(metrics_read(folder, &history, NULL), SIMCLR_OK);
    for (size_t i = 0; i < history.count; i++) {
        const double *value = metrics_find(&history.rows[i], name);
        if (!value || !(*value > best)) continue;
        best = *value;
        *step = history.rows[i].step;
    }
    metrics_history_free(&history);
    return best;
}

/* The test images are asked too, under another name, and choose nothing. */
static void held_out_images_choose_the_best(void **state)
{
    (void)state;
    struct run_fixture run;
    struct checkpoint *checkpoint;
    int64_t step = -1, other;
    assert_int_equal(run_once(&run, (const char *[]){"overwrite", "true", "epochs", "4", NULL}), SIMCLR_OK);
    assert_true(fixture_said(&run, "the best checkpoint is chosen by 5 held-out training images, which 43 others"));
    assert_true(fixture_said(&run, "test images are asked too, and choose nothing"));
    assert_true(fixture_said(&run, "of 5 held out"));
    fixture_close(&run);
    const double best = best_figure("epoch/knn_held_out_top1", &step), test = best_figure("epoch/knn_top1", &other);
    assert_true(fabs(best * 5 - round(best * 5)) < 1e-9);
    assert_true(fabs(test * 48 - round(test * 48)) < 1e-9);
    char *path = file_join(folder, "checkpoints/best.safetensors");
    assert_int_equal(checkpoint_open(&checkpoint, path, NULL), SIMCLR_OK);
    assert_int_equal(checkpoint_state(checkpoint)->step, step);
    assert_true(checkpoint_state(checkpoint)->best_knn == best);
    assert_true(checkpoint_state(checkpoint)->best_is_held_out);
    checkpoint_close(&checkpoint);
    memory_free(path);
}

/* The averages go on bit for bit too, and training is what it is without them. */
static void averages_are_resumed(void **state)
{
    (void)state;
    run_whole((const char *[]){"overwrite", "true", NULL});
    struct bytes encoder = read_file("exported/encoder.safetensors");
    assert_false(has_file("exported/encoder-ema.safetensors"));
    run_whole((const char *[]){"overwrite", "true", "ema", "0.5", NULL});
    assert_same_file("exported/encoder.safetensors", encoder);
    struct bytes expected = read_file("checkpoints/step-00000006.safetensors");
    struct bytes average = read_file("exported/encoder-ema.safetensors");
    int64_t at;
    assert_true(best_figure("epoch/knn_ema_top1", &at) > 0 && best_figure("epoch/knn_ema_held_out_top1", &at) >= 0);
    assert_true(average.count == encoder.count && memcmp(average.data, encoder.data, encoder.count) != 0);
    for (int stop = 1; stop <= 5; stop += 2) {
        struct run_fixture run;
        fixture_open(&run, folder);
        fixture_set(&run, "overwrite", "true");
        fixture_set(&run, "ema", "0.5");
        run.interrupt_at = stop;
        assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_INTERRUPTED);
        fixture_close(&run);
        assert_int_equal(run_once(&run, NULL), SIMCLR_INVALID); /* without averages it would be another run */
        assert_non_null(strstr(run.error.text, "ema"));
        fixture_close(&run);
        run_whole((const char *[]){"ema", "0.5", NULL});
        assert_same_file("checkpoints/step-00000006.safetensors", expected);
        assert_same_file("exported/encoder-ema.safetensors", average);
    }
    memory_free(encoder.data);
    memory_free(expected.data);
    memory_free(average.data);
    run_whole((const char *[]){"overwrite", "true", NULL}); /* what another run has left goes */
    assert_false(has_file("exported/encoder-ema.safetensors"));
}

static void cut_file(const char *name)
{
    char *path = file_join(folder, name);
    assert_int_equal(truncate(path, file_size(path) - 100), 0);
    memory_free(path);
}

/* The newest checkpoint is cut short: the one before serves, and the lines after it are dropped and written anew. */
static void damaged_checkpoints_are_skipped(void **state)
{
    (void)state;
    run_whole((const char *[]){"overwrite", "true", NULL});
    struct bytes expected = read_file("checkpoints/step-00000006.safetensors");
    cut_file("checkpoints/step-00000006.safetensors");
    struct run_fixture run;
    assert_int_equal(run_once(&run, NULL), SIMCLR_OK);
    assert_true(fixture_said(&run, "! a damaged checkpoint is skipped"));
    assert_true(fixture_said(&run, "resuming at step 3 of 6"));
    fixture_close(&run);
    assert_same_file("checkpoints/step-00000006.safetensors", expected);
    assert_metrics_whole();
    memory_free(expected.data);

    cut_file("checkpoints/step-00000006.safetensors");
    cut_file("checkpoints/step-00000003.safetensors");
    assert_int_equal(run_once(&run, NULL), SIMCLR_CORRUPT);
    assert_non_null(strstr(run.error.text, "--overwrite"));
    fixture_close(&run);
}

static void a_finished_run_stays(void **state)
{
    (void)state;
    run_whole((const char *[]){"overwrite", "true", NULL});
    struct bytes expected = read_file("exported/encoder.safetensors");
    struct run_fixture run;
    assert_int_equal(run_once(&run, (const char *[]){"resume", "true", NULL}), SIMCLR_OK);
    assert_int_equal(run.steps_seen, 0);
    fixture_close(&run);
    assert_same_file("exported/encoder.safetensors", expected);
    memory_free(expected.data);
}

static void another_run_is_refused(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole((const char *[]){"overwrite", "true", NULL});
    assert_int_equal(run_once(&run, (const char *[]){"temperature", "0.2", "seed", "9", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "temperature"));
    assert_non_null(strstr(run.error.text, "seed"));
    assert_null(strstr(run.error.text, "epochs"));
    fixture_close(&run);
    run_whole((const char *[]){"keep", "7", "log-every", "2", NULL}); /* these do not matter */

    char *other = file_join(folder, "other");
    fixture_open(&run, other);
    fixture_set(&run, "resume", "true");
    assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "no checkpoint"));
    fixture_close(&run);
    memory_free(other);
}

/* 48 pictures in the form of CIFAR-10, whose labels begin with `label`. */
static void write_pictures(const char *pictures, uint8_t label)
{
    enum { COUNT = 48, RECORD = 3073 };
    uint8_t *bytes = memory_allocate((size_t)COUNT * RECORD);
    char *path = file_join(pictures, "data_batch_1.bin");
    assert_true(bytes != NULL && path != NULL);
    for (size_t i = 0; i < (size_t)COUNT * RECORD; i++) bytes[i] = (uint8_t)(i * i >> 3);
    for (size_t i = 0; i < COUNT; i++) bytes[i * RECORD] = (uint8_t)(i == 0 ? label : i % 10);
    assert_int_equal(file_make_folder(pictures, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(path, bytes, (size_t)COUNT * RECORD, NULL), SIMCLR_OK);
    memory_free(bytes);
    memory_free(path);
}

/* The same options, the same path, and other labels in it: not the run that was begun. */
static void other_images_are_refused(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pictures = file_join(folder, "pictures");
    write_pictures(pictures, 0);
    run_whole((const char *[]){"overwrite", "true", "data", pictures, "epochs", "1", NULL});
    struct bytes before = read_file("checkpoints/step-00000003.safetensors");
    run_whole((const char *[]){"data", pictures, "epochs", "1", NULL}); /* unchanged: finished already */
    write_pictures(pictures, 7);
    assert_int_equal(run_once(&run, (const char *[]){"data", pictures, "epochs", "1", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "on other images"));
    assert_int_equal(run.steps_seen, 0);
    fixture_close(&run);
    assert_same_file("checkpoints/step-00000003.safetensors", before);
    memory_free(before.data);
    memory_free(pictures);
}

static void a_folder_in_use_is_refused(void **state)
{
    (void)state;
    int lock;
    struct run_fixture run;
    assert_int_equal(file_lock_folder(folder, &lock, NULL), SIMCLR_OK);
    assert_int_equal(run_once(&run, NULL), SIMCLR_BUSY);
    fixture_close(&run);
    file_unlock(&lock);
    assert_int_equal(run_once(&run, (const char *[]){"overwrite", "true", "batch", "49", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "batch"));
    fixture_close(&run);
}

/* A skipped step takes its time as any other: its line of metrics has a speed. */
static void assert_all_steps_have_a_speed(int64_t steps)
{
    struct metrics_history history;
    struct error error;
    int64_t seen = 0;
    if (metrics_read(folder, &history, &error)) fail_msg("%s", error.text);
    for (size_t i = 0; i < history.count; i++) {
        const double *speed = metrics_find(&history.rows[i], "train/views_per_second");
        if (speed) assert_true(*speed > 0);
        seen += speed != NULL;
    }
    assert_int_equal(seen, steps);
    metrics_history_free(&history);
}

/* Weight decay of 10 at a rate of 62 multiplies every weight by about -600 a step: float32 overflows in 15 steps. */
static void divergence_is_named_and_stops(void **state)
{
    (void)state;
    struct run_fixture run;
    const int status = run_once(&run, (const char *[]){"overwrite", "true", "optimizer", "sgd", "learning-rate", "1000",
                                                       "weight-decay", "10", "epochs", "20", "knn-every", "0", NULL});
    assert_int_equal(status, SIMCLR_DIVERGED);
    const char *what = "batch norm's statistics are not finite: the step is skipped (1 so far); images: synthetic/";
    assert_true(fixture_said(&run, what)); /* while loss and gradient still are */
    assert_true(fixture_said(&run, "the step is skipped (10 so far)"));
    assert_non_null(strstr(run.error.text, "10 steps in a row"));
    assert_non_null(strstr(run.error.text, "batch norm's statistics are not finite; the last good checkpoint"));
    assert_true(run.steps_seen < 59);
    assert_all_steps_have_a_speed(run.steps_seen);
    fixture_close(&run);

    struct model *model;
    struct view_policy policy;
    fixture_open(&run, folder);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    assert_int_equal(model_open(&run.session, folder, &model, &policy, &run.error), SIMCLR_OK); /* the last good one */
    for (size_t i = 0; i < model->parameters.weight_count; i++)
        assert_true(model->parameters.weights[i] - model->parameters.weights[i] == 0);
    for (size_t i = 0; i < model->parameters.buffer_count; i++)
        assert_true(model->parameters.buffers[i] - model->parameters.buffers[i] == 0);
    model_destroy(&model);
    session_stop(&run.session);
    fixture_close(&run);
}

static int extract(struct run_fixture *run, struct model *model, const struct view_policy *policy,
                   struct dataset *dataset, struct features *out)
{
    const struct features_request request = {.kind = FEATURES_H, .model = model, .policy = policy, .dataset = dataset};
    return features_extract(&run->session, &request, out, &run->error);
}

/* A run folder, its checkpoint and its exported encoder are the same encoder. */
static void every_name_opens_the_same_encoder(void **state)
{
    (void)state;
    static const char *const names[] = {"", "checkpoints", "checkpoints/step-00000006.safetensors", "exported",
                                        "exported/encoder.safetensors"};
    struct features first = {0};
    struct run_fixture run;
    run_whole((const char *[]){"overwrite", "true", "mean", "0.5,0.4,0.3", "std", "0.2,0.2,0.25", NULL});
    fixture_open(&run, folder);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    struct dataset *dataset;
    assert_int_equal(session_open_dataset(&run.session, "synthetic", DATASET_TEST, &dataset, &run.error), SIMCLR_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct model *model;
        struct view_policy policy;
        struct features features;
        char *path = file_join(folder, names[i]);
        if (model_open(&run.session, path, &model, &policy, &run.error) != SIMCLR_OK) fail_msg("%s", run.error.text);
        assert_int_equal(policy.size, 16);
        assert_true(policy.normalize);
        assert_float_equal(policy.mean[1], 0.4, 1e-6);
        assert_float_equal(policy.std[2], 0.25, 1e-6);
        policy.mean[0] = 0.5; /* float32 in a checkpoint, decimal in JSON */
        assert_int_equal(extract(&run, model, &policy, dataset, &features), SIMCLR_OK);
        assert_int_equal(features.count, 48);
        assert_int_equal(features.dim, 64);
        for (int64_t j = 0; i > 0 && j < features.count * features.dim; j++)
            assert_float_equal(features.values[j], first.values[j], 1e-4);
        if (i == 0)
            first = features;
        else
            features_free(&features);
        model_destroy(&model);
        memory_free(path);
    }
    features_free(&first);
    dataset_close(&dataset);
    session_stop(&run.session);
    fixture_close(&run);
}

/* A damaged encoder is refused with the name of the first image it fails on; during training kNN is passed over. */
static void broken_features_are_refused_by_name(void **state)
{
    (void)state;
    struct run_fixture run;
    struct dataset *dataset;
    struct model *model;
    struct view_policy policy;
    struct features features;
    run_whole((const char *[]){"overwrite", "true", NULL});
    fixture_open(&run, folder);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    assert_int_equal(session_open_dataset(&run.session, "synthetic", DATASET_TEST, &dataset, &run.error), SIMCLR_OK);
    assert_int_equal(model_open(&run.session, folder, &model, &policy, &run.error), SIMCLR_OK);
    assert_int_equal(extract(&run, model, &policy, dataset, &features), SIMCLR_OK);
    features_free(&features);
    const int weight = parameters_find(&model->parameters, "layer4.1.bn2.weight");
    assert_true(weight >= 0);
    parameter_weights(&model->parameters, weight)[3] = NAN;
    assert_int_equal(extract(&run, model, &policy, dataset, &features), SIMCLR_CORRUPT);
    assert_non_null(strstr(run.error.text, "synthetic-test/0: the network makes nan"));
    assert_null(features.values);
    parameter_weights(&model->parameters, weight)[3] = 0;

    struct pretrain training = {.session = &run.session, .config = run.session.config, .policy = policy};
    struct online_report report;
    training.model = model;
    training.dataset = dataset;
    assert_int_equal(online_images_open(&training.online, dataset, training.config, &run.error), SIMCLR_OK);
    assert_int_equal(online_knn(&training, training.model, &report, &run.error), SIMCLR_OK);
    assert_true(report.held_out.top1 >= 0 && isnan(report.test.top1)); /* there is no test part here */
    assert_int_equal(report.held_out.queries, 5);
    parameter_weights(&model->parameters, weight)[3] = INFINITY;
    assert_int_equal(online_knn(&training, training.model, &report, &run.error), SIMCLR_OK);
    assert_true(isnan(report.held_out.top1));
    online_images_close(&training.online);
    assert_true(fixture_said(&run, "! no kNN after step 0: synthetic-test/"));
    model_destroy(&model);
    dataset_close(&dataset);
    session_stop(&run.session);
    fixture_close(&run);
}

/* Who makes the views changes nothing, and neither does keeping the images in memory or decoding them each time. */
static void view_workers_do_not_change_the_result(void **state)
{
    (void)state;
    run_whole((const char *[]){"overwrite", "true", "device", "cpu", "workers", "0", NULL});
    struct bytes expected = read_file("exported/encoder.safetensors");
    run_whole((const char *[]){"overwrite", "true", "device", "cpu", "workers", "2", NULL});
    assert_same_file("exported/encoder.safetensors", expected);
    run_whole((const char *[]){"overwrite", "true", "device", "cpu", "cache-memory", "1", NULL});
    assert_same_file("exported/encoder.safetensors", expected);
    memory_free(expected.data);
}

/* Whichever allocation of a run fails, it ends with a sentence (or did not need the memory), and leaks nothing. */
static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    int failed = 0, succeeded_in_a_row = 0; /* five: `n` is beyond the allocations of a run */
    for (long n = 1; succeeded_in_a_row < 5; n += 1 + n / 5) {
        struct run_fixture run;
        fixture_open(&run, folder);
        fixture_set(&run, "overwrite", "true");
        fixture_set(&run, "epochs", "1");
        fixture_set(&run, "threads", "1");
        fixture_set(&run, "ema", "0.5");
        fixture_set(&run, "image-size-schedule", "8:0.5,16:0.5");
        memory_fail_after(n);
        const int status = fixture_run(&run, pretrain_run);
        memory_fail_after(0);
        if (status != SIMCLR_OK && status != SIMCLR_NO_MEMORY)
            fail_msg("allocation %ld: status %d: %s", n, status, run.error.text);
        failed += status == SIMCLR_NO_MEMORY;
        succeeded_in_a_row = status == SIMCLR_OK ? succeeded_in_a_row + 1 : 0;
        fixture_close(&run);
    }
    assert_true(failed > 20);
}

static void health_tells_failure_from_learning(void **state)
{
    (void)state;
    /* N = 256: chance is log 511 = 6.236; a first epoch that learns ends near 5.57 at temperature 0.5. */
    assert_false(health_at_chance(5.571, 256, 0.5));
    assert_true(health_at_chance(6.22, 256, 0.5));
    assert_false(health_at_chance(6.0, 256, 0.1));
    assert_true(health_at_chance(6.1, 256, 0.1));
    assert_false(health_at_chance(567, 256, 0.1)); /* far above it is no standing still */
    assert_true(health_above_chance(567, 256, 0.1));
    assert_true(health_at_chance(6.3, 256, 0.1));
    assert_false(health_above_chance(6.3, 256, 0.1));
    assert_false(health_above_chance(5.571, 256, 0.5));
    assert_false(health_above_chance(NAN, 256, 0.5)); /* an epoch without a finite loss has a line of its own */
    const struct diagnostics healthy = {.rankme = 60, .feature_std = 0.05};
    const struct diagnostics point = {.rankme = 60, .feature_std = 0.001};
    const struct diagnostics line = {.rankme = 1.2, .feature_std = 0.05};
    assert_false(health_collapsed(&healthy, 128));
    assert_true(health_collapsed(&point, 128));
    assert_true(health_collapsed(&line, 128));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_leaves_its_folder),
        cmocka_unit_test(resuming_is_bit_equal),
        cmocka_unit_test(held_out_images_choose_the_best),
        cmocka_unit_test(averages_are_resumed),
        cmocka_unit_test(damaged_checkpoints_are_skipped),
        cmocka_unit_test(a_finished_run_stays),
        cmocka_unit_test(another_run_is_refused),
        cmocka_unit_test(other_images_are_refused),
        cmocka_unit_test(a_folder_in_use_is_refused),
        cmocka_unit_test(divergence_is_named_and_stops),
        cmocka_unit_test(every_name_opens_the_same_encoder),
        cmocka_unit_test(broken_features_are_refused_by_name),
        cmocka_unit_test(view_workers_do_not_change_the_result),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(health_tells_failure_from_learning),
    };
    return run_cases(tests, make_folder, remove_folder);
}
