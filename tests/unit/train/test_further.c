/* Runs that go on from something: further epochs, weights of another run, and the checkpoints that are kept for it. */
#include "unit/train/run_fixture.h"

#include <math.h>

#include "checkpoint/checkpoint.h"
#include "run/metrics.h"
#include "support/files.h"
#include "support/folder.h"
#include "train/pretrain.h"

static char *in_folder(const char *name)
{
    char *path = file_join(folder, name);
    assert_non_null(path);
    return path;
}

/* out: a folder's name, or NULL for the usual one. extra: names and values. */
static int run_in(struct run_fixture *run, const char *out, int64_t interrupt_at, const char *const *extra)
{
    char *path = out ? in_folder(out) : NULL;
    fixture_open(run, path ? path : folder);
    run->interrupt_at = interrupt_at;
    for (; extra && *extra; extra += 2) fixture_set(run, extra[0], extra[1]);
    memory_free(path);
    return fixture_run(run, pretrain_run);
}

static void run_whole(const char *out, const char *const *extra)
{
    struct run_fixture run;
    if (run_in(&run, out, -1, extra) != SIMCLR_OK) fail_msg("%s", run.error.text);
    fixture_close(&run);
}

static void assert_equal_files(const char *a, const char *b)
{
    uint8_t *bytes[2];
    size_t counts[2];
    const char *const names[] = {a, b};
    for (int i = 0; i < 2; i++) {
        char *path = in_folder(names[i]);
        if (file_read(path, 1 << 26, &bytes[i], &counts[i], NULL)) fail_msg("%s is missing", names[i]);
        memory_free(path);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_memory_equal(bytes[0], bytes[1], counts[0]);
    memory_free(bytes[0]);
    memory_free(bytes[1]);
}

/* ---- further epochs ----------------------------------------------------------------------------------------- */

/* The rate of every step of a run in `out`: 3 steps an epoch, peak 1 x 16 / 256. */
static void check_rates(const char *out, double warmup, double before, double after, int64_t jump)
{
    struct metrics_history history;
    struct error error;
    char *path = in_folder(out);
    if (metrics_read(path, &history, &error)) fail_msg("%s", error.text);
    int64_t steps = 0;
    for (size_t i = 0; i < history.count; i++) {
        const double *rate = metrics_find(&history.rows[i], "train/learning_rate");
        if (!rate) continue;
        const int64_t step = history.rows[i].step - 1;
        assert_int_equal(step, steps++);
        const struct schedule schedule = {.base = 1,
                                          .batch = 16,
                                          .steps_per_epoch = 3,
                                          .epochs = step < jump ? before : after,
                                          .warmup_epochs = warmup};
        if (fabs(*rate - schedule_rate(&schedule, step)) > 1e-12)
            fail_msg("step %lld: rate %g", (long long)step, *rate);
    }
    assert_int_equal(steps, 3 * (int64_t)after);
    metrics_history_free(&history);
    memory_free(path);
}

static void a_finished_run_goes_on(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("more", (const char *[]){"warmup-epochs", "auto", NULL}); /* a tenth of 2 epochs: 0.6 steps */
    assert_int_equal(run_in(&run, "more", -1, (const char *[]){"warmup-epochs", "auto", "epochs", "4", NULL}),
                     SIMCLR_OK);
    assert_int_equal(run.first_step, 7);
    assert_true(fixture_said(&run, "further epochs: 4, where the run was to have 2; on the cosine over all of them the "
                                   "rate jumps from 0.0"));
    assert_true(fixture_said(&run, "at step 6"));
    fixture_close(&run);
    check_rates("more", 0.2, 2, 4, 6); /* the first run's warm-up, not a tenth of 4 epochs */
    assert_int_equal(run_in(&run, "more", -1, (const char *[]){"warmup-epochs", "auto", "epochs", "4", NULL}),
                     SIMCLR_OK); /* finished */
    assert_int_equal(run.steps_seen, 0);
    assert_false(fixture_said(&run, "further epochs"));
    fixture_close(&run);
}

/* Stopped in the middle, raised, stopped again: the bytes of a run that was raised at the same step and never stopped.
 */
static void a_stopped_run_goes_on_further(void **state)
{
    (void)state;
    struct run_fixture run;
    static const char *const names[] = {"once", "twice"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_in(&run, names[i], 4, NULL), SIMCLR_INTERRUPTED);
        fixture_close(&run);
        const int status = run_in(&run, names[i], i == 0 ? -1 : 8, (const char *[]){"epochs", "3", NULL});
        assert_int_equal(status, i == 0 ? SIMCLR_OK : SIMCLR_INTERRUPTED);
        fixture_close(&run);
    }
    run_whole("twice", (const char *[]){"epochs", "3", NULL});
    check_rates("twice", 0, 2, 3, 4);
    assert_equal_files("once/exported/encoder.safetensors", "twice/exported/encoder.safetensors");
}

