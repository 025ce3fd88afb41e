/* Max and global pools: every variant of the cpu backend against ref, with 1, 2 and 3 threads, each operation twice
 * (bit-equal), and ref with three threads against ref with one (bit-equal). Inputs are what the type under test holds
 * exactly; bf16 outputs are allowed half a unit in the last place (2^-8 |value|) beyond the following.
 *
 * - Max pool: exact. Its backward adds at most kernel^2 numbers: 1e-6.
 * - Global pool: a float32 sum of P terms of one sign errs by 2^-24 sqrt(P / 3): 1e-6 + 2e-7 sqrt(P). */
#include "ops/ops.h"

struct pool_results {
    float *y, *inference, *d_x, *mean, *d_x_mean;
};

static struct pool_results pool_execute(struct ops_buffers *buffers, struct ops_target *target,
                                        struct max_pool_desc desc, const float *x, const float *d_y,
                                        const float *d_mean)
{
    const struct backend_ops *ops = target->backend->ops;
    struct global_pool_desc global = {desc.dtype, desc.batch, desc.channels, desc.in_height, desc.in_width};
    const struct tensor_desc in = ops_tensor(desc.dtype, desc.batch, desc.channels, desc.in_height, desc.in_width);
    const struct tensor_desc out = ops_tensor(desc.dtype, desc.batch, desc.channels,
                                              conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding),
                                              conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding));
    const struct tensor_desc pooled = ops_tensor(DTYPE_F32, desc.batch, desc.channels, 1, 1);
    struct pool_results results;
    struct max_pool_plan *plan;
    struct global_pool_plan *global_plan;
    struct error error;
    if (ops->max_pool_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    if (ops->global_pool_create(target->backend, &global, &global_plan, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    void *input = ops_upload(buffers, target, &in, x), *d_x = ops_upload(buffers, target, &in, NULL);
    void *y = ops_upload(buffers, target, &out, NULL), *other = ops_upload(buffers, target, &out, NULL);
    void *mean = ops_upload(buffers, target, &pooled, NULL);
    void *saved = ops_new(buffers, ops->max_pool_saved_bytes(plan));
    ops->max_pool_forward(plan, y, saved, input);
    ops_check(buffers, "max_pool_forward");
    ops->max_pool_forward(plan, other, NULL, input);
    ops_check(buffers, "max_pool_forward without saved");
    results.y = ops_download(buffers, target, &out, y);
    results.inference = ops_download(buffers, target, &out, other);
    ops->max_pool_backward(plan, d_x, ops_upload(buffers, target, &out, d_y), saved);
    ops_check(buffers, "max_pool_backward");
    results.d_x = ops_download(buffers, target, &in, d_x);
    ops->global_pool_forward(global_plan, mean, input);
    ops_check(buffers, "global_pool_forward");
    results.mean = ops_download(buffers, target, &pooled, mean);
    ops->global_pool_backward(global_plan, d_x, ops_upload(buffers, target, &pooled, d_mean));
    ops_check(buffers, "global_pool_backward");
    results.d_x_mean = ops_download(buffers, target, &in, d_x);
    ops->max_pool_destroy(&plan);
    ops->global_pool_destroy(&global_plan);
    return results;
}

/* On the targets [first, end) of the suite. */
static void pool_check(struct ops_suite *suite, int first, int end, struct max_pool_desc desc, uint32_t item)
{
    struct ops_target *targets = suite->target;
    struct ops_buffers buffers = {0};
    const bool bf16 = desc.dtype == DTYPE_BF16, ties = item % 2 != 0;
    const size_t planes = (size_t)desc.batch * (size_t)desc.channels;
    const size_t inputs = planes * (size_t)(desc.in_height * desc.in_width);
    const size_t outputs = planes * (size_t)conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding) *
                           (size_t)conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding);
    float *x = ops_random(&buffers, inputs, item + 1, ties ? -2 : -1, ties ? 2 : -0.001f, bf16); /* also all negative */
    for (size_t i = 0; ties && i < inputs; i++) x[i] = x[i] > 0 ? roundf(x[i]) : 0;              /* as after a ReLU */
    float *d_y = ops_random(&buffers, outputs, item + 2, -1, 1, bf16);
    float *d_mean = ops_random(&buffers, planes, item + 3, -1, 1, false);
    struct max_pool_desc exact = desc;
    exact.dtype = DTYPE_F32;
    const struct pool_results want = pool_execute(&buffers, &suite->ref, exact, x, d_y, d_mean);
    const struct pool_results shared = pool_execute(&buffers, &suite->ref_shared, exact, x, d_y, d_mean);
    assert_memory_equal(want.y, shared.y, outputs * sizeof(float));
    assert_memory_equal(want.inference, shared.inference, outputs * sizeof(float));
    assert_memory_equal(want.d_x, shared.d_x, inputs * sizeof(float));
    assert_memory_equal(want.mean, shared.mean, planes * sizeof(float));
    assert_memory_equal(want.d_x_mean, shared.d_x_mean, inputs * sizeof(float));
    for (int i = first; i < end; i++) {
        struct ops_buffers run = {0};
        const struct pool_results got = pool_execute(&run, &targets[i], desc, x, d_y, d_mean);
        const struct pool_results again = pool_execute(&run, &targets[i], desc, x, d_y, d_mean);
        char label[200];
        snprintf(label, sizeof label, "%s, %s, pool %d x %d x %d x %d, %d/%d", targets[i].label, dtype_name(desc.dtype),
                 desc.batch, desc.channels, desc.in_height, desc.in_width, desc.kernel, desc.stride);
        ops_near(label, got.y, want.y, outputs, 0, 0);
        ops_near(label, got.inference, want.y, outputs, 0, 0);
        ops_near(label, got.d_x, want.d_x, inputs, ops_half_unit(desc.dtype), 1e-6);
        ops_near(label, got.mean, want.mean, planes, 0,
                 (1e-6 + 2e-7 * sqrt(desc.in_height * desc.in_width)) * ops_rms(want.mean, planes));
        ops_near(label, got.d_x_mean, want.d_x_mean, inputs, ops_half_unit(desc.dtype) + 1e-6, 0);
        assert_memory_equal(got.d_x, again.d_x, inputs * sizeof(float));
        assert_memory_equal(got.mean, again.mean, planes * sizeof(float));
        ops_free(&run);
    }
    ops_free(&buffers);
}

