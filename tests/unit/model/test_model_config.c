/* What describes a model: as text in a checkpoint and back, hostile text, and what is refused. */
#include "support/network_check.h"

#include "model/encoder.h"

/* As model_config_from_text asks for entries. */
static const char *find(const void *context, const char *key)
{
    return model_text_value(context, key);
}

static void test_stems(void **state)
{
    (void)state;
    struct model_config config = {.resnet.depth = 18, .resnet.width = 1, .image_size = 32};
    struct model_text text;
    model_config_to_text(&config, &text);
    assert_string_equal(model_text_value(&text, "stem"), "cifar");
    config.image_size = 33;
    model_config_to_text(&config, &text);
    assert_string_equal(model_text_value(&text, "stem"), "imagenet");
    config.resnet.stem = STEM_CIFAR;
    model_config_to_text(&config, &text);
    assert_string_equal(model_text_value(&text, "stem"), "cifar");
}

/* What a checkpoint says of its model, entry by entry: the file format. */
static void test_text(void **state)
{
    (void)state;
    static const char *const ENTRIES[][2] = {{"depth", "50"},      {"width", "0.125"},   {"stem", "imagenet"},
                                             {"image_size", "96"}, {"head_layers", "3"}, {"head_dim", "64"},
                                             {"classes", "10"}};
    const struct model_config config = {
        .resnet = {.depth = 50, .width = 0.125}, .image_size = 96, .head_layers = 3, .head_dim = 64, .classes = 10};
    struct error error = {0};
    struct model_config again;
    struct model_text text;
    model_config_to_text(&config, &text);
    assert_int_equal(text.count, sizeof ENTRIES / sizeof *ENTRIES);
    for (int i = 0; i < text.count; i++) {
        assert_string_equal(text.entry[i].key, ENTRIES[i][0]);
        assert_string_equal(text.entry[i].value, ENTRIES[i][1]);
    }
    assert_null(model_text_value(&text, "encoder"));
    CHECK_OK(model_config_from_text(&again, find, &text, &error), error);
    assert_true(again.encoder == ENCODER_RESNET && again.resnet.depth == 50 && again.resnet.width == 0.125);
    assert_true(again.resnet.stem == STEM_IMAGENET && again.image_size == 96 && again.head_layers == 3);
    assert_true(again.head_dim == 64 && again.classes == 10);
    assert_string_equal(model_title(&config).text, "ResNet-50, width 0.125");
    assert_string_equal(model_title(&config).word, "resnet50");

    struct model_config cut = config; /* an entry more, where the classifier does not stand on h */
    cut.cut = 2;
    model_config_to_text(&cut, &text);
    assert_string_equal(model_text_value(&text, "cut"), "2");
    CHECK_OK(model_config_from_text(&again, find, &text, &error), error);
    assert_int_equal(again.cut, 2);
    model_config_to_text(&config, &text);
    CHECK_OK(model_config_from_text(&again, find, &text, &error), error);
    assert_int_equal(again.cut, 0);

    for (int i = 0; i < text.count; i++) { /* an entry is missing */
        struct model_text broken = text;
        broken.entry[i].key = "other";
        assert_int_equal(model_config_from_text(&again, find, &broken, &error), SIMCLR_CORRUPT);
        assert_non_null(strstr(error.text, ENTRIES[i][0]));
    }
}

/* AlexNet's description names the encoder, and has no depth. */
static void test_text_of_alexnet(void **state)
{
    (void)state;
    struct error error = {0};
    const struct model_config config = {
        .encoder = ENCODER_ALEXNET, .alexnet.width = 1, .image_size = 224, .classes = 1000};
    struct model_config again;
    struct model_text text;
    model_config_to_text(&config, &text);
    assert_string_equal(model_text_value(&text, "encoder"), "alexnet");
    assert_null(model_text_value(&text, "depth"));
    CHECK_OK(model_config_from_text(&again, find, &text, &error), error);
    assert_true(again.encoder == ENCODER_ALEXNET && again.alexnet.width == 1 && again.classes == 1000);
    assert_string_equal(model_title(&config).text, "AlexNet, width 1");
    assert_string_equal(model_title(&config).word, "alexnet");
    assert_string_equal(model_title(&config).stem, "");
}

