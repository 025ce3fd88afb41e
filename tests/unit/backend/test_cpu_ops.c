/* The cpu backend's own promises, for every variant that this CPU runs (batch norm's: ops/test_ops_batch_norm.c):
 *  - results against `ref` in doubles;
 *  - padding as the layout demands it;
 *  - bits that do not change from run to run;
 *  - kernels at their stated accuracy. */
#include "unit/backend/targets.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "ops/ops_padding.h"

/* ---- tensors ------------------------------------------------------------------------------------------------- */
static void check_tensor_io(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    struct ops_buffers buffers = {0};
    for (int bf16 = 0; bf16 <= 1; bf16++) {
        struct tensor_desc desc = ops_tensor(bf16 ? DTYPE_BF16 : DTYPE_F32, 19, 37, 3, 5);
        float *in = ops_random(&buffers, tensor_elements(&desc), 1, -2, 2, bf16);
        void *tensor = ops_upload(&buffers, target, &desc, in);
        check_padding("written tensor", &desc, tensor, true);
        float *out = ops_download(&buffers, target, &desc, tensor);
        assert_memory_equal(in, out, tensor_elements(&desc) * sizeof(float));
    }
    ops_free(&buffers);
}

static void test_tensor_io(void **state)
{
    (void)state;
    each_target(check_tensor_io);
}

