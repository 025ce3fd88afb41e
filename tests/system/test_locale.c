/* The library in a host program that has set a locale: one with a decimal comma (de_DE), one with another small I
 * (tr_TR). Every command writes and says the same, to the byte, as in the C locale. */
#include "support/run.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simclr/simclr.h"
#include "support/folder.h"

enum { OUTPUT_BYTES = 1 << 20, SIDE = 20 };

/* What one locale's commands said, one after another. */
struct said {
    size_t bytes;
    char output[OUTPUT_BYTES];
};
static struct said plain, other;

static void keep(void *cookie, const char *text, size_t length)
{
    struct said *said = cookie;
    assert_true(said->bytes + length < OUTPUT_BYTES);
    memcpy(said->output + said->bytes, text, length);
    said->bytes += length;
    said->output[said->bytes] = '\0';
}

static void run(struct said *said, const char *command, const char *const *settings)
{
    simclr_context *context;
    simclr_config *config;
    const simclr_options options = {.output = keep, .cookie = said};
    assert_int_equal(simclr_open(&context, said ? &options : NULL), SIMCLR_OK);
    assert_int_equal(simclr_config_create(context, command, &config), SIMCLR_OK);
    for (; *settings; settings += 2)
        if (simclr_config_set(config, settings[0], settings[1]) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    if (simclr_run(context, config) != SIMCLR_OK) fail_msg("%s: %s", command, simclr_error(context));
    simclr_config_destroy(&config);
    simclr_close(&context);
}
#define RUN(said, command, ...) run(said, command, (const char *const[]){__VA_ARGS__, NULL})
#define IMAGES "data", "synthetic", "synthetic-images", "48", "threads", "1"
#define SET IMAGES, "image-size", "16"
#define ENCODER "checkpoint", "run", SET, "batch", "16"

/* A model for one image, and a recipe that is written, read, and written again. */
static void use_model(struct said *said)
{
    simclr_context *context;
    simclr_model *model;
    simclr_config *config;
    uint8_t rgb[SIDE * SIDE * 3];
    float features[512];
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(i * 7);
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    if (simclr_model_load(context, "run/exported/encoder.safetensors", 1, &model) != SIMCLR_OK)
        fail_msg("%s", simclr_error(context));
    assert_in_range(simclr_model_dim(model), 1, 512);
    assert_int_equal(simclr_model_embed(model, rgb, SIDE, SIDE, features), SIMCLR_OK);
    keep(said, (const char *)features, (size_t)simclr_model_dim(model) * sizeof *features);
    simclr_model_close(&model);
    assert_int_equal(simclr_config_create(context, "pretrain", &config), SIMCLR_OK);
    if (simclr_config_load(config, "run/config.yaml") != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    const char *yaml = simclr_config_yaml(config);
    keep(said, yaml, strlen(yaml));
    simclr_config_destroy(&config);
    simclr_close(&context);
}

/* Every command, in a folder of its own, so that paths are the same. */
static void run_all(struct said *said, const char *name)
{
    said->bytes = 0;
    assert_int_equal(mkdir(at("%s", name), 0777), 0);
    assert_int_equal(chdir(at("%s", name)), 0);
    RUN(NULL, "pretrain", SET, "batch", "16", "width", "1/8", "epochs", "2", "warmup-epochs", "0.5", "learning-rate",
        "0.3", "temperature", "0.25", "jitter-strength", "0.5", "mean", "0.4,0.5,0.625", "std", "0.25,0.2,0.3",
        "precision", "float32", "knn-every", "1", "diagnostics-images", "16", "out", "run");
    RUN(NULL, "pretrain", "recipe", "run/config.yaml"); /* goes on, and finds that it is done */
    RUN(said, "knn", ENCODER, "json", "true");
    RUN(said, "linear", ENCODER, "iterations", "30", "json", "true", "features-out", "kept");
    RUN(said, "finetune", ENCODER, "epochs", "1", "labels", "62.5%", "json", "true", "out", "tuned");
    RUN(said, "embed", ENCODER, "out", "f.npy");
    RUN(said, "embed", ENCODER, "out", "f.tsv", "format", "tsv");
    RUN(said, "embed", "checkpoint", "run/exported/encoder.safetensors", SET, "mean", "0.4,0.5,0.6", "std",
        "0.2,0.25,0.2", "out", "g.npy");
    RUN(said, "info", "checkpoint", "run/exported/encoder.safetensors", "json", "true");
    RUN(NULL, "info", "width", "0.25", "image-size", "32", "json", "true"); /* its memory is measured */
    RUN(NULL, "views", SET, "images", "2", "views", "2", "out", "views.png");
    RUN(NULL, "data pack", IMAGES, "out", "raw", "format", "raw");
    RUN(NULL, "data pack", IMAGES, "out", "tar");
    /* Capital letters, I among them: the parts of shards, and their endings. */
    assert_int_equal(rename("tar/train-000000.tar", "tar/TRAIN-000000.TAR"), 0);
    RUN(said, "data info", "data", "tar", "threads", "1", "seconds", "0", "json", "true");
    RUN(said, "data info", IMAGES, "seconds", "0", "json", "true");
    use_model(said);
    assert_int_equal(chdir("/"), 0);
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is not there", path);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*bytes + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *bytes, file), *bytes);
    fclose(file);
    return text;
}

static void same_files(const char *name)
{
    static const char *const files[] = {"run/config.yaml",
                                        "run/exported/config.json",
                                        "run/exported/encoder.safetensors",
                                        "f.npy",
                                        "f.tsv",
                                        "f.txt",
                                        "g.npy",
                                        "kept-train.npy",
                                        "views.png",
                                        "raw/train.pack",
                                        "tar/TRAIN-000000.TAR"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t count, here;
        char *expected = read_file(at("C/%s", files[i]), &count),
             *found = read_file(at("%s/%s", name, files[i]), &here);
        if (count != here || memcmp(expected, found, count) != 0) fail_msg("%s is another in %s", files[i], name);
        free(expected);
        free(found);
    }
}

/* Makes the locale in the test's folder, where localedef and its sources are there. */
static void check_locale(const char *name)
{
    char command[512], path[64];
    if (plain.bytes == 0) run_all(&plain, "C");
    mkdir(at("locale"), 0777);
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 '%s' >/dev/null 2>&1", name,
             at("locale/%s.UTF-8", name));
    const int made = system(command);
    snprintf(path, sizeof path, "%s.UTF-8", name);
    setenv("LOCPATH", at("locale"), 1);
    if (made != 0 || !setlocale(LC_ALL, path)) {
        printf("localedef cannot make %s\n", name);
        unsetenv("LOCPATH");
        skip_case("localedef cannot make the locale");
    }
    run_all(&other, name);
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    assert_int_equal(other.bytes, plain.bytes);
    for (size_t i = 0; i < plain.bytes; i++)
        if (other.output[i] != plain.output[i])
            fail_msg("%.60s and, in %s, %.60s", plain.output + i - (i < 30 ? i : 30), name,
                     other.output + i - (i < 30 ? i : 30));
    same_files(name);
}

static void a_decimal_comma(void **state)
{
    (void)state;
    check_locale("de_DE");
}

static void a_dotless_i(void **state)
{
    (void)state;
    check_locale("tr_TR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_decimal_comma), cmocka_unit_test(a_dotless_i)};
    return run_cases(tests, make_folder, remove_folder);
}
