/* An operation of the test's own, y = exp(x) on `ref`: its table is all that the network knows of it. Its backward
 * reads y and not x, as no built-in operation does, so that y must be kept or made again for it. */
#include "support/images.h"
#include "support/network_check.h"
#include "support/poison.h"

#include "base/memory.h"
#include "base/rng.h"
#include "nn/internal.h"
#include "nn/ops/ops.h"

enum { BATCH = 3, SIDE = 6, CHANNELS = 4 };

/* ---- the operation: float32 values of ref, which lie as they are counted -------------------------------------- */
struct exponential {
    int made; /* times that y was written */
};

static void write_exp(const struct network *network, const struct operation *operation, float *y, const float *x)
{
    const size_t count = tensor_elements(&network->tensors[operation->y].desc);
    struct exponential *own = operation->own;
    for (size_t i = 0; i < count; i++) y[i] = expf(x[i]);
    own->made++;
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    (void)network;
    (void)operation;
    (void)error;
    return SIMCLR_OK;
}

static void forward(struct network *network, const struct operation *operation)
{
    write_exp(network, operation, network_output(network, operation), network_value(network, operation->x));
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    assert_null(mask);
    assert_null(residual);
    write_exp(network, operation, out, network_value_back(network, operation->x));
}

static void backward(struct network *network, const struct operation *operation)
{
    const size_t count = tensor_elements(&network->tensors[operation->y].desc);
    const float *y = network_value_back(network, operation->y), *d_y = network_gradient(network, operation->y);
    float *d_x = network_gradient(network, operation->x);
    for (size_t i = 0; i < count; i++) d_x[i] = d_y[i] * y[i];
}

static void close(struct network *network, struct operation *operation)
{
    (void)network;
    (void)operation;
}

static const struct operation_type TYPE = {
    .name = "exponential",
    .own_bytes = sizeof(struct exponential),
    .reads_y_back = true,
    .plan = plan,
    .forward = forward,
    .again = again,
    .backward = backward,
    .close = close,
};

static int exponential(struct network *network, int x)
{
    int status = network_begin(network, x, "exp");
    if (!status) status = network_refuse_images(network, x, "exp");
    if (status) return status;
    const struct tensor_desc out = *network_tensor(network, x);
    const struct exponential own = {0};
    const struct new_operation operation = {
        .type = &TYPE, .name = "exp", .x = x, .residual = -1, .parameters = NO_PARAMETERS, .own = &own};
    return network_append(network, &operation, &out);
}

/* ---- a network with it ------------------------------------------------------------------------------------------ */
static int build(struct network *network)
{
    const struct network_conv conv = {
        .out_channels = CHANNELS, .kernel = 3, .stride = 1, .padding = 1, .init = INIT_TRUNCATED_NORMAL};
    const int x = network_input(network, BATCH, 3, SIDE, SIDE);
    const int t = network_batch_norm(network, "bn0", network_conv(network, "c0", x, conv),
                                     (struct network_batch_norm){.residual = -1});
    /* The pool reads no values on the way back: y is there for the operation's own backward alone. */
    const int pooled = network_max_pool(network, exponential(network, t), 3, 1, 1);
    return network_global_pool(network, network_conv(network, "c1", pooled, conv));
}

static void run(struct backend *backend, enum recompute recompute, bool spoil, float *gradients, int *made)
{
    const size_t values = (size_t)BATCH * 3 * SIDE * SIDE;
    struct error error = {0};
    struct parameters parameters = {0};
    struct network *network;
    float images[BATCH * 3 * SIDE * SIDE], r[BATCH * CHANNELS];
    struct rng rng = rng_open(13, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < values; i++) images[i] = (float)rng_normal(&rng);
    for (int i = 0; i < BATCH * CHANNELS; i++) r[i] = (float)rng_normal(&rng);
    CHECK_OK(network_create(&network, &parameters, NETWORK_TRAINING, DTYPE_F32, &error), error);
    const int y = build(network);
    CHECK_OK(network_check(network, &error), error);
    CHECK_OK(parameters_allocate(&parameters, NULL, &error), error);
    parameters_initialize(&parameters, 3);
    CHECK_OK(network_plan(network, backend, &(struct network_options){.recompute = recompute}, &error), error);
    if (spoil) poison_always(network);
    network_set_weights(network);
    network_forward(network, images);
    network_backward(network, y, r);
    memcpy(gradients, parameters.gradients, parameters.weight_count * sizeof *gradients);
    struct network_operation operation;
    for (int i = 0; network_operation(network, i, &operation); i++)
        if (operation.type == TYPE.name) *made = ((struct exponential *)network->operations[i].own)->made;
    network_destroy(&network);
    parameters_free(&parameters);
}

static void test_reads_y(void **state)
{
    (void)state;
    enum { MOST = 1024 };
    static float clean[MOST], spoiled[MOST], again[MOST];
    struct bench_backend bench = open_backend("ref");
    int made[3] = {0};
    run(bench.backend, RECOMPUTE_OFF, false, clean, &made[0]);
    run(bench.backend, RECOMPUTE_OFF, true, spoiled, &made[1]);
    run(bench.backend, RECOMPUTE_ON, true, again, &made[2]);
    assert_true(made[0] == 1 && made[1] == 1 && made[2] == 2);
    double sum = 0;
    for (int i = 0; i < MOST; i++) sum += fabs((double)clean[i]);
    assert_true(sum > 1 && isfinite(sum));
    assert_memory_equal(clean, spoiled, sizeof clean);
    assert_memory_equal(clean, again, sizeof clean);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_y)};
    return run_cases(tests, NULL, NULL);
}
