/* Runs whose length is no number of epochs: --steps, --time, and --batch auto. What was chosen stays: a run that goes
 * on ends in the bytes of one that was never stopped. No test looks at a clock. */
#include "unit/train/run_fixture.h"

#include <math.h>

#include "checkpoint/checkpoint.h"
#include "run/metrics.h"
#include "run/run_state.h"
#include "support/files.h"
#include "support/folder.h"
#include "train/pretrain.h"

/* In the folder `out` of the test's. extra: names and values. */
static int run_in(struct run_fixture *run, const char *out, int64_t interrupt_at, const char *const *extra)
{
    fixture_open(run, at("%s", out));
    run->interrupt_at = interrupt_at;
    for (; extra && *extra; extra += 2) fixture_set(run, extra[0], extra[1]);
    return fixture_run(run, pretrain_run);
}

static void run_whole(const char *out, const char *const *extra)
{
    struct run_fixture run;
    if (run_in(&run, out, -1, extra) != SIMCLR_OK) fail_msg("%s", run.error.text);
    fixture_close(&run);
}

static struct config *config_of(const char *out)
{
    struct config *config;
    enum command command;
    assert_int_equal(run_state_config(at("%s", out), &command, &config, NULL), SIMCLR_OK);
    assert_non_null(config);
    return config;
}

/* The last checkpoint of a run, and then a folder without it: a checkpoint keeps the name of its folder. */
static struct bytes take_away(const char *out, int64_t step)
{
    char name[128], command[600];
    snprintf(name, sizeof name, "%s/checkpoints/step-%08lld.safetensors", out, (long long)step);
    const struct bytes bytes = read_file(name);
    snprintf(command, sizeof command, "rm -r '%s'", at("%s", out));
    assert_int_equal(system(command), 0);
    return bytes;
}

static void assert_ends_in(const char *out, int64_t step, struct bytes expected)
{
    char name[128];
    snprintf(name, sizeof name, "%s/checkpoints/step-%08lld.safetensors", out, (long long)step);
    assert_same_file(name, expected);
}

/* ---- --steps ---- */

/* Without learning: the whole epoch is said to be above chance, the one step behind it is not. */
static void a_part_of_an_epoch_is_not_judged(void **state)
{
    (void)state;
    struct run_fixture run;
    int warnings = 0;
    const char *const settings[] = {"steps", "4", "learning-rate", "1e-9", "temperature", "0.1", NULL};
    if (run_in(&run, "judged", -1, settings)) fail_msg("%s", run.error.text);
    assert_true(fixture_said(&run, "epoch 1.333, the last one in part"));
    for (const char *at = run.log.bytes; (at = strstr(at, "is above chance")); at++) warnings++;
    fixture_close(&run);
    assert_int_equal(warnings, 1);
}

/* 3 steps an epoch: five are an epoch and two thirds. */
static void a_part_of_an_epoch_ends_like_one(void **state)
{
    (void)state;
    struct run_fixture run;
    struct metrics_history history;
    struct error error;
    assert_int_equal(run_in(&run, "part", -1, (const char *[]){"steps", "5", NULL}), SIMCLR_OK);
    assert_int_equal(run.steps_seen, 5);
    assert_true(fixture_said(&run, "epoch 1/2: loss"));
    assert_true(fixture_said(&run, "epoch 1.667, the last one in part: loss"));
    assert_true(fixture_said(&run, "finished: 5 steps"));
    fixture_close(&run);
    if (metrics_read(at("part"), &history, &error)) fail_msg("%s", error.text);
    const struct schedule schedule = {
        .base = 1, .batch = 16, .steps_per_epoch = 3, .epochs = 5.0 / 3, .warmup_epochs = 0};
    int ends = 0;
    for (size_t i = 0; i < history.count; i++) {
        const struct metrics_row *row = &history.rows[i];
        const double *rate = metrics_find(row, "train/learning_rate"), *steps = metrics_find(row, "epoch/steps");
        assert_true(row->epoch == (double)row->step / 3);
        if (rate) assert_true(*rate == schedule_rate(&schedule, row->step - 1)); /* the cosine ends with the steps */
        if (!steps) continue;
        assert_true(*steps == (ends == 0 ? 3 : 2));
        assert_non_null(metrics_find(row, "epoch/knn_top1"));
        ends++;
    }
    assert_int_equal(ends, 2);
    metrics_history_free(&history);
    struct config *config = config_of("part");
    assert_int_equal(config->steps, 5);
    assert_int_equal(config->epochs, 2);
    assert_int_equal(run_state_find(at("part"), config, 5, 5.0 / 3), RUN_FINISHED);
    assert_int_equal(run_state_find(at("part"), config, 4, 4.0 / 3), RUN_STOPPED);
    config_destroy(&config);
    assert_int_equal(run_in(&run, "part", -1, (const char *[]){"steps", "5", NULL}), SIMCLR_OK); /* it is finished */
    assert_int_equal(run.steps_seen, 0);
    assert_false(fixture_said(&run, "in part"));
    fixture_close(&run);
}

