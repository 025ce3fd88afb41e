/* Which tensors an optimiser touches, with which rules; the schedule's edges. The arithmetic itself is held to PyTorch
 * by the golden tests of operations. */
#include "support/network_check.h"

#include "base/memory.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

struct fixture {
    struct parameters table;
    struct bench_backend bench;
};

/* Four tensors of 20: adapted, plain, buffer, frozen; weights 0.5, gradients 2. */
static void open_fixture(struct fixture *f)
{
    struct error error = {0};
    memset(f, 0, sizeof *f);
    f->bench = open_backend("ref");
    const unsigned flags[4] = {PARAMETER_DECAY | PARAMETER_ADAPT, 0, PARAMETER_BUFFER,
                               PARAMETER_DECAY | PARAMETER_ADAPT | PARAMETER_FROZEN};
    const char *const names[4] = {"adapted", "plain", "buffer", "frozen"};
    for (int i = 0; i < 4; i++) {
        const struct parameter_form form = {.rank = 2, .dims = {4, 5}, .flags = flags[i], .init = INIT_ZERO};
        assert_int_equal(parameters_add(&f->table, names[i], &form, &error), i);
    }
    CHECK_OK(parameters_allocate(&f->table, NULL, &error), error);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 20; k++) {
            parameter_weights(&f->table, i)[k] = 0.5f;
            if (i != 2) parameter_gradients(&f->table, i)[k] = 2;
        }
}

static void close_fixture(struct fixture *f)
{
    parameters_free(&f->table);
    close_backend(&f->bench);
}

static struct optimizer_config step_settings(enum optimizer_kind kind)
{
    return (struct optimizer_config){
        .kind = kind, .momentum = 0.9f, .weight_decay = 0.1f, .trust = 0.001f, .beta2 = 0.999f, .epsilon = 1e-8f};
}

static void check_near(float value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * fabs(expected))) fail_msg("%.9g instead of %.9g", (double)value, expected);
}

/* Two steps of LARS by hand: v = 0.9 v + lr trust g', w -= v. */
static void test_lars(void **state)
{
    (void)state;
    struct error error = {0};
    struct fixture f;
    struct optimizer *optimizer;
    struct optimizer_config config = {.kind = OPTIMIZER_LARS, .momentum = 0.9f, .weight_decay = 0.1f, .trust = 0.001f};
    open_fixture(&f);
    CHECK_OK(optimizer_create(&optimizer, &config, f.bench.backend, &f.table, &error), error);
    assert_null(optimizer->state2);
    double w = 0.5, v = 0, plain = 0.5, plain_v = 0;
    for (int step = 0; step < 2; step++) {
        optimizer_update(optimizer, 0.3);
        double g = 2 + (double)0.1f * w;
        v = 0.9 * v + 0.3 * 0.001 * w / g * g; /* |w| / |g'| is w / g' for constant tensors */
        w -= v;
        plain_v = 0.9 * plain_v + 0.3 * 2;
        plain -= plain_v;
        check_near(parameter_weights(&f.table, 0)[19], w);
        check_near(parameter_weights(&f.table, 1)[19], plain);
        check_near(optimizer->state1[f.table.items[1].offset + 19], plain_v);
    }
    assert_true(parameter_weights(&f.table, 2)[0] == 0.5f && parameter_weights(&f.table, 3)[0] == 0.5f);
    assert_int_equal(optimizer->steps, 2);
    optimizer_destroy(&optimizer);
    assert_null(optimizer);
    close_fixture(&f);
}

/* A tensor with a rate of its own goes as one at that rate does; momentum that is in units of steps shrinks with it. */
static void test_rates(void **state)
{
    (void)state;
    static const enum optimizer_kind kinds[] = {OPTIMIZER_LARS, OPTIMIZER_SGD, OPTIMIZER_ADAMW};
    for (int kind = 0; kind < 3; kind++) {
        const struct optimizer_config config = step_settings(kinds[kind]);
        float after[2];
        for (int slow = 0; slow < 2; slow++) {
            struct error error = {0};
            struct fixture f;
            struct optimizer *optimizer;
            open_fixture(&f);
            f.table.items[0].rate = slow ? 0.25f : 1;
            CHECK_OK(optimizer_create(&optimizer, &config, f.bench.backend, &f.table, &error), error);
            for (int step = 0; step < 3; step++) optimizer_update(optimizer, slow ? 0.25 : 0.0625);
            after[slow] = parameter_weights(&f.table, 0)[7];
            if (slow) assert_true(parameter_weights(&f.table, 1)[7] < after[slow]); /* four times the rate */
            optimizer_destroy(&optimizer);
            close_fixture(&f);
        }
        assert_true(after[0] == after[1] && after[0] != 0.5f);
    }
}

static void a_rate_must_be_positive(void **state)
{
    (void)state;
    static const float bad[] = {0, -1, NAN, INFINITY};
    const struct optimizer_config config = step_settings(OPTIMIZER_SGD);
    for (int i = 0; i < 4; i++) {
        struct error error = {0};
        struct fixture f;
        struct optimizer *optimizer;
        open_fixture(&f);
        f.table.items[1].rate = bad[i];
        assert_int_equal(optimizer_create(&optimizer, &config, f.bench.backend, &f.table, &error), SIMCLR_INVALID);
        assert_non_null(strstr(error.text, "the learning rate"));
        close_fixture(&f);
    }
}

