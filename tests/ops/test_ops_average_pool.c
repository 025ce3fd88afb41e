/* Average pools: refusals, `ref` against its own differences, every variant of the cpu backend against `ref`, with 1, 2
 * and 3 threads, and all against PyTorch's values where the reference folder is there.
 *
 * Allowed: a value is a float32 sum of P terms, whose shares are products of two rounded ones: (2 + sqrt(P)) 6e-8 of
 * the largest, and the rounding of the output. */
#include "ops/ops.h"
#include "support/reference.h"

static struct average_pool_desc windows(enum dtype dtype, int height, int width, int stride, bool whole)
{
    return (struct average_pool_desc){.dtype = dtype,
                                      .batch = 2,
                                      .channels = 5,
                                      .in_height = height,
                                      .in_width = width,
                                      .out_height = (height + stride - 1) / stride,
                                      .out_width = (width + stride - 1) / stride,
                                      .windows = whole ? AVERAGE_WHOLE : AVERAGE_INSIDE,
                                      .kernel = 2,
                                      .stride = stride};
}

static struct average_pool_desc bins(enum dtype dtype, int height, int width, int count)
{
    return (struct average_pool_desc){.dtype = dtype,
                                      .batch = 2,
                                      .channels = 5,
                                      .in_height = height,
                                      .in_width = width,
                                      .out_height = count,
                                      .out_width = count,
                                      .windows = AVERAGE_ADAPTIVE};
}

static struct tensor_desc input(const struct average_pool_desc *desc)
{
    return ops_tensor(desc->dtype, desc->batch, desc->channels, desc->in_height, desc->in_width);
}

static struct tensor_desc output(const struct average_pool_desc *desc)
{
    return ops_tensor(desc->dtype, desc->batch, desc->channels, desc->out_height, desc->out_width);
}

static struct average_pool_plan *make(struct ops_target *target, const struct average_pool_desc *desc)
{
    struct average_pool_plan *plan;
    struct error error;
    if (target->backend->ops->average_pool_create(target->backend, desc, &plan, &error) != SIMCLR_OK)
        fail_msg("%s: %s", target->label, error.text);
    return plan;
}

struct results {
    float *y, *d_x;
};

/* before: what d_x holds where the pass adds to it. */
static struct results execute(struct ops_buffers *buffers, struct ops_target *target, struct average_pool_desc desc,
                              const float *x, const float *d_y, const float *before)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc in = input(&desc), out = output(&desc);
    struct average_pool_plan *plan = make(target, &desc);
    void *y = ops_upload(buffers, target, &out, NULL);
    void *d_x = ops_upload(buffers, target, &in, desc.accumulate ? before : NULL);
    ops->average_pool_forward(plan, y, ops_upload(buffers, target, &in, x));
    ops_check(buffers, "average_pool_forward");
    ops_check_written(target, &out, y);
    ops->average_pool_backward(plan, d_x, ops_upload(buffers, target, &out, d_y));
    ops_check(buffers, "average_pool_backward");
    ops_check_written(target, &in, d_x);
    const struct results results = {ops_download(buffers, target, &out, y), ops_download(buffers, target, &in, d_x)};
    ops->average_pool_destroy(&plan);
    assert_null(plan);
    return results;
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */
static void refuse(struct ops_target *target, struct average_pool_desc desc, int status)
{
    struct average_pool_plan *plan = NULL;
    struct error error = {0};
    assert_int_equal(target->backend->ops->average_pool_create(target->backend, &desc, &plan, &error), status);
    assert_null(plan);
    assert_true(error.status == status && strlen(error.text) > 0);
}

static void refusals(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct average_pool_desc good = windows(DTYPE_F32, 7, 6, 2, true);
        struct average_pool_desc desc = good;
        desc.batch = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.out_height = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.out_height = 5, refuse(target, desc, SIMCLR_INVALID), desc = good; /* begins at 8 of 7 */
        desc.out_width = 4, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.kernel = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.stride = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.stride = 2000, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.windows = (enum average_windows)7, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.in_height = desc.in_width = desc.batch = 1 << 20, refuse(target, desc, SIMCLR_INVALID);
        if (i >= 0) refuse(target, windows(DTYPE_F64, 7, 6, 2, true), SIMCLR_UNSUPPORTED);
        refuse(target, bins(DTYPE_F32, 7, 6, 0), SIMCLR_INVALID);
    }
}

