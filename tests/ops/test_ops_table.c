/* The tables of the backends: no empty slot; creation, refusals, allocation failures, conversion of tensors. */
#include "ops/ops.h"

static const char *const BACKENDS[] = {"ref", "cpu"};

/* Every member after the name is a function pointer, so the table can be walked as an array of them. */
static void no_empty_slot(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ops_target target;
        ops_open(&target, BACKENDS[i], NULL, 1);
        const struct backend_ops *ops = target.backend->ops;
        assert_string_equal(ops->name, BACKENDS[i]);
        const size_t first = offsetof(struct backend_ops, destroy), last = sizeof *ops;
        assert_int_equal((last - first) % sizeof ops->destroy, 0);
        int empty = 0;
        for (size_t at = first; at < last; at += sizeof ops->destroy) {
            void (*slot)(void);
            memcpy(&slot, (const char *)ops + at, sizeof slot);
            if (slot) continue;
            print_message("%s: slot %zu of the table is NULL\n", BACKENDS[i], (at - first) / sizeof slot);
            empty++;
        }
        assert_int_equal(empty, 0);
        ops_close(&target);
    }
}

static void names(void **state)
{
    (void)state;
    struct pool *pool;
    struct backend *backend = (struct backend *)&pool;
    struct error error;
    assert_int_equal(pool_create(&pool, 1, &error), SIMCLR_OK);
    assert_int_equal(backend_create("gpu", simd_machine(), pool, &backend, &error), SIMCLR_INVALID);
    assert_null(backend);
    assert_non_null(strstr(error.text, "gpu"));
    assert_int_equal(backend_create("auto", simd_machine(), pool, &backend, &error), SIMCLR_OK);
    assert_string_equal(backend->ops->name, "cpu");
    assert_ptr_equal(backend->pool, pool);
    assert_true(strlen(backend->ops->description(backend)) > 0);
    backend_destroy(&backend);
    assert_null(backend);
    backend_destroy(&backend);                                                             /* nothing happens */
    assert_int_equal(backend_create("ref", SIMD_AVX2, pool, &backend, &error), SIMCLR_OK); /* ref has no variants */
    assert_string_equal(backend->ops->name, "ref");
    backend_destroy(&backend);
    pool_destroy(&pool);
}

static void types(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ops_target target;
        ops_open(&target, BACKENDS[i], NULL, 1);
        const struct backend_ops *ops = target.backend->ops;
        struct error error;
        assert_true(ops->supports(target.backend, DTYPE_F32));
        assert_true(ops->supports(target.backend, DTYPE_BF16));
        assert_int_equal(ops->supports(target.backend, DTYPE_F64), i == 0);
        assert_true(ops->supports(target.backend, ops->preferred(target.backend)));
        assert_int_equal(ops->image_type(target.backend, DTYPE_F32), DTYPE_F32);
        assert_int_equal(ops->image_type(target.backend, DTYPE_BF16), i == 0 ? DTYPE_F32 : DTYPE_BF16);
        assert_int_equal(ops->sync(target.backend, &error), SIMCLR_OK);
        uint8_t *block = ops->allocate(target.backend, 1000, &error);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (int j = 0; j < 1000; j++) assert_int_equal(block[j], 0);
        ops->release(target.backend, block);
        assert_null(ops->allocate(target.backend, SIZE_MAX / 2, &error));
        assert_int_equal(error.status, SIMCLR_NO_MEMORY);
        ops_close(&target);
    }
}

/* ---- memory, recording ------------------------------------------------------------------------------------------- */
static void check_memory(const struct ops_target *target)
{
    enum { COUNT = 1000, BYTES = COUNT * sizeof(float) };
    const struct backend_ops *ops = target->backend->ops;
    struct backend *backend = target->backend;
    struct error error;
    float *host = ops->allocate_host(backend, BYTES, &error), *back = ops->allocate_host(backend, BYTES, &error);
    float *a = ops->allocate(backend, BYTES, &error), *b = ops->allocate(backend, BYTES, &error);
    assert_true(host && back && a && b);
    ops->download(backend, back, a, BYTES);
    assert_int_equal(ops->sync(backend, &error), SIMCLR_OK);
    for (int i = 0; i < COUNT; i++) assert_true(host[i] == 0 && back[i] == 0);
    ops_fill(host, COUNT, 77, -1, 1, false);
    ops->upload(backend, a, host, BYTES);
    ops->copy(backend, b, a, BYTES);
    ops->add(backend, b, a, COUNT - 1);
    ops->clear(backend, a, BYTES / 2);
    ops->download(backend, back, b, BYTES);
    assert_int_equal(ops->sync(backend, &error), SIMCLR_OK);
    for (int i = 0; i < COUNT; i++) assert_true(back[i] == (i < COUNT - 1 ? 2 * host[i] : host[i]));
    ops->download(backend, back, a, BYTES);
    assert_int_equal(ops->sync(backend, &error), SIMCLR_OK);
    for (int i = 0; i < COUNT; i++) assert_true(back[i] == (i < COUNT / 2 ? 0 : host[i]));
    ops->copy(backend, a, b, 0); /* nothing */
    ops->release(backend, a);
    ops->release(backend, b);
    ops->release(backend, NULL);
    ops->release_host(backend, host);
    ops->release_host(backend, back);
    ops->release_host(backend, NULL);
}

