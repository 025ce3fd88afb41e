/* A small network as AlexNet's end: convolutions with a bias, ReLU without batch norm, bins, dropout, and dense layers
 * over a map and over features.
 * - What is drawn follows from seed and step alone. In inference there is no dropout.
 * - Gradients with the masks fixed are those of differences. Every backend agrees with `ref`.
 * - Dropping values, and spoiling all bytes that the plan calls dead, changes no bit. */
#include "support/small_network.h"

#include "base/memory.h"
#include "nn/ops/ops.h"

enum { SIDE = 13 };

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
    int y = network_conv(network, "c0", network_input(network, SMALL_BATCH, 3, SIDE, SIDE), first);
    y = rectify(network, "r0", y, relu);
    y = rectify(network, "r1", network_conv(network, "c1", y, second), relu);
    y = network_average_pool(network, "avgpool", y, (struct network_average_pool){.bins = 3});
    y = network_dropout(network, "d0", y, 0.5);
    y = rectify(network, "r2", network_dense(network, "f0", y, 40, true, 0, INIT_UNIFORM), relu);
    y = network_dropout(network, "d1", y, 0.25);
    y = rectify(network, "r3", network_dense(network, "f1", y, 24, true, 0, INIT_UNIFORM), relu);
    y = network_to_float32(network, "h", y);
    return network_dense(network, "f2", y, SMALL_CLASSES, true, 0, INIT_UNIFORM);
}

static const struct small_network_kind KIND = {.side = SIDE, .build = build};

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
    struct small_network training, inference;
    small_network_open(&training, &KIND, &bench, NETWORK_TRAINING, DTYPE_F32, true);
    small_network_open(&inference, &KIND, &bench, NETWORK_INFERENCE, DTYPE_F32, true);
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
    small_network_close(&training);
    small_network_close(&inference);
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
    struct small_network f;
    float first[SMALL_OUT];
    small_network_open(&f, &KIND, &bench, NETWORK_TRAINING, DTYPE_F32, true);
    small_network_forward(&f, 7);
    memcpy(first, f.out, sizeof first);
    small_network_forward(&f, 8);
    assert_memory_not_equal(f.out, first, sizeof first);
    small_network_forward(&f, 7);
    assert_memory_equal(f.out, first, sizeof first);
    network_set_draw(f.network, 6, 7);
    network_forward(f.network, f.input);
    network_read(f.network, f.y, f.out);
    assert_memory_not_equal(f.out, first, sizeof first);
    small_network_close(&f);
    close_backend(&bench);
}

/* Without ReLUs y is linear in each tensor of parameters. */
static void test_gradients(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct small_network f;
    small_network_open(&f, &KIND, &bench, NETWORK_TRAINING, DTYPE_F64, false);
    small_network_run(&f, 3);
    float *gradients = memory_array(f.parameters.weight_count, sizeof *gradients);
    memcpy(gradients, f.parameters.gradients, f.parameters.weight_count * sizeof *gradients);
    for (int p = 0; p < f.parameters.count; p++) {
        const struct parameter *item = &f.parameters.items[p];
        struct small_slope slope = small_network_direction(&f, p, gradients);
        const double numeric = small_network_slope(&f, p, slope.direction, 1);
        const double size = sqrt(slope.gradient * slope.length / (double)item->count);
        if (!(slope.gradient > 0 && fabs(numeric - slope.analytic) <= 1e-4 * size))
            fail_msg("%s: %g by differences, %g backward, size %g", item->name, numeric, slope.analytic, size);
        memory_free(slope.direction);
    }
    assert_int_equal(f.parameters.count, 10);
    memory_free(gradients);
    small_network_close(&f);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_gradients),
    };
    return small_network_cases("dropout", &KIND, tests, sizeof tests / sizeof *tests);
}