/* ---- pools --------------------------------------------------------------------------------------------------- */
static void check_one_max_pool(struct ops_target *target, struct ops_target *ref, const struct max_pool_desc *d)
{
    struct ops_buffers buffers = {0};
    struct ops_target *targets[2] = {target, ref};
    float *y[2], *d_x[2];
    const int height = conv_out(d->in_height, d->kernel, d->stride, d->padding);
    const int width = conv_out(d->in_width, d->kernel, d->stride, d->padding);
    const struct tensor_desc in = ops_tensor(d->dtype, d->batch, d->channels, d->in_height, d->in_width);
    const struct tensor_desc out = ops_tensor(d->dtype, d->batch, d->channels, height, width);
    float *x = ops_random(&buffers, tensor_elements(&in), 1, -4, 4, false);
    float *gradient = ops_random(&buffers, tensor_elements(&out), 2, -1, 1, d->dtype == DTYPE_BF16);
    for (size_t i = 0; i < tensor_elements(&in); i++) x[i] = truncf(x[i]); /* ties everywhere */
    for (int i = 0; i < 2; i++) {
        const struct backend_ops *ops = targets[i]->backend->ops;
        struct max_pool_plan *plan;
        struct error error;
        if (ops->max_pool_create(targets[i]->backend, d, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        void *tx = ops_upload(&buffers, targets[i], &in, x), *ty = ops_upload(&buffers, targets[i], &out, NULL);
        void *tdy = ops_upload(&buffers, targets[i], &out, gradient);
        void *tdx = ops_upload(&buffers, targets[i], &in, NULL);
        void *saved = ops_new(&buffers, ops->max_pool_saved_bytes(plan));
        ops->max_pool_forward(plan, ty, saved, tx);
        ops->max_pool_backward(plan, tdx, tdy, saved);
        if (i == 0) {
            check_padding("max pool's d_x", &in, tdx, true);
            check_padding("max pool's y", &out, ty, false);
        }
        y[i] = ops_download(&buffers, targets[i], &out, ty);
        d_x[i] = ops_download(&buffers, targets[i], &in, tdx);
        ops->max_pool_forward(plan, ty, NULL, tx); /* inference: the same values */
        float *inference = ops_download(&buffers, targets[i], &out, ty);
        assert_memory_equal(inference, y[i], tensor_elements(&out) * sizeof(float));
        ops->max_pool_destroy(&plan);
    }
    assert_memory_equal(y[0], y[1], tensor_elements(&out) * sizeof(float));
    const double unit = d->dtype == DTYPE_BF16 ? 1.0 / 128 : 1e-6;
    ops_near("max pool's d_x", d_x[0], d_x[1], tensor_elements(&in), unit, 1e-6);
    ops_free(&buffers);
}

static void check_max_pool(struct ops_target *target, struct ops_target *ref)
{
    const struct max_pool_desc cases[] = {
        {DTYPE_F32, 17, 40, 9, 7, 3, 2, 1, true},  {DTYPE_BF16, 16, 32, 8, 8, 3, 2, 1, true},
        {DTYPE_F32, 3, 5, 6, 6, 2, 2, 0, true},    {DTYPE_BF16, 2, 33, 5, 8, 3, 1, 1, true},
        {DTYPE_F32, 1, 64, 10, 10, 2, 3, 0, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_one_max_pool(target, ref, &cases[i]);
}

static void test_max_pool(void **state)
{
    (void)state;
    each_target(check_max_pool);
}

static void test_max_pool_keeps_nan(void **state)
{
    (void)state;
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) continue;
        struct ops_buffers buffers = {0};
        struct ops_target target;
        struct max_pool_plan *plan;
        const struct max_pool_desc d = {DTYPE_F32, 1, 1, 3, 3, 3, 1, 0, true};
        float x[9] = {1, 2, NAN, 8, 1, 1, 9, 1, 1};
        ops_open(&target, "cpu", *variant, 1);
        const struct tensor_desc in = ops_tensor(DTYPE_F32, 1, 1, 3, 3), out = ops_tensor(DTYPE_F32, 1, 1, 1, 1);
        void *tx = ops_upload(&buffers, &target, &in, x), *ty = ops_upload(&buffers, &target, &out, NULL);
        assert_int_equal(target.backend->ops->max_pool_create(target.backend, &d, &plan, NULL), SIMCLR_OK);
        target.backend->ops->max_pool_forward(plan, ty, NULL, tx);
        assert_true(isnan(*ops_download(&buffers, &target, &out, ty)));
        target.backend->ops->max_pool_destroy(&plan);
        ops_close(&target);
        ops_free(&buffers);
    }
}

static void check_global_pool(struct ops_target *target, struct ops_target *ref)
{
    for (int bf16 = 0; bf16 <= 1; bf16++) {
        struct ops_buffers buffers = {0};
        struct ops_target *targets[2] = {target, ref};
        float *y[2], *d_x[2];
        const struct global_pool_desc d = {bf16 ? DTYPE_BF16 : DTYPE_F32, 18, 70, 7, 5};
        const struct tensor_desc in = ops_tensor(d.dtype, d.batch, d.channels, d.height, d.width);
        const struct tensor_desc out = ops_tensor(DTYPE_F32, d.batch, d.channels, 1, 1);
        float *x = ops_random(&buffers, tensor_elements(&in), 1, -1, 1, bf16);
        float *gradient = ops_random(&buffers, tensor_elements(&out), 2, -1, 1, false);
        for (int i = 0; i < 2; i++) {
            const struct backend_ops *ops = targets[i]->backend->ops;
            struct global_pool_plan *plan;
            assert_int_equal(ops->global_pool_create(targets[i]->backend, &d, &plan, NULL), SIMCLR_OK);
            void *tx = ops_upload(&buffers, targets[i], &in, x), *ty = ops_upload(&buffers, targets[i], &out, NULL);
            void *tdy = ops_upload(&buffers, targets[i], &out, gradient);
            void *tdx = ops_upload(&buffers, targets[i], &in, NULL);
            ops->global_pool_forward(plan, ty, tx);
            ops->global_pool_backward(plan, tdx, tdy);
            if (i == 0) check_padding("global pool's y", &out, ty, false);
            if (i == 0) check_padding("global pool's d_x", &in, tdx, true);
            y[i] = ops_download(&buffers, targets[i], &out, ty);
            d_x[i] = ops_download(&buffers, targets[i], &in, tdx);
            ops->global_pool_destroy(&plan);
        }
        ops_near("global pool's y", y[0], y[1], tensor_elements(&out), 1e-6, 1e-6);
        ops_near("global pool's d_x", d_x[0], d_x[1], tensor_elements(&in), bf16 ? 1.0 / 128 : 1e-6, 0);
        ops_free(&buffers);
    }
}

static void test_global_pool(void **state)
{
    (void)state;
    each_target(check_global_pool);
}

/* ---- optimisers ---------------------------------------------------------------------------------------------- */
enum { SEGMENTS = 5 };
static const size_t SEGMENT_COUNTS[SEGMENTS] = {1, 64, 4097, 100003, 70};

static void fill_segments(struct ops_buffers *buffers, struct optimizer_segment *segments)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        const size_t count = SEGMENT_COUNTS[i];
        struct optimizer_segment *s = &segments[i];
        s->weight = ops_random(buffers, count, 20 + i, -1, 1, false);
        s->state1 = ops_random(buffers, count, 30 + i, -0.1f, 0.1f, false);
        s->state2 = ops_random(buffers, count, 40 + i, 0, 0.1f, false);
        s->gradient = ops_random(buffers, count, 50 + i, -1, 1, false);
        s->count = count;
        s->decay = s->adapt = i != 1;
        s->rate = i == 2 ? 0.5f : 1;
        if (i == 4) memset(s->weight, 0, count * sizeof(float)); /* no norm: trust 1 */
    }
}

