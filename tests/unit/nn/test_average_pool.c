/* A small network with average pools of each kind: a shortcut as ResNet-D's, overlapping windows, and bins as
 * AlexNet's. Gradients are those of differences; every backend agrees with `ref`; dropping values, and spoiling all
 * bytes that the plan calls dead, changes no bit. */
#include "support/small_network.h"

#include "base/memory.h"
#include "nn/ops/ops.h"

enum { SIDE = 9 };

static int conv(struct network *network, const char *name, int x, int channels, int kernel, int stride)
{
    const struct network_conv config = {.out_channels = channels,
                                        .kernel = kernel,
                                        .stride = stride,
                                        .padding = kernel % 2 ? kernel / 2 : 0,
                                        .init = INIT_TRUNCATED_NORMAL};
    return network_conv(network, name, x, config);
}

static int norm(struct network *network, const char *name, int x, int residual, bool relu)
{
    return network_batch_norm(network, name, x, (struct network_batch_norm){.relu = relu, .residual = residual});
}

/* The shortcut's pool comes before the main branch, so that it is the one that adds to the gradient of t. */
static int build(struct network *network, bool relu)
{
    const struct network_average_pool halve = {.kernel = 2, .stride = 2, .whole = true}, smooth = {2, 1, false, 0};
    const int x = network_input(network, SMALL_BATCH, 3, SIDE, SIDE);
    const int t = norm(network, "bn0", conv(network, "c0", x, 20, 3, 1), -1, relu);
    const int pooled = network_average_pool(network, "downsample.0", t, halve);
    const int shortcut = norm(network, "bn3", conv(network, "c3", pooled, 20, 1, 1), -1, false);
    int y = norm(network, "bn1", conv(network, "c1", t, 20, 3, 2), -1, relu);
    y = norm(network, "bn2", conv(network, "c2", y, 20, 3, 1), shortcut, relu);
    y = network_average_pool(network, "smooth", y, smooth);
    y = norm(network, "bn4", conv(network, "c4", y, 20, 3, 1), -1, relu);
    y = network_average_pool(network, "avgpool", y, (struct network_average_pool){.bins = 6});
    return network_global_pool(network, conv(network, "c5", y, SMALL_CLASSES, 6, 1));
}

static const struct small_network_kind KIND = {.side = SIDE, .build = build, .recomputes = true};

static void test_shapes(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct small_network f;
    small_network_open(&f, &KIND, &bench, NETWORK_TRAINING, DTYPE_F32, true);
    static const int SIDES[] = {5, 5, 6};       /* 9 halved up; 5 smoothed; six bins of 5 */
    static const double COVERED[] = {9, 9, 10}; /* values under the windows of an axis */
    struct network_operation operation;
    int found = 0;
    for (int i = 0; network_operation(f.network, i, &operation); i++) {
        if (strcmp(operation.type, "average_pool") != 0) continue;
        const struct tensor_desc *out = &operation.row->output;
        assert_true(out->height == SIDES[found] && out->width == SIDES[found] && out->channels == 20);
        assert_true(operation.row->flops == 20 * COVERED[found] * COVERED[found]);
        assert_int_equal(operation.row->parameters, 0);
        found++;
    }
    assert_int_equal(found, 3);
    small_network_close(&f);
    close_backend(&bench);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct network_average_pool BAD[] = {{0, 1, false, 0}, {2, 0, false, 0}, {2, 2, true, -1}};
    for (int i = 0; i < 4; i++) { /* the fourth reads the images */
        struct parameters parameters = {0};
        struct network *network;
        struct error error = {0};
        CHECK_OK(network_create(&network, &parameters, NETWORK_TRAINING, DTYPE_F32, &error), error);
        int x = network_input(network, 2, 3, SIDE, SIDE);
        if (i < 3) x = conv(network, "c0", x, 8, 3, 1);
        const struct network_average_pool pool = i < 3 ? BAD[i] : (struct network_average_pool){2, 2, true, 0};
        assert_int_equal(network_average_pool(network, "pool", x, pool), SIMCLR_INVALID);
        assert_int_equal(network_check(network, &error), SIMCLR_INVALID);
        assert_non_null(strstr(error.text, "pool"));
        network_destroy(&network);
        parameters_free(&parameters);
    }
}

/* y is float32, which leaves 1e-5 of a difference over 2^-5. Two steps take the h^2 term away. */
static void test_gradients(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct small_network f;
    small_network_open(&f, &KIND, &bench, NETWORK_TRAINING, DTYPE_F64, false); /* no ReLU, no kink */
    small_network_run(&f, 3);
    float *gradients = memory_array(f.parameters.weight_count, sizeof *gradients);
    memcpy(gradients, f.parameters.gradients, f.parameters.weight_count * sizeof *gradients);
    int checked = 0;
    for (int p = 0; p < f.parameters.count; p++) {
        const struct parameter *item = &f.parameters.items[p];
        if (item->flags & PARAMETER_BUFFER) continue;
        struct small_slope slope = small_network_direction(&f, p, gradients);
        const double scale = 0.02 / sqrt(slope.length / (double)item->count); /* 2 % of a weight of size one */
        for (size_t i = 0; i < item->count; i++) slope.direction[i] *= (float)scale;
        const double half = small_network_slope(&f, p, slope.direction, 0.5f);
        const double numeric = (4 * half - small_network_slope(&f, p, slope.direction, 1)) / 3 / scale;
        const double size = sqrt(slope.gradient * slope.length / (double)item->count);
        if (!(fabs(numeric - slope.analytic) <= 1e-3 * size + 1e-4))
            fail_msg("%s: %g by differences, %g backward, size %g", item->name, numeric, slope.analytic, size);
        checked++;
        memory_free(slope.direction);
    }
    assert_int_equal(checked, 6 + 2 * 5);
    memory_free(gradients);
    small_network_close(&f);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_gradients),
    };
    return small_network_cases("average pool", &KIND, tests, sizeof tests / sizeof *tests);
}