/* What is said between begin and end has happened once afterwards; replay does it again, or says that it cannot. */
static void check_recording(const struct ops_target *target)
{
    const struct backend_ops *ops = target->backend->ops;
    struct backend *backend = target->backend;
    struct error error;
    struct recording *recording, *other;
    const float one = 1;
    float *sum = ops->allocate(backend, sizeof *sum, &error), *part = ops->allocate(backend, sizeof *part, &error);
    assert_true(sum && part);
    ops->upload(backend, part, &one, sizeof one);
    assert_int_equal(ops->recording_create(backend, &recording, &error), SIMCLR_OK);
    assert_int_equal(ops->recording_create(backend, &other, &error), SIMCLR_OK);
    assert_true(!recording || (recording != other && !ops->reads_host(backend)));
    assert_false(ops->replay(backend, recording));
    assert_int_equal(ops->record_begin(backend, recording, &error), SIMCLR_OK);
    ops->add(backend, sum, part, 1);
    assert_int_equal(ops->record_end(backend, &error), SIMCLR_OK);
    const bool again = ops->replay(backend, recording);
    assert_true(again == (recording != NULL));
    assert_false(ops->replay(backend, other));
    float total;
    ops->download(backend, &total, sum, sizeof total);
    assert_int_equal(ops->sync(backend, &error), SIMCLR_OK);
    assert_true(total == (again ? 2.0f : 1.0f));
    ops->recording_destroy(backend, &recording);
    ops->recording_destroy(backend, &other);
    assert_true(!recording && !other);
    ops->release(backend, sum);
    ops->release(backend, part);
}

/* to + (1 - keep) (from - to), in every number of values; what is equal stays. */
static void check_average(const struct ops_target *target)
{
    enum { COUNT = 1003 };
    const struct backend_ops *ops = target->backend->ops;
    struct backend *backend = target->backend;
    struct error error;
    float from[COUNT], to[COUNT], back[COUNT];
    const float keep = 0.9f;
    float *a = ops->allocate(backend, sizeof from, &error), *b = ops->allocate(backend, sizeof to, &error),
          *k = ops->allocate(backend, sizeof keep, &error);
    assert_true(a && b && k);
    ops_fill(from, COUNT, 78, -1, 1, false);
    ops_fill(to, COUNT, 79, -1, 1, false);
    to[7] = from[7] = 0.3f;
    ops->upload(backend, a, from, sizeof from);
    ops->upload(backend, b, to, sizeof to);
    ops->upload(backend, k, &keep, sizeof keep);
    ops->average(backend, b, a, COUNT - 1, k);
    ops->average(backend, b, a, 0, k); /* nothing */
    ops->download(backend, back, b, sizeof back);
    assert_int_equal(ops->sync(backend, &error), SIMCLR_OK);
    for (int i = 0; i < COUNT - 1; i++)
        assert_true(fabs(back[i] - ((double)keep * to[i] + (1 - (double)keep) * from[i])) <= 2e-7);
    assert_true(back[7] == 0.3f && back[COUNT - 1] == to[COUNT - 1]);
    ops->release(backend, a);
    ops->release(backend, b);
    ops->release(backend, k);
}

static void memory_and_recording(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ops_target target;
        ops_open(&target, BACKENDS[i], NULL, 2);
        assert_true(target.backend->ops->reads_host(target.backend));
        check_memory(&target);
        check_recording(&target);
        check_average(&target);
        ops_close(&target);
    }
}

/* A convolution with a batch norm folded in is the two after one another; float32 weights are rounded once more: 1e-5.
 */
