/* Models: torchvision's names, shapes and counts; head, classifier, flags, initialisation; configurations refused. */
#include "support/network_check.h"

#include "base/memory.h"

static struct model_config simple(int depth, double width)
{
    return (struct model_config){.depth = depth, .width = width, .stem = STEM_IMAGENET, .image_size = 224};
}

static int64_t trained(const struct parameters *table)
{
    int64_t count = 0;
    for (int i = 0; i < table->count; i++)
        if (!(table->items[i].flags & PARAMETER_BUFFER)) count += (int64_t)table->items[i].count;
    return count;
}

/* torchvision's documented counts, less those of fc, and its number of tensors, less fc and num_batches_tracked. FLOPs
 * (multiply-adds times two) are its documented GFLOPS times two, which leave out batch norm and pools. */
static void test_counts(void **state)
{
    (void)state;
    const struct {
        int depth;
        int64_t parameters;
        int tensors;
        double gigaflops;
    } known[] = {
        {18, 11689512 - 513000, 122 - 2 - 20, 1.814},     {34, 21797672 - 513000, 218 - 2 - 36, 3.664},
        {50, 25557032 - 2049000, 320 - 2 - 53, 4.089},    {101, 44549160 - 2049000, 626 - 2 - 104, 7.801},
        {152, 60192808 - 2049000, 932 - 2 - 155, 11.514},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct error error = {0};
        struct parameters table = {0};
        struct network *network;
        struct model_config config = simple(known[i].depth, 1);
        CHECK_OK(network_create(&network, &table, NETWORK_INFERENCE, DTYPE_F32, &error), error);
        int h = resnet_build(network, &config, network_input(network, 1, 3, 224, 224));
        CHECK_OK(network_check(network, &error), error);
        assert_int_equal(network_tensor(network, h)->channels, known[i].depth < 50 ? 512 : 2048);
        assert_int_equal(table.count, known[i].tensors);
        assert_int_equal(trained(&table), known[i].parameters);
        const struct network_row *rows;
        double flops = 0, parameters = 0;
        int count = network_rows(network, &rows);
        for (int r = 0; r < count; r++) {
            parameters += (double)rows[r].parameters;
            if (!strcmp(rows[r].kind, "conv")) flops += rows[r].flops;
        }
        assert_true(fabs(flops / 2e9 / known[i].gigaflops - 1) < 0.002); /* theirs counts fc's 2e6 too */
        assert_true(parameters == (double)known[i].parameters);
        network_destroy(&network);
        parameters_free(&table);
    }
}

static const struct parameter *row(const struct parameters *table, const char *name)
{
    int index = parameters_find(table, name);
    if (index < 0) fail_msg("no parameter %s", name);
    return &table->items[index];
}

static void check_dims(const struct parameter *item, int a, int b, int c, int d)
{
    const int dims[4] = {a, b, c, d};
    for (int i = 0; i < item->rank; i++) assert_int_equal(item->dims[i], dims[i]);
}

