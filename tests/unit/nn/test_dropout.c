/* A small network as AlexNet's end: convolutions with a bias, ReLU without batch norm, bins, dropout, and dense layers
 * over a map and over features.
 * - What is drawn follows from seed and step alone. In inference there is no dropout.
 * - Gradients with the masks fixed are those of differences. Every backend agrees with `ref`.
 * - Dropping values, and spoiling all bytes that the plan calls dead, changes no bit. */
#include "support/images.h"
#include "support/network_check.h"
#include "support/poison.h"

#include "base/memory.h"
#include "base/rng.h"
#include "nn/ops/ops.h"

enum { BATCH = 5, SIDE = 13, CLASSES = 4 };

static void fill(float *values, size_t count, uint32_t item)
{
    struct rng rng = rng_open(12, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_normal(&rng);
}

static int rectify(struct network *network, const char *name, int x, bool relu)
{
    return relu ? network_relu(network, name, x) : x;
}

static int build(struct network *network, bool relu)
{
    const struct network_conv first = {
        .out_channels = 20, .kernel = 5, .stride = 2, .padding = 2, .bias = true, .init = INIT_UNIFORM};
    const struct network_conv second = {
        .out_channels = 9, .kernel = 3, .stride = 1, .padding = 1, .bias = true, .init = INIT_UNIFORM};
    int y = network_conv(network, "c0", network_input(network, BATCH, 3, SIDE, SIDE), first);
    y = rectify(network, "r0", y, relu);
    y = rectify(network, "r1", network_conv(network, "c1", y, second), relu);
    y = network_average_pool(network, "avgpool", y, (struct network_average_pool){.bins = 3});
    y = network_dropout(network, "d0", y, 0.5);
    y = rectify(network, "r2", network_dense(network, "f0", y, 40, true, 0, INIT_UNIFORM), relu);
    y = network_dropout(network, "d1", y, 0.25);
    y = rectify(network, "r3", network_dense(network, "f1", y, 24, true, 0, INIT_UNIFORM), relu);
    y = network_to_float32(network, "h", y);
    return network_dense(network, "f2", y, CLASSES, true, 0, INIT_UNIFORM);
}

struct fixture {
    struct parameters parameters;
    struct network *network;
    int y;
    float *images, r[BATCH * CLASSES], out[BATCH * CLASSES];
    void *input;
};

static void open_fixture(struct fixture *f, const struct bench_backend *bench, enum network_mode mode, enum dtype dtype,
                         bool relu)
{
    const size_t values = (size_t)BATCH * 3 * SIDE * SIDE;
    struct error error = {0};
    memset(f, 0, sizeof *f);
    CHECK_OK(network_create(&f->network, &f->parameters, mode, dtype, &error), error);
    f->y = build(f->network, relu);
    CHECK_OK(network_check(f->network, &error), error);
    CHECK_OK(parameters_allocate(&f->parameters, NULL, &error), error);
    parameters_initialize(&f->parameters, 3);
    CHECK_OK(network_plan(f->network, bench->backend, &bench->options, &error), error);
    f->images = memory_array(values, sizeof *f->images);
    fill(f->images, values, 1);
    fill(f->r, BATCH * CLASSES, 2);
    f->input = images_of(f->network, f->images);
    network_set_weights(f->network);
}

static void close_fixture(struct fixture *f)
{
    network_destroy(&f->network);
    parameters_free(&f->parameters);
    memory_free(f->images);
    memory_free(f->input);
}

static void forward(struct fixture *f, int64_t step)
{
    network_set_draw(f->network, 5, step);
    network_forward(f->network, f->input);
    network_read(f->network, f->y, f->out);
}

static void run(struct fixture *f, int64_t step)
{
    forward(f, step);
    network_backward(f->network, f->y, f->r);
}

static int count_type(const struct network *network, const char *type)
{
    struct network_operation operation;
    int count = 0;
    for (int i = 0; network_operation(network, i, &operation); i++) count += strcmp(operation.type, type) == 0;
    return count;
}

static void test_shapes(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture training, inference;
    open_fixture(&training, &bench, NETWORK_TRAINING, DTYPE_F32, true);
    open_fixture(&inference, &bench, NETWORK_INFERENCE, DTYPE_F32, true);
    assert_int_equal(count_type(training.network, "dropout"), 2);
    assert_int_equal(count_type(training.network, "relu"), 4);
    assert_int_equal(count_type(inference.network, "dropout"), 0);
    const struct parameters *parameters = &training.parameters;
    const struct parameter *weight = &parameters->items[parameters_find(parameters, "f0.weight")];
    const struct parameter *bias = &parameters->items[parameters_find(parameters, "f0.bias")];
    assert_true(weight->rank == 2 && weight->dims[0] == 40 && weight->dims[1] == 9 * 3 * 3);
    double largest = 0;
    for (size_t i = 0; i < bias->count; i++)
        largest = fmax(largest, fabs((double)parameters->weights[bias->offset + i]));
    assert_true(largest <= 1 / sqrt(81) && largest > 0.8 / sqrt(81)); /* as PyTorch's start: U(-1/9, 1/9) */
    close_fixture(&training);
    close_fixture(&inference);
    close_backend(&bench);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const SENTENCES[] = {
        "rate of 1",  "rate of -0.5", "drop: only a convolution", "rectified: only a convolution",
        "square map", "float32"};
    for (int i = 0; i < 6; i++) {
        struct parameters parameters = {0};
        struct network *network;
        struct error error = {0};
        CHECK_OK(network_create(&network, &parameters, NETWORK_TRAINING, DTYPE_BF16, &error), error);
        const int images = network_input(network, 2, 3, 6, 5);
        const struct network_conv first = {.out_channels = 8, .kernel = 3, .stride = 1, .padding = 1};
        const int x = network_conv(network, "c0", images, first);
        const int y = i == 0   ? network_dropout(network, "drop", x, 1)
                      : i == 1 ? network_dropout(network, "drop", x, -0.5)
                      : i == 2 ? network_dropout(network, "drop", images, 0.5)
                      : i == 3 ? network_relu(network, "rectified", images)
                      : i == 4 ? network_dense(network, "f", x, 3, true, 0, INIT_ZERO)
                               : network_to_float32(network, "h", x);
        assert_int_equal(y, SIMCLR_INVALID);
        assert_int_equal(network_check(network, &error), SIMCLR_INVALID);
        if (!strstr(error.text, SENTENCES[i])) fail_msg("case %d: %s", i, error.text);
        network_destroy(&network);
        parameters_free(&parameters);
    }
}

/* Seed and step decide: the same again gives the same bits, whatever came between. */
static void test_draws(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    float first[BATCH * CLASSES];
    open_fixture(&f, &bench, NETWORK_TRAINING, DTYPE_F32, true);
    forward(&f, 7);
    memcpy(first, f.out, sizeof first);
    forward(&f, 8);
    assert_memory_not_equal(f.out, first, sizeof first);
    forward(&f, 7);
    assert_memory_equal(f.out, first, sizeof first);
    network_set_draw(f.network, 6, 7);
    network_forward(f.network, f.input);
    network_read(f.network, f.y, f.out);
    assert_memory_not_equal(f.out, first, sizeof first);
    close_fixture(&f);
    close_backend(&bench);
}

/* The slope of L = <y, r> along one direction. Without ReLUs y is linear in each tensor of parameters. */
static double slope(struct fixture *f, int row, const float *direction)
{
    const size_t count = f->parameters.items[row].count;
    float *w = parameter_weights(&f->parameters, row), *saved = memory_array(count, sizeof *saved);
    double loss[2] = {0, 0};
    memcpy(saved, w, count * sizeof *w);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++) w[i] = saved[i] + (side ? -1 : 1) * direction[i];
        network_set_weights(f->network);
        forward(f, 3);
        for (int i = 0; i < BATCH * CLASSES; i++) loss[side] += (double)f->out[i] * f->r[i];
        memcpy(w, saved, count * sizeof *w);
    }
    network_set_weights(f->network);
    memory_free(saved);
    return (loss[0] - loss[1]) / 2;
}