static void folding(void **state)
{
    (void)state;
    enum { K = 20, C = 5, SIDE = 4, BATCH = 3, TAPS = 9, OUT = BATCH * K * SIDE * SIDE };
    for (int i = 0; i < 2; i++) {
        struct ops_target target;
        struct ops_buffers buffers = {0};
        struct error error;
        ops_open(&target, BACKENDS[i], NULL, 2);
        const struct backend_ops *ops = target.backend->ops;
        const struct conv_desc desc = {.batch = BATCH,
                                       .in_channels = C,
                                       .out_channels = K,
                                       .in_height = SIDE,
                                       .in_width = SIDE,
                                       .kernel = 3,
                                       .stride = 1,
                                       .padding = 1,
                                       .bias = true,
                                       .relu = true};
        struct conv_desc plain = desc;
        plain.relu = false;
        const struct tensor_desc in = ops_tensor(DTYPE_F32, BATCH, C, SIDE, SIDE);
        const struct tensor_desc out = ops_tensor(DTYPE_F32, BATCH, K, SIDE, SIDE);
        struct conv_plan *folded, *conv;
        if (ops->conv_create(target.backend, &desc, &folded, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        if (ops->conv_create(target.backend, &plain, &conv, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        const struct conv_folding folding = {.bias = ops_floats(&buffers, K),
                                             .scratch = ops_floats(&buffers, (size_t)K * C * TAPS),
                                             .weight = ops_random(&buffers, (size_t)K * C * TAPS, 1, -1, 1, false),
                                             .conv_bias = ops_random(&buffers, K, 2, -1, 1, false),
                                             .gamma = ops_random(&buffers, K, 3, -1, 2, false),
                                             .beta = ops_random(&buffers, K, 4, -1, 1, false),
                                             .mean = ops_random(&buffers, K, 5, -1, 1, false),
                                             .variance = ops_random(&buffers, K, 6, 0.5f, 2, false),
                                             .epsilon = 1e-5f};
        float *values = ops_random(&buffers, tensor_elements(&in), 7, -1, 1, false);
        void *x = ops_upload(&buffers, &target, &in, values), *y = ops_upload(&buffers, &target, &out, NULL);
        void *z = ops_upload(&buffers, &target, &out, NULL);
        ops->conv_set_folded_weights(folded, &folding);
        ops->conv_inference(folded, y, x, NULL, folding.bias);
        ops->conv_set_weights(conv, folding.weight);
        ops->conv_forward(conv, z, NULL, x, folding.conv_bias);
        ops_check(&buffers, "folding");
        float *got = ops_download(&buffers, &target, &out, y), *want = ops_download(&buffers, &target, &out, z);
        for (int j = 0; j < OUT; j++) {
            const int k = j / (SIDE * SIDE) % K;
            const double scale = folding.gamma[k] / sqrt((double)folding.variance[k] + 1e-5);
            want[j] = (float)fmax(0, scale * ((double)want[j] - folding.mean[k]) + folding.beta[k]);
        }
        ops_near("folded", got, want, OUT, 1e-5, 1e-5);
        ops->conv_destroy(&folded);
        ops->conv_destroy(&conv);
        ops_free(&buffers);
        ops_close(&target);
    }
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */
static const struct conv_desc GOOD_CONV = {.dtype = DTYPE_F32,
                                           .batch = 2,
                                           .in_channels = 3,
                                           .out_channels = 4,
                                           .in_height = 5,
                                           .in_width = 6,
                                           .kernel = 3,
                                           .stride = 1,
                                           .padding = 1,
                                           .training = true,
                                           .input_gradient = true};

static void refuse_conv(struct ops_target *target, struct conv_desc desc, int status)
{
    struct conv_plan *plan = NULL;
    struct error error = {0};
    assert_int_equal(target->backend->ops->conv_create(target->backend, &desc, &plan, &error), status);
    assert_null(plan);
    assert_int_equal(error.status, status);
    assert_true(strlen(error.text) > 0);
}

static void refuse_everything(struct ops_target *target)
{
    struct conv_desc conv = GOOD_CONV;
    conv.batch = 0, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.in_channels = -1, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.out_channels = 0, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.kernel = 0, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.kernel = 9, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.stride = 0, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.padding = -1, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.input_layout = LAYOUT_IMAGES, refuse_conv(target, conv, SIMCLR_INVALID), conv = GOOD_CONV;
    conv.input_layout = LAYOUT_IMAGES, conv.input_gradient = false;
    conv.image_type = DTYPE_BF16, refuse_conv(target, conv, SIMCLR_UNSUPPORTED);
    conv.image_type = DTYPE_F64, refuse_conv(target, conv, SIMCLR_UNSUPPORTED), conv = GOOD_CONV;
    conv.batch = conv.in_height = conv.in_width = 1 << 20, refuse_conv(target, conv, SIMCLR_INVALID);

    const struct backend_ops *ops = target->backend->ops;
    struct error error;
    struct batch_norm_desc norm = {
        .dtype = DTYPE_F32, .batch = 2, .channels = 0, .height = 1, .width = 1, .epsilon = 1e-5f, .momentum = 0.1f};
    struct batch_norm_plan *norm_plan = NULL;
    assert_int_equal(ops->batch_norm_create(target->backend, &norm, &norm_plan, &error), SIMCLR_INVALID);
    norm.channels = 3, norm.accumulate_residual = true;
    assert_int_equal(ops->batch_norm_create(target->backend, &norm, &norm_plan, &error), SIMCLR_INVALID);
    assert_null(norm_plan);
    struct max_pool_desc max = {DTYPE_F32, 1, 1, 4, 4, 2, 2, 2, true}; /* a window wholly in the padding */
    struct max_pool_plan *max_plan = NULL;
    assert_int_equal(ops->max_pool_create(target->backend, &max, &max_plan, &error), SIMCLR_INVALID);
    assert_null(max_plan);
    struct global_pool_desc global = {DTYPE_F32, 1, 1, 0, 4};
    struct global_pool_plan *global_plan = NULL;
    assert_int_equal(ops->global_pool_create(target->backend, &global, &global_plan, &error), SIMCLR_INVALID);
    assert_null(global_plan);
    struct nt_xent_desc loss = {4, 8, 0, true, 0, 0};
    struct nt_xent_plan *loss_plan = NULL;
    assert_int_equal(ops->nt_xent_create(target->backend, &loss, &loss_plan, &error), SIMCLR_INVALID);
    loss.temperature = 0.5f, loss.images = 0;
    assert_int_equal(ops->nt_xent_create(target->backend, &loss, &loss_plan, &error), SIMCLR_INVALID);
    assert_null(loss_plan);
}

static void refusals(void **state)
{
    (void)state;
    struct ops_target target;
    for (int i = 0; i < 2; i++) {
        ops_open(&target, BACKENDS[i], NULL, 1);
        refuse_everything(&target);
        ops_close(&target);
    }
    struct conv_desc desc = GOOD_CONV;
    desc.dtype = DTYPE_F64;
    ops_open(&target, "cpu", NULL, 1);
    refuse_conv(&target, desc, SIMCLR_UNSUPPORTED);
    ops_close(&target);
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */
/* One creation; true when it worked (and was undone). Fails the test if it failed for another reason than memory. */
static bool create_one(struct ops_target *target, int which)
{
    const struct backend_ops *ops = target->backend->ops;
    struct error error = {0};
    int status = SIMCLR_OK;
    if (which == 0) {
        struct conv_plan *plan = NULL;
        status = ops->conv_create(target->backend, &GOOD_CONV, &plan, &error);
        if (status == SIMCLR_OK) ops->conv_destroy(&plan);
        assert_null(plan);
    } else if (which == 1) {
        struct batch_norm_desc desc = {.dtype = DTYPE_BF16,
                                       .batch = 2,
                                       .channels = 3,
                                       .height = 4,
                                       .width = 4,
                                       .training = true,
                                       .epsilon = 1e-5f,
                                       .momentum = 0.1f};
        struct batch_norm_plan *plan = NULL;
        status = ops->batch_norm_create(target->backend, &desc, &plan, &error);
        if (status == SIMCLR_OK) ops->batch_norm_destroy(&plan);
        assert_null(plan);
    } else if (which == 2) {
        struct max_pool_desc desc = {DTYPE_F32, 2, 3, 6, 6, 3, 2, 1, true};
        struct max_pool_plan *plan = NULL;
        status = ops->max_pool_create(target->backend, &desc, &plan, &error);
        if (status == SIMCLR_OK) ops->max_pool_destroy(&plan);
        assert_null(plan);
    } else if (which == 3) {
        struct global_pool_desc desc = {DTYPE_F32, 2, 3, 6, 6};
        struct global_pool_plan *plan = NULL;
        status = ops->global_pool_create(target->backend, &desc, &plan, &error);
        if (status == SIMCLR_OK) ops->global_pool_destroy(&plan);
        assert_null(plan);
    } else {
        struct nt_xent_desc desc = {8, 8, 0.5f, true, 0, 0};
        struct nt_xent_plan *plan = NULL;
        status = ops->nt_xent_create(target->backend, &desc, &plan, &error);
        if (status == SIMCLR_OK) ops->nt_xent_destroy(&plan);
        assert_null(plan);
    }
    if (status != SIMCLR_OK) assert_int_equal(status, SIMCLR_NO_MEMORY);
    return status == SIMCLR_OK;
}

/* Each allocation of each creation fails once: the creation says so and leaves nothing behind. */
static void no_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        for (int which = 0; which < 5; which++) {
            struct ops_target target; /* fresh, so that scratch is allocated again */
            int failures = 0;
            for (bool worked = false; !worked; failures++) {
                assert_true(failures < 100);
                ops_open(&target, BACKENDS[i], NULL, 2);
                memory_fail_after(failures + 1);
                worked = create_one(&target, which);
                memory_fail_after(0);
                ops_close(&target);
            }
            assert_true(failures > 1); /* at least one allocation was made, and failed */
        }
    struct pool *pool;
    struct backend *backend;
    struct error error;
    assert_int_equal(pool_create(&pool, 1, &error), SIMCLR_OK);
    for (int i = 0; i < 2; i++) {
        memory_fail_after(1);
        assert_int_equal(backend_create(BACKENDS[i], simd_machine(), pool, &backend, &error), SIMCLR_NO_MEMORY);
        memory_fail_after(0);
        assert_null(backend);
    }
    pool_destroy(&pool);
}

/* ---- conversion -------------------------------------------------------------------------------------------------- */
static void convert(struct ops_target *target, struct tensor_desc desc, uint32_t item)
{
    struct ops_buffers buffers = {0};
    const size_t count = tensor_elements(&desc);
    const bool exact = desc.dtype == DTYPE_F32;
    float *values = ops_random(&buffers, count, item, -3, 3, false);
    void *tensor = ops_upload(&buffers, target, &desc, values);
    assert_true(target->backend->ops->tensor_bytes(target->backend, &desc) >= count * (exact ? 4 : 2));
    float *back = ops_download(&buffers, target, &desc, tensor);
    for (size_t i = 0; i < count; i++) {
        const float want = exact ? values[i] : bf16_to_float(bf16_from_float(values[i]));
        if (back[i] != want)
            fail_msg("%s: element %zu of %d x %d x %d x %d came back as %.9g instead of %.9g", target->label, i,
                     desc.batch, desc.channels, desc.height, desc.width, (double)back[i], (double)want);
    }
    if (desc.layout == LAYOUT_IMAGES) { /* canonical in memory too */
        assert_int_equal(target->backend->ops->tensor_bytes(target->backend, &desc), count * (exact ? 4 : 2));
        if (exact) assert_memory_equal(tensor, values, count * sizeof(float));
        for (size_t i = 0; i < count && !exact; i++)
            assert_int_equal(((const uint16_t *)tensor)[i], bf16_from_float(values[i]));
    }
    ops_free(&buffers);
}

static void convert_all(struct ops_target *target)
{
    static const int SHAPES[][4] = {{1, 1, 1, 1},   {3, 20, 5, 7},  {16, 32, 4, 4},
                                    {17, 33, 2, 3}, {33, 64, 1, 1}, {5, 3, 9, 8}};
    for (uint32_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        for (int dtype = DTYPE_F32; dtype <= DTYPE_BF16; dtype++)
            for (int layout = 0; layout < 2; layout++) {
                struct tensor_desc desc = ops_tensor(dtype, SHAPES[i][0], SHAPES[i][1], SHAPES[i][2], SHAPES[i][3]);
                desc.layout = layout ? LAYOUT_IMAGES : LAYOUT_PRIVATE;
                convert(target, desc, 100 + i);
            }
}

static void visit_conversion(const char *variant, void *context)
{
    (void)context;
    struct ops_target target;
    ops_open(&target, "cpu", variant, 2);
    convert_all(&target);
    ops_close(&target);
}

static void conversion(void **state)
{
    (void)state;
    struct ops_target ref;
    ops_open(&ref, "ref", NULL, 1);
    convert_all(&ref);
    ops_close(&ref);
    ops_each_variant(visit_conversion, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_empty_slot), cmocka_unit_test(names),
                                       cmocka_unit_test(types),         cmocka_unit_test(memory_and_recording),
                                       cmocka_unit_test(folding),       cmocka_unit_test(refusals),
                                       cmocka_unit_test(no_memory),     cmocka_unit_test(conversion)};
    return run_cases(tests, NULL, NULL);
}