static void parts_resume_to_the_byte(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("stopped", (const char *[]){"steps", "5", NULL});
    const struct bytes expected = take_away("stopped", 5);
    for (int stop = 1; stop <= 5; stop++) {
        assert_int_equal(run_in(&run, "stopped", stop, (const char *[]){"steps", "5", NULL}), SIMCLR_INTERRUPTED);
        fixture_close(&run);
        run_whole("stopped", (const char *[]){"steps", "5", NULL});
        assert_ends_in("stopped", 5, expected);
        memory_free(take_away("stopped", 5).data);
    }
    memory_free(expected.data);
}

/* From an epoch and two thirds to three: the epoch that was cut goes on, and has its end where it belongs. */
static void a_part_goes_further(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("further", (const char *[]){"steps", "5", NULL});
    assert_int_equal(run_in(&run, "further", -1, (const char *[]){"epochs", "3", NULL}), SIMCLR_OK);
    assert_int_equal(run.first_step, 6);
    assert_int_equal(run.steps_seen, 4);
    assert_true(fixture_said(&run, "further epochs: 3, where the run was to have 1.66667"));
    assert_true(fixture_said(&run, "epoch 2/3: loss"));
    assert_true(fixture_said(&run, "epoch 3/3: loss"));
    fixture_close(&run);
    run_whole("more", (const char *[]){"steps", "4", NULL});
    run_whole("more", (const char *[]){"steps", "5", NULL});  /* more of the same epoch */
    run_whole("more", (const char *[]){"epochs", "2", NULL}); /* the rest of it */
    assert_int_equal(run_in(&run, "more", -1, (const char *[]){"steps", "5", NULL}), SIMCLR_INVALID); /* fewer */
    assert_non_null(strstr(run.error.text, "(steps)"));
    fixture_close(&run);
}

