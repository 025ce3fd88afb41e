/* Networks on `ref`: shapes, refusals, gradients where a tensor has several readers, rows, times. */
#include "support/network_check.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "nn/internal.h"
#include "nn/ops/ops.h"
#include "support/random.h"

static const struct network_conv CONV3 = {
    .out_channels = 6, .kernel = 3, .stride = 1, .padding = 1, .init = INIT_TRUNCATED_NORMAL};

/* ---- building ----------------------------------------------------------------------------------------------- */
struct fixture {
    struct parameters parameters;
    struct network *network;
    struct error error;
};

/* In place: the network keeps a pointer to the table. */
static void open_fixture(struct fixture *fixture, enum network_mode mode, enum dtype dtype)
{
    memset(fixture, 0, sizeof *fixture);
    CHECK_OK(network_create(&fixture->network, &fixture->parameters, mode, dtype, &fixture->error), fixture->error);
}

static void close_fixture(struct fixture *fixture)
{
    network_destroy(&fixture->network);
    parameters_free(&fixture->parameters);
}

static void test_shapes(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NETWORK_TRAINING, DTYPE_BF16);
    int x = network_input(f.network, 5, 3, 33, 47);
    struct network_conv stem = {.out_channels = 8,
                                .kernel = 7,
                                .stride = 2,
                                .padding = 3,
                                .bias = true,
                                .flags = PARAMETER_DECAY | PARAMETER_ADAPT | PARAMETER_HEAD};
    int a = network_conv(f.network, "stem", x, stem);
    int b = network_batch_norm(f.network, "bn", a,
                               (struct network_batch_norm){.relu = true, .residual = -1, .flags = PARAMETER_HEAD});
    int c = network_max_pool(f.network, b, 3, 2, 1);
    int d = network_global_pool(f.network, c);
    int e = network_dense(f.network, "fc", d, 10, true, PARAMETER_DECAY, INIT_NORMAL_001);
    assert_int_equal(network_check(f.network, &f.error), SIMCLR_OK);
    const struct tensor_desc *desc = network_tensor(f.network, a);
    assert_true(desc->height == 17 && desc->width == 24 && desc->channels == 8 && desc->dtype == DTYPE_BF16);
    desc = network_tensor(f.network, c);
    assert_true(desc->height == 9 && desc->width == 12 && desc->channels == 8);
    desc = network_tensor(f.network, d);
    assert_true(desc->height == 1 && desc->width == 1 && desc->dtype == DTYPE_F32);
    desc = network_tensor(f.network, e);
    assert_true(desc->channels == 10 && desc->batch == 5 && desc->dtype == DTYPE_F32);
    assert_null(network_tensor(f.network, e + 1));
    assert_null(network_tensor(f.network, -1));

    const char *const names[] = {"stem.weight",     "stem.bias",      "bn.weight", "bn.bias",
                                 "bn.running_mean", "bn.running_var", "fc.weight", "fc.bias"};
    const unsigned flags[] = {PARAMETER_DECAY | PARAMETER_ADAPT | PARAMETER_HEAD,
                              PARAMETER_HEAD,
                              PARAMETER_HEAD,
                              PARAMETER_HEAD,
                              PARAMETER_BUFFER | PARAMETER_HEAD,
                              PARAMETER_BUFFER | PARAMETER_HEAD,
                              PARAMETER_DECAY,
                              0};
    assert_int_equal(f.parameters.count, 8);
    for (int i = 0; i < 8; i++) {
        assert_string_equal(f.parameters.items[i].name, names[i]);
        assert_int_equal(f.parameters.items[i].flags, flags[i]);
    }
    assert_int_equal(f.parameters.items[6].rank, 2);
    assert_int_equal(f.parameters.items[0].fan_in, 147);

    const struct network_row *rows;
    assert_int_equal(network_rows(f.network, &rows), 5);
    assert_string_equal(rows[0].kind, "conv");
    assert_string_equal(rows[0].name, "stem");
    assert_true(rows[0].flops == 2.0 * 147 * 8 * 17 * 24 && rows[0].parameters == 147 * 8 + 8);
    assert_string_equal(rows[2].name, "maxpool");
    assert_true(rows[4].flops == 2.0 * 8 * 10 && rows[4].parameters == 90);

    struct network_operation operation;
    assert_true(network_operation(f.network, 1, &operation));
    assert_string_equal(operation.type, "batch_norm");
    assert_string_equal(operation.name, "bn");
    assert_true(operation.x == a && operation.residual == -1 && operation.y == b && operation.relu);
    for (int i = 0; i < 4; i++) assert_int_equal(operation.parameters[i], 2 + i);
    assert_ptr_equal(operation.row, &rows[1]);
    assert_true(operation.row->epsilon == 1e-5f);
    assert_true(network_operation(f.network, 2, &operation));
    assert_true(operation.parameters[0] == -1 && !operation.relu);
    assert_true(operation.row->kernel == 3 && operation.row->stride == 2 && operation.row->padding == 1);
    assert_false(network_operation(f.network, 5, &operation));
    assert_false(network_operation(f.network, -1, &operation));
    close_fixture(&f);
}

