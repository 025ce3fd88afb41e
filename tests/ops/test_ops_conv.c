/* Convolutions of odd and even sizes: every variant of the cpu backend against ref, in float32 and bf16, with 1, 2 and
 * 3 threads, each twice (bit-equal). Tolerances: ops_conv.h. */
#include "ops/ops_conv.h"

struct shape {
    int batch, in, out, height, width, kernel, stride, padding;
};

/* Channels 1 3 8 16 20 33 48 64 96, batches 1 3 16 17 and more, kernels 1 3 5 7, images that are not square, smaller
 * than the kernel, or one pixel; groups of 16 or 8 images and blocks of 32 channels that are full, partial and several;
 * enough tiles and channels for several of Winograd's chunks. */
static const struct shape SHAPES[] = {
    {1, 1, 1, 1, 1, 1, 1, 0},      {3, 1, 8, 5, 7, 3, 1, 1},     {16, 3, 16, 7, 7, 3, 1, 1},
    {17, 8, 20, 5, 7, 3, 2, 1},    {3, 16, 33, 7, 5, 3, 1, 1},   {16, 20, 48, 4, 4, 3, 1, 1},
    {17, 33, 64, 3, 3, 3, 2, 1},   {3, 48, 96, 6, 5, 1, 1, 0},   {17, 64, 1, 5, 7, 1, 2, 0},
    {1, 96, 3, 7, 7, 3, 1, 1},     {3, 3, 64, 17, 15, 7, 2, 3},  {17, 3, 20, 9, 11, 7, 2, 3},
    {16, 64, 64, 8, 8, 3, 1, 1},   {17, 96, 33, 4, 4, 3, 2, 1},  {33, 64, 96, 1, 1, 1, 1, 0},
    {3, 256, 130, 1, 1, 1, 1, 0},  {1, 20, 20, 7, 7, 7, 1, 3},   {3, 8, 8, 2, 3, 3, 1, 1},
    {1, 33, 33, 1, 1, 3, 1, 1},    {17, 16, 16, 1, 5, 3, 2, 1},  {32, 32, 32, 8, 8, 3, 1, 1},
    {3, 16, 16, 8, 8, 1, 2, 0},    {16, 48, 20, 2, 2, 3, 2, 1},  {40, 32, 64, 4, 4, 3, 1, 1},
    {1, 1, 1, 7, 1, 7, 2, 3},      {3, 8, 8, 9, 9, 5, 2, 2},     {3, 3, 8, 6, 10, 3, 1, 0},
    {17, 3, 64, 8, 6, 3, 1, 1},    {5, 64, 64, 13, 11, 3, 1, 1}, {65, 20, 33, 3, 2, 3, 1, 1},
    {33, 130, 140, 5, 5, 3, 1, 1}, {17, 64, 40, 14, 9, 3, 1, 1}, {8, 64, 96, 5, 7, 1, 1, 0},
    {8, 3, 64, 17, 14, 7, 2, 3},   {24, 33, 48, 4, 9, 1, 1, 0},  {8, 40, 64, 7, 10, 3, 2, 1},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0], CASE_COUNT = 4 * SHAPE_COUNT };

struct suite {
    struct conv_case cases[CASE_COUNT];
    int count;
};

static void add_case(struct suite *suite, struct ops_target *ref, const struct conv_desc *desc)
{
    conv_case_prepare(&suite->cases[suite->count], desc, ref, (uint32_t)suite->count);
    conv_case_inference_variance(&suite->cases[suite->count]);
    suite->count++;
}

static struct conv_desc desc_of(const struct shape *shape, enum dtype dtype)
{
    return (struct conv_desc){.dtype = dtype,
                              .batch = shape->batch,
                              .in_channels = shape->in,
                              .out_channels = shape->out,
                              .in_height = shape->height,
                              .in_width = shape->width,
                              .kernel = shape->kernel,
                              .stride = shape->stride,
                              .padding = shape->padding};
}