/* A NaN is the maximum of every window that holds it, whatever comes before or after. */
static void pool_nan(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < suite->count; i++)
        for (int type = 0; type < 2; type++) {
            struct ops_target *target = i < 0 ? &suite->ref : &suite->target[i];
            const struct max_pool_desc desc = {type ? DTYPE_BF16 : DTYPE_F32, 3, 20, 6, 6, 3, 2, 1, true};
            struct ops_buffers buffers = {0};
            const size_t inputs = 3 * 20 * 36, outputs = 3 * 20 * 9;
            float *x = ops_random(&buffers, inputs, 6900, -1, 1, true), *zeros = ops_floats(&buffers, outputs);
            for (size_t plane = 0; plane < 60; plane++) x[plane * 36 + plane % 36] = NAN;
            memset(zeros, 0, outputs * sizeof *zeros);
            const struct pool_results got = pool_execute(&buffers, target, desc, x, zeros, zeros);
            for (size_t j = 0; j < outputs; j++) {
                const size_t plane = j / 9, row = plane % 36 / 6, column = plane % 36 % 6;
                const size_t top = 2 * (j % 9 / 3),
                             left = 2 * (j % 3); /* one beyond the window's first, at index - 1 */
                const bool inside = row + 1 >= top && row <= top + 1 && column + 1 >= left && column <= left + 1;
                if (isnan(got.y[j]) != inside || isnan(got.inference[j]) != inside)
                    fail_msg("%s: output %zu of plane %zu is %g", target->label, j % 9, plane, (double)got.y[j]);
            }
            ops_free(&buffers);
        }
}

static void pools(void **state)
{
    struct ops_suite *suite = *state;
    static const int SHAPES[][7] = {{3, 1, 5, 7, 3, 2, 1},  {16, 3, 7, 7, 3, 2, 1},   {17, 20, 6, 9, 3, 2, 1},
                                    {1, 33, 8, 8, 2, 2, 0}, {16, 64, 4, 5, 3, 1, 1},  {33, 48, 3, 3, 3, 2, 1},
                                    {3, 96, 1, 1, 3, 2, 1}, {3, 16, 13, 4, 3, 3, 0},  {32, 32, 4, 4, 2, 1, 1},
                                    {17, 8, 1, 6, 3, 2, 1}, {5, 64, 15, 15, 3, 2, 0}, {16, 24, 7, 7, 3, 2, 0},
                                    {33, 16, 3, 3, 3, 2, 0}}; /* the last three: AlexNet's */
    for (uint32_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        for (uint32_t variety = 0; variety < 4; variety++) {
            const int *shape = SHAPES[i];
            struct max_pool_desc desc = {variety / 2 ? DTYPE_BF16 : DTYPE_F32,
                                         shape[0],
                                         shape[1],
                                         shape[2],
                                         shape[3],
                                         shape[4],
                                         shape[5],
                                         shape[6],
                                         true};
            pool_check(suite, 0, suite->count, desc, 6000 + 8 * i + variety);
        }
    /* The max pools of ResNets at 96 and 224, and the global pools after their last stages. */
    static const int RESNET[][3] = {{64, 48, 1}, {64, 112, 1}, {512, 4, 3}, {512, 3, 3}, {2048, 7, 1}};
    for (uint32_t i = 0; i < 5; i++)
        for (int type = 0; type < 2; type++) {
            struct max_pool_desc desc = {
                type ? DTYPE_BF16 : DTYPE_F32, RESNET[i][2], RESNET[i][0], RESNET[i][1], RESNET[i][1], 3, 2, 1, true};
            pool_check(suite, 1, i < 2 ? 2 : suite->count, desc, 6500 + 8 * i);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pools), cmocka_unit_test(pool_nan)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