static void steps_and_epochs_that_differ(void **state)
{
    (void)state;
    struct run_fixture run;
    assert_int_equal(run_in(&run, "differ", -1, (const char *[]){"steps", "5", "epochs", "3", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "--steps 5 is 1.667 epochs of 3 steps, and --epochs says 3"));
    fixture_close(&run);
}

/* As `pretrain --recipe RUN/config.yaml --epochs 3 --out RUN` of a run of five steps: the recipe says both. */
static void epochs_by_a_nearer_hand_win(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("nearer", (const char *[]){"steps", "5", NULL});
    fixture_open(&run, at("nearer"));
    assert_int_equal(config_set(run.config, "steps", "5", 1, NULL), SIMCLR_OK);
    fixture_set(&run, "epochs", "3");
    if (fixture_run(&run, pretrain_run)) fail_msg("%s", run.error.text);
    assert_int_equal(run.first_step, 6);
    assert_int_equal(run.steps_seen, 4);
    fixture_close(&run);
    struct config *config = config_of("nearer");
    assert_int_equal(config->steps, 0);
    assert_int_equal(config->epochs, 3);
    config_destroy(&config);
}

/* A tenth of an epoch and two thirds. */
static void the_warmup_is_a_tenth_of_the_steps(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("tenth", (const char *[]){"steps", "5", "warmup-epochs", "auto", NULL});
    struct config *config = config_of("tenth");
    assert_true(fabs(config->warmup_epochs - 5.0 / 30) < 1e-12);
    config_destroy(&config);

    /* An earlier version took a tenth of two epochs: such a run goes on with that. */
    assert_int_equal(run_in(&run, "begun", 3, (const char *[]){"steps", "5", "warmup-epochs", "0.2", NULL}),
                     SIMCLR_INTERRUPTED);
    fixture_close(&run);
    run_whole("begun", (const char *[]){"steps", "5", "warmup-epochs", "auto", NULL});
    config = config_of("begun");
    assert_true(config->warmup_epochs == 0.2);
    config_destroy(&config);
}

static void a_warmup_that_the_steps_do_not_leave(void **state)
{
    (void)state;
    struct run_fixture run;
    assert_int_equal(run_in(&run, "never", -1, (const char *[]){"steps", "4", "warmup-epochs", "1.5", NULL}),
                     SIMCLR_INVALID);
    assert_non_null(
        strstr(run.error.text, "--warmup-epochs 1.5 is above the 1.333 epochs of --steps 4: give less (auto: "));
    fixture_close(&run);
    assert_false(has_file("never/config.yaml"));
    run_whole("never", (const char *[]){"steps", "4", "warmup-epochs", "1.25", NULL});
    const struct bytes kept = read_file("never/config.yaml");
    assert_int_equal(
        run_in(&run, "never", -1, (const char *[]){"steps", "4", "warmup-epochs", "1.5", "overwrite", "true", NULL}),
        SIMCLR_INVALID);
    fixture_close(&run);
    assert_same_file("never/config.yaml", kept); /* what is there is not removed first */
    memory_free(kept.data);
}

/* ---- --time ---- */

/* As long as this machine needs for some steps: twenty at least, and an end to the doubling. */
static int run_timed(struct run_fixture *run, const char *out, int64_t interrupt_at, char time[16])
{
    for (int seconds = 1; seconds <= 256; seconds *= 2) {
        snprintf(time, 16, "%ds", seconds);
        const int status =
            run_in(run, out, interrupt_at, (const char *[]){"time", time, "warmup-epochs", "auto", NULL});
        if (status != SIMCLR_INVALID) return status;
        assert_non_null(strstr(run->error.text, "is too short for 20 steps"));
        fixture_close(run);
    }
    fail_msg("twenty steps of the smallest network do not fit into four minutes");
    return SIMCLR_INVALID;
}

static void time_chooses_once(void **state)
{
    (void)state;
    struct run_fixture run;
    char time[16], epochs[24], steps[24], warmup[40];
    assert_int_equal(run_timed(&run, "timed", 3, time), SIMCLR_INTERRUPTED);
    assert_true(fixture_said(&run, "time: "));
    assert_int_equal(run.first_step, 1); /* the steps that were timed are no steps of the run */
    fixture_close(&run);
    struct config *config = config_of("timed");
    assert_true(config->time == 0); /* a recipe that repeats the run, not the choice */
    const int64_t all = config->steps > 0 ? config->steps : 3 * config->epochs;
    assert_true(all >= 20);
    const double tenth = (double)all / 30;
    assert_true(fabs(config->warmup_epochs - (tenth > 10 ? 10 : tenth)) < 1e-12);
    snprintf(epochs, sizeof epochs, "%lld", (long long)config->epochs);
    snprintf(steps, sizeof steps, "%lld", (long long)config->steps);
    snprintf(warmup, sizeof warmup, "%.17g", config->warmup_epochs);
    config_destroy(&config);

    /* The same command, and another time of which nothing comes: what was chosen stays. */
    const char *const again[][5] = {{"time", time, "warmup-epochs", "auto", NULL},
                                    {"time", "9h", "warmup-epochs", "auto", NULL}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_in(&run, "timed", i == 0 ? 7 : -1, again[i]), i == 0 ? SIMCLR_INTERRUPTED : SIMCLR_OK);
        assert_true(fixture_said(&run, "keeps what was chosen for it: "));
        assert_false(fixture_said(&run, "time: "));
        assert_int_equal(run.first_step, i == 0 ? 4 : 8);
        fixture_close(&run);
    }
    /* One that was never stopped, by the numbers of config.yaml. */
    const struct bytes expected = take_away("timed", all);
    run_whole("timed", (const char *[]){"epochs", epochs, "steps", steps, "warmup-epochs", warmup, NULL});
    assert_ends_in("timed", all, expected);
    memory_free(expected.data);
}

