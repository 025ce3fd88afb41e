/* Encoders that go out and come in: our own exports, torchvision's files, weights of other programs under prefixes. */
#include "unit/checkpoint/run_files.h"

#include "base/memory.h"
#include "checkpoint/weights.h"

/* ---- export and import -------------------------------------------------------------------------------------- */
static void test_export(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, other;
    struct safetensors *file;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 2);
    fill(&run, 3);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 4321, &error), error);
    CHECK_OK(safetensors_open(&file, at("encoder"), &error), error);
    assert_int_equal(safetensors_count(file), 122 - 2); /* torchvision's ResNet-18 without fc */
    const struct safetensors_entry *entry = safetensors_find(file, "layer2.0.downsample.1.num_batches_tracked");
    assert_true(entry && entry->dtype == ST_I64 && entry->rank == 0);
    int64_t batches;
    memcpy(&batches, entry->data, sizeof batches);
    assert_int_equal(batches, 4321);
    assert_string_equal(safetensors_metadata(file, "format"), "pt");
    assert_null(safetensors_find(file, "head.fcs.0.weight"));
    safetensors_close(&file);

    float head =
        parameter_weights(&other.model->parameters, parameters_find(&other.model->parameters, "head.fcs.0.weight"))[0];
    CHECK_OK(checkpoint_import_encoder(at("encoder"), other.model, &error), error);
    assert_true(parameters_encoder_hash(&other.model->parameters) == parameters_encoder_hash(&run.model->parameters));
    assert_true(head == parameter_weights(&other.model->parameters,
                                          parameters_find(&other.model->parameters, "head.fcs.0.weight"))[0]);
    close_run(&other);

    struct model_config wide = SMALL;
    wide.resnet.width = 0.25;
    open_run(&other, &wide, OPTIMIZER_LARS, 2);
    assert_int_equal(checkpoint_import_encoder(at("encoder"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "[8, 3, 3, 3] where the model needs [16, 3, 3, 3]"));
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &STATE, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("a"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "where the model needs [16, 3, 3, 3]"));
    CHECK_OK(checkpoint_import_encoder(at("a"), run.model, &error), error); /* its prefix is "encoder." */
    assert_int_equal(checkpoint_import_encoder(at("missing"), run.model, &error), SIMCLR_IO);
    struct checkpoint *checkpoint; /* and an export is no checkpoint */
    assert_int_equal(checkpoint_open(&checkpoint, at("encoder"), &error), SIMCLR_CORRUPT);
    close_run(&run);
    close_run(&other);
}