/* Each shape in both types; bias, accumulation and statistics vary with its number; three channels also as IMAGES. */
static int prepare(void **state)
{
    struct suite *suite = calloc(1, sizeof *suite);
    struct ops_target ref;
    if (!suite) return 1;
    ops_open(&ref, "ref", NULL, 1);
    for (int i = 0; i < SHAPE_COUNT; i++)
        for (int type = 0; type < 2; type++) {
            const struct shape *shape = &SHAPES[i];
            struct conv_desc desc = desc_of(shape, type ? DTYPE_BF16 : DTYPE_F32);
            desc.bias = i % 3 == 0;
            desc.accumulate = i % 2 != 0;
            desc.statistics = i % 4 < 2;
            desc.training = desc.input_gradient = true;
            add_case(suite, &ref, &desc);
            if (shape->in != 3) continue;
            desc.input_layout = LAYOUT_IMAGES;
            desc.input_gradient = desc.accumulate = false;
            add_case(suite, &ref, &desc);
        }
    ops_close(&ref);
    *state = suite;
    return 0;
}

static int release(void **state)
{
    struct suite *suite = *state;
    for (int i = 0; i < suite->count; i++) conv_case_free(&suite->cases[i]);
    free(suite);
    return 0;
}

static void visit(const char *variant, void *context)
{
    struct suite *suite = context;
    for (int threads = 1; threads <= 3; threads++) {
        struct ops_target target;
        ops_open(&target, "cpu", variant, threads);
        for (int i = 0; i < suite->count; i++)
            conv_case_check_algorithms(&suite->cases[i], &target, suite->cases[i].desc.dtype, 2);
        ops_close(&target);
    }
}

static void every_variant(void **state)
{
    ops_report_variants();
    assert_true(ops_each_variant(visit, *state) >= 2);
}

/* ref in bf16 rounds once: half a unit in the last place from its own float32, and the float32 sums are the same. */
static void ref_in_bf16(void **state)
{
    struct suite *suite = *state;
    struct ops_target ref;
    ops_open(&ref, "ref", NULL, 1);
    for (int i = 0; i < suite->count; i++)
        if (suite->cases[i].desc.dtype == DTYPE_BF16) conv_case_check(&suite->cases[i], &ref, DTYPE_BF16, 2);
    ops_close(&ref);
}

/* ---- ref and its threads ----------------------------------------------------------------------------------------- */
static void same_runs(const struct conv_case *test, struct ops_target ref[2])
{
    const size_t inputs = tensor_elements(&test->in), outputs = tensor_elements(&test->out);
    const size_t filters = (size_t)test->desc.out_channels;
    struct conv_run run[2];
    for (int i = 0; i < 2; i++) {
        struct conv_plan *plan = conv_case_plan(test, &ref[i], test->desc.dtype);
        conv_case_execute(test, &ref[i], test->desc.dtype, plan, &run[i]);
        ref[i].backend->ops->conv_destroy(&plan);
    }
    assert_memory_equal(run[0].y, run[1].y, outputs * sizeof(float));
    if (run[0].statistics) assert_memory_equal(run[0].statistics, run[1].statistics, 2 * filters * sizeof(double));
    if (run[0].d_x) assert_memory_equal(run[0].d_x, run[1].d_x, inputs * sizeof(float));
    if (run[0].d_weight) assert_memory_equal(run[0].d_weight, run[1].d_weight, test->weights * sizeof(float));
    if (run[0].d_bias) assert_memory_equal(run[0].d_bias, run[1].d_bias, filters * sizeof(float));
    for (int i = 0; i < 2; i++) ops_free(&run[i].buffers);
}

