/* Models: torchvision's names, shapes and counts; head, classifier, flags, initialisation. */
#include "support/network_check.h"

#include "base/memory.h"
#include "model/encoder.h"

static struct model_config simple(int depth, double width)
{
    return (struct model_config){
        .resnet.depth = depth, .resnet.width = width, .resnet.stem = STEM_IMAGENET, .image_size = 224};
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
        int h = resnet_encoder.build(network, &config, network_input(network, 1, 3, 224, 224));
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

/* torchvision's documented count of AlexNet, its tensors, and its multiply-adds (0.714 x 10^9, which leave pools out).
 */
static void test_alexnet(void **state)
{
    (void)state;
    struct error error = {0};
    struct parameters table = {0};
    struct network *network;
    const struct model_config config = {
        .encoder = ENCODER_ALEXNET, .alexnet.width = 1, .image_size = 224, .classes = 1000};
    CHECK_OK(network_create(&network, &table, NETWORK_TRAINING, DTYPE_F32, &error), error);
    const int h = alexnet_encoder.build(network, &config, network_input(network, 1, 3, 224, 224));
    classifier_build(network, &config, h);
    CHECK_OK(network_check(network, &error), error);
    assert_int_equal(network_tensor(network, h)->channels, 4096);
    assert_int_equal(model_feature_dim(&config), 4096);
    assert_int_equal(trained(&table), 61100840);
    assert_int_equal(table.count, 16);
    const struct network_row *rows;
    double flops = 0;
    const int count = network_rows(network, &rows);
    for (int r = 0; r < count; r++)
        if (!strcmp(rows[r].kind, "conv") || !strcmp(rows[r].kind, "dense")) flops += rows[r].flops;
    assert_true(fabs(flops / 2e9 / 0.714 - 1) < 0.002);
    for (int i = 0; i < table.count; i++) { /* all start as torchvision's; biases neither decay nor adapt */
        const struct parameter *item = &table.items[i];
        const bool bias = item->rank == 1, classifier = strncmp(item->name, "classifier.6.", 13) == 0;
        assert_int_equal(item->init, INIT_UNIFORM);
        assert_int_equal((item->flags & PARAMETER_DECAY) != 0, !bias);
        assert_int_equal((item->flags & PARAMETER_ADAPT) != 0, !bias && !classifier);
        assert_int_equal((item->flags & PARAMETER_CLASSIFIER) != 0, classifier);
    }
    network_destroy(&network);
    parameters_free(&table);
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
    struct model_config config = {
        .resnet.depth = 50, .resnet.width = 2, .image_size = 96, .head_layers = 3, .head_dim = 128};
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
    struct model_config config = {
        .resnet.depth = 18, .resnet.width = 0.25, .image_size = 32, .head_layers = 2, .head_dim = 16};
    CHECK_OK(model_create(&model, &config, NULL, 5, &error), error);
    assert_int_equal(model->config.resnet.stem, STEM_CIFAR);
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

static int row_of(const struct model *model, const char *name)
{
    const int index = parameters_find(&model->parameters, name);
    if (index < 0) fail_msg("no parameter %s", name);
    return index;
}

/* A classifier stands on h or on the output of so many of the head's layers, and only those are there. It starts at
 * zero and decays, and LARS leaves its rate alone, as that of what neither decays nor adapts. */
static void test_classifier(void **state)
{
    (void)state;
    struct error error = {0};
    for (int cut = 0; cut <= 3; cut++) {
        const struct model_config config = {.resnet = {.depth = 18, .width = 0.125},
                                            .image_size = 16,
                                            .head_layers = 3,
                                            .head_dim = 12,
                                            .classes = 7,
                                            .cut = cut};
        struct model *model;
        CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
        const struct parameters *table = &model->parameters;
        const struct parameter *weight = row(table, "fc.weight"), *bias = row(table, "fc.bias");
        check_dims(weight, 7, cut == 3 ? 12 : 64, 0, 0);
        assert_int_equal(weight->flags, PARAMETER_DECAY | PARAMETER_HEAD | PARAMETER_CLASSIFIER);
        assert_int_equal(bias->flags, PARAMETER_HEAD | PARAMETER_CLASSIFIER);
        for (size_t i = 0; i < weight->count; i++)
            assert_true(parameter_weights(table, row_of(model, "fc.weight"))[i] == 0);
        for (int layer = 0; layer < 3; layer++) {
            char name[32];
            snprintf(name, sizeof name, "head.fcs.%d.weight", layer);
            assert_int_equal(parameters_find(table, name) >= 0, layer < cut);
            snprintf(name, sizeof name, "head.bns.%d.bias", layer); /* the head's last has none, cut or not */
            assert_int_equal(parameters_find(table, name) >= 0, layer < cut && layer < 2);
        }
        if (cut > 0) assert_true(row(table, "head.fcs.0.weight")->flags & PARAMETER_ADAPT);
        assert_int_equal(model_output_dim(&config), 7);
        model_destroy(&model);
    }
}

/* Block b of the encoder has factor^(last - b) times the rate; head and classifier have all of it. */
static void test_rates_of_blocks(void **state)
{
    (void)state;
    static const struct {
        int depth;
        const char *name;
        int before_last; /* blocks after it */
    } known[] = {
        {18, "conv1.weight", 8},
        {18, "bn1.bias", 8},
        {18, "layer1.0.conv1.weight", 7},
        {18, "layer1.1.bn2.weight", 6},
        {18, "layer2.0.bn1.bias", 5},
        {18, "layer2.0.downsample.0.weight", 5},
        {18, "layer4.0.conv2.weight", 1},
        {18, "layer4.1.bn2.bias", 0},
        {18, "head.fcs.0.weight", 0},
        {18, "fc.weight", 0},
        {18, "fc.bias", 0},
        {50, "conv1.weight", 16},
        {50, "layer3.0.bn3.weight", 8},
        {50, "layer3.5.bn3.bias", 3},
        {50, "layer4.2.conv3.weight", 0},
    };
    for (int depth = 18; depth <= 50; depth += 32) {
        const struct model_config config = {.resnet = {.depth = depth, .width = 0.125},
                                            .image_size = 16,
                                            .head_layers = 2,
                                            .head_dim = 8,
                                            .classes = 3,
                                            .cut = 1};
        struct error error = {0};
        struct model *model;
        CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
        for (int i = 0; i < model->parameters.count; i++) assert_true(model->parameters.items[i].rate == 1);
        model_slow_early_blocks(model, 0.5);
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            if (known[k].depth != depth) continue;
            const float rate = row(&model->parameters, known[k].name)->rate;
            if (rate != ldexpf(1, -known[k].before_last)) fail_msg("%s: %g", known[k].name, (double)rate);
        }
        model_destroy(&model);
    }
}

static void test_heads(void **state)
{
    (void)state;
    struct error error = {0};
    struct bench_backend bench = open_backend("ref");
    for (int layers = 0; layers <= 4; layers++) { /* 4: a classifier of 7 classes instead */
        struct model_config config = {.resnet.depth = 18,
                                      .resnet.width = 0.125,
                                      .image_size = 16,
                                      .head_layers = layers % 4,
                                      .head_dim = 12,
                                      .classes = layers == 4 ? 7 : 0};
        float *fc = NULL;
        struct model *model;
        struct network *network, *encoder;
        struct model_tensors tensors, encoder_tensors;
        CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
        assert_int_equal(model_output_dim(&config), layers == 0 ? 64 : layers == 4 ? 7 : 12);
        if (layers == 4) fc = parameter_weights(&model->parameters, row_of(model, "fc.weight"));
        for (int k = 0; fc && k < 7 * 64; k++) fc[k] = (float)(k % 13) - 6;
        CHECK_OK(model_plan(model,
                            &(struct model_plan_args){.backend = bench.backend,
                                                      .mode = NETWORK_TRAINING,
                                                      .dtype = DTYPE_F32,
                                                      .batch = 3,
                                                      .options = bench.options},
                            &network, &tensors, &error),
                 error);
        CHECK_OK(model_plan(model,
                            &(struct model_plan_args){.backend = bench.backend,
                                                      .mode = NETWORK_TRAINING,
                                                      .dtype = DTYPE_F32,
                                                      .batch = 3,
                                                      .encoder_only = true,
                                                      .options = bench.options},
                            &encoder, &encoder_tensors, &error),
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
            double logit = 0;
            for (int k = 0; k < 64; k++) logit += (double)fc[64 + k] * h[k];
            assert_true(fabs(logit - z[1]) < 1e-4 && fabs(logit) > 0.01);
        }
        network_destroy(&network);
        network_destroy(&encoder);
        model_destroy(&model);
    }
    close_backend(&bench);
}

enum { LAYER_BATCH = 4, LAYER_IMAGE = 3 * 16 * 16, LAYER_ROWS = LAYER_BATCH * 64 };

/* What comes out of `layer` of the head, or h (0), or z (-1), in inference. */
static void run_layer(struct bench_backend *bench, struct model *model, int layer, float out[LAYER_ROWS])
{
    struct error error = {0};
    struct network *network;
    struct model_tensors tensors;
    float x[LAYER_BATCH * LAYER_IMAGE];
    const struct model_plan_args args = {.backend = bench->backend,
                                         .mode = NETWORK_INFERENCE,
                                         .dtype = DTYPE_F32,
                                         .batch = LAYER_BATCH,
                                         .encoder_only = layer == 0,
                                         .layer = layer > 0 ? layer : 0,
                                         .options = bench->options};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)((i * 7919) % 1000) / 1000;
    CHECK_OK(model_plan(model, &args, &network, &tensors, &error), error);
    const int channels = layer < 0 ? model_output_dim(&model->config) : model_layer_dim(&model->config, layer);
    assert_int_equal(network_tensor(network, tensors.z)->channels, channels);
    network_forward(network, x);
    network_read(network, tensors.z, out);
    network_destroy(&network);
}

