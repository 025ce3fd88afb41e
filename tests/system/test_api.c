/* The library as a C program uses it: contexts, configurations, commands, callbacks, a model for one image. */
#include "support/run.h"

#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "simclr/simclr.h"
#include "support/folder.h"

/* ---- what the callbacks saw ---- */

struct seen {
    pthread_mutex_t mutex;
    size_t output_bytes;
    char output[4096];
    int log_lines, warnings, calls;
    int64_t step, steps;
    double loss;
    simclr_context *interrupt_at_first_step; /* asked to stop as soon as there is progress */
};

static void see_output(void *cookie, const char *text, size_t length)
{
    struct seen *seen = cookie;
    if (seen->output_bytes + length < sizeof seen->output) memcpy(seen->output + seen->output_bytes, text, length);
    seen->output_bytes += length;
}

static void see_log(void *cookie, enum simclr_log_level level, const char *line)
{
    struct seen *seen = cookie;
    assert_true(strlen(line) > 0);
    pthread_mutex_lock(&seen->mutex);
    seen->log_lines++;
    seen->warnings += level == SIMCLR_LOG_WARNING;
    pthread_mutex_unlock(&seen->mutex);
}

static void see_progress(void *cookie, const simclr_progress *progress)
{
    struct seen *seen = cookie;
    seen->calls++;
    if (strcmp(progress->phase, "pretrain") == 0) {
        seen->step = progress->step;
        seen->steps = progress->steps;
        seen->loss = progress->loss;
    }
    if (seen->interrupt_at_first_step) simclr_interrupt(seen->interrupt_at_first_step);
}

static simclr_context *open_context(struct seen *seen)
{
    simclr_context *context;
    const simclr_options options = {see_output, see_log, see_progress, seen};
    *seen = (struct seen){.mutex = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(simclr_open(&context, &options), SIMCLR_OK);
    return context;
}

static simclr_config *make_config(simclr_context *context, const char *command, const char *const *settings)
{
    simclr_config *config;
    assert_int_equal(simclr_config_create(context, command, &config), SIMCLR_OK);
    for (; *settings; settings += 2) {
        if (simclr_config_set(config, settings[0], settings[1]) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    }
    return config;
}
#define CONFIG(context, command, ...) make_config(context, command, (const char *const[]){__VA_ARGS__, NULL})
#define TINY                                                                                                           \
    "data", "synthetic", "synthetic-images", "64", "width", "1/8", "image-size", "16", "batch", "16", "threads", "2",  \
        "epochs", "2", "knn-every", "0", "diagnostics-images", "0"

/* ---- contexts and configurations ---- */

static void errors_have_a_sentence(void **state)
{
    (void)state;
    simclr_context *context;
    simclr_config *config;
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    assert_string_equal(simclr_error(context), "");
    assert_true(strspn(simclr_version(), "0123456789.") == strlen(simclr_version()) && simclr_version()[0]);
    assert_int_equal(simclr_config_create(context, "pretrian", &config), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(context), "nearest is \"pretrain\""));
    assert_null(config);
    assert_int_equal(simclr_config_create(context, "pretrain", &config), SIMCLR_OK);
    assert_string_equal(simclr_error(context), "");
    assert_int_equal(simclr_config_set(config, "epoch", "3"), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(context), "nearest is --epochs"));
    assert_int_equal(simclr_config_set(config, "epochs", "many"), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(context), "integer from 1"));
    assert_int_equal(simclr_config_load(config, "/nowhere/r.yaml"), SIMCLR_IO);
    assert_non_null(strstr(simclr_error(context), "/nowhere/r.yaml"));
    assert_int_equal(simclr_run(context, config), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(context), "--data"));
    assert_int_equal(simclr_config_set(config, "data", "/nowhere"), SIMCLR_OK);
    assert_int_equal(simclr_config_set(config, "out", at("none")), SIMCLR_OK);
    assert_int_equal(simclr_run(context, config), SIMCLR_DATA);
    assert_non_null(strstr(simclr_error(context), "/nowhere"));
    simclr_config_destroy(&config);
    assert_null(config);
    simclr_config_destroy(&config);
    simclr_close(&context);
    simclr_close(&context);
}