static void other_changes_are_still_refused(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("fixed", (const char *[]){"warmup-epochs", "auto", NULL});
    assert_int_equal(run_in(&run, "fixed", -1, (const char *[]){"epochs", "4", "temperature", "0.2", NULL}),
                     SIMCLR_INVALID); /* and --warmup-epochs 0, which the fixture gives */
    assert_non_null(strstr(run.error.text, "warmup-epochs"));
    assert_non_null(strstr(run.error.text, "temperature"));
    assert_null(strstr(run.error.text, "(epochs"));
    assert_null(strstr(run.error.text, ", epochs"));
    fixture_close(&run);
    assert_int_equal(run_in(&run, "fixed", -1, (const char *[]){"epochs", "1", "warmup-epochs", "auto", NULL}),
                     SIMCLR_INVALID); /* fewer */
    assert_non_null(strstr(run.error.text, "(epochs)"));
    fixture_close(&run);
}

/* ---- weights of another run --------------------------------------------------------------------------------- */

static void a_run_starts_from_weights(void **state)
{
    (void)state;
    static const char *const names[] = {"first", "first/exported/encoder.safetensors",
                                        "first/checkpoints/step-00000006.safetensors"};
    struct run_fixture run;
    run_whole("first", NULL);
    for (int i = 0; i < 3; i++) {
        char *path = in_folder(names[i]);
        assert_int_equal(run_in(&run, "second", -1, (const char *[]){"init", path, "overwrite", "true", NULL}),
                         SIMCLR_OK);
        assert_int_equal(run.first_step, 1); /* a new run */
        assert_true(fixture_said(&run, "init: 100 of 100 tensors of the encoder and "));
        if (i == 1) {
            assert_true(fixture_said(&run, " and 0 of 9 of the head start from "));
            assert_false(fixture_said(&run, "left out"));
        } else {
            assert_true(fixture_said(&run, " and 9 of 9 of the head start from "));
            assert_true(fixture_said(&run, "tensors of the file left out: optimizer.state1."));
        }
        fixture_close(&run);
        memory_free(path);
    }
    /* resumed, the file is not needed; without the option it is another run */
    char *path = in_folder("first");
    assert_int_equal(run_in(&run, "second", -1, NULL), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "(init)"));
    fixture_close(&run);
    assert_int_equal(run_in(&run, "third", 2, (const char *[]){"init", path, NULL}), SIMCLR_INTERRUPTED);
    fixture_close(&run);
    assert_int_equal(run_in(&run, "third", -1, (const char *[]){"init", path, NULL}), SIMCLR_OK);
    assert_int_equal(run.first_step, 3);
    assert_false(fixture_said(&run, "init: "));
    fixture_close(&run);
    memory_free(path);
}

/* --overwrite empties the folder that the weights lie in: after they were read. */
static void weights_in_the_folder_that_is_emptied(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("self", NULL);
    char *path = in_folder("self");
    assert_int_equal(run_in(&run, "self", -1, (const char *[]){"init", path, "overwrite", "true", NULL}), SIMCLR_OK);
    assert_true(fixture_said(&run, "init: 100 of 100 tensors"));
    fixture_close(&run);
    /* and nothing is emptied where they do not fit */
    assert_int_equal(
        run_in(&run, "self", -1, (const char *[]){"init", path, "overwrite", "true", "width", "0.25", NULL}),
        SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "give --depth 18 --width 0.125"));
    fixture_close(&run);
    assert_true(has_file("self/checkpoints/step-00000006.safetensors"));
    memory_free(path);
}