static float value_of(struct model *model, const char *format, int layer, int at)
{
    char name[64];
    snprintf(name, sizeof name, format, layer);
    const int index = parameters_find(&model->parameters, name);
    return index < 0 ? 0 : parameter_weights(&model->parameters, index)[at];
}

/* A layer of the head is a dense layer, its batch norm by running statistics, and ReLU but for the last: z. */
static void test_layers(void **state)
{
    (void)state;
    struct error error = {0};
    struct bench_backend bench = open_backend("ref");
    const struct model_config config = {
        .resnet.depth = 18, .resnet.width = 0.125, .image_size = 16, .head_layers = 3, .head_dim = 12};
    struct model *model;
    float rows[4][LAYER_ROWS], z[LAYER_ROWS];
    CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
    for (int i = 0; i < model->parameters.count; i++) /* statistics that are not those of the start */
        for (size_t k = 0; k < model->parameters.items[i].count; k++)
            if (strncmp(model->parameters.items[i].name, "head.bns", 8) == 0)
                parameter_weights(&model->parameters, i)[k] += 0.01f * (float)(k % 5);
    for (int layer = 0; layer <= 3; layer++) run_layer(&bench, model, layer, rows[layer]);
    run_layer(&bench, model, -1, z);
    assert_memory_equal(rows[3], z, sizeof(float) * LAYER_BATCH * 12);
    int zeros = 0, negative = 0;
    for (int layer = 1; layer <= 3; layer++)
        for (int k = 0; k < (layer < 3 ? 64 : 12); k++) {
            double sum = 0;
            for (int c = 0; c < 64; c++)
                sum += (double)value_of(model, "head.fcs.%d.weight", layer - 1, k * 64 + c) * rows[layer - 1][64 + c];
            const double deviation = sqrt((double)value_of(model, "head.bns.%d.running_var", layer - 1, k) + 1e-5);
            double want = (sum - value_of(model, "head.bns.%d.running_mean", layer - 1, k)) / deviation *
                              value_of(model, "head.bns.%d.weight", layer - 1, k) +
                          value_of(model, "head.bns.%d.bias", layer - 1, k);
            if (layer < 3 && want < 0) want = 0;
            const double got = rows[layer][(layer < 3 ? 64 : 12) + k];
            if (!(fabs(got - want) <= 1e-5)) fail_msg("layer %d, %d: %g instead of %g", layer, k, got, want);
            zeros += layer < 3 && got == 0;
            negative += layer == 3 && got < 0;
        }
    assert_true(zeros > 0 && negative > 0);
    assert_int_equal(model_layers(&config), 3);
    assert_int_equal(model_layers(&(struct model_config){.head_layers = 3, .classes = 7}), 0);
    assert_int_equal(model_layers(&(struct model_config){.head_layers = 3, .classes = 7, .cut = 2}), 2);
    struct network *network;
    struct model_tensors tensors;
    assert_int_equal(model_plan(model, &(struct model_plan_args){.backend = bench.backend, .batch = 1, .layer = 4},
                                &network, &tensors, &error),
                     SIMCLR_INVALID);
    model_destroy(&model);
    close_backend(&bench);
}

