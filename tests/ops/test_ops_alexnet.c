/* The convolutions of AlexNet, with their biases: 11 x 11 of images with stride 4, 5 x 5 and 3 x 3. The dense layer
 * over a map of 6 x 6 is a kernel of that size. Every variant is run with 1, 2 and 3 threads in both types at images of
 * 64 pixels, and the best one on the first two layers at 224. Data are multiples that bf16 holds, so that one result of
 * ref serves both types. Tolerances: ops_conv.h. */
#include "ops/ops_conv.h"
#include "support/short.h"

struct shape {
    int batch, in, out, size, kernel, stride, padding;
};

static struct conv_desc describe(const struct shape *shape)
{
    struct conv_desc desc = {.dtype = DTYPE_BF16,
                             .batch = shape->batch,
                             .in_channels = shape->in,
                             .out_channels = shape->out,
                             .in_height = shape->size,
                             .in_width = shape->size,
                             .kernel = shape->kernel,
                             .stride = shape->stride,
                             .padding = shape->padding,
                             .bias = true,
                             .training = true,
                             .input_gradient = shape->in != 3};
    if (shape->in == 3) desc.input_layout = LAYOUT_IMAGES;
    return desc;
}

static void check(struct conv_case *test, struct ops_target *target)
{
    conv_case_check_algorithms(test, target, DTYPE_F32, 2);
    conv_case_check_algorithms(test, target, DTYPE_BF16, 2);
}

static void visit(const char *variant, void *context)
{
    for (int threads = 1; threads <= 3; threads++) {
        struct ops_target target;
        ops_open(&target, "cpu", variant, threads);
        check(context, &target);
        ops_close(&target);
    }
}

static void prepare(struct conv_case *test, const struct shape *shape, uint32_t item)
{
    struct ops_target ref;
    const struct conv_desc desc = describe(shape);
    ops_open(&ref, "ref", NULL, 2);
    conv_case_prepare(test, &desc, &ref, item);
    ops_close(&ref);
}

/* Batches with groups of eight and of sixteen images, full and not. */
static void small_images(void **state)
{
    (void)state;
    static const struct shape SHAPES[] = {
        {5, 3, 64, 64, 11, 4, 2}, {16, 3, 16, 63, 11, 4, 2}, {18, 3, 4, 67, 11, 4, 2},  {5, 64, 192, 7, 5, 1, 2},
        {16, 16, 48, 7, 5, 1, 2}, {33, 4, 12, 7, 5, 1, 2},   {3, 192, 384, 3, 3, 1, 1}, {17, 12, 24, 3, 3, 1, 1},
        {3, 256, 96, 6, 6, 1, 0}, {16, 64, 256, 6, 6, 1, 0}, {33, 16, 40, 6, 6, 1, 0},  {4, 32, 32, 3, 3, 1, 0},
    };
    ops_report_variants();
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        struct conv_case test;
        prepare(&test, &SHAPES[i], 4000 + (uint32_t)i);
        assert_true(ops_each_variant(visit, &test) >= 2);
        conv_case_free(&test);
    }
}

static void large_images(void **state)
{
    (void)state;
    static const struct shape SHAPES[] = {{2, 3, 64, 224, 11, 4, 2}, {2, 64, 192, 27, 5, 1, 2}};
    if (test_short_without("images of 224")) skip_case("short tests leave images of 224 out");
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        struct conv_case test;
        struct ops_target best;
        ops_open(&best, "cpu", NULL, 2);
        prepare(&test, &SHAPES[i], 4100 + (uint32_t)i);
        check(&test, &best);
        conv_case_free(&test);
        ops_close(&best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_images), cmocka_unit_test(large_images)};
    return run_cases(tests, NULL, NULL);
}