/* torchvision's own file: with fc, in another order, without a checksum. One stranger makes it another model's. */
static void test_import_torchvision(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, other;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 2);
    fill(&run, 4);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    struct safetensors *file;
    CHECK_OK(safetensors_open(&file, at("encoder"), &error), error);
    int count = safetensors_count(file);
    struct safetensors_entry *entries = memory_array((size_t)count + 2, sizeof *entries);
    for (int i = 0; i < count; i++) entries[i] = *safetensors_at(file, count - 1 - i);
    const float zeros[64 * 3] = {0};
    entries[count] = (struct safetensors_entry){
        .name = "fc.weight", .dtype = ST_F32, .rank = 2, .dims = {3, 64}, .data = zeros, .bytes = sizeof zeros};
    CHECK_OK(safetensors_write(at("tv"), entries, count + 1, NULL, 0, &error), error);
    CHECK_OK(checkpoint_import_encoder(at("tv"), other.model, &error), error);
    assert_true(parameters_encoder_hash(&other.model->parameters) == parameters_encoder_hash(&run.model->parameters));
    entries[count].name = "stranger";
    CHECK_OK(safetensors_write(at("tv"), entries, count + 1, NULL, 0, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("tv"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "stranger has no place"));
    CHECK_OK(safetensors_write(at("tv"), entries + 1, count - 1, NULL, 0, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("tv"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "layer4.1.conv2.weight is missing"));
    memory_free(entries);
    safetensors_close(&file);
    close_run(&run);
    close_run(&other);
}

/* AlexNet, alone and behind a prefix: which one it is stands in its names and shapes. */
static void test_alexnet(void **state)
{
    (void)state;
    struct error error = {0};
    struct model *model, *other;
    struct weights weights;
    struct model_config read;
    struct safetensors *file;
    const struct model_config config = {.encoder = ENCODER_ALEXNET, .alexnet.width = 0.125, .image_size = 64};
    CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
    CHECK_OK(model_create(&other, &config, NULL, 2, &error), error);
    CHECK_OK(checkpoint_export_encoder(at("alexnet"), model, 1, &error), error);
    CHECK_OK(checkpoint_import_encoder(at("alexnet"), other, &error), error);
    assert_true(parameters_encoder_hash(&other->parameters) == parameters_encoder_hash(&model->parameters));
    CHECK_OK(safetensors_open(&file, at("alexnet"), &error), error);
    enum { TENSORS = 14 };
    struct safetensors_entry entries[TENSORS + 1];
    char names[TENSORS][96];
    const float zeros[512 * 3] = {0};
    assert_int_equal(safetensors_count(file), TENSORS);
    for (int i = 0; i < TENSORS; i++) {
        entries[i] = *safetensors_at(file, i);
        snprintf(names[i], sizeof names[i], "module.%s", entries[i].name);
        entries[i].name = names[i];
    }
    entries[TENSORS] = (struct safetensors_entry){.name = "module.classifier.6.weight",
                                                  .dtype = ST_F32,
                                                  .rank = 2,
                                                  .dims = {3, 512},
                                                  .data = zeros,
                                                  .bytes = sizeof zeros};
    CHECK_OK(safetensors_write(at("wrapped"), entries, TENSORS + 1, NULL, 0, &error), error);
    safetensors_close(&file);
    CHECK_OK(safetensors_open(&file, at("wrapped"), &error), error);
    CHECK_OK(weights_look(&weights, file, "wrapped", &error), error);
    CHECK_OK(weights_config(&weights, &read, &error), error);
    assert_true(read.encoder == ENCODER_ALEXNET && read.alexnet.width == 0.125);
    assert_string_equal(weights.prefix, "module.");
    assert_int_equal(weights.encoder, TENSORS); /* without the classifier */
    CHECK_OK(weights_check(&weights, &other->parameters, &error), error);
    safetensors_close(&file);
    model_destroy(&other);

    struct weights_taken taken; /* a ResNet cannot begin with it */
    CHECK_OK(model_create(&other, &SMALL, NULL, 2, &error), error);
    CHECK_OK(safetensors_open(&file, at("alexnet"), &error), error);
    CHECK_OK(weights_look(&weights, file, "alexnet", &error), error);
    assert_int_equal(weights_begin(&weights, other, &taken, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "network of another kind (AlexNet, width 0.125)"));
    safetensors_close(&file);
    model_destroy(&other);
    model_destroy(&model);
}

/* ---- weights of other programs: prefixes, a Sequential, copies ---------------------------------------------- */

enum { MOST_ENTRIES = 400 };
struct renamed {
    struct safetensors *file;
    struct safetensors_entry entries[MOST_ENTRIES];
    char names[MOST_ENTRIES][160];
    int count;
};

/* Adds every tensor of the exported encoder under another name: `prefix`, and the Sequential's numbers if asked for. */
static void add_renamed(struct renamed *out, const char *prefix, bool sequential)
{
    static const char *const children[][2] = {{"conv1.", "0."},  {"bn1.", "1."},    {"layer1.", "4."},
                                              {"layer2.", "5."}, {"layer3.", "6."}, {"layer4.", "7."}};
    for (int i = 0; i < safetensors_count(out->file); i++) {
        const char *name = safetensors_at(out->file, i)->name, *number = "";
        for (size_t k = 0; sequential && k < sizeof children / sizeof *children; k++) {
            const size_t length = strlen(children[k][0]);
            if (strncmp(name, children[k][0], length) != 0) continue;
            number = children[k][1];
            name += length;
            break;
        }
        assert_true(out->count < MOST_ENTRIES);
        snprintf(out->names[out->count], sizeof out->names[0], "%s%s%s", prefix, number, name);
        out->entries[out->count] = *safetensors_at(out->file, i);
        out->entries[out->count].name = out->names[out->count];
        out->count++;
    }
}

static void add_stranger(struct renamed *out, const char *name)
{
    static const float zeros[4];
    assert_true(out->count < MOST_ENTRIES);
    out->entries[out->count++] = (struct safetensors_entry){
        .name = name, .dtype = ST_F32, .rank = 1, .dims = {4}, .data = zeros, .bytes = sizeof zeros};
}

/* Writes it as at(name), looks at it and imports it into a model of its own. */
static int look_at(struct renamed *renamed, const struct run *run, struct weights *weights, struct error *error)
{
    struct run other;
    struct safetensors *file;
    CHECK_OK(safetensors_write(at("renamed"), renamed->entries, renamed->count, NULL, 0, error), *error);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 9);
    const int status = checkpoint_import_encoder(at("renamed"), other.model, error);
    if (!status)
        assert_true(parameters_encoder_hash(&other.model->parameters) ==
                    parameters_encoder_hash(&run->model->parameters));
    close_run(&other);
    CHECK_OK(safetensors_open(&file, at("renamed"), error), *error);
    struct model_config config;
    struct error ignored;
    if (weights_look(weights, file, "renamed", &ignored) == SIMCLR_OK) {
        CHECK_OK(weights_config(weights, &config, &ignored), ignored);
        assert_int_equal(config.resnet.depth, 18);
        assert_true(config.resnet.width == 0.125 && config.resnet.stem == STEM_CIFAR);
    }
    safetensors_close(&file);
    return status;
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        bool sequential;
        const char *copy, *stranger; /* a second network; a tensor beside them */
    } cases[] = {
        {"module.", false, NULL, NULL},
        {"backbone.", false, NULL, "projection_head.layers.0.weight"},
        {"encoder_q.", false, "encoder_k.", "queue"},
        {"module.encoder_q.", false, "module.encoder_k.", "module.queue"},
        {"student.backbone.", false, "teacher.backbone.", NULL},
        {"encoder.", false, "momentum_encoder.", "predictor.0.weight"},
        {"backbone.", true, NULL, "projection_head.layers.0.weight"},
        {"", true, NULL, NULL},
        {"teacher.", false, NULL, "head.0.bias"}, /* alone: it is the network that is meant */
    };
    struct error error = {0};
    struct run run;
    struct weights weights;
    static struct renamed renamed;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    fill(&run, 5);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        renamed = (struct renamed){0};
        CHECK_OK(safetensors_open(&renamed.file, at("encoder"), &error), error);
        add_renamed(&renamed, cases[i].prefix, cases[i].sequential);
        const int encoder = renamed.count;
        if (cases[i].copy) add_renamed(&renamed, cases[i].copy, false);
        if (cases[i].stranger) add_stranger(&renamed, cases[i].stranger);
        if (look_at(&renamed, &run, &weights, &error)) fail_msg("%s: %s", cases[i].prefix, error.text);
        assert_string_equal(weights.prefix, cases[i].prefix);
        assert_int_equal(weights.sequential, cases[i].sequential);
        assert_int_equal(weights.encoder, 100); /* without the 20 counters */
        assert_int_equal(weights.outside, renamed.count - encoder);
        safetensors_close(&renamed.file);
    }
    close_run(&run);
}

static void test_refused_prefixes(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    struct weights weights;
    static struct renamed renamed;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    renamed = (struct renamed){0};
    CHECK_OK(safetensors_open(&renamed.file, at("encoder"), &error), error);
    add_renamed(&renamed, "left.", false); /* two, and nothing tells which */
    add_renamed(&renamed, "right.", false);
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "several networks (\"left.\", \"right.\", ...)"));
    renamed.count /= 2;
    add_stranger(&renamed, "left.attention.weight"); /* inside of the prefix: of another model */
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "left.attention.weight has no place"));
    renamed.count = 0;
    add_stranger(&renamed, "backbone.layer1.0.conv1.weight");
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "holds no ResNet"));
    safetensors_close(&renamed.file);
    close_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),   cmocka_unit_test(test_import_torchvision), cmocka_unit_test(test_alexnet),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_refused_prefixes),
    };
    return run_cases(tests, make_folder, remove_folder);
}
