/* ONNX files: a decoder and an interpreter of the tests' own compute the features that our network computes; every
 * changed byte is seen by the reader that compares. */
#include "export_fixture.h"

#include <unistd.h>

#include "base/file.h"
#include "export/onnx/build.h"
#include "export/onnx/file.h"
#include "support/onnx_run.h"

enum { BATCH = 3, CLASSES = 4 };
static const double MEAN[3] = {0.4, 0.5, 0.3}, STD[3] = {0.2, 0.3, 0.25};

static struct onnx_graph make_graph(const struct onnx_build_args *args)
{
    struct error error = {0};
    struct onnx_graph graph = {.name = "test", .description = "what it is", .metadata = "{\"a\": 1}", .version = "0"};
    CHECK(onnx_build(&graph, args, &error), error);
    return graph;
}

static struct onnx_model *write_and_read(const struct onnx_graph *graph)
{
    struct error error = {0};
    uint8_t *bytes;
    size_t count;
    CHECK(onnx_write(at("model.onnx"), graph, &error), error);
    CHECK(onnx_compare(at("model.onnx"), graph, &error), error);
    CHECK(file_read(at("model.onnx"), 1 << 28, &bytes, &count, &error), error);
    assert_int_equal(count, onnx_file_bytes(graph));
    struct onnx_model *model = onnx_model_read(bytes, count);
    memory_free(bytes);
    onnx_model_check(model);
    return model;
}

/* Largest difference, relative to the largest value. */
static double distance(const double *theirs, const float *ours, size_t count)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs(theirs[i] - (double)ours[i]));
        largest = fmax(largest, fabs((double)ours[i]));
    }
    assert_true(largest > 0.01);
    return most / largest;
}

/* Images as the graph takes them, and as our network does. */
static void make_images(const struct onnx_build_args *args, double *theirs, float *ours)
{
    const size_t side = (size_t)args->model->config.image_size, plane = side * side;
    float *values = memory_array(BATCH * 3 * plane, sizeof *values);
    random_floats(values, BATCH * 3 * plane, 1000);
    for (size_t n = 0; n < BATCH; n++)
        for (size_t c = 0; c < 3; c++)
            for (size_t i = 0; i < plane; i++) {
                const size_t at = (n * 3 + c) * plane + i;
                const int byte = (int)floorf(127.9f * (values[at] + 1));
                const double value = args->bytes ? byte / 255.0 : (double)(0.5f * (values[at] + 1));
                theirs[args->bytes ? (n * plane + i) * 3 + c : at] = args->bytes ? byte : value;
                ours[at] = (float)(args->mean ? (value - args->mean[c]) / args->std[c] : value);
            }
    memory_free(values);
}

static void check_shapes(const struct onnx_model *file, const struct onnx_build_args *args)
{
    const int64_t side = args->model->config.image_size;
    const int64_t floats[] = {-1, 3, side, side}, bytes[] = {-1, side, side, 3};
    assert_int_equal(file->ir_version, 7);
    assert_int_equal(file->opset, 13);
    assert_int_equal(file->input.type, args->bytes ? 2 : 1);
    assert_int_equal(file->input.rank, 4);
    assert_memory_equal(file->input.dims, args->bytes ? bytes : floats, sizeof floats);
    assert_string_equal(file->input.symbol, "N");
    assert_string_equal(file->metadata, "{\"a\": 1}");
    assert_string_equal(file->metadata_key, "simclr");
    assert_string_equal(file->description, "what it is");
    assert_int_equal(file->output_count, args->classifier.classes ? 3 : 1);
    static const char *const names[] = {"features", "logits", "probabilities"};
    for (int i = 0; i < file->output_count; i++) {
        assert_string_equal(file->outputs[i].name, names[i]);
        assert_int_equal(file->outputs[i].type, 1);
        assert_string_equal(file->outputs[i].symbol, "N");
        assert_int_equal(file->outputs[i].dims[1],
                         i ? args->classifier.classes : model_feature_dim(&args->model->config));
    }
    assert_int_equal(onnx_model_count(file, "BatchNormalization") > 0,
                     !args->fold && args->model->config.encoder == ENCODER_RESNET);
}