/* The call before failed too, with another sentence, and `out` pointed to something. */
static void failures_have_their_own_sentence_and_no_result(void **state)
{
    (void)state;
    simclr_context *context;
    simclr_config *config = NULL, *none;
    simclr_model *model;
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    assert_int_equal(simclr_config_create(context, "knn", &config), SIMCLR_OK);
#define REFUSED(call, words)                                                                                           \
    (simclr_config_set(config, "elsewhere", "x"), none = config, model = (simclr_model *)(void *)config,               \
     assert_int_equal(call, SIMCLR_INVALID), assert_non_null(strstr(simclr_error(context), words)))
    REFUSED(simclr_config_create(context, NULL, &none), "the name of a command");
    assert_null(none);
    REFUSED(simclr_config_create(context, "knn", NULL), "a place to put it");
    REFUSED(simclr_run(context, NULL), "no configuration to run");
    REFUSED(simclr_model_load(context, NULL, 0, &model), "a model needs a path");
    assert_null(model);
    REFUSED(simclr_model_load(context, "x", 0, NULL), "no place to put the model");
    REFUSED(simclr_model_share(context, NULL, &model), "no model to share");
    assert_null(model);
    REFUSED(simclr_model_share(context, NULL, NULL), "no place to put the model");
    REFUSED(simclr_config_create(NULL, "knn", &none), "elsewhere"); /* nowhere to keep another sentence */
    assert_null(none);
    REFUSED(simclr_model_load(NULL, "x", 0, &model), "elsewhere");
    assert_null(model);
    REFUSED(simclr_model_share(NULL, NULL, &model), "elsewhere");
    assert_null(model);
    REFUSED(simclr_run(NULL, config), "elsewhere");
#undef REFUSED
    simclr_config_destroy(&config);
    simclr_close(&context);
}