static void test_gradients(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, &bench, NETWORK_TRAINING, DTYPE_F64, false);
    run(&f, 3);
    float *gradients = memory_array(f.parameters.weight_count, sizeof *gradients);
    memcpy(gradients, f.parameters.gradients, f.parameters.weight_count * sizeof *gradients);
    for (int p = 0; p < f.parameters.count; p++) {
        const struct parameter *item = &f.parameters.items[p];
        float *direction = memory_array(item->count, sizeof *direction);
        fill(direction, item->count, 100 + (uint32_t)p);
        double analytic = 0, g = 0, v = 0;
        for (size_t i = 0; i < item->count; i++) {
            const double gradient = gradients[item->offset + i];
            analytic += gradient * direction[i];
            g += gradient * gradient;
            v += (double)direction[i] * direction[i];
        }
        const double numeric = slope(&f, p, direction), size = sqrt(g * v / (double)item->count);
        if (!(g > 0 && fabs(numeric - analytic) <= 1e-4 * size))
            fail_msg("%s: %g by differences, %g backward, size %g", item->name, numeric, analytic, size);
        memory_free(direction);
    }
    assert_int_equal(f.parameters.count, 10);
    memory_free(gradients);
    close_fixture(&f);
    close_backend(&bench);
}

/* Every backend against `ref`, without ReLUs: no value can fall on the other side of one. */
static void test_backends(void **state)
{
    const char *variant = *state;
    struct bench_backend ref = open_backend("ref"), bench = open_backend(variant);
    struct fixture want, got;
    open_fixture(&want, &ref, NETWORK_TRAINING, DTYPE_F32, false);
    open_fixture(&got, &bench, NETWORK_TRAINING, DTYPE_F32, false);
    run(&want, 1);
    run(&got, 1);
    CHECK_WITHIN(relative(got.out, want.out, BATCH * CLASSES), 1e-5, "y");
    CHECK_WITHIN(relative(got.parameters.gradients, want.parameters.gradients, want.parameters.weight_count), 2e-5,
                 "gradients");
    close_fixture(&want);
    close_fixture(&got);
    close_backend(&ref);
    close_backend(&bench);
}

