/* Linear classifiers by SGD: PyTorch's steps in float64, and facts that need no reference. */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/linear_sgd.h"
#include "support/random.h"
#include "support/reference.h"

/* Every backend and instruction set that this machine has. */
struct machine {
    struct pool *pool;
    struct backend *backend;
};

static struct machine machine_open(const char *name, enum simd simd, int threads)
{
    struct machine machine = {0};
    struct error error = {0};
    assert_int_equal(pool_create(&machine.pool, threads, &error), SIMCLR_OK);
    if (backend_create(name, simd, machine.pool, &machine.backend, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return machine;
}

static void machine_close(struct machine *machine)
{
    backend_destroy(&machine->backend);
    pool_destroy(&machine->pool);
}

typedef void on_machine(struct backend *backend);

static void everywhere(on_machine *test)
{
    struct machine machine = machine_open("ref", simd_machine(), 1);
    test(machine.backend);
    machine_close(&machine);
    for (const char *const *word = simd_words(); *word; word++) {
        enum simd simd;
        if (simd_choose(*word, "a test", &simd, NULL) != SIMCLR_OK) continue;
        machine = machine_open("cpu", simd, 2);
        test(machine.backend);
        machine_close(&machine);
    }
}

/* ---- the reference ---------------------------------------------------------------------------------------------- */

static struct reference file;

static void assert_near(const float *ours, struct reference_tensor theirs)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < theirs.count; i++) {
        const double value = reference_number(theirs, i);
        difference += ((double)ours[i] - value) * ((double)ours[i] - value);
        norm += value * value;
    }
    if (!(sqrt(difference) <= 1e-5 * sqrt(norm))) fail_msg("off by %g of %g", sqrt(difference), sqrt(norm));
}

static void follow_case(struct backend *backend, int number)
{
    const struct reference_tensor w = reference_get(&file, "case%d.w0", number),
                                  b = reference_get(&file, "case%d.b0", number),
                                  rates = reference_get(&file, "case%d.learning_rates", number),
                                  losses = reference_get(&file, "case%d.losses", number);
    const int64_t rows = reference_get(&file, "case%d.x0", number).dim[0];
    const struct linear_sgd_config config = {
        .dim = (int)w.dim[1],
        .classes = (int)w.dim[0],
        .bank = 1,
        .rows = (int)rows,
        .rule = reference_number(reference_get(&file, "case%d.lars", number), 0) > 0 ? LINEAR_SGD_LARS
                                                                                     : LINEAR_SGD_NESTEROV,
        .momentum = reference_metadata(&file, "momentum", -1),
        .weight_decay = reference_number(reference_get(&file, "case%d.weight_decay", number), 0),
    };
    struct linear_sgd sgd;
    assert_int_equal(linear_sgd_open(&sgd, &config, backend, NULL), SIMCLR_OK);
    memcpy(sgd.weight, reference_f32(w), (size_t)w.count * sizeof(float));
    memcpy(sgd.bias, reference_f32(b), (size_t)b.count * sizeof(float));
    int32_t *labels = memory_array((size_t)rows, sizeof *labels);
    for (int i = 0; i < rates.count; i++) {
        const struct reference_tensor of = reference_get(&file, "case%d.labels%d", number, i);
        const double rate = reference_number(rates, i);
        double loss;
        for (int64_t r = 0; r < rows; r++) labels[r] = (int32_t)reference_number(of, r);
        linear_sgd_step(&sgd, reference_f32(reference_get(&file, "case%d.x%d", number, i)), labels, (int)rows, &rate,
                        &loss);
        assert_true(fabs(loss - reference_number(losses, i)) <= 1e-5 * reference_number(losses, i));
        assert_near(sgd.weight, reference_get(&file, "case%d.w%d", number, i + 1));
        assert_near(sgd.bias, reference_get(&file, "case%d.b%d", number, i + 1));
    }
    memory_free(labels);
    linear_sgd_close(&sgd);
}

static void follow_cases(struct backend *backend)
{
    for (int number = 0; number < 3; number++) follow_case(backend, number);
}

static void steps_are_pytorchs(void **state)
{
    (void)state;
    if (!reference_open(&file, "linear_sgd")) skip_reference("linear_sgd");
    everywhere(follow_cases);
    reference_close(&file);
}

/* ---- facts ------------------------------------------------------------------------------------------------------ */

enum { DIM = 70, CLASSES = 7, BANK = 5, ROWS = 53, STEPS = 12 }; /* no multiples of any kernel's tile */
static const double bank_rates[BANK] = {0.01, 0.03, 0.1, 0.3, 1};
static float rows_x[ROWS * DIM];
static int32_t rows_labels[ROWS];

static void make_rows(void)
{
    random_normals(rows_x, ROWS * DIM, 1);
    for (int i = 0; i < ROWS; i++) {
        rows_labels[i] = i % CLASSES;
        rows_x[i * DIM + rows_labels[i]] += 2;
    }
}

static struct linear_sgd train(struct backend *backend, const double *rates, int bank, double *losses)
{
    const struct linear_sgd_config config = {
        .dim = DIM, .classes = CLASSES, .bank = bank, .rows = ROWS, .momentum = 0.9, .weight_decay = 1e-3};
    struct linear_sgd sgd;
    assert_int_equal(linear_sgd_open(&sgd, &config, backend, NULL), SIMCLR_OK);
    for (int i = 0; i < STEPS; i++)
        linear_sgd_step(&sgd, rows_x, rows_labels, ROWS - i % 3, rates, losses); /* batches of several sizes */
    return sgd;
}