static void null_arguments_are_refused(void **state)
{
    (void)state;
    simclr_context *context;
    simclr_config *config = NULL;
    simclr_model *model = NULL;
    simclr_option option;
    assert_int_equal(simclr_open(NULL, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    assert_int_equal(simclr_config_create(context, NULL, &config), SIMCLR_INVALID);
    assert_int_equal(simclr_config_create(NULL, "knn", &config), SIMCLR_INVALID);
    assert_int_equal(simclr_config_set(NULL, "data", "x"), SIMCLR_INVALID);
    assert_int_equal(simclr_config_create(context, "knn", &config), SIMCLR_OK);
    assert_int_equal(simclr_config_set(config, "data", NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_config_set(config, NULL, "x"), SIMCLR_INVALID);
    assert_int_equal(simclr_config_load(config, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_run(context, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_run(NULL, config), SIMCLR_INVALID);
    assert_int_equal(simclr_option_at("nothing", 0, &option), SIMCLR_INVALID);
    assert_int_equal(simclr_option_at("knn", -1, &option), SIMCLR_INVALID);
    assert_int_equal(simclr_model_load(context, NULL, 0, &model), SIMCLR_INVALID);
    assert_int_equal(simclr_model_load(context, "x", -1, &model), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed(NULL, NULL, 1, 1, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_model_dim(NULL), SIMCLR_INVALID);
    assert_string_equal(simclr_error(NULL), "");
    simclr_interrupt(NULL);
    simclr_model_close(&model);
    simclr_config_destroy(&config);
    simclr_close(&context);
}

static void the_table_describes_every_command(void **state)
{
    (void)state;
    simclr_command command;
    int commands = 0, total = 0;
    for (; simclr_command_at(commands, &command) == SIMCLR_OK; commands++) {
        const char *name = command.name;
        assert_true(name[0] && command.summary[0] && command.help[0] && strstr(command.examples, name) != NULL);
        simclr_option option;
        int options = 0;
        for (; simclr_option_at(name, options, &option) == SIMCLR_OK; options++) {
            assert_true(option.name[0] && option.help[0] && option.section[0] && option.type[0]);
            assert_true(option.default_text != NULL && option.minimum <= option.maximum);
        }
        const bool small = !strcmp(name, "data fetch") || !strcmp(name, "watch") || !strcmp(name, "verify");
        assert_true(options >= (small ? 3 : 8)); /* they need neither model nor training */
        total += options;
    }
    assert_true(commands >= 15);
    assert_true(total > 100);
    assert_int_equal(simclr_command_at(-1, &command), SIMCLR_INVALID);
    assert_int_equal(simclr_command_at(0, NULL), SIMCLR_INVALID);
}

static void what_is_set_wins_over_a_recipe(void **state)
{
    (void)state;
    simclr_context *context;
    simclr_config *config;
    FILE *file = fopen(at("r.yaml"), "w");
    assert_non_null(file);
    fputs("epochs: 7\nbatch: 32\n", file);
    fclose(file);
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    assert_int_equal(simclr_config_create(context, "pretrain", &config), SIMCLR_OK);
    assert_int_equal(simclr_config_set(config, "epochs", "3"), SIMCLR_OK);
    assert_int_equal(simclr_config_load(config, at("r.yaml")), SIMCLR_OK);
    assert_non_null(strstr(simclr_config_yaml(config), "\nepochs: 3\n"));
    assert_non_null(strstr(simclr_config_yaml(config), "\nbatch: 32\n"));
    assert_int_equal(simclr_config_set(config, "batch", "64"), SIMCLR_OK);
    assert_non_null(strstr(simclr_config_yaml(config), "\nbatch: 64\n"));
    simclr_config_destroy(&config);
    simclr_close(&context);
}

/* ---- commands ---- */

static void a_run_is_interrupted_and_goes_on(void **state)
{
    (void)state;
    struct seen seen;
    simclr_context *context = open_context(&seen);
    simclr_config *config = CONFIG(context, "pretrain", TINY, "out", at("run"));
    seen.interrupt_at_first_step = context;
    assert_int_equal(simclr_run(context, config), SIMCLR_INTERRUPTED);
    assert_true(strlen(simclr_error(context)) > 0);
    assert_true(seen.calls >= 1 && seen.step < 8);
    seen.interrupt_at_first_step = NULL;
    const int status = simclr_run(context, config); /* the same configuration goes on */
    if (status != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    assert_int_equal(seen.step, 8);
    assert_int_equal(seen.steps, 8);
    assert_true(isfinite(seen.loss) && seen.loss > 0);
    assert_true(seen.log_lines > 3 && seen.output_bytes > 20);
    assert_non_null(strstr(seen.output, "checkpoints"));
    assert_string_equal(simclr_error(context), "");
    simclr_config_destroy(&config);
    simclr_close(&context);
}

/* Reads row 0 of a version 1.0 .npy file of float32. */
static void read_row(const char *path, float *row, int dim)
{
    unsigned char prefix[10];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(prefix, 1, sizeof prefix, file), sizeof prefix);
    assert_memory_equal(prefix, "\x93NUMPY\x01\x00", 8);
    const int length = prefix[8] | prefix[9] << 8;
    assert_int_equal((10 + length) % 64, 0);
    char header[256] = "", expected[96];
    assert_int_equal(fread(header, 1, (size_t)length, file), length);
    snprintf(expected, sizeof expected, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, %d), }", dim);
    assert_memory_equal(header, expected, strlen(expected));
    assert_int_equal(header[length - 1], '\n');
    assert_int_equal(fread(row, sizeof *row, (size_t)dim, file), dim);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

static void an_image_has_one_representation(void **state)
{
    (void)state;
    enum { DIM = 64, WIDTH = 40, HEIGHT = 24 };
    struct seen seen;
    simclr_context *context = open_context(&seen);
    simclr_model *model;
    struct image image;
    float from_pixels[DIM], from_file[DIM], from_command[DIM];
    char photos[256], photo[256], features[256];

    snprintf(photos, sizeof photos, "%s", at("photos"));
    snprintf(photo, sizeof photo, "%s", at("photos/one.png"));
    snprintf(features, sizeof features, "%s", at("features.npy"));
    assert_int_equal(mkdir(photos, 0700), 0);
    assert_int_equal(image_create(WIDTH, HEIGHT, &image, NULL), SIMCLR_OK);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) image.rgb[i] = (uint8_t)(i * 7 + i / 120 * 31);
    assert_int_equal(image_write_png(photo, &image, NULL), SIMCLR_OK);

    if (simclr_model_load(context, at("run"), 1, &model) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    assert_int_equal(simclr_model_dim(model), DIM);
    assert_int_equal(simclr_model_image_size(model), 16);
    assert_int_equal(simclr_model_embed(model, image.rgb, WIDTH, HEIGHT, from_pixels), SIMCLR_OK);
    assert_int_equal(simclr_model_embed_file(model, photo, from_file), SIMCLR_OK);
    assert_memory_equal(from_pixels, from_file, sizeof from_file);
    assert_int_equal(simclr_model_embed(model, image.rgb, 0, HEIGHT, from_file), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed(model, image.rgb, 1 << 30, 1 << 30, from_file), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_file(model, at("absent.png"), from_file), SIMCLR_IO);
    assert_int_equal(simclr_model_embed_file(model, at("r.yaml"), from_file), SIMCLR_CORRUPT);
    simclr_model_close(&model);
    assert_null(model);

    simclr_config *config = CONFIG(context, "embed", "checkpoint", at("run"), "data", photos, "out", features);
    if (simclr_run(context, config) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    read_row(features, from_command, DIM);
    double difference = 0, norm = 0;
    for (int i = 0; i < DIM; i++) {
        difference += pow((double)from_pixels[i] - (double)from_command[i], 2);
        norm += pow((double)from_pixels[i], 2);
    }
    assert_true(norm > 0 && sqrt(difference / norm) < 1e-2); /* bf16, and another number of images at once */
    simclr_config_destroy(&config);
    image_free(&image);
    simclr_close(&context);
}

/* Weights that are numbers, and so large that what is made of an image is none. */
static void features_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    enum { DIM = 64, COUNTERS = 20 * 8 }; /* bytes before the first weight */
    struct seen seen;
    simclr_context *context = open_context(&seen);
    simclr_model *model;
    uint8_t *bytes = malloc(1 << 22), rgb[16 * 16 * 3] = {200, 100, 50};
    float features[DIM];
    FILE *file = fopen(at("run/exported/encoder.safetensors"), "rb");
    assert_true(file && bytes);
    const size_t count = fread(bytes, 1, 1 << 22, file);
    fclose(file);
    uint8_t *checksum = memmem(bytes, count, "file_crc32c", 11);
    assert_non_null(checksum);
    checksum[0] = 'x'; /* a file of others has none */
    uint64_t header;
    memcpy(&header, bytes, sizeof header);
    for (size_t place = 8 + (size_t)header + COUNTERS; place < count; place += sizeof(float)) {
        const float huge = 3e38f;
        memcpy(bytes + place, &huge, sizeof huge);
    }
    file = fopen(at("huge.safetensors"), "wb");
    assert_true(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
    free(bytes);
    if (simclr_model_load(context, at("huge.safetensors"), 1, &model) != SIMCLR_OK)
        fail_msg("%s", simclr_error(context));
    assert_int_equal(simclr_model_embed(model, rgb, 16, 16, features), SIMCLR_CORRUPT);
    assert_non_null(strstr(simclr_error(context), "the network makes "));
    simclr_model_close(&model);
    simclr_close(&context);
}

static void what_is_no_model_is_refused(void **state)
{
    (void)state;
    struct seen seen;
    simclr_context *context = open_context(&seen);
    simclr_model *model = NULL;
    assert_int_equal(simclr_model_load(context, "/nowhere", 1, &model), SIMCLR_IO);
    assert_non_null(strstr(simclr_error(context), "/nowhere"));
    assert_null(model);
    assert_int_equal(simclr_model_load(context, at("r.yaml"), 1, &model), SIMCLR_CORRUPT);
    assert_int_equal(simclr_model_load(context, at("photos"), 1, &model), SIMCLR_IO);
    assert_true(strlen(simclr_error(context)) > 0);
    simclr_close(&context);
}

/* ---- independence: two contexts in two threads ---- */

static void *run_info(void *argument)
{
    struct seen *seen = argument;
    simclr_context *context = open_context(seen);
    simclr_config *config = CONFIG(context, "info", "width", "1/8", "image-size", "32", "batch", "2", "json", "true",
                                   "threads", "1", "cpu", "portable");
    const int status = simclr_run(context, config);
    simclr_config_destroy(&config);
    simclr_close(&context);
    return status == SIMCLR_OK ? seen : NULL;
}

static void two_contexts_do_not_meet(void **state)
{
    (void)state;
    struct seen seen[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_info, &seen[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &seen[i]);
        assert_true(seen[i].output_bytes > 1000);
    }
    /* the layers are the same; the memory of the process, at the end, may differ */
    assert_memory_equal(seen[0].output, seen[1].output, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_a_sentence),
        cmocka_unit_test(failures_have_their_own_sentence_and_no_result),
        cmocka_unit_test(null_arguments_are_refused),
        cmocka_unit_test(the_table_describes_every_command),
        cmocka_unit_test(what_is_set_wins_over_a_recipe),
        cmocka_unit_test(a_run_is_interrupted_and_goes_on),
        cmocka_unit_test(an_image_has_one_representation),
        cmocka_unit_test(features_that_are_not_finite_are_refused),
        cmocka_unit_test(what_is_no_model_is_refused),
        cmocka_unit_test(two_contexts_do_not_meet),
    };
    return run_cases(tests, make_folder, remove_folder);
}