static void check_classifier(const struct onnx_model *file, const struct onnx_build_args *args, const double *theirs,
                             const float *images)
{
    const struct onnx_classifier *classifier = &args->classifier;
    const int dim = model_layer_dim(&args->model->config, classifier->layer);
    float *z = memory_array((size_t)(BATCH * dim), sizeof *z), logits[BATCH * CLASSES], probabilities[BATCH * CLASSES];
    run_model(args->model, classifier->layer, images, BATCH, z);
    for (int n = 0; n < BATCH; n++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            double logit = (double)classifier->bias[c];
            for (int d = 0; d < dim; d++) logit += (double)z[n * dim + d] * (double)classifier->weight[c * dim + d];
            logits[n * CLASSES + c] = (float)logit;
            sum += exp(logit / classifier->temperature);
        }
        for (int c = 0; c < CLASSES; c++)
            probabilities[n * CLASSES + c] =
                (float)(exp((double)logits[n * CLASSES + c] / classifier->temperature) / sum);
    }
    for (int i = 0; i < 2; i++) {
        size_t count;
        double *made = onnx_model_run(file, theirs, BATCH, i ? "probabilities" : "logits", &count);
        assert_int_equal(count, BATCH * CLASSES);
        assert_true(distance(made, i ? probabilities : logits, count) < 1e-5);
        free(made);
    }
    memory_free(z);
}

static void check(const struct onnx_build_args *args)
{
    const size_t side = (size_t)args->model->config.image_size, pixels = BATCH * 3 * side * side;
    const size_t dim = (size_t)model_feature_dim(&args->model->config);
    struct onnx_graph graph = make_graph(args);
    struct onnx_model *file = write_and_read(&graph);
    double *theirs = memory_array(pixels, sizeof *theirs);
    float *images = memory_array(pixels, sizeof *images), *h = memory_array(BATCH * dim, sizeof *h);
    size_t count;
    check_shapes(file, args);
    make_images(args, theirs, images);
    run_model(args->model, 0, images, BATCH, h);
    double *features = onnx_model_run(file, theirs, BATCH, "features", &count);
    assert_int_equal(count, BATCH * dim);
    const double off = distance(features, h, count);
    if (!(off < 1e-5)) fail_msg("features are %.3g off", off);
    double *one = onnx_model_run(file, theirs, 1, "features", &count); /* any batch, the same rows */
    assert_int_equal(count, dim);
    assert_memory_equal(one, features, dim * sizeof *one);
    assert_memory_not_equal(features, features + dim, dim * sizeof *features);
    if (args->classifier.classes) check_classifier(file, args, theirs, images);
    free(one);
    free(features);
    memory_free(theirs);
    memory_free(images);
    memory_free(h);
    onnx_model_free(file);
    onnx_graph_free(&graph);
}

/* Folded and not, floats and bytes, with and without mean. */
static void check_forms(struct model *model, struct onnx_classifier classifier)
{
    for (int form = 0; form < 8; form++)
        check(&(struct onnx_build_args){.model = model,
                                        .mean = form & 4 ? MEAN : NULL,
                                        .std = form & 4 ? STD : NULL,
                                        .classifier = classifier,
                                        .fold = form & 1,
                                        .bytes = form & 2});
}

static void features_are_those_of_the_network(void **state)
{
    (void)state;
    const struct model_config configs[] = {resnet(18, 0.125, STEM_CIFAR, 12), resnet(18, 0.125, STEM_IMAGENET, 40),
                                           resnet(34, 0.125, STEM_CIFAR, 9), resnet(50, 0.125, STEM_CIFAR, 8),
                                           resnet(50, 0.125, STEM_IMAGENET, 33)};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        struct model *model = make_model(&configs[i]);
        check_forms(model, (struct onnx_classifier){0});
        model_destroy(&model);
    }
}