/* Mistake number i, on a network whose input is x. */
static int mistake_with_conv(struct network *n, int x, int i)
{
    struct network_conv conv = CONV3;
    char longest[100];
    memset(longest, 'n', sizeof longest);
    longest[99] = '\0';
    if (i == 0) return network_conv(n, "a", 7, conv);
    if (i == 1) return network_conv(n, longest, x, conv);
    if (i == 2) conv.kernel = 11;
    if (i == 3) conv.stride = 0;
    if (i == 4) conv.out_channels = 0;
    if (i < 5) return network_conv(n, "a", x, conv);
    int y = network_conv(n, "a", x, conv);
    conv.out_channels = 5;
    if (i == 5) return network_conv(n, "a", x, conv); /* the same parameters with another shape */
    if (i == 6) return network_to_float32(n, "b", y); /* a map */
    if (i == 7) return network_max_pool(n, y, 3, 2, 2);
    struct network_batch_norm norm = {.residual = y};
    return network_batch_norm(n, "c", i == 8 ? y : network_conv(n, "b", x, conv), norm);
}

static int mistake(struct network *n, int i)
{
    if (i == 0) return network_input(n, 0, 3, 8, 8);
    int x = network_input(n, 2, 3, 8, 8);
    if (i == 1) return network_input(n, 2, 3, 8, 8);
    if (i == 2) return network_batch_norm(n, "a", x, (struct network_batch_norm){.residual = -1});
    if (i == 3) return network_dense(n, "a", x, 4, false, 0, INIT_ZERO);
    if (i == 4) return network_max_pool(n, x, 3, 2, 1);
    if (i == 5) return network_global_pool(n, x);
    return mistake_with_conv(n, x, i - 6);
}

/* The first mistake stays the network's error, and every later call passes it on. */
static void test_mistakes(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct fixture f;
        open_fixture(&f, NETWORK_TRAINING, DTYPE_F32);
        assert_int_equal(mistake(f.network, i), SIMCLR_INVALID);
        assert_int_equal(network_conv(f.network, "later", 0, CONV3), SIMCLR_INVALID);
        assert_int_equal(network_check(f.network, &f.error), SIMCLR_INVALID);
        assert_true(strlen(f.error.text) > 20);
        assert_int_equal(network_plan(f.network, NULL, NULL, &f.error), SIMCLR_INVALID);
        close_fixture(&f);
    }
}

static void test_plan_refusals(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, NETWORK_TRAINING, DTYPE_F32);
    network_input(f.network, 2, 3, 8, 8);
    assert_int_equal(network_plan(f.network, bench.backend, NULL, &f.error), SIMCLR_INVALID); /* no operation */
    network_conv(f.network, "a", 0, CONV3);
    assert_int_equal(network_plan(f.network, bench.backend, NULL, &f.error),
                     SIMCLR_INVALID); /* no memory for parameters */
    CHECK_OK(parameters_allocate(&f.parameters, NULL, &f.error), f.error);
    CHECK_OK(network_plan(f.network, bench.backend, NULL, &f.error), f.error);
    assert_int_equal(network_plan(f.network, bench.backend, NULL, &f.error), SIMCLR_INVALID); /* twice */
    assert_int_equal(network_conv(f.network, "b", 0, CONV3), SIMCLR_INVALID);
    close_fixture(&f);

    open_fixture(&f, NETWORK_TRAINING, DTYPE_F32); /* one value per channel */
    int y = network_global_pool(f.network, network_conv(f.network, "a", network_input(f.network, 1, 3, 8, 8), CONV3));
    network_batch_norm(f.network, "b", y, (struct network_batch_norm){.residual = -1});
    CHECK_OK(parameters_allocate(&f.parameters, NULL, &f.error), f.error);
    assert_int_equal(network_plan(f.network, bench.backend, NULL, &f.error), SIMCLR_INVALID);
    assert_non_null(strstr(f.error.text, "at least 2"));
    close_fixture(&f);

    open_fixture(&f, NETWORK_TRAINING, DTYPE_F32); /* a pool cannot add to the gradient of its input */
    int a = network_conv(f.network, "a", network_input(f.network, 2, 3, 8, 8), CONV3);
    int pooled = network_max_pool(f.network, a, 3, 1, 1);
    int b = network_conv(f.network, "b", network_conv(f.network, "a2", a, CONV3), CONV3);
    network_batch_norm(f.network, "c", b, (struct network_batch_norm){.residual = pooled});
    CHECK_OK(parameters_allocate(&f.parameters, NULL, &f.error), f.error);
    assert_int_equal(network_plan(f.network, bench.backend, NULL, &f.error), SIMCLR_UNSUPPORTED);
    close_fixture(&f);
    close_backend(&bench);
}

