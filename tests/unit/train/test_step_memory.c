/* Which groups fit in memory (train/step_memory.h), by the arenas of networks that are planned and not run. */
#include "support/network_check.h" /* cmocka, before those that assert */

#include "base/memory.h"
#include "train/step_memory.h"

enum { IMAGES = 48, SIZE = 16 };

static const struct model_config MODEL = {.resnet.depth = 18,
                                          .resnet.width = 0.125,
                                          .resnet.stem = STEM_CIFAR,
                                          .image_size = SIZE,
                                          .head_layers = 2,
                                          .head_dim = 16};

static struct step_config training(int group)
{
    return (struct step_config){.loss = &step_nt_xent,
                                .images = IMAGES,
                                .group = group,
                                .temperature = 0.5,
                                .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                .schedule = step_schedule_constant(0.1)};
}

static size_t arena_of(struct backend *backend, struct model *model, int group)
{
    struct step step;
    struct error error = {0};
    struct step_config config = training(group);
    config.planning.dry = true;
    CHECK_OK(step_open_network(&step, &config, backend, model, &error), error);
    const size_t bytes = network_arena_bytes(step.network);
    step_close(&step);
    return bytes;
}

/* The greatest divisor of the batch whose arena is not larger than the memory, for each memory around each arena. */
static void the_largest_group_that_fits(void **state)
{
    (void)state;
    static const int divisors[] = {2, 3, 4, 6, 8, 12, 16, 24}; /* of 48, below it */
    struct error error = {0};
    struct model *model;
    struct bench_backend bench = open_backend("auto");
    CHECK_OK(model_create(&model, &MODEL, bench.backend, 1, &error), error);
    const struct step_config config = training(0);
    enum { DIVISORS = sizeof divisors / sizeof *divisors };
    size_t arenas[DIVISORS], bytes = 0;
    for (int i = 0; i < DIVISORS; i++) arenas[i] = arena_of(bench.backend, model, divisors[i]);
    assert_true(arenas[DIVISORS - 1] > 2 * arenas[0]);
    for (int i = 0; i < DIVISORS; i++)
        for (size_t memory = arenas[i] - 1; memory <= arenas[i]; memory++) {
            int largest = -1; /* small groups may take the same: backends fill up to eight or sixteen views */
            for (int k = 0; k < DIVISORS; k++)
                if (arenas[k] <= memory) largest = k;
            assert_int_equal(step_largest_group(&config, bench.backend, model, memory, &bytes),
                             largest < 0 ? 0 : divisors[largest]);
            if (largest >= 0) assert_int_equal(bytes, arenas[largest]);
        }
    model_destroy(&model);
    close_backend(&bench);
}

/* As many groups are kept as memory holds, and one where it holds none. */
static void groups_are_kept_while_they_fit(void **state)
{
    (void)state;
    struct error error = {0};
    struct model *model;
    struct bench_backend bench = open_backend("auto");
    CHECK_OK(model_create(&model, &MODEL, bench.backend, 1, &error), error);
    const size_t arena = arena_of(bench.backend, model, 8);
    const size_t memory[] = {1, arena, 2 * arena - 1, 2 * arena, 5 * arena + 1, 6 * arena, 99 * arena, 0};
    static const int kept[] = {1, 1, 1, 2, 5, 6, 6, 6};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct step step;
        struct step_config config = training(8);
        config.memory = memory[i];
        CHECK_OK(step_open(&step, &config, bench.backend, model, &error), error);
        assert_int_equal(step_groups_kept(&step), kept[i]);
        assert_int_equal(network_arenas(step.network), kept[i]);
        step_close(&step);
    }
    model_destroy(&model);
    close_backend(&bench);
}