static void too_little_time(void **state)
{
    (void)state;
    struct run_fixture run;
    assert_int_equal(run_in(&run, "short", -1, (const char *[]){"time", "0.001s", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "is too short for 20 steps of "));
    assert_non_null(strstr(run.error.text, "give at least "));
    fixture_close(&run);
    assert_false(has_file("short/config.yaml")); /* nothing was begun */
    assert_false(has_file("short/checkpoints/probe.safetensors"));
}

static void a_warmup_that_is_too_long(void **state)
{
    (void)state;
    struct run_fixture run;
    for (int seconds = 1; seconds <= 256; seconds *= 2) {
        char time[16];
        snprintf(time, sizeof time, "%ds", seconds);
        assert_int_equal(run_in(&run, "warm", -1, (const char *[]){"time", time, "warmup-epochs", "99999", NULL}),
                         SIMCLR_INVALID);
        const bool said = strstr(run.error.text, "--warmup-epochs 99999 is above the ");
        fixture_close(&run);
        if (said) return;
    }
    fail_msg("it was taken");
}

/* ---- --batch auto ---- */

static void a_batch_is_chosen_once(void **state)
{
    (void)state;
    struct run_fixture run;
    assert_int_equal(run_in(&run, "auto", -1, (const char *[]){"batch", "auto", NULL}), SIMCLR_OK);
    assert_true(fixture_said(&run, "batch: 8, of 48 images; a step takes "));
    assert_int_equal(run.steps_seen, 12); /* four steps an epoch at least: six */
    fixture_close(&run);
    struct config *config = config_of("auto");
    assert_int_equal(config->batch, 8);
    config_destroy(&config);

    run_whole("kept", NULL); /* of 16, as if this were another machine */
    assert_int_equal(run_in(&run, "kept", -1, (const char *[]){"batch", "auto", NULL}), SIMCLR_OK);
    assert_true(fixture_said(&run, "keeps what was chosen for it: batch 16"));
    assert_int_equal(run.steps_seen, 0);
    fixture_close(&run);
    assert_int_equal(run_in(&run, "kept", -1, (const char *[]){"batch", "auto", "overwrite", "true", NULL}), SIMCLR_OK);
    assert_int_equal(run.steps_seen, 12); /* unless it begins afresh */
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_an_epoch_ends_like_one),
        cmocka_unit_test(a_part_of_an_epoch_is_not_judged),
        cmocka_unit_test(parts_resume_to_the_byte),
        cmocka_unit_test(a_part_goes_further),
        cmocka_unit_test(steps_and_epochs_that_differ),
        cmocka_unit_test(epochs_by_a_nearer_hand_win),
        cmocka_unit_test(the_warmup_is_a_tenth_of_the_steps),
        cmocka_unit_test(a_warmup_that_the_steps_do_not_leave),
        cmocka_unit_test(time_chooses_once),
        cmocka_unit_test(too_little_time),
        cmocka_unit_test(a_warmup_that_is_too_long),
        cmocka_unit_test(a_batch_is_chosen_once),
    };
    return run_cases(tests, make_folder, remove_folder);
}