/* ---- gradients ---------------------------------------------------------------------------------------------- */
/* A tensor `t` with four readers: two convolutions, and two batch norms that add it as residual. One ReLU only: its
 * kinks spoil differences. */
static int build_branches(struct network *network, int batch)
{
    struct network_batch_norm plain = {.residual = -1}, relu = {.relu = true, .residual = -1};
    int x = network_input(network, batch, 3, 7, 6);
    int t = network_batch_norm(network, "bn0", network_conv(network, "c0", x, CONV3), relu);
    int a = network_batch_norm(network, "bn1", network_conv(network, "c1", t, CONV3), plain);
    struct network_batch_norm join = {.residual = t};
    int b = network_batch_norm(network, "bn2", network_conv(network, "c2", t, CONV3), join);
    join = (struct network_batch_norm){.residual = t};
    int c = network_batch_norm(network, "bn3", network_conv(network, "c3", b, CONV3), join);
    join = (struct network_batch_norm){.residual = a, .no_beta = true};
    int d = network_batch_norm(network, "bn4", network_conv(network, "c4", c, CONV3), join);
    struct network_conv last = {
        .out_channels = 4, .kernel = 3, .stride = 2, .padding = 1, .bias = true, .init = INIT_TRUNCATED_NORMAL};
    return network_conv(network, "c5", d, last);
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* Multiples of `grain`, so that steps by a power of two are exact in float32. */
static void round_to(float *values, size_t count, float grain)
{
    for (size_t i = 0; i < count; i++) values[i] = roundf(values[i] / grain) * grain;
}

/* L = <y, r>. `ref` keeps the values of a float64 network as doubles, [N][C][H][W]. */
static double loss_of(struct network *network, int y, const float *x, const float *r)
{
    network_set_weights(network);
    network_forward(network, x);
    assert_int_equal(network_tensor(network, y)->dtype, DTYPE_F64);
    const double *values = network_value(network, y);
    double sum = 0;
    for (size_t i = 0; i < tensor_elements(network_tensor(network, y)); i++) sum += values[i] * r[i];
    return sum;
}

/* (L(w + e v) - L(w - e v)) / 2e. w is as before afterwards. */
struct way {
    float *w;
    const float *direction;
    size_t count;
};

static double difference(struct network *network, int y, const float *x, const float *r, const struct way *way,
                         float step)
{
    double loss[2];
    for (int side = 0; side < 2; side++) {
        const float by = side ? -step : step;
        for (size_t i = 0; i < way->count; i++) way->w[i] += by * way->direction[i];
        loss[side] = loss_of(network, y, x, r);
        for (size_t i = 0; i < way->count; i++) way->w[i] -= by * way->direction[i];
    }
    return (loss[0] - loss[1]) / (2 * (double)step);
}

/* <dL/dw, v> against differences of L, one direction v per tensor of parameters. Weights and directions are such that
 * w + e v is exact in float32. Richardson's (4 D(e) - D(2e)) / 3 leaves errors of e^4; what remains is the rounding of
 * gradients to float32. */
static void test_gradients(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, NETWORK_TRAINING, DTYPE_F64);
    int y = build_branches(f.network, 3);
    CHECK_OK(network_check(f.network, &f.error), f.error);
    CHECK_OK(parameters_allocate(&f.parameters, NULL, &f.error), f.error);
    parameters_initialize(&f.parameters, 3);
    CHECK_OK(network_plan(f.network, bench.backend, NULL, &f.error), f.error);
    float x[3 * 3 * 7 * 6], r[3 * 4 * 4 * 3], *direction = memory_array(4096, sizeof(float));
    random_normals(x, sizeof x / sizeof *x, 1);
    random_normals(r, sizeof r / sizeof *r, 2);
    round_to(f.parameters.weights, f.parameters.weight_count, 0x1p-10f);
    network_set_weights(f.network);
    network_forward(f.network, x);
    network_backward(f.network, y, r);
    int checked = 0;
    for (int p = 0; p < f.parameters.count; p++) {
        const struct parameter *item = &f.parameters.items[p];
        if (item->flags & PARAMETER_BUFFER) continue;
        float *w = parameter_weights(&f.parameters, p);
        assert_true(item->count <= 4096);
        random_normals(direction, item->count, 100 + (uint32_t)p);
        round_to(direction, item->count, 0x1p-6f);
        const double analytic = dot(parameter_gradients(&f.parameters, p), direction, item->count);
        const struct way way = {w, direction, item->count};
        const double near = difference(f.network, y, x, r, &way, 0x1p-13f);
        const double far = difference(f.network, y, x, r, &way, 0x1p-12f);
        const double numeric = (4 * near - far) / 3;
        if (!(fabs(numeric - analytic) <= 1e-5 * fabs(analytic) + 1e-7))
            fail_msg("%s: %.9g by differences, %.9g backward", item->name, numeric, analytic);
        checked++;
    }
    assert_int_equal(checked, 6 + 1 + 5 * 2 - 1); /* weights, one bias, gammas and betas without one */
    memory_free(direction);
    close_fixture(&f);
    close_backend(&bench);
}

