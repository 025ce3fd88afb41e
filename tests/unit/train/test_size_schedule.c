/* --image-size-schedule: what is a list, where its stages end, and a run whose views grow, gone on with bit for bit. */
#include "unit/train/run_fixture.h"

#include "run/metrics.h"
#include "support/files.h"
#include "support/folder.h"
#include "train/pretrain.h"

/* ---- the list --------------------------------------------------------------------------------------------------- */

static struct size_schedule read_list(const char *text)
{
    struct size_schedule schedule;
    struct error error = {0};
    if (size_schedule_read(&schedule, text, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return schedule;
}

static void stages_end_where_their_shares_do(void **state)
{
    (void)state;
    const struct size_schedule schedule = read_list("16:0.5,24:0.25,32:0.25");
    int sizes[STEP_SIZES_MAX];
    assert_int_equal(schedule.count, 3);
    assert_int_equal(size_schedule_last(&schedule), 32);
    assert_int_equal(size_schedule_sizes(&schedule, sizes), 3);
    assert_true(sizes[0] == 16 && sizes[1] == 24 && sizes[2] == 32);
    static const struct {
        int64_t step;
        int size;
    } at[] = {{0, 16}, {49, 16}, {50, 24}, {74, 24}, {75, 32}, {99, 32}, {100, 32}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        assert_int_equal(size_schedule_at(&schedule, at[i].step, 100), at[i].size);
    /* Thirds are no binary numbers; every step has a stage whatever the rounding. */
    const struct size_schedule thirds = read_list("16:0.3333333,8:0.3333333,16:0.3333334");
    assert_int_equal(size_schedule_sizes(&thirds, sizes), 2);
    for (int64_t steps = 1; steps < 50; steps++) {
        assert_int_equal(size_schedule_end(&thirds, 2, steps), steps);
        assert_true(size_schedule_end(&thirds, 0, steps) <= size_schedule_end(&thirds, 1, steps));
    }
    assert_int_equal(read_list("").count, 0);
    assert_int_equal(size_schedule_last(&(struct size_schedule){0}), 0);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"16", "no list"},
        {"16:", "no list"},
        {":1", "no list"},
        {"16:0.5;32:0.5", "no list"},
        {"16:0.5,32:0.5,", "ends with a comma"},
        {"16:0.5,,32:0.5", "no list"},
        {"16:0.5,32:0.4", "add up to 1"},
        {"16:1,32:1", "add up to 1"},
        {"16:0,32:1", "above 0"},
        {"16:-1,32:2", "above 0"},
        {"16:nan,32:1", "above 0"},
        {"7:1", "whole number from 8"},
        {"1025:1", "whole number from 8"},
        {"16.5:1", "whole number from 8"},
        {"nan:1", "whole number from 8"},
        {"1e99:1", "whole number from 8"},
        {"8:.1,9:.1,10:.1,11:.1,12:.1,13:.1,14:.1,15:.1,16:.2", "8 different sizes"},
        {"8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,"
         "8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.01,8:.68",
         "32 stages"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct size_schedule schedule;
        struct error error = {0};
        assert_int_equal(size_schedule_read(&schedule, wrong[i][0], &error), SIMCLR_INVALID);
        if (!strstr(error.text, wrong[i][1])) fail_msg("%s: %s", wrong[i][0], error.text);
    }
}

/* ---- a run ------------------------------------------------------------------------------------------------------ */

/* 6 steps; stop: after which a request to stop comes, -1: none. */
static int run_sizes(const char *device, const char *sizes, bool afresh, int64_t stop, struct run_fixture *run)
{
    fixture_open(run, folder);
    fixture_set(run, "device", device);
    fixture_set(run, "image-size-schedule", sizes);
    if (afresh) fixture_set(run, "overwrite", "true");
    run->interrupt_at = stop;
    return fixture_run(run, pretrain_run);
}

static void run_whole(const char *device, const char *sizes, bool afresh)
{
    struct run_fixture run;
    if (run_sizes(device, sizes, afresh, -1, &run) != SIMCLR_OK) fail_msg("%s", run.error.text);
    fixture_close(&run);
}

static void assert_sizes(const int sizes[6])
{
    struct metrics_history history;
    int seen = 0;
    assert_int_equal(metrics_read(folder, &history, NULL), SIMCLR_OK);
    for (size_t i = 0; i < history.count; i++) {
        const double *size = metrics_find(&history.rows[i], "train/image_size");
        if (size) assert_true(*size == sizes[history.rows[i].step - 1]);
        seen += size != NULL;
    }
    assert_int_equal(seen, 6);
    metrics_history_free(&history);
}

/* Whichever of the networks is the first to run in the shared arena, and at whichever step. */
static void resuming_is_bit_equal(void **state)
{
    (void)state;
    static const char *const devices[] = {"ref", "cpu"}, sizes[] = "8:0.34,12:0.16,16:0.5";
    static const int expected_sizes[6] = {8, 8, 12, 16, 16, 16};
    for (int device = 0; device < 2; device++) {
        run_whole(devices[device], sizes, true);
        assert_sizes(expected_sizes);
        struct bytes expected = read_file("checkpoints/step-00000006.safetensors");
        struct bytes encoder = read_file("exported/encoder.safetensors");
        for (int stop = device == 0 ? 3 : 1; stop <= (device == 0 ? 3 : 5); stop++) { /* ref is slow: once will do */
            struct run_fixture run;
            assert_int_equal(run_sizes(devices[device], sizes, true, stop, &run), SIMCLR_INTERRUPTED);
            fixture_close(&run);
            assert_int_equal(run_sizes(devices[device], "16:1", false, -1, &run), SIMCLR_INVALID);
            assert_non_null(strstr(run.error.text, "image-size-schedule"));
            fixture_close(&run);
            assert_int_equal(run_sizes(devices[device], sizes, false, -1, &run), SIMCLR_OK);
            char line[64];
            snprintf(line, sizeof line, "views of %d pixels from step %d on", expected_sizes[stop], stop + 1);
            assert_true(fixture_said(&run, line));
            fixture_close(&run);
            assert_same_file("checkpoints/step-00000006.safetensors", expected);
            assert_same_file("exported/encoder.safetensors", encoder);
            assert_sizes(expected_sizes);
        }
        memory_free(expected.data);
        memory_free(encoder.data);
    }
}

static void one_size_is_what_it_is_without(void **state)
{
    (void)state;
    run_whole("cpu", "", true);
    struct bytes encoder = read_file("exported/encoder.safetensors");
    run_whole("cpu", "16:1", true);
    assert_same_file("exported/encoder.safetensors", encoder);
    run_whole("cpu", "16:0.5,16:0.5", true);
    assert_same_file("exported/encoder.safetensors", encoder);
    run_whole("cpu", "8:0.5,16:0.5", true);
    struct bytes other = read_file("exported/encoder.safetensors");
    assert_true(other.count == encoder.count && memcmp(other.data, encoder.data, other.count) != 0);
    memory_free(other.data);
    memory_free(encoder.data);
}

/* The stem is that of the run's size whatever the views begin with, and the size must be the last one. */
static void the_last_size_is_the_run_s(void **state)
{
    (void)state;
    struct run_fixture run;
    assert_int_equal(run_sizes("cpu", "16:0.5,8:0.5", true, -1, &run), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "--image-size is 16, and --image-size-schedule ends with 8"));
    fixture_close(&run);
    fixture_open(&run, folder);
    fixture_set(&run, "overwrite", "true");
    fixture_set(&run, "image-size", "40");
    fixture_set(&run, "image-size-schedule", "24:0.5,40:0.5");
    assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_OK);
    assert_true(fixture_said(&run, "ImageNet stem, 40 pixels"));
    assert_true(fixture_said(&run, "2 networks share one arena"));
    fixture_close(&run);
}