/* A failed allocation is a status, and leaves nothing behind. */
static void no_memory(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct average_pool_desc desc = windows(DTYPE_F32, 7, 6, 2, true);
        int status = SIMCLR_NO_MEMORY, failures = 0;
        for (long n = 1; status != SIMCLR_OK; n++) {
            struct average_pool_plan *plan = NULL;
            memory_fail_after(n);
            status = target->backend->ops->average_pool_create(target->backend, &desc, &plan, NULL);
            memory_fail_after(0);
            if (!status) target->backend->ops->average_pool_destroy(&plan);
            if (status) assert_true(status == SIMCLR_NO_MEMORY && !plan && ++failures > 0);
        }
        assert_true(failures >= 3);
    }
}

/* ---- ref --------------------------------------------------------------------------------------------------------- */
/* y is linear in x: L = sum(r y) has a difference quotient that is exact for any step, here 1 in one value at a time.
 */
static void differences_on(struct ops_target *ref, struct average_pool_desc desc, uint32_t item)
{
    struct ops_buffers buffers = {0};
    const struct tensor_desc in = input(&desc), out = output(&desc);
    const size_t inputs = tensor_elements(&in), outputs = tensor_elements(&out);
    float *values = ops_random(&buffers, inputs + outputs, item, -1, 1, false);
    double *x = ops_new(&buffers, inputs * sizeof *x), *y = ops_new(&buffers, outputs * sizeof *y);
    double *r = ops_new(&buffers, outputs * sizeof *r), *d_x = ops_new(&buffers, inputs * sizeof *d_x);
    for (size_t i = 0; i < inputs; i++) x[i] = values[i];
    for (size_t i = 0; i < outputs; i++) r[i] = values[inputs + i];
    const struct backend_ops *ops = ref->backend->ops;
    struct average_pool_plan *plan = make(ref, &desc);
    ops->average_pool_backward(plan, d_x, r);
    for (size_t i = 0; i < inputs; i++) {
        double loss[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            x[i] += side ? 1 : -0.5;
            ops->average_pool_forward(plan, y, x);
            for (size_t o = 0; o < outputs; o++) loss[side] += r[o] * y[o];
        }
        x[i] -= 0.5;
        if (!(fabs(loss[1] - loss[0] - d_x[i]) <= 1e-12))
            fail_msg("value %zu: slope %.15g, gradient %.15g", i, loss[1] - loss[0], d_x[i]);
    }
    ops_check(&buffers, "average pool of ref");
    ops->average_pool_destroy(&plan);
    ops_free(&buffers);
}

static void differences(void **state)
{
    struct ops_suite *suite = *state;
    differences_on(&suite->ref, windows(DTYPE_F64, 5, 4, 1, false), 1);
    differences_on(&suite->ref, windows(DTYPE_F64, 5, 4, 2, true), 2);
    differences_on(&suite->ref, windows(DTYPE_F64, 1, 3, 2, false), 3);
    struct average_pool_desc large = windows(DTYPE_F64, 7, 8, 2, false);
    large.kernel = 3;
    differences_on(&suite->ref, large, 4);
    differences_on(&suite->ref, bins(DTYPE_F64, 4, 7, 6), 5);
    differences_on(&suite->ref, bins(DTYPE_F64, 7, 13, 3), 6);
}

/* ---- the other backends ------------------------------------------------------------------------------------------ */
static void compare(struct ops_suite *suite, struct average_pool_desc desc, uint32_t item)
{
    struct ops_buffers buffers = {0};
    const bool bf16 = desc.dtype == DTYPE_BF16;
    const struct tensor_desc in = input(&desc), out = output(&desc);
    const size_t inputs = tensor_elements(&in), outputs = tensor_elements(&out);
    const float *x = ops_random(&buffers, inputs, item, -2, 2, bf16);
    const float *d_y = ops_random(&buffers, outputs, item + 1, -1, 1, bf16);
    const float *before = ops_random(&buffers, inputs, item + 2, -1, 1, bf16);
    struct average_pool_desc exact = desc;
    exact.dtype = DTYPE_F32;
    const struct results want = execute(&buffers, &suite->ref, exact, x, d_y, before);
    const struct results shared = execute(&buffers, &suite->ref_shared, exact, x, d_y, before);
    assert_memory_equal(want.y, shared.y, outputs * sizeof(float)); /* ref's bits do not depend on threads */
    assert_memory_equal(want.d_x, shared.d_x, inputs * sizeof(float));
    const double rounding = ops_half_unit(desc.dtype);
    for (int i = 0; i < suite->count; i++) {
        struct ops_buffers run = {0};
        const struct results got = execute(&run, &suite->target[i], desc, x, d_y, before);
        const struct results again = execute(&run, &suite->target[i], desc, x, d_y, before);
        char label[200];
        snprintf(label, sizeof label, "%s, %s, average pool %d x %d x %d x %d to %d x %d", suite->target[i].label,
                 dtype_name(desc.dtype), desc.batch, desc.channels, desc.in_height, desc.in_width, desc.out_height,
                 desc.out_width);
        ops_near(label, got.y, want.y, outputs, rounding, 1e-6);
        ops_near(label, got.d_x, want.d_x, inputs, rounding, 2e-6);
        assert_memory_equal(got.y, again.y, outputs * sizeof(float));
        assert_memory_equal(got.d_x, again.d_x, inputs * sizeof(float));
        ops_free(&run);
    }
    ops_free(&buffers);
}