/* Its average pool shares maps of 1 x 1 and 7 x 7 out into 6 x 6 bins. */
static void alexnet_too(void **state)
{
    (void)state;
    static const int sizes[] = {63, 240};
    for (int i = 0; i < 2; i++) {
        const struct model_config config = {
            .encoder = ENCODER_ALEXNET, .alexnet.width = 0.0625, .image_size = sizes[i]};
        struct model *model = make_model(&config);
        check(&(struct onnx_build_args){.model = model, .mean = MEAN, .std = STD, .fold = i == 0});
        model_destroy(&model);
    }
}

/* On h and on each layer of a head, whose last has neither shift nor ReLU. */
static void logits_and_probabilities(void **state)
{
    (void)state;
    struct model_config config = resnet(18, 0.125, STEM_CIFAR, 8);
    config.head_layers = 3;
    config.head_dim = 10;
    struct model *model = make_model(&config);
    for (int layer = 0; layer <= 3; layer++) {
        const int dim = model_layer_dim(&model->config, layer);
        float *weight = memory_array((size_t)(CLASSES * dim), sizeof *weight), bias[CLASSES];
        random_floats(weight, (size_t)(CLASSES * dim), 2000);
        random_floats(bias, CLASSES, 2001);
        for (int i = 0; i < CLASSES * dim; i++) weight[i] *= 0.2f;
        check_forms(model, (struct onnx_classifier){.weight = weight,
                                                    .bias = bias,
                                                    .classes = CLASSES,
                                                    .layer = layer,
                                                    .temperature = layer == 1 ? 1 : 0.7});
        memory_free(weight);
    }
    model_destroy(&model);
}

/* Any network of a random shape: what is written is read back as it was, by both readers. */
static void random_shapes(void **state)
{
    (void)state;
    static const int depths[] = {18, 34, 50, 101};
    for (uint32_t round = 0; round < 40; round++) {
        struct rng rng = rng_open(21, RNG_TEST, 0, round, 0);
        struct model_config config =
            resnet(depths[rng_word(&rng) % 4], 0.125 + rng_word(&rng) % 9 / 64.0,
                   rng_word(&rng) % 2 ? STEM_CIFAR : STEM_IMAGENET, 8 + (int)(rng_word(&rng) % 200));
        config.head_layers = (int)(rng_word(&rng) % 4);
        config.head_dim = 1 + (int)(rng_word(&rng) % 200);
        struct model *model = make_model(&config);
        const int layer = (int)(rng_word(&rng) % (uint32_t)(config.head_layers + 1)),
                  classes = (int)(rng_word(&rng) % 50);
        const size_t cells = (size_t)classes * (size_t)model_layer_dim(&model->config, layer);
        float *weight = memory_array(cells, sizeof *weight), *bias = memory_array((size_t)classes, sizeof *bias);
        random_floats(weight, cells, round);
        random_floats(bias, (size_t)classes, round);
        const bool normalize = rng_word(&rng) % 2;
        const struct onnx_build_args args = {
            .model = model,
            .mean = normalize ? MEAN : NULL,
            .std = normalize ? STD : NULL,
            .classifier = {weight, bias, classes, classes ? layer : 0, 1 + rng_word(&rng) % 3},
            .fold = rng_word(&rng) % 2,
            .bytes = rng_word(&rng) % 2};
        struct onnx_graph graph = make_graph(&args);
        struct onnx_model *file = write_and_read(&graph);
        assert_int_equal(file->node_count, graph.node_count);
        assert_int_equal(file->tensor_count, graph.tensor_count);
        check_shapes(file, &args);
        onnx_model_free(file);
        onnx_graph_free(&graph);
        memory_free(weight);
        memory_free(bias);
        model_destroy(&model);
    }
}