static void test_names(void **state)
{
    (void)state;
    struct error error = {0};
    struct parameters table = {0};
    struct model_config config = {.depth = 50, .width = 2, .image_size = 96, .head_layers = 3, .head_dim = 128};
    CHECK_OK(model_describe(&table, &config, &error), error);
    check_dims(row(&table, "conv1.weight"), 128, 3, 7, 7);
    check_dims(row(&table, "layer1.0.conv1.weight"), 128, 128, 1, 1);
    check_dims(row(&table, "layer1.0.downsample.0.weight"), 512, 128, 1, 1);
    check_dims(row(&table, "layer1.0.downsample.1.running_mean"), 512, 0, 0, 0);
    check_dims(row(&table, "layer3.5.conv2.weight"), 512, 512, 3, 3);
    check_dims(row(&table, "layer4.2.conv3.weight"), 4096, 1024, 1, 1);
    check_dims(row(&table, "layer4.2.bn3.bias"), 4096, 0, 0, 0);
    check_dims(row(&table, "head.fcs.0.weight"), 4096, 4096, 0, 0);
    check_dims(row(&table, "head.fcs.2.weight"), 128, 4096, 0, 0);
    check_dims(row(&table, "head.bns.1.bias"), 4096, 0, 0, 0);
    assert_int_equal(parameters_find(&table, "head.bns.2.bias"), -1); /* the last one has no shift */
    assert_int_equal(parameters_find(&table, "head.fcs.3.weight"), -1);
    assert_int_equal(parameters_find(&table, "layer1.1.downsample.0.weight"), -1);
    assert_int_equal(parameters_find(&table, "conv1.bias"), -1);

    for (int i = 0; i < table.count; i++) { /* LARS's exclusions, and what belongs to the head */
        const struct parameter *item = &table.items[i];
        unsigned expected = strncmp(item->name, "head.", 5) ? 0 : PARAMETER_HEAD;
        if (item->rank > 1) expected |= PARAMETER_DECAY | PARAMETER_ADAPT;
        if (strstr(item->name, ".running_")) expected |= PARAMETER_BUFFER;
        assert_int_equal(item->flags, expected);
    }
    parameters_free(&table);
}

static void test_initial_values(void **state)
{
    (void)state;
    struct error error = {0};
    struct model *model;
    struct model_config config = {.depth = 18, .width = 0.25, .image_size = 32, .head_layers = 2, .head_dim = 16};
    CHECK_OK(model_create(&model, &config, 5, &error), error);
    assert_int_equal(model->config.stem, STEM_CIFAR);
    for (int i = 0; i < model->parameters.count; i++) {
        const struct parameter *item = &model->parameters.items[i];
        float first = parameter_weights(&model->parameters, i)[0], expected = 0;
        bool last_norm = strstr(item->name, ".bn2.weight") != NULL;
        if (item->rank > 1) {
            assert_int_equal(item->init, item->flags & PARAMETER_HEAD ? INIT_NORMAL_001 : INIT_TRUNCATED_NORMAL);
            assert_true(first != 0);
            if (!(item->flags & PARAMETER_HEAD)) assert_int_equal(item->fan_in, item->count / (size_t)item->dims[0]);
            continue;
        }
        if (strstr(item->name, "running_var") || (strstr(item->name, "weight") && !last_norm)) expected = 1;
        if (first != expected) fail_msg("%s starts at %g", item->name, (double)first);
    }
    model_destroy(&model);
    assert_null(model);
    model_destroy(&model);
}

static void test_heads(void **state)
{
    (void)state;
    struct error error = {0};
    struct bench_backend bench = open_backend("ref");
    for (int layers = 0; layers <= 4; layers++) { /* 4: a classifier of 7 classes instead */
        struct model_config config = {.depth = 18,
                                      .width = 0.125,
                                      .image_size = 16,
                                      .head_layers = layers % 4,
                                      .head_dim = 12,
                                      .classes = layers == 4 ? 7 : 0};
        struct model *model;
        struct network *network, *encoder;
        struct model_tensors tensors, encoder_tensors;
        CHECK_OK(model_create(&model, &config, 1, &error), error);
        assert_int_equal(model_output_dim(&config), layers == 0 ? 64 : layers == 4 ? 7 : 12);
        CHECK_OK(model_plan(model, bench.backend, NETWORK_TRAINING, DTYPE_F32, 3, false, &network, &tensors, &error),
                 error);
        CHECK_OK(
            model_plan(model, bench.backend, NETWORK_TRAINING, DTYPE_F32, 3, true, &encoder, &encoder_tensors, &error),
            error);
        assert_int_equal(tensors.z == tensors.h, layers == 0);
        assert_int_equal(encoder_tensors.z, encoder_tensors.h);
        assert_int_equal(network_tensor(network, tensors.z)->channels, model_output_dim(&config));
        float x[3 * 3 * 16 * 16], h[3 * 64], again[3 * 64], z[3 * 64];
        for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)((i * 7919) % 1000) / 1000;
        network_forward(network, x);
        network_read(network, tensors.h, h);
        network_read(network, tensors.z, z);
        network_forward(encoder, x);
        network_read(encoder, encoder_tensors.h, again);
        assert_memory_equal(h, again, sizeof h);
        for (int k = 0; k < 12 && layers > 0 && layers < 4; k++) { /* batch norm: mean 0, variance 1 over the rows */
            double mean = ((double)z[k] + z[12 + k] + z[24 + k]) / 3;
            assert_true(fabs(mean) < 1e-5);
        }
        if (layers == 4) { /* logits: W h + b */
            const float *w = parameter_weights(&model->parameters, parameters_find(&model->parameters, "fc.weight"));
            double logit = 0;
            for (int k = 0; k < 64; k++) logit += (double)w[64 + k] * h[k];
            assert_true(fabs(logit - z[1]) < 1e-6 && logit != 0);
        }
        network_destroy(&network);
        network_destroy(&encoder);
        model_destroy(&model);
    }
    close_backend(&bench);
}