/* Batches and channels that fill blocks of each layout (layout.h) and that do not; sizes odd, even, 1. */
static void variants(void **state)
{
    static const int SHAPES[][4] = {{2, 5, 8, 8}, {16, 32, 9, 5}, {18, 70, 7, 7}, {3, 16, 1, 13}, {33, 8, 4, 6}};
    struct ops_suite *suite = *state;
    uint32_t item = 7000;
    for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++)
        for (int variety = 0; variety < 8; variety++, item += 3) {
            const enum dtype dtype = variety % 2 ? DTYPE_BF16 : DTYPE_F32;
            const int height = SHAPES[s][2], width = SHAPES[s][3];
            struct average_pool_desc desc = variety / 2 == 0   ? windows(dtype, height, width, 1, false)
                                            : variety / 2 == 1 ? windows(dtype, height, width, 2, true)
                                                               : bins(dtype, height, width, variety / 2 == 2 ? 6 : 2);
            desc.batch = SHAPES[s][0];
            desc.channels = SHAPES[s][1];
            desc.accumulate = (s + (size_t)variety / 2) % 2;
            compare(suite, desc, item);
        }
}

/* ---- PyTorch's values ---------------------------------------------------------------------------------------------
 */
static void golden_on(struct ops_target *target, const struct reference *file)
{
    static const char *const FLAVOURS[] = {"average_same_stride1", "average_stride2", "average_to_6x6"};
    static const int COUNTS[] = {3, 3, 4};
    for (int flavour = 0; flavour < 3; flavour++)
        for (int i = 0; i < COUNTS[flavour]; i++) {
            struct ops_buffers buffers = {0};
            const struct reference_tensor x = reference_get(file, "%s.%d.x", FLAVOURS[flavour], i);
            const struct reference_tensor y = reference_get(file, "%s.%d.y", FLAVOURS[flavour], i);
            const int height = (int)x.dim[2], width = (int)x.dim[3];
            struct average_pool_desc desc = flavour == 0   ? windows(DTYPE_F32, height, width, 1, false)
                                            : flavour == 1 ? windows(DTYPE_F32, height, width, 2, true)
                                                           : bins(DTYPE_F32, height, width, 6);
            desc.batch = (int)x.dim[0];
            desc.channels = (int)x.dim[1];
            assert_true(desc.out_height == y.dim[2] && desc.out_width == y.dim[3]);
            const float *d_y = reference_f32(reference_get(file, "%s.%d.d_y", FLAVOURS[flavour], i));
            const float *d_x = reference_f32(reference_get(file, "%s.%d.d_x", FLAVOURS[flavour], i));
            const struct results got = execute(&buffers, target, desc, reference_f32(x), d_y, NULL);
            assert_true(ops_distance(got.y, reference_f32(y), (size_t)y.count) <= 2e-6);
            assert_true(ops_distance(got.d_x, d_x, (size_t)x.count) <= 2e-6);
            ops_free(&buffers);
        }
}

static void golden(void **state)
{
    struct ops_suite *suite = *state;
    struct reference file;
    if (!reference_open(&file, "units")) skip_reference("units");
    golden_on(&suite->ref, &file);
    for (int i = 0; i < suite->count; i++) golden_on(&suite->target[i], &file);
    reference_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(no_memory), cmocka_unit_test(differences),
        cmocka_unit_test(variants), cmocka_unit_test(golden),
    };
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
