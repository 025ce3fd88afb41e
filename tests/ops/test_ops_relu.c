/* ReLU: refusals, a NaN, and every variant of the cpu backend against `ref`, with 1, 2 and 3 threads. Nothing is
 * rounded, so all values are equal. */
#include "ops/ops.h"

static struct relu_plan *make(struct ops_target *target, const struct relu_desc *desc)
{
    struct relu_plan *plan;
    struct error error;
    if (target->backend->ops->relu_create(target->backend, desc, &plan, &error) != SIMCLR_OK)
        fail_msg("%s: %s", target->label, error.text);
    return plan;
}

static struct tensor_desc tensor_of(const struct relu_desc *desc)
{
    return ops_tensor(desc->dtype, desc->batch, desc->channels, desc->height, desc->width);
}

struct results {
    float *y, *d_x, *in_place;
};

static struct results execute(struct ops_buffers *buffers, struct ops_target *target, const struct relu_desc *desc,
                              const float *x, const float *d_y)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc shape = tensor_of(desc);
    struct relu_plan *plan = make(target, desc);
    void *y = ops_upload(buffers, target, &shape, NULL), *d_x = ops_upload(buffers, target, &shape, NULL);
    void *given = ops_upload(buffers, target, &shape, d_y);
    ops->relu_forward(plan, y, ops_upload(buffers, target, &shape, x));
    ops_check(buffers, "relu_forward");
    ops_check_written(target, &shape, y);
    ops->relu_backward(plan, d_x, given, y);
    ops_check(buffers, "relu_backward");
    ops_check_written(target, &shape, d_x);
    ops->relu_backward(plan, given, given, y);
    ops_check(buffers, "relu_backward in place");
    const struct results results = {ops_download(buffers, target, &shape, y),
                                    ops_download(buffers, target, &shape, d_x),
                                    ops_download(buffers, target, &shape, given)};
    ops->relu_destroy(&plan);
    assert_null(plan);
    return results;
}

static void refuse(struct ops_target *target, struct relu_desc desc, int status)
{
    struct relu_plan *plan = NULL;
    struct error error = {0};
    assert_int_equal(target->backend->ops->relu_create(target->backend, &desc, &plan, &error), status);
    assert_null(plan);
    assert_true(error.status == status && strlen(error.text) > 0);
}

static void refusals(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct relu_desc good = {DTYPE_F32, 2, 5, 3, 4};
        struct relu_desc desc = good;
        desc.batch = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.width = -1, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.height = desc.width = desc.batch = 1 << 20, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.dtype = DTYPE_F64;
        if (i >= 0) refuse(target, desc, SIMCLR_UNSUPPORTED);
    }
}

static void no_memory(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct relu_desc desc = {DTYPE_F32, 2, 5, 3, 4};
        int status = SIMCLR_NO_MEMORY, failures = 0;
        for (long n = 1; status != SIMCLR_OK; n++) {
            struct relu_plan *plan = NULL;
            memory_fail_after(n);
            status = target->backend->ops->relu_create(target->backend, &desc, &plan, NULL);
            memory_fail_after(0);
            if (!status) target->backend->ops->relu_destroy(&plan);
            if (status) assert_true(status == SIMCLR_NO_MEMORY && !plan && ++failures > 0);
        }
        assert_true(failures >= 1);
    }
}

/* Batches and channels that fill blocks of each layout (layout.h) and that do not. */
static const int SHAPES[][4] = {{2, 5, 4, 3},  {16, 32, 3, 5}, {18, 70, 2, 2},
                                {3, 16, 1, 7}, {33, 8, 4, 1},  {5, 96, 1, 1}};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

/* x: as random numbers are, with zeros of both signs among them. */
static void compare(struct ops_suite *suite, struct relu_desc desc, uint32_t item)
{
    struct ops_buffers buffers = {0};
    const bool bf16 = desc.dtype == DTYPE_BF16;
    const struct tensor_desc shape = tensor_of(&desc);
    const size_t count = tensor_elements(&shape);
    float *x = ops_random(&buffers, count, item, -2, 2, bf16);
    const float *d_y = ops_random(&buffers, count, item + 1, -1, 1, bf16);
    for (size_t i = 0; i < count; i += 5) x[i] = i % 2 ? -0.0f : 0;
    desc.dtype = DTYPE_F32;
    const struct results want = execute(&buffers, &suite->ref, &desc, x, d_y);
    const struct results shared = execute(&buffers, &suite->ref_shared, &desc, x, d_y);
    assert_memory_equal(want.y, shared.y, count * sizeof(float));
    assert_memory_equal(want.d_x, shared.d_x, count * sizeof(float));
    for (size_t i = 0; i < count; i++) { /* the definition */
        assert_true(want.y[i] == fmaxf(x[i], 0));
        assert_true(want.d_x[i] == (x[i] > 0 ? d_y[i] : 0));
    }
    desc.dtype = bf16 ? DTYPE_BF16 : DTYPE_F32;
    for (int i = 0; i < suite->count; i++) {
        struct ops_buffers run = {0};
        const struct results got = execute(&run, &suite->target[i], &desc, x, d_y);
        char label[200];
        snprintf(label, sizeof label, "%s, %s, ReLU %d x %d x %d x %d", suite->target[i].label, dtype_name(desc.dtype),
                 desc.batch, desc.channels, desc.height, desc.width);
        ops_near(label, got.y, want.y, count, 0, 0);
        ops_near(label, got.d_x, want.d_x, count, 0, 0);
        ops_near(label, got.in_place, want.d_x, count, 0, 0);
        ops_free(&run);
    }
    ops_free(&buffers);
}

static void variants(void **state)
{
    for (int s = 0; s < SHAPE_COUNT; s++)
        for (int type = 0; type < 2; type++)
            compare(*state,
                    (struct relu_desc){type ? DTYPE_BF16 : DTYPE_F32, SHAPES[s][0], SHAPES[s][1], SHAPES[s][2],
                                       SHAPES[s][3]},
                    (uint32_t)(7600 + 4 * s + 2 * type));
}

/* A NaN stays one, and lets its gradient through: so a step with one is not taken for a good one. */
static void nan_stays(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < suite->count; i++)
        for (int type = 0; type < 2; type++) {
            struct ops_target *target = i < 0 ? &suite->ref : &suite->target[i];
            struct ops_buffers buffers = {0};
            const struct relu_desc desc = {type ? DTYPE_BF16 : DTYPE_F32, 3, 20, 2, 2};
            const size_t count = 3 * 20 * 4;
            float *x = ops_random(&buffers, count, 7700, -1, -0.5f, true);
            const float *d_y = ops_random(&buffers, count, 7701, 1, 2, true);
            for (size_t j = 0; j < count; j += 7) x[j] = j % 2 ? NAN : -NAN;
            const struct results got = execute(&buffers, target, &desc, x, d_y);
            for (size_t j = 0; j < count; j++) {
                assert_int_equal(isnan(got.y[j]) != 0, j % 7 == 0);
                assert_true(got.d_x[j] == (j % 7 == 0 ? d_y[j] : 0));
            }
            ops_free(&buffers);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals), cmocka_unit_test(no_memory),
                                       cmocka_unit_test(variants), cmocka_unit_test(nan_stays)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