/* The rows of a timed pass add up to no more than the pass took, and to nearly all of it: 90 % in the best of some
 * tries, since this thread may lose its processor between two rows. */
static void check_sums(struct network *network, const float *x, int y, const float *r)
{
    const struct network_row *rows;
    const int count = network_rows(network, &rows);
    double best = 0;
    for (int try = 0; try < 50; try++) {
        double sum = 0;
        const double began = clock_seconds();
        network_forward(network, x);
        network_backward(network, y, r);
        const double whole = clock_seconds() - began;
        for (int i = 0; i < count; i++) sum += rows[i].forward_seconds + rows[i].backward_seconds;
        assert_true(sum > 0 && sum <= whole);
        best = fmax(best, sum / whole);
    }
    CHECK_WITHIN(0.9, best, "share of a pass that its rows account for");
}

static void test_times(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, NETWORK_TRAINING, DTYPE_F32);
    int y = build_branches(f.network, 3);
    CHECK_OK(parameters_allocate(&f.parameters, NULL, &f.error), f.error);
    CHECK_OK(network_plan(f.network, bench.backend, NULL, &f.error), f.error);
    float x[3 * 3 * 7 * 6] = {0}, r[3 * 4 * 4 * 3] = {0};
    const struct network_row *rows;
    int count = network_rows(f.network, &rows);
    network_set_weights(f.network);
    network_forward(f.network, x);
    network_backward(f.network, y, r);
    assert_true(rows[0].forward_seconds == 0);
    network_time(f.network, true);
    check_sums(f.network, x, y, r);
    for (int i = 0; i < count; i++) {
        assert_true(rows[i].forward_seconds > 0);
        assert_true(rows[i].backward_seconds > 0);
        const bool conv = strcmp(rows[i].kind, "conv") == 0;
        assert_true(conv ? rows[i].weights_seconds > 0 : rows[i].weights_seconds == 0);
        assert_true(rows[i].weights_seconds < rows[i].backward_seconds);
        for (int pass = 0; pass < CONV_PASSES; pass++) {
            const struct conv_work *work = &rows[i].work[pass];
            const bool planned = conv && (pass != CONV_BACKWARD_DATA || rows[i].input.layout != LAYOUT_IMAGES);
            assert_true((work->algorithm != NULL) == planned);
            /* Taps in the padding are left out. */
            if (planned) assert_true(work->flops > 0 && work->flops <= rows[i].flops * rows[i].output.batch);
        }
    }
    assert_true(strlen(rows[0].algorithm) > 0);
    assert_true(rows[0].kernel == 3 && rows[0].stride == 1 && rows[0].input.channels == 3);
    assert_true(network_plan_bytes(f.network) > 0);
    network_time(f.network, false);
    assert_true(rows[0].forward_seconds == 0);
    close_fixture(&f);
    close_backend(&bench);
}

/* Each allocation fails once: a status, a sentence, nothing leaked (under the address sanitizer). */
static void test_no_memory(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    int status = SIMCLR_NO_MEMORY, failures = 0;
    for (long n = 1; status != SIMCLR_OK; n++) {
        struct parameters parameters = {0};
        struct network *network = NULL;
        struct error error = {0};
        memory_fail_after(n);
        status = network_create(&network, &parameters, NETWORK_TRAINING, DTYPE_F32, &error);
        if (!status) build_branches(network, 3);
        if (!status) status = network_check(network, &error);
        if (!status) status = parameters_allocate(&parameters, NULL, &error);
        if (!status) status = network_plan(network, bench.backend, NULL, &error);
        memory_fail_after(0);
        if (status) {
            assert_int_equal(status, SIMCLR_NO_MEMORY);
            assert_true(strlen(error.text) > 10);
            failures++;
        }
        network_destroy(&network);
        parameters_free(&parameters);
    }
    assert_true(failures > 20);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_mistakes), cmocka_unit_test(test_plan_refusals),
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_times),    cmocka_unit_test(test_no_memory),
    };
    return run_cases(tests, NULL, NULL);
}