/* Entries that anybody may have written. */
static void test_hostile_text(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"depth", ""},
        {"depth", "18x"},
        {"depth", "99999999999999999999"},
        {"depth", "19"},
        {"depth", "-2147483649"},
        {"width", "nan"},
        {"width", "inf"},
        {"width", "1e999"},
        {"width", "0.3"},
        {"width", "1 "},
        {"stem", "CIFAR"},
        {"stem", ""},
        {"image_size", "0"},
        {"image_size", "1e3"},
        {"image_size", "2147483648"},
        {"head_layers", "4"},
        {"head_layers", "0x2"},
        {"head_dim", "0"},
        {"classes", "-1"},
        {"classes", "%n%n%n%n"},
        {"encoder", "alexnet2"},
        {"encoder", ""},
        {"cut", "3"},
        {"cut", "-1"},
        {"cut", "1 "},
        {"classes", "0"},
    };
    const struct model_config config = {.resnet = {.depth = 18, .width = 0.25},
                                        .image_size = 32,
                                        .head_layers = 2,
                                        .head_dim = 64,
                                        .classes = 3,
                                        .cut = 1};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct error error = {0};
        struct model_config out;
        struct model_text text;
        model_config_to_text(&config, &text);
        text.entry[text.count++].key = "encoder";
        snprintf(text.entry[text.count - 1].value, MODEL_TEXT_LENGTH, "resnet");
        CHECK_OK(model_config_from_text(&out, find, &text, &error), error);
        for (int e = 0; e < text.count; e++)
            if (strcmp(text.entry[e].key, BAD[i][0]) == 0)
                snprintf(text.entry[e].value, MODEL_TEXT_LENGTH, "%s", BAD[i][1]);
        if (model_config_from_text(&out, find, &text, &error) != SIMCLR_CORRUPT)
            fail_msg("%s = '%s' was taken", BAD[i][0], BAD[i][1]);
        assert_int_equal(error.status, SIMCLR_CORRUPT);
        assert_non_null(strstr(error.text, "the description of the model"));
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct model_config bad[] = {
        {.resnet.depth = 19, .resnet.width = 1, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 0, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 0.1, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 0.3, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 4.5, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = (double)NAN, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = -1, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 32, .resnet.stem = (enum stem)9},
        {.encoder = (enum encoder_kind)7, .resnet.depth = 18, .resnet.width = 1, .image_size = 32},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 0},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 100000},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 32, .head_layers = -1, .head_dim = 128},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 32, .head_layers = 4, .head_dim = 128},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 32, .head_layers = 2, .head_dim = 0},
        {.resnet.depth = 18, .resnet.width = 1, .image_size = 32, .classes = -1},
        {.encoder = ENCODER_ALEXNET, .alexnet.width = 1, .image_size = 62},
        {.encoder = ENCODER_ALEXNET, .alexnet.width = 0.03125, .image_size = 64},
        {.encoder = ENCODER_ALEXNET, .alexnet.width = 0.1, .image_size = 64},
        {.encoder = ENCODER_ALEXNET, .alexnet.width = 5, .image_size = 64},
        {.encoder = ENCODER_ALEXNET, .alexnet.width = (double)NAN, .image_size = 64},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {0};
        struct model *model;
        assert_int_equal(model_create(&model, &bad[i], NULL, 1, &error), SIMCLR_INVALID);
        assert_true(strlen(error.text) > 20);
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stems),        cmocka_unit_test(test_text),     cmocka_unit_test(test_text_of_alexnet),
        cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_refusals),
    };
    return run_cases(tests, NULL, NULL);
}