/* Of 20 and 40 pixels the radii are 1 and 2. radius: as the option has it. stop: as of run_sizes. */
static void run_blurred(const char *radius, bool afresh, int64_t stop, struct run_fixture *run)
{
    fixture_open(run, folder);
    fixture_set(run, "image-size", "40");
    fixture_set(run, "image-size-schedule", "20:0.5,40:0.5");
    fixture_set(run, "blur-probability", "1");
    fixture_set(run, "blur-sigma-min", "2");
    fixture_set(run, "blur-radius", radius);
    if (afresh) fixture_set(run, "overwrite", "true");
    run->interrupt_at = stop;
    if (fixture_run(run, pretrain_run) != (stop < 0 ? SIMCLR_OK : SIMCLR_INTERRUPTED)) fail_msg("%s", run->error.text);
}

static void run_by_its_config(void)
{
    struct run_fixture run = {.interrupt_at = -1};
    assert_int_equal(config_create(&run.config, COMMAND_PRETRAIN, &run.error), SIMCLR_OK);
    fixture_set(&run, "recipe", at("config.yaml"));
    if (fixture_run(&run, pretrain_run) != SIMCLR_OK) fail_msg("%s", run.error.text);
    assert_int_equal(run.first_step, 3);
    fixture_close(&run);
}

/* A radius that is given stays, also where it is that of the run's size; an open one follows the sizes. Either stays
 * what it was in a run that goes on by its config.yaml. */
static void a_given_radius_stays(void **state)
{
    (void)state;
    static const char *const radii[] = {"2", "auto"}, *const lines[] = {"\nblur-radius: 2\n", "\nblur-radius: auto\n"};
    struct bytes encoders[2];
    for (int i = 0; i < 2; i++) {
        struct run_fixture run;
        run_blurred(radii[i], true, -1, &run);
        fixture_close(&run);
        encoders[i] = read_file("exported/encoder.safetensors");
        run_blurred(radii[i], true, 2, &run);
        fixture_close(&run);
        struct bytes yaml = read_file("config.yaml");
        if (!memmem(yaml.data, yaml.count, lines[i], strlen(lines[i]))) fail_msg("config.yaml has not%s", lines[i]);
        memory_free(yaml.data);
        run_by_its_config();
        assert_same_file("exported/encoder.safetensors", encoders[i]);
    }
    assert_int_equal(encoders[0].count, encoders[1].count);
    assert_memory_not_equal(encoders[0].data, encoders[1].data, encoders[0].count);
    memory_free(encoders[0].data);
    memory_free(encoders[1].data);
}

/* An earlier version wrote the number of the run's size for an open radius. */
static void an_earlier_run_has_an_open_radius(void **state)
{
    (void)state;
    struct run_fixture run;
    run_blurred("2", true, 2, &run);
    fixture_close(&run);
    run_blurred("auto", false, -1, &run);
    assert_int_equal(run.first_step, 3);
    assert_true(fixture_said(&run, "the run has --blur-radius 2, which is its size's own"));
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_end_where_their_shares_do),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(resuming_is_bit_equal),
        cmocka_unit_test(one_size_is_what_it_is_without),
        cmocka_unit_test(the_last_size_is_the_run_s),
        cmocka_unit_test(a_given_radius_stays),
        cmocka_unit_test(an_earlier_run_has_an_open_radius),
    };
    return run_cases(tests, make_folder, remove_folder);
}