static void a_stem_that_does_not_fit_starts_anew(void **state)
{
    (void)state;
    struct run_fixture run;
    run_whole("small", NULL);
    char *path = in_folder("small");
    assert_int_equal(run_in(&run, "large", -1,
                            (const char *[]){"init", path, "stem", "imagenet", "mean", "0.5,0.5,0.5", "std",
                                             "0.2,0.2,0.2", "head-dim", "8", NULL}),
                     SIMCLR_OK);
    assert_true(fixture_said(&run, "init: 99 of 100 tensors of the encoder and 5 of 9 of the head start from "));
    assert_true(fixture_said(
        &run,
        "! init: 1 tensor of the encoder starts anew: conv1.weight: [8, 3, 7, 7], where the file has [8, 3, 3, 3]"));
    assert_true(fixture_said(&run, "! init: ")); /* and its input was another */
    assert_true(fixture_said(&run, "was trained without --mean and --std, which this run has"));
    fixture_close(&run);
    memory_free(path);
}

/* Whichever allocation fails while weights are taken, or while a run goes on further, there is a sentence for it. */
static void no_memory_to_go_on(void **state)
{
    (void)state;
    run_whole("source", (const char *[]){"epochs", "1", NULL});
    char *path = in_folder("source");
    const char *const init[] = {"init", path, "overwrite", "true", "epochs", "1", "threads", "1", NULL};
    const char *const further[] = {"epochs", "2", "threads", "1", NULL};
    for (int i = 0; i < 2; i++) {
        int failed = 0;
        for (long n = 1, good = 0; good < 3; n += 1 + n / 4) {
            struct run_fixture run;
            if (i == 1) run_whole("memory", (const char *[]){"overwrite", "true", "epochs", "1", NULL});
            char *out = in_folder("memory");
            fixture_open(&run, out);
            memory_free(out);
            for (const char *const *extra = i == 0 ? init : further; *extra; extra += 2)
                fixture_set(&run, extra[0], extra[1]);
            memory_fail_after(n);
            const int status = fixture_run(&run, pretrain_run);
            memory_fail_after(0);
            if (status != SIMCLR_OK && status != SIMCLR_NO_MEMORY)
                fail_msg("allocation %ld: status %d: %s", n, status, run.error.text);
            failed += status != SIMCLR_OK;
            good = status == SIMCLR_OK ? good + 1 : 0;
            fixture_close(&run);
        }
        assert_true(failed > 15);
    }
    memory_free(path);
}

/* ---- what is kept ------------------------------------------------------------------------------------------- */

static void cut_file(const char *name)
{
    char *path = in_folder(name);
    assert_int_equal(truncate(path, file_size(path) - 100), 0);
    memory_free(path);
}

/* A damaged checkpoint takes no place among those that are kept. */
static void keep_counts_whole_checkpoints(void **state)
{
    (void)state;
    run_whole("keep", (const char *[]){"epochs", "4", "keep", "9", NULL});
    cut_file("keep/checkpoints/step-00000012.safetensors");
    cut_file("keep/checkpoints/step-00000009.safetensors");
    cut_file("keep/checkpoints/step-00000006.safetensors");
    struct run_fixture run; /* goes on at step 3, and is stopped at 4 */
    assert_int_equal(run_in(&run, "keep", 4, (const char *[]){"epochs", "4", "keep", "1", NULL}), SIMCLR_INTERRUPTED);
    fixture_close(&run);
    assert_true(has_file("keep/checkpoints/step-00000004.safetensors"));
    assert_false(has_file("keep/checkpoints/step-00000003.safetensors"));
    run_whole("keep", (const char *[]){"epochs", "4", "keep", "2", NULL}); /* over the damaged ones */
    assert_true(has_file("keep/checkpoints/step-00000012.safetensors"));
    assert_true(has_file("keep/checkpoints/step-00000009.safetensors"));
    assert_false(has_file("keep/checkpoints/step-00000006.safetensors"));
}