/* More than the machine has: what is needed, what there is, what fits. Other failures keep their sentence. */
static void a_step_that_does_not_fit_is_explained(void **state)
{
    (void)state;
    struct error error = {0};
    struct model *model;
    struct step step;
    struct bench_backend bench = open_backend("auto");
    CHECK_OK(model_create(&model, &MODEL, bench.backend, 1, &error), error);
    struct step_config config = training(0);
    config.planning.limit = arena_of(bench.backend, model, 0);
    CHECK_OK(step_open(&step, &config, bench.backend, model, &error), error);
    step_close(&step);
    config.planning.limit -= 1;
    assert_int_equal(step_open(&step, &config, bench.backend, model, &error), SIMCLR_NO_MEMORY);
    assert_int_equal(step_explain_memory(&config, bench.backend, model, &error), SIMCLR_NO_MEMORY);
    assert_non_null(strstr(error.text, "--batch 48 with batch norm over all of it: activations take "));
    assert_non_null(strstr(error.text, "--batch-norm-images 24 takes "));
    config.group = 12;
    config.planning.limit = arena_of(bench.backend, model, 12) - 1;
    assert_int_equal(step_open(&step, &config, bench.backend, model, &error), SIMCLR_NO_MEMORY);
    assert_int_equal(step_explain_memory(&config, bench.backend, model, &error), SIMCLR_NO_MEMORY);
    assert_non_null(strstr(error.text, "groups of --batch-norm-images 12: activations take "));
    config.planning.limit = (size_t)-1;
    error_no_memory(&error, "something else", 5);
    assert_int_equal(step_explain_memory(&config, bench.backend, model, &error), SIMCLR_NO_MEMORY);
    assert_non_null(strstr(error.text, "something else"));
    model_destroy(&model);
    close_backend(&bench);
}

static void views_are_kept_up_to_a_gibibyte(void **state)
{
    (void)state;
    const size_t image = 2 * (size_t)3 * 128 * 128 * 4; /* bytes of both views: 384 KiB */
    const struct grouping fits = {2730, 273, false}, over = {2740, 274, false}, one = {2740, 0, false};
    bool by_parts;
    assert_int_equal(step_view_bytes(&fits, 128, VIEW_FLOAT32, 0, &by_parts), 2730 * image);
    assert_false(by_parts);
    assert_int_equal(step_view_bytes(&fits, 128, VIEW_FLOAT32, 2, &by_parts), 3 * 2730 * image);
    assert_int_equal(step_view_bytes(&over, 128, VIEW_FLOAT32, 0, &by_parts), 274 * image);
    assert_true(by_parts);
    assert_int_equal(step_view_bytes(&over, 128, VIEW_FLOAT32, 2, &by_parts), 3 * 274 * image);
    assert_int_equal(step_view_bytes(&over, 128, VIEW_BF16, 0, &by_parts), 2740 * image / 2);
    assert_false(by_parts);
    assert_int_equal(step_view_bytes(&one, 128, VIEW_FLOAT32, 0, &by_parts), 2740 * image);
    assert_false(by_parts);
}

/* What is left is less than what is there; there is always something, so that one group is kept. */
static void what_is_left_on_the_machine(void **state)
{
    (void)state;
    const struct parameters small = {.weight_count = 1000}, huge = {.weight_count = (size_t)1 << 50};
    const size_t left = step_memory_left(&small, 0);
    assert_true(left >= 1 && left < memory_of_machine() - memory_of_machine() / 8);
    assert_int_equal(step_memory_left(&small, memory_of_machine()), 1);
    assert_int_equal(step_memory_left(&huge, 0), 1);
    assert_true(memory_available() <= memory_of_machine());
    assert_true(memory_available() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_group_that_fits),           cmocka_unit_test(groups_are_kept_while_they_fit),
        cmocka_unit_test(a_step_that_does_not_fit_is_explained), cmocka_unit_test(views_are_kept_up_to_a_gibibyte),
        cmocka_unit_test(what_is_left_on_the_machine),
    };
    return run_cases(tests, NULL, NULL);
}