/* The bits of all passes, and of inference with a residual and a ReLU, are the same with one thread and with three. */
static void ref_with_threads(void **state)
{
    struct suite *suite = *state;
    struct ops_target ref[2];
    ops_open(&ref[0], "ref", NULL, 1);
    ops_open(&ref[1], "ref", NULL, 3);
    for (int i = 0; i < suite->count; i++) {
        struct conv_case test = suite->cases[i];
        same_runs(&test, ref);
        memset(&test.buffers, 0, sizeof test.buffers);
        const size_t count = tensor_elements(&test.out);
        test.residual = ops_random(&test.buffers, count, 8 * (uint32_t)i + 7, -4, 4, test.desc.dtype == DTYPE_BF16);
        test.desc.training = test.desc.input_gradient = test.desc.accumulate = test.desc.statistics = false;
        test.desc.residual = test.desc.relu = true;
        same_runs(&test, ref);
        ops_free(&test.buffers);
    }
    for (int i = 0; i < 2; i++) ops_close(&ref[i]);
}

/* ---- images of both types --------------------------------------------------------------------------------------- */
/* What a bf16 convolution makes of float images, and of the same images rounded to bf16 by whoever made them, in `run`.
 */
static void run_images(struct ops_target *target, const struct shape *shape, enum dtype type, bool folded,
                       struct conv_run *run)
{
    struct conv_desc desc = desc_of(shape, DTYPE_BF16);
    desc.input_layout = LAYOUT_IMAGES;
    desc.image_type = type;
    desc.relu = folded;
    desc.training = desc.statistics = !folded;
    struct conv_case test = {.desc = desc};
    test.in = ops_tensor(type, desc.batch, desc.in_channels, desc.in_height, desc.in_width);
    test.in.layout = LAYOUT_IMAGES;
    test.out = ops_tensor(DTYPE_BF16, desc.batch, desc.out_channels,
                          conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding),
                          conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding));
    test.weights = (size_t)(desc.in_channels * desc.out_channels) * (size_t)(desc.kernel * desc.kernel);
    test.x = ops_random(&test.buffers, tensor_elements(&test.in), 7001, -1, 1, false); /* not rounded */
    test.x[0] = 1.5e-40f, test.x[tensor_elements(&test.in) - 1] = -0.0f;
    test.weight = ops_random(&test.buffers, test.weights, 7002, -1, 1, false);
    test.d_y = ops_random(&test.buffers, tensor_elements(&test.out), 7003, -1, 1, true);
    struct conv_plan *plan = conv_case_plan(&test, target, DTYPE_BF16);
    conv_case_execute(&test, target, DTYPE_BF16, plan, run);
    target->backend->ops->conv_destroy(&plan);
    conv_case_free(&test);
}

static void compare_images(struct ops_target *target)
{
    static const struct shape SHAPES_OF_IMAGES[] = {
        {16, 3, 64, 17, 15, 7, 2, 3}, {5, 3, 16, 9, 8, 3, 1, 1}, {17, 3, 40, 8, 6, 3, 1, 1},
        {8, 1, 8, 11, 5, 5, 1, 2},    {3, 2, 32, 7, 9, 3, 2, 1}, {24, 4, 20, 6, 7, 3, 1, 1},
        {6, 4, 33, 13, 12, 11, 4, 2},
    };
    for (size_t i = 0; i < sizeof SHAPES_OF_IMAGES / sizeof SHAPES_OF_IMAGES[0]; i++)
        for (int folded = 0; folded < 2; folded++) {
            const struct shape *shape = &SHAPES_OF_IMAGES[i];
            struct conv_run floats, halves;
            run_images(target, shape, DTYPE_F32, folded, &floats);
            run_images(target, shape, DTYPE_BF16, folded, &halves);
            const int height = conv_out(shape->height, shape->kernel, shape->stride, shape->padding);
            const int width = conv_out(shape->width, shape->kernel, shape->stride, shape->padding);
            const size_t outputs = (size_t)(shape->batch * shape->out) * (size_t)(height * width);
            const size_t weights = (size_t)(shape->in * shape->out) * (size_t)(shape->kernel * shape->kernel);
            assert_memory_equal(halves.y, floats.y, outputs * sizeof(float));
            if (!folded) {
                assert_memory_equal(halves.statistics, floats.statistics, 2 * (size_t)shape->out * sizeof(double));
                assert_memory_equal(halves.d_weight, floats.d_weight, weights * sizeof(float));
            }
            ops_free(&floats.buffers);
            ops_free(&halves.buffers);
        }
}