static void test_stems(void **state)
{
    (void)state;
    struct model_config config = {.depth = 18, .width = 1, .image_size = 32};
    assert_int_equal(model_stem(&config), STEM_CIFAR);
    config.image_size = 33;
    assert_int_equal(model_stem(&config), STEM_IMAGENET);
    config.stem = STEM_CIFAR;
    assert_int_equal(model_stem(&config), STEM_CIFAR);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct model_config bad[] = {
        {.depth = 19, .width = 1, .image_size = 32},
        {.depth = 18, .width = 0, .image_size = 32},
        {.depth = 18, .width = 0.1, .image_size = 32},
        {.depth = 18, .width = 0.3, .image_size = 32},
        {.depth = 18, .width = 4.5, .image_size = 32},
        {.depth = 18, .width = (double)NAN, .image_size = 32},
        {.depth = 18, .width = -1, .image_size = 32},
        {.depth = 18, .width = 1, .image_size = 32, .stem = (enum stem)9},
        {.depth = 18, .width = 1, .image_size = 0},
        {.depth = 18, .width = 1, .image_size = 100000},
        {.depth = 18, .width = 1, .image_size = 32, .head_layers = -1, .head_dim = 128},
        {.depth = 18, .width = 1, .image_size = 32, .head_layers = 4, .head_dim = 128},
        {.depth = 18, .width = 1, .image_size = 32, .head_layers = 2, .head_dim = 0},
        {.depth = 18, .width = 1, .image_size = 32, .classes = -1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {0};
        struct model *model;
        assert_int_equal(model_create(&model, &bad[i], 1, &error), SIMCLR_INVALID);
        assert_true(strlen(error.text) > 20);
        assert_null(model);
    }
}

static void test_batch_of_one(void **state)
{
    (void)state;
    struct error error = {0};
    /* A batch of one cannot train the head's batch norm, but can be embedded. */
    struct bench_backend bench = open_backend("ref");
    struct model_config config = {.depth = 18, .width = 0.125, .image_size = 16, .head_layers = 1, .head_dim = 4};
    struct model *model;
    struct network *network = NULL;
    struct model_tensors tensors;
    CHECK_OK(model_create(&model, &config, 1, &error), error);
    assert_int_equal(
        model_plan(model, bench.backend, NETWORK_TRAINING, DTYPE_F32, 1, false, &network, &tensors, &error),
        SIMCLR_INVALID);
    CHECK_OK(model_plan(model, bench.backend, NETWORK_INFERENCE, DTYPE_F32, 1, false, &network, &tensors, &error),
             error);
    network_destroy(&network);
    model_destroy(&model);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),       cmocka_unit_test(test_names), cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_heads),        cmocka_unit_test(test_stems), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_batch_of_one),
    };
    return run_cases(tests, NULL, NULL);
}
