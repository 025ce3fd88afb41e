/* Every distinct convolution of ResNet-18 and ResNet-50 at 32, 96 and 224: the best variant at full size, every other
 * one on images cut to at most 13 x 12. The channels, kernels, strides and borders of the layer remain. Data are
 * multiples that bf16 holds, so that one result of ref serves both types. Tolerances: ops_conv.h. */
#include "ops/ops_conv.h"
#include "ops/resnet_shapes.h"
#include "support/short.h"

static struct conv_desc describe(const struct layer_shape *layer, int batch, int number)
{
    struct conv_desc desc = {.dtype = DTYPE_BF16,
                             .batch = batch,
                             .in_channels = layer->in,
                             .out_channels = layer->out,
                             .in_height = layer->size,
                             .in_width = layer->size,
                             .kernel = layer->kernel,
                             .stride = layer->stride,
                             .padding = layer->padding,
                             .training = true,
                             .input_gradient = layer->in != 3,
                             .statistics = true,
                             .accumulate = layer->in != 3 && number % 3 == 0};
    if (layer->in == 3) desc.input_layout = LAYOUT_IMAGES;
    return desc;
}

static void list_layers(struct layer_shapes *layers)
{
    static const int DEPTHS[] = {18, 50}, SIZES[] = {32, 96, 224};
    const int sizes = test_short_without("images of 224") ? 2 : 3; /* 96 has the same layers on smaller planes */
    layers->count = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < sizes; j++) layers_add_resnet(layers, DEPTHS[i], SIZES[j]);
}

typedef void check_layer(const struct conv_case *test, void *context);

/* Calls `check` with each of the `count` layers of `descs`, in order. `item` of the first: numbers random streams. */
static void each_layer(const struct conv_desc *descs, int count, uint32_t item, check_layer *check, void *context)
{
    struct ops_target ref;
    ops_open(&ref, "ref", NULL, 2);
    for (int i = 0; i < count; i++) {
        struct conv_case test;
        conv_case_prepare(&test, &descs[i], &ref, item + (uint32_t)i);
        check(&test, context);
        conv_case_free(&test);
    }
    ops_close(&ref);
}

static void check_best(const struct conv_case *test, void *context)
{
    struct ops_target *best = context;
    conv_case_check_algorithms(test, best, DTYPE_F32, 1);
    conv_case_check_algorithms(test, best, DTYPE_BF16, 1);
}

static void full_size(void **state)
{
    (void)state;
    struct layer_shapes layers;
    struct ops_target best;
    struct conv_desc descs[LAYERS_MAX];
    list_layers(&layers);
    ops_open(&best, "cpu", NULL, 2);
    print_message("%d layers at full size on %s\n", layers.count, best.backend->ops->description(best.backend));
    for (int i = 0; i < layers.count; i++) descs[i] = describe(&layers.item[i], layers.item[i].size <= 8 ? 3 : 1, i);
    each_layer(descs, layers.count, 1000, check_best, &best);
    ops_close(&best);
}

static void visit(const char *variant, void *context)
{
    const struct conv_case *test = context;
    struct ops_target target;
    ops_open(&target, "cpu", variant, 2);
    conv_case_check_algorithms(test, &target, DTYPE_F32, 1);
    conv_case_check_algorithms(test, &target, DTYPE_BF16, 1);
    ops_close(&target);
}

static void check_variants(const struct conv_case *test, void *context)
{
    (void)context;
    ops_each_variant(visit, (void *)(uintptr_t)test);
}

static void cut_for_every_variant(void **state)
{
    (void)state;
    struct layer_shapes all, layers = {0};
    struct conv_desc descs[LAYERS_MAX];
    list_layers(&all);
    for (int i = 0; i < all.count; i++) {
        const struct layer_shape *layer = &all.item[i];
        layers_add(&layers, layer->in, layer->out, layer->size > 13 ? 12 + layer->size % 2 : layer->size, layer->kernel,
                   layer->stride);
    }
    ops_report_variants();
    for (int i = 0; i < layers.count; i++) {
        descs[i] = describe(&layers.item[i], 3, i);
        if (descs[i].in_width > 2) descs[i].in_width -= 1;
    }
    each_layer(descs, layers.count, 2000, check_variants, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(full_size), cmocka_unit_test(cut_for_every_variant)};
    return run_cases(tests, NULL, NULL);
}