static void assert_member(const struct linear_sgd *bank, int member, const struct linear_sgd *alone)
{
    const size_t values = (size_t)CLASSES * DIM;
    assert_memory_equal(bank->weight + (size_t)member * values, alone->weight, values * sizeof(float));
    assert_memory_equal(bank->bias + (size_t)member * CLASSES, alone->bias, CLASSES * sizeof(float));
}

static void compare_bank(struct backend *backend)
{
    double losses[BANK], loss;
    struct linear_sgd bank = train(backend, bank_rates, BANK, losses);
    for (int b = 0; b < BANK; b++) {
        struct linear_sgd alone = train(backend, &bank_rates[b], 1, &loss);
        assert_member(&bank, b, &alone);
        assert_true(loss == losses[b]);
        linear_sgd_close(&alone);
    }
    assert_memory_not_equal(bank.weight, bank.weight + (size_t)CLASSES * DIM, sizeof(float));
    linear_sgd_close(&bank);
}

static void a_member_is_what_it_is_alone(void **state)
{
    (void)state;
    make_rows();
    everywhere(compare_bank);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    make_rows();
    static const char *const names[] = {"ref", "cpu"};
    for (int i = 0; i < 2; i++) {
        struct machine one = machine_open(names[i], simd_machine(), 1);
        struct linear_sgd first = train(one.backend, bank_rates, BANK, NULL);
        for (int threads = 2; threads <= 3; threads++) {
            struct machine more = machine_open(names[i], simd_machine(), threads);
            struct linear_sgd again = train(more.backend, bank_rates, BANK, NULL);
            assert_memory_equal(first.weight, again.weight, sizeof(float) * BANK * CLASSES * DIM);
            assert_memory_equal(first.bias, again.bias, sizeof(float) * BANK * CLASSES);
            linear_sgd_close(&again);
            machine_close(&more);
        }
        linear_sgd_close(&first);
        machine_close(&one);
    }
}

/* A row without a label is as if it were not there. */
static void skip_rows(struct backend *backend)
{
    const struct linear_sgd_config config = {.dim = DIM, .classes = CLASSES, .bank = 1, .rows = ROWS, .momentum = 0.9};
    const double rate = 0.5;
    struct linear_sgd masked, without;
    float *x = memory_array(ROWS * DIM, sizeof *x);
    int32_t *labels = memory_array(ROWS, sizeof *labels), *some = memory_array(ROWS, sizeof *some);
    int left = 0;
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % 4 == 1 ? -1 : rows_labels[i];
        if (labels[i] < 0) continue;
        memcpy(x + left * DIM, rows_x + i * DIM, DIM * sizeof *x);
        some[left++] = labels[i];
    }
    double loss[2];
    assert_int_equal(linear_sgd_open(&masked, &config, backend, NULL), SIMCLR_OK);
    assert_int_equal(linear_sgd_open(&without, &config, backend, NULL), SIMCLR_OK);
    for (int i = 0; i < STEPS; i++) {
        linear_sgd_step(&masked, rows_x, labels, ROWS, &rate, &loss[0]);
        linear_sgd_step(&without, x, some, left, &rate, &loss[1]);
        assert_true(loss[0] == loss[1]);
    }
    assert_member(&masked, 0, &without);
    for (int i = 0; i < ROWS; i++) labels[i] = -1;
    linear_sgd_step(&masked, rows_x, labels, ROWS, &rate, &loss[0]); /* no row is left: nothing happens */
    assert_true(loss[0] == 0);
    assert_member(&masked, 0, &without);
    linear_sgd_close(&masked);
    linear_sgd_close(&without);
    memory_free(x);
    memory_free(labels);
    memory_free(some);
}

static void rows_without_a_label_do_not_count(void **state)
{
    (void)state;
    make_rows();
    everywhere(skip_rows);
}

static void learns_what_can_be_told_apart(void **state)
{
    (void)state;
    make_rows();
    struct machine machine = machine_open("cpu", simd_machine(), 2);
    double losses[BANK];
    struct linear_sgd sgd = train(machine.backend, bank_rates, BANK, losses);
    for (int b = 0; b < BANK; b++) assert_true(losses[b] < log(CLASSES) && (b == 0 || losses[b] < losses[b - 1]));
    const float *logits = linear_sgd_logits(&sgd, rows_x, ROWS) + (BANK - 1) * CLASSES;
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < CLASSES; c++)
            assert_true(logits[i * BANK * CLASSES + c] <= logits[i * BANK * CLASSES + rows_labels[i]]);
    linear_sgd_close(&sgd);
    machine_close(&machine);
}

static void impossible_settings_are_refused(void **state)
{
    (void)state;
    struct machine machine = machine_open("ref", simd_machine(), 1);
    static const struct linear_sgd_config wrong[] = {
        {.dim = 0, .classes = 2, .bank = 1, .rows = 1},
        {.dim = 1, .classes = 1, .bank = 1, .rows = 1},
        {.dim = 1, .classes = 2, .bank = 0, .rows = 1},
        {.dim = 1, .classes = 2, .bank = 1, .rows = 1, .momentum = 1},
        {.dim = 1, .classes = 2, .bank = 1, .rows = 1, .weight_decay = NAN},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct linear_sgd sgd;
        struct error error = {0};
        assert_int_equal(linear_sgd_open(&sgd, &wrong[i], machine.backend, &error), SIMCLR_INVALID);
        assert_true(error.text[0] != '\0' && !sgd.weight);
    }
    machine_close(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_pytorchs),
        cmocka_unit_test(a_member_is_what_it_is_alone),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(rows_without_a_label_do_not_count),
        cmocka_unit_test(learns_what_can_be_told_apart),
        cmocka_unit_test(impossible_settings_are_refused),
    };
    ops_report_variants();
    return run_cases(tests, NULL, NULL);
}