static void check_optimizers(struct ops_target *target, struct ops_target *ref)
{
    for (int kind = OPTIMIZER_LARS; kind <= OPTIMIZER_ADAMW; kind++) {
        struct ops_buffers buffers = {0};
        struct optimizer_segment got[SEGMENTS], want[SEGMENTS];
        struct optimizer_desc desc = {.kind = (enum optimizer_kind)kind,
                                      .count = SEGMENTS,
                                      .momentum = 0.9f,
                                      .weight_decay = 0.01f,
                                      .trust = 0.001f,
                                      .beta2 = 0.999f,
                                      .epsilon = 1e-8f};
        fill_segments(&buffers, got);
        fill_segments(&buffers, want);
        for (struct step_inputs inputs = {1, 0.3f}; inputs.step <= 3; inputs.step++) {
            desc.segments = got;
            ops_optimizer_run(target, &desc, inputs);
            desc.segments = want;
            ops_optimizer_run(ref, &desc, inputs);
        }
        ops_check(&buffers, "optimizer");
        for (int i = 0; i < SEGMENTS; i++) {
            assert_true(ops_distance(got[i].weight, want[i].weight, got[i].count) < 1e-6);
            assert_true(ops_distance(got[i].state1, want[i].state1, got[i].count) < 1e-6);
            assert_true(ops_distance(got[i].state2, want[i].state2, got[i].count) < 1e-6);
        }
        ops_free(&buffers);
    }
}

static void test_optimizers(void **state)
{
    (void)state;
    each_target(check_optimizers);
}

static void check_sum_squares(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    const size_t counts[] = {0, 1, 31, 4096, 4097, 300001};
    struct ops_buffers buffers = {0};
    struct ops_target four;
    float *values = ops_random(&buffers, 300001, 9, -1, 1, false);
    ops_open(&four, "cpu", target->variant, 4);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        double want = 0, got = ops_sum_squares(target, values, counts[i]);
        for (size_t j = 0; j < counts[i]; j++) want += (double)values[j] * (double)values[j];
        assert_true(fabs(got - want) <= 1e-12 * want);
        assert_true(got == ops_sum_squares(&four, values, counts[i]));
    }
    values[12345] = INFINITY;
    assert_false(isfinite(ops_sum_squares(target, values, 300001)));
    ops_close(&four);
    ops_free(&buffers);
}

static void test_sum_squares(void **state)
{
    (void)state;
    each_target(check_sum_squares);
}