static void visit_images(const char *variant, void *context)
{
    (void)context;
    for (int threads = 1; threads <= 3; threads++) {
        struct ops_target target;
        ops_open(&target, "cpu", variant, threads);
        compare_images(&target);
        ops_close(&target);
    }
}

/* Whoever rounds them, the bits of all results are the same. */
static void images_of_both_types(void **state)
{
    (void)state;
    struct ops_target ref;
    assert_true(ops_each_variant(visit_images, NULL) >= 2);
    ops_open(&ref, "ref", NULL, 1);
    compare_images(&ref);
    ops_close(&ref);
}

/* A folded batch norm's share of a case: y becomes what its own ref's y, a residual and a ReLU give. */
static void fold_case(struct conv_case *test, bool residual, bool relu, uint32_t item)
{
    const size_t count = tensor_elements(&test->out);
    float *y = ops_floats(&test->buffers, count);
    test->desc.residual = residual;
    test->desc.relu = relu;
    if (residual)
        test->residual = ops_random(&test->buffers, count, 8 * item + 6, -4, 4, test->desc.dtype == DTYPE_BF16);
    for (size_t i = 0; i < count; i++) {
        y[i] = residual ? test->y[i] + test->residual[i] : test->y[i];
        if (relu && y[i] < 0) y[i] = 0;
    }
    test->y = y;
}

static bool infers_by_pairs(const struct conv_case *test, struct ops_target *target)
{
    struct conv_plan *plan = conv_case_plan(test, target, test->desc.dtype);
    struct conv_work work[CONV_PASSES];
    target->backend->ops->conv_work(plan, work);
    target->backend->ops->conv_destroy(&plan);
    return by_pairs(&work[CONV_FORWARD]);
}

/* Inference plans (no gradients) give the same numbers as training plans, unless they multiply pairs, and add what a
 * folded batch norm brings. Returns how many cases go by Winograd on pairs where the algorithm is not forced. */
static int check_inference(struct suite *suite, struct ops_target *target)
{
    int pairs = 0;
    for (int i = 0; i < suite->count; i++) {
        struct conv_case test = suite->cases[i];
        if (i % 3 != 0 && !test.y_variance) continue;
        const int kind = i / 3 % 4; /* plain, residual, ReLU, both */
        test.desc.training = test.desc.input_gradient = test.desc.accumulate = test.desc.statistics = false;
        memset(&test.buffers, 0, sizeof test.buffers); /* those of the suite's case stay its own */
        if (kind) fold_case(&test, kind % 2, kind / 2, (uint32_t)i);
        conv_case_check_algorithms(&test, target, test.desc.dtype, 1);
        pairs += infers_by_pairs(&test, target);
        ops_free(&test.buffers);
    }
    return pairs;
}

static void inference_visit(const char *variant, void *context)
{
    struct ops_target target;
    ops_open(&target, "cpu", variant, 2);
    const int pairs = check_inference(context, &target);
    ops_close(&target);
    if (!strcmp(variant, "avx512-bf16")) assert_true(pairs >= 4);
}

static void inference(void **state)
{
    struct ops_target ref;
    ops_open(&ref, "ref", NULL, 1);
    check_inference(*state, &ref);
    ops_close(&ref);
    ops_each_variant(inference_visit, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ref_in_bf16), cmocka_unit_test(ref_with_threads),
                                       cmocka_unit_test(images_of_both_types), cmocka_unit_test(every_variant),
                                       cmocka_unit_test(inference)};
    return run_cases(tests, prepare, release);
}