static void test_batch_of_one(void **state)
{
    (void)state;
    struct error error = {0};
    /* A batch of one cannot train the head's batch norm, but can be embedded. */
    struct bench_backend bench = open_backend("ref");
    struct model_config config = {
        .resnet.depth = 18, .resnet.width = 0.125, .image_size = 16, .head_layers = 1, .head_dim = 4};
    struct model *model;
    struct network *network = NULL;
    struct model_tensors tensors;
    CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
    assert_int_equal(model_plan(model,
                                &(struct model_plan_args){.backend = bench.backend,
                                                          .mode = NETWORK_TRAINING,
                                                          .dtype = DTYPE_F32,
                                                          .batch = 1,
                                                          .options = bench.options},
                                &network, &tensors, &error),
                     SIMCLR_INVALID);
    CHECK_OK(model_plan(model,
                        &(struct model_plan_args){.backend = bench.backend,
                                                  .mode = NETWORK_INFERENCE,
                                                  .dtype = DTYPE_F32,
                                                  .batch = 1,
                                                  .options = bench.options},
                        &network, &tensors, &error),
             error);
    network_destroy(&network);
    model_destroy(&model);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alexnet),         cmocka_unit_test(test_counts), cmocka_unit_test(test_names),
        cmocka_unit_test(test_initial_values),  cmocka_unit_test(test_layers), cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_rates_of_blocks), cmocka_unit_test(test_heads),  cmocka_unit_test(test_batch_of_one),
    };
    return run_cases(tests, NULL, NULL);
}