/* ---- creation ------------------------------------------------------------------------------------------------ */
static void test_creation(void **state)
{
    (void)state;
    struct pool *pool;
    struct backend *backend;
    struct error error;
    assert_int_equal(pool_create(&pool, 2, &error), SIMCLR_OK);
    for (const char *const *variant = simd_words(); *variant; variant++) {
        enum simd simd;
        if (!simd_runs(*variant)) continue;
        assert_int_equal(simd_choose(*variant, "test", &simd, &error), SIMCLR_OK);
        assert_int_equal(cpu_backend_create(simd, pool, &backend, &error), SIMCLR_OK);
        assert_non_null(strstr(backend->ops->description(backend), "2 threads"));
        assert_non_null(strstr(backend->ops->description(backend), *variant));
        backend_destroy(&backend);
    }
    assert_int_equal(cpu_backend_create(simd_machine(), pool, &backend, &error), SIMCLR_OK);
    struct cpu_backend *cpu = cpu_backend_of(backend);
    assert_int_not_equal(cpu->tiles, CPU_TILES_EMULATED);
    assert_int_equal(cpu_reserve_scratch(cpu, 100000, &error), SIMCLR_OK);
    memset(cpu_scratch(cpu, 0), 1, 100000);
    memset(cpu_scratch(cpu, 1), 2, 100000);
    assert_int_equal(cpu_reserve_scratch(cpu, 50, &error), SIMCLR_OK);
    assert_int_equal(((uint8_t *)cpu_scratch(cpu, 0))[99999], 1); /* less than there is: nothing moves */
    assert_int_equal(cpu_reserve_scratch(cpu, SIZE_MAX - 1, &error), SIMCLR_NO_MEMORY);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

/* Every allocation that can fail does once: a clean refusal each time, nothing lost (the sanitizers look). */
static void test_creation_without_memory(void **state)
{
    (void)state;
    struct ops_target target;
    ops_open(&target, "cpu", NULL, 2);
    const struct backend_ops *ops = target.backend->ops;
    const struct nt_xent_desc nt = {4, 8, 0.5f, true, 0, 0};
    const struct batch_norm_desc norm = {
        .batch = 2, .channels = 3, .height = 4, .width = 5, .epsilon = 1e-5f, .momentum = 0.1f};
    const struct max_pool_desc pool = {DTYPE_F32, 1, 1, 3, 3, 3, 1, 0, true};
    const struct global_pool_desc global = {DTYPE_F32, 1, 1, 2, 2};
    int refused = 0;
    for (long n = 1; n <= 20; n++) {
        struct nt_xent_plan *a = NULL;
        struct batch_norm_plan *b = NULL;
        struct max_pool_plan *c = NULL;
        struct global_pool_plan *d = NULL;
        struct backend *e = NULL;
        int status[5];
        memory_fail_after(n);
        status[0] = ops->nt_xent_create(target.backend, &nt, &a, NULL);
        memory_fail_after(n);
        status[1] = ops->batch_norm_create(target.backend, &norm, &b, NULL);
        memory_fail_after(n);
        status[2] = ops->max_pool_create(target.backend, &pool, &c, NULL);
        memory_fail_after(n);
        status[3] = ops->global_pool_create(target.backend, &global, &d, NULL);
        memory_fail_after(n);
        status[4] = cpu_backend_create(SIMD_PORTABLE, target.pool, &e, NULL);
        memory_fail_after(0);
        for (int i = 0; i < 5; i++) {
            assert_true(status[i] == SIMCLR_OK || status[i] == SIMCLR_NO_MEMORY);
            refused += status[i] != SIMCLR_OK;
        }
        assert_true((a != NULL) == (status[0] == SIMCLR_OK));
        ops->nt_xent_destroy(&a);
        ops->batch_norm_destroy(&b);
        ops->max_pool_destroy(&c);
        ops->global_pool_destroy(&d);
        backend_destroy(&e);
    }
    assert_true(refused >= 15);
    ops_close(&target);
}

int main(void)
{
    ops_report_variants();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creation),           cmocka_unit_test(test_creation_without_memory),
        cmocka_unit_test(test_tensor_io),          cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_max_pool_keeps_nan), cmocka_unit_test(test_global_pool),
        cmocka_unit_test(test_optimizers),         cmocka_unit_test(test_sum_squares),
    };
    return run_cases(tests, NULL, NULL);
}
