/* A small network with average pools of each kind: a shortcut as ResNet-D's, overlapping windows, and bins as
 * AlexNet's. Gradients are those of differences; every backend agrees with `ref`; dropping values, and spoiling all
 * bytes that the plan calls dead, changes no bit. */
#include "support/images.h"
#include "support/network_check.h"
#include "support/poison.h"

#include "base/memory.h"
#include "base/rng.h"
#include "nn/ops/ops.h"

enum { BATCH = 5, SIDE = 9, CLASSES = 4 };

static void fill(float *values, size_t count, uint32_t item)
{
    struct rng rng = rng_open(12, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_normal(&rng);
}

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
    const int x = network_input(network, BATCH, 3, SIDE, SIDE);
    const int t = norm(network, "bn0", conv(network, "c0", x, 20, 3, 1), -1, relu);
    const int pooled = network_average_pool(network, "downsample.0", t, halve);
    const int shortcut = norm(network, "bn3", conv(network, "c3", pooled, 20, 1, 1), -1, false);
    int y = norm(network, "bn1", conv(network, "c1", t, 20, 3, 2), -1, relu);
    y = norm(network, "bn2", conv(network, "c2", y, 20, 3, 1), shortcut, relu);
    y = network_average_pool(network, "smooth", y, smooth);
    y = norm(network, "bn4", conv(network, "c4", y, 20, 3, 1), -1, relu);
    y = network_average_pool(network, "avgpool", y, (struct network_average_pool){.bins = 6});
    return network_global_pool(network, conv(network, "c5", y, CLASSES, 6, 1));
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

static void run(struct fixture *f)
{
    network_forward(f->network, f->input);
    network_read(f->network, f->y, f->out);
    network_backward(f->network, f->y, f->r);
}

static void test_shapes(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, &bench, NETWORK_TRAINING, DTYPE_F32, true);
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
    close_fixture(&f);
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

/* L = <y, r> along one direction for each tensor of parameters; y is float32, which leaves 1e-5 of a difference over
 * 2^-5. Two steps take the h^2 term away. */
static double slope(struct fixture *f, int row, const float *direction, float step)
{
    const size_t count = f->parameters.items[row].count;
    float *w = parameter_weights(&f->parameters, row), *saved = memory_array(count, sizeof *saved);
    double loss[2] = {0, 0};
    memcpy(saved, w, count * sizeof *w);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++) w[i] = saved[i] + (side ? -step : step) * direction[i];
        network_set_weights(f->network);
        network_forward(f->network, f->input);
        network_read(f->network, f->y, f->out);
        for (int i = 0; i < BATCH * CLASSES; i++) loss[side] += (double)f->out[i] * f->r[i];
        memcpy(w, saved, count * sizeof *w);
    }
    memory_free(saved);
    return (loss[0] - loss[1]) / (2 * (double)step);
}

static void test_gradients(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct fixture f;
    open_fixture(&f, &bench, NETWORK_TRAINING, DTYPE_F64, false); /* no ReLU, no kink */
    run(&f);
    float *gradients = memory_array(f.parameters.weight_count, sizeof *gradients);
    memcpy(gradients, f.parameters.gradients, f.parameters.weight_count * sizeof *gradients);
    int checked = 0;
    for (int p = 0; p < f.parameters.count; p++) {
        const struct parameter *item = &f.parameters.items[p];
        if (item->flags & PARAMETER_BUFFER) continue;
        float *direction = memory_array(item->count, sizeof *direction);
        fill(direction, item->count, 100 + (uint32_t)p);
        double analytic = 0, g = 0, v = 0;
        for (size_t i = 0; i < item->count; i++) {
            const double gradient = gradients[item->offset + i];
            analytic += gradient * direction[i];
            g += gradient * gradient;
            v += (double)direction[i] * direction[i];
        }
        const double scale = 0.02 / sqrt(v / (double)item->count); /* steps of 2 % of a weight of size one */
        for (size_t i = 0; i < item->count; i++) direction[i] *= (float)scale;
        const double numeric = (4 * slope(&f, p, direction, 0.5f) - slope(&f, p, direction, 1)) / 3 / scale;
        const double size = sqrt(g * v / (double)item->count);
        if (!(fabs(numeric - analytic) <= 1e-3 * size + 1e-4))
            fail_msg("%s: %g by differences, %g backward, size %g", item->name, numeric, analytic, size);
        checked++;
        memory_free(direction);
    }
    assert_int_equal(checked, 6 + 2 * 5);
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
    run(&want);
    run(&got);
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
        if (mode == NETWORK_TRAINING)
            assert_true(network_arena_bytes(spoiled.network) < network_arena_bytes(clean.network));
        poison_always(spoiled.network);
        for (int pass = 0; pass < 2; pass++) run(&clean), run(&spoiled);
        for (int i = 0; i < BATCH * CLASSES; i++) assert_true(isfinite(clean.out[i]));
        assert_memory_equal(clean.out, spoiled.out, sizeof clean.out);
        assert_memory_equal(clean.parameters.gradients, spoiled.parameters.gradients,
                            clean.parameters.weight_count * sizeof(float));
        assert_memory_equal(clean.parameters.buffers, spoiled.parameters.buffers,
                            clean.parameters.buffer_count * sizeof(float));
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
        cmocka_unit_test(test_gradients),
        {"lifetimes on ref", test_lifetimes, NULL, NULL, (void *)(uintptr_t) "ref"},
    };
    static char names[24][48];
    size_t count = 4;
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
    return run_group("average pool", tests, count, NULL, NULL);
}