static void test_lifetimes(void **state)
{
    const char *variant = *state;
    struct bench_backend bench = open_backend(variant);
    const bool ref = strcmp(variant, "ref") == 0;
    for (int kind = 0; kind < 4; kind++) {
        const enum network_mode mode = kind % 2 ? NETWORK_INFERENCE : NETWORK_TRAINING;
        const enum dtype dtype = kind / 2 == 0 ? DTYPE_F32 : ref ? DTYPE_F64 : DTYPE_BF16;
        struct fixture clean, spoiled;
        bench.options.recompute = RECOMPUTE_OFF;
        open_fixture(&clean, &bench, mode, dtype, true);
        bench.options.recompute = RECOMPUTE_ON;
        open_fixture(&spoiled, &bench, mode, dtype, true);
        poison_always(spoiled.network);
        for (int step = 0; step < 2; step++) run(&clean, step), run(&spoiled, step);
        for (int i = 0; i < BATCH * CLASSES; i++) assert_true(isfinite(clean.out[i]));
        assert_memory_equal(clean.out, spoiled.out, sizeof clean.out);
        assert_memory_equal(clean.parameters.gradients, spoiled.parameters.gradients,
                            clean.parameters.weight_count * sizeof(float));
        close_fixture(&clean);
        close_fixture(&spoiled);
    }
    close_backend(&bench);
}

int main(void)
{
    struct CMUnitTest tests[24] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_gradients),
        {"lifetimes on ref", test_lifetimes, NULL, NULL, (void *)(uintptr_t) "ref"},
    };
    static char names[24][48];
    size_t count = 5;
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        snprintf(names[count], sizeof *names, "lifetimes on %s", *variant);
        tests[count] = (struct CMUnitTest){names[count], test_lifetimes, NULL, NULL, (void *)(uintptr_t)*variant};
        count++;
        snprintf(names[count], sizeof *names, "%s beside ref", *variant);
        tests[count] = (struct CMUnitTest){names[count], test_backends, NULL, NULL, (void *)(uintptr_t)*variant};
        count++;
    }
    return run_group("dropout", tests, count, NULL, NULL);
}