/* A file with any bit changed, or cut anywhere, or with bytes behind its end, is not what was written. */
static void every_changed_bit_is_seen(void **state)
{
    (void)state;
    const struct model_config config = resnet(18, 0.125, STEM_CIFAR, 8);
    struct model *model = make_model(&config);
    struct onnx_graph graph =
        make_graph(&(struct onnx_build_args){.model = model, .mean = MEAN, .std = STD, .bytes = true});
    struct error error = {0};
    uint8_t *bytes;
    size_t count;
    CHECK(onnx_write(at("model.onnx"), &graph, &error), error);
    CHECK(file_read(at("model.onnx"), 1 << 28, &bytes, &count, &error), error);
    const size_t nodes = 20000; /* the texts and the nodes stand first: all of their bits; of the weights some */
    struct rng rng = rng_open(22, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < nodes + 3000; i++) {
        const size_t place = i < nodes ? i : count - 1 - rng_word(&rng) % (i % 2 ? count - nodes : 3000);
        const uint8_t bit = (uint8_t)(1u << (i < nodes ? i % 8 : rng_word(&rng) % 8));
        bytes[place] ^= bit;
        if (onnx_compare_bytes(bytes, count, "changed", &graph, &error) != SIMCLR_CORRUPT)
            fail_msg("bit %d of byte %zu of %zu may be changed", bit, place, count);
        bytes[place] ^= bit;
        if (i % 20 == 0) assert_int_equal(onnx_compare_bytes(bytes, place, "cut", &graph, &error), SIMCLR_CORRUPT);
    }
    CHECK(onnx_compare_bytes(bytes, count, "whole", &graph, &error), error);
    bytes[count] = 0; /* file_read left one there */
    assert_int_equal(onnx_compare_bytes(bytes, count + 1, "longer", &graph, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "longer: reads back otherwise"));
    /* and of another network of the same shapes one weight is named */
    float *weights =
        parameter_weights(&model->parameters, parameters_find(&model->parameters, "layer3.0.conv2.weight"));
    weights[5] += 1;
    assert_int_equal(onnx_compare_bytes(bytes, count, "file", &graph, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "the tensor layer3.0.conv2.weight"));
    memory_free(bytes);
    onnx_graph_free(&graph);
    model_destroy(&model);
}

static void two_gigabytes_are_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct onnx_graph graph = {.name = "large", .description = "", .metadata = "{}", .version = "0"};
    onnx_add_tensor(&graph, "large", 1, (const int64_t[]){4});
    graph.input = graph.output[0] = onnx_value("x", ONNX_FLOAT32, 1, (const int64_t[]){4});
    graph.outputs = 1;
    graph.tensors[0].count = (size_t)1 << 29; /* which it does not have: nothing may be read */
    assert_int_equal(onnx_write(at("large.onnx"), &graph, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "takes 2.0: --format pytorch"));
    assert_false(file_exists(at("large.onnx")));
    graph.tensors[0].count = 4;
    CHECK(onnx_write(at("large.onnx"), &graph, &error), error);
    onnx_graph_free(&graph);
}

/* Each allocation fails once. */
static void no_memory_is_said(void **state)
{
    (void)state;
    const struct model_config config = resnet(18, 0.125, STEM_CIFAR, 8);
    struct model *model = make_model(&config);
    const float weight[2 * 64] = {1}, bias[2] = {0};
    const struct onnx_build_args args = {
        .model = model, .mean = MEAN, .std = STD, .fold = true, .classifier = {weight, bias, 2, 0, 2}};
    int refused = 0, status = SIMCLR_NO_MEMORY;
    for (long n = 1; status != SIMCLR_OK && n < 2000; n++) {
        struct error error = {0};
        struct onnx_graph graph = {.name = "test", .description = "", .metadata = "{}", .version = "0"};
        unlink(at("model.onnx"));
        memory_fail_after(n);
        status = onnx_build(&graph, &args, &error);
        if (!status) status = onnx_write(at("model.onnx"), &graph, &error);
        if (!status) status = onnx_compare(at("model.onnx"), &graph, &error);
        memory_fail_after(0);
        if (status && (status != SIMCLR_NO_MEMORY || !error.text[0]))
            fail_msg("allocation %ld: %d, %s", n, status, error.text);
        refused += status != SIMCLR_OK;
        onnx_graph_free(&graph);
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(refused > 100);
    model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_the_network),
        cmocka_unit_test(alexnet_too),
        cmocka_unit_test(logits_and_probabilities),
        cmocka_unit_test(random_shapes),
        cmocka_unit_test(every_changed_bit_is_seen),
        cmocka_unit_test(two_gigabytes_are_refused),
        cmocka_unit_test(no_memory_is_said),
    };
    return run_cases(tests, make_folder, remove_folder);
}