/* Writes a checkpoint of a finished run anew, with another figure for the best kNN. */
static void write_best(const char *name, double best, bool held_out)
{
    struct error error;
    struct checkpoint *checkpoint;
    struct model *model;
    struct optimizer *optimizer;
    struct backend *backend;
    struct pool *pool;
    const struct optimizer_config config = step_optimizer_usual(OPTIMIZER_LARS);
    char *path = in_folder(name);
    assert_int_equal(pool_create(&pool, 1, &error), SIMCLR_OK);
    assert_int_equal(backend_create("ref", simd_machine(), pool, &backend, &error), SIMCLR_OK);
    assert_int_equal(checkpoint_open(&checkpoint, path, &error), SIMCLR_OK);
    assert_int_equal(model_create(&model, checkpoint_model_config(checkpoint), NULL, 1, &error), SIMCLR_OK);
    assert_int_equal(optimizer_create(&optimizer, &config, backend, &model->parameters, &error), SIMCLR_OK);
    assert_int_equal(checkpoint_restore(checkpoint, model, optimizer, false, &error), SIMCLR_OK);
    struct checkpoint_state state = *checkpoint_state(checkpoint);
    state.best_knn = best;
    state.best_is_held_out = held_out;
    assert_int_equal(checkpoint_write(path, model, optimizer, &state, &error), SIMCLR_OK);
    checkpoint_close(&checkpoint);
    optimizer_destroy(&optimizer);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
    memory_free(path);
}

/* The best checkpoint of an earlier version was chosen by test images: its figure is no measure for the held-out ones.
 */
static void a_best_by_test_images_is_chosen_anew(void **state)
{
    (void)state;
    struct run_fixture run;
    struct checkpoint *checkpoint;
    run_whole("old", NULL);
    write_best("old/checkpoints/best.safetensors", 1, false);
    assert_int_equal(run_in(&run, "old", -1, (const char *[]){"epochs", "3", NULL}), SIMCLR_OK);
    assert_true(fixture_said(&run, "best.safetensors was chosen by test images"));
    fixture_close(&run);
    char *path = in_folder("old/checkpoints/best.safetensors");
    assert_int_equal(checkpoint_open(&checkpoint, path, NULL), SIMCLR_OK);
    assert_int_equal(checkpoint_state(checkpoint)->step, 9);
    assert_true(checkpoint_state(checkpoint)->best_is_held_out);
    checkpoint_close(&checkpoint);
    memory_free(path);
}

/* A run that was ended between its two checkpoints: the newest speaks of a best one that was never written. Its figure
 * must not keep every later one from being written. */
static void the_best_is_the_one_on_the_disk(void **state)
{
    (void)state;
    run_whole("best", NULL);
    write_best("best/checkpoints/step-00000006.safetensors", 1, true);
    char *path = in_folder("best/checkpoints/best.safetensors");
    assert_int_equal(unlink(path), 0);
    run_whole("best", (const char *[]){"epochs", "3", NULL});
    assert_true(file_exists(path));
    struct checkpoint *checkpoint;
    assert_int_equal(checkpoint_open(&checkpoint, path, NULL), SIMCLR_OK);
    assert_int_equal(checkpoint_state(checkpoint)->step, 9);
    assert_true(checkpoint_state(checkpoint)->best_knn < 1);
    checkpoint_close(&checkpoint);
    memory_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_run_goes_on),
        cmocka_unit_test(a_stopped_run_goes_on_further),
        cmocka_unit_test(other_changes_are_still_refused),
        cmocka_unit_test(a_run_starts_from_weights),
        cmocka_unit_test(weights_in_the_folder_that_is_emptied),
        cmocka_unit_test(a_stem_that_does_not_fit_starts_anew),
        cmocka_unit_test(no_memory_to_go_on),
        cmocka_unit_test(keep_counts_whole_checkpoints),
        cmocka_unit_test(the_best_is_the_one_on_the_disk),
        cmocka_unit_test(a_best_by_test_images_is_chosen_anew),
    };
    return run_cases(tests, make_folder, remove_folder);
}