/* Two steps of AdamW by hand: the bias correction counts steps from 1, decay is decoupled. */
static void test_adamw(void **state)
{
    (void)state;
    struct error error = {0};
    struct fixture f;
    struct optimizer *optimizer;
    struct optimizer_config config = {
        .kind = OPTIMIZER_ADAMW, .momentum = 0.9f, .weight_decay = 0.1f, .beta2 = 0.999f, .epsilon = 1e-8f};
    open_fixture(&f);
    CHECK_OK(optimizer_create(&optimizer, &config, f.bench.backend, &f.table, &error), error);
    const double beta1 = (double)0.9f, beta2 = (double)0.999f;
    double w = 0.5, m = 0, v = 0;
    for (int step = 1; step <= 2; step++) {
        for (int k = 0; k < 20; k++) parameter_gradients(&f.table, 0)[k] = (float)step;
        optimizer_update(optimizer, 0.01);
        m = beta1 * m + (1 - beta1) * step;
        v = beta2 * v + (1 - beta2) * step * step;
        w -= 0.01 * 0.1 * w;
        w -= 0.01 * (m / (1 - pow(beta1, step))) / (sqrt(v / (1 - pow(beta2, step))) + 1e-8);
        if (fabs(parameter_weights(&f.table, 0)[0] - w) > 2e-6)
            fail_msg("step %d: %g, not %g", step, (double)parameter_weights(&f.table, 0)[0], w);
    }
    check_near(optimizer->state2[0], v);
    optimizer_destroy(&optimizer);
    close_fixture(&f);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    const struct optimizer_config good = {
        .kind = OPTIMIZER_LARS, .momentum = 0.9f, .weight_decay = 1e-4f, .trust = 0.001f};
    for (int i = 0; i < 9; i++) {
        struct optimizer_config config = good;
        struct optimizer *optimizer;
        struct error error = {0};
        switch (i) {
        case 0:
            config.momentum = 1;
            break;
        case 1:
            config.momentum = -0.1f;
            break;
        case 2:
            config.weight_decay = -1;
            break;
        case 3:
            config.weight_decay = INFINITY;
            break;
        case 4:
            config.trust = 0;
            break;
        case 5:
            config.trust = NAN;
            break;
        case 6:
            config.kind = OPTIMIZER_ADAMW;
            config.beta2 = 1;
            config.epsilon = 1e-8f;
            break;
        case 7:
            config.kind = OPTIMIZER_ADAMW;
            config.beta2 = 0.9f;
            break;
        default:
            config.momentum = NAN;
            break;
        }
        assert_int_equal(optimizer_create(&optimizer, &config, f.bench.backend, &f.table, &error), SIMCLR_INVALID);
        assert_true(optimizer == NULL && strlen(error.text) > 20);
    }
    int status = SIMCLR_NO_MEMORY, failures = 0;
    for (long n = 1; status; n++, failures++) {
        struct optimizer *optimizer;
        struct error error = {0};
        memory_fail_after(n);
        status = optimizer_create(&optimizer, &good, f.bench.backend, &f.table, &error);
        memory_fail_after(0);
        if (status) assert_int_equal(status, SIMCLR_NO_MEMORY);
        optimizer_destroy(&optimizer);
    }
    assert_int_equal(failures, 7); /* six that fail and one that does not */
    close_fixture(&f);
}

static void test_schedule(void **state)
{
    (void)state;
    struct schedule schedule = {.base = 0.3, .batch = 4096, .steps_per_epoch = 10, .epochs = 100, .warmup_epochs = 10};
    assert_true(fabs(schedule_peak(&schedule) - 4.8) < 1e-12); /* the paper's */
    assert_true(schedule_rate(&schedule, 0) == 0);
    assert_true(fabs(schedule_rate(&schedule, 50) - 2.4) < 1e-12);
    assert_true(fabs(schedule_rate(&schedule, 100) - 4.8) < 1e-12);
    assert_true(fabs(schedule_rate(&schedule, 550) - 2.4) < 1e-12);
    assert_true(schedule_rate(&schedule, 1000) == 0 && schedule_rate(&schedule, 5000) == 0);
    schedule.scaling = SCALING_SQRT;
    schedule.base = 0.075;
    assert_true(fabs(schedule_peak(&schedule) - 4.8) < 1e-12);
    schedule.scaling = SCALING_NONE; /* the rate that was asked for, whatever the batch */
    assert_true(schedule_peak(&schedule) == 0.075);
    schedule.scaling = SCALING_SQRT;
    schedule.warmup_epochs = 0;
    assert_true(fabs(schedule_rate(&schedule, 0) - 4.8) < 1e-12);
    schedule.warmup_epochs = 100; /* all of it */
    assert_true(fabs(schedule_rate(&schedule, 999) - 4.8 * 0.999) < 1e-12);
    assert_true(schedule_rate(&schedule, 1000) == 0);
    schedule.epochs = 0.5; /* shorter than its warm-up */
    assert_true(isfinite(schedule_rate(&schedule, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lars),     cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_rates),    cmocka_unit_test(a_rate_must_be_positive),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_schedule),
    };
    return run_cases(tests, NULL, NULL);
}
