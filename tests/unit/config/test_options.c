/* Options: the table itself, setting by name with every kind of refusal, defaults, checks across options, copies. */
#include "support/run.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "config/config.h"
#include "config/values.h"

static struct config *make(enum command command)
{
    struct config *config;
    assert_int_equal(config_create(&config, command, NULL), SIMCLR_OK);
    return config;
}

/* Setting fails with SIMCLR_INVALID and a sentence that holds each of the words. */
static void refused(struct config *config, const char *name, const char *value, const char *const *words)
{
    struct error error = {0};
    assert_int_equal(config_set(config, name, value, 2, &error), SIMCLR_INVALID);
    for (; *words; words++) {
        if (!strstr(error.text, *words)) fail_msg("\"%s\" is not in: %s", *words, error.text);
    }
}
#define REFUSED(config, name, value, ...) refused(config, name, value, (const char *const[]){__VA_ARGS__, NULL})

static void the_table_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        assert_true(row->commands != 0);
        assert_true(row->minimum <= row->maximum);
        assert_true((row->argument == NULL) == (row->type == OPTION_BOOLEAN));
        assert_true((row->choices != NULL) || row->type != OPTION_CHOICE);
        assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] == '.');
        assert_true(!row->required || row->type == OPTION_STRING || row->type == OPTION_LIST);
        assert_true(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(row->name));
        for (int j = 0; j < i; j++) { /* one row for a name and a command; one field for a name */
            const struct option_row *other = &config_options[j];
            if (strcmp(row->name, other->name) != 0) {
                assert_true(row->offset != other->offset);
                continue;
            }
            assert_true((row->commands & other->commands) == 0);
            assert_true(row->offset == other->offset && row->type == other->type);
        }
    }
}

/* A list has a line for each value of one origin; a higher origin begins anew, a lower one adds nothing. */
static void lists_gain_a_line_for_each_value(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_REPORT), *copy;
    assert_int_equal(config_set(config, "runs", "recipe", 1, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "runs", "a", 2, NULL), SIMCLR_OK);
    assert_string_equal(config->runs, "a");
    assert_int_equal(config_set(config, "runs", "b c", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "runs", "recipe", 1, NULL), SIMCLR_OK);
    assert_string_equal(config->runs, "a\nb c");
    REFUSED(config, "runs", "\xff", "--runs takes UTF-8 text");
    assert_string_equal(config->runs, "a\nb c");
    assert_int_equal(config_copy(&copy, config, NULL), SIMCLR_OK);
    assert_string_equal(copy->runs, "a\nb c");
    config_destroy(&copy);
    char *yaml = config_to_yaml(config, CONFIG_AS_IT_IS);
    assert_non_null(yaml);
    copy = make(COMMAND_REPORT);
    assert_int_equal(config_parse_recipe(copy, yaml, strlen(yaml), "yaml", 1, NULL), SIMCLR_OK);
    assert_string_equal(copy->runs, "a\nb c");
    memory_free(yaml);
    config_destroy(&copy);
    config_destroy(&config);
}

static void defaults_are_the_methods(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config->batch, 256);
    assert_int_equal(config->epochs, 100);
    assert_true(config->warmup_epochs == -1); /* auto where 0 is legal */
    assert_true(config->temperature == 0 && config->learning_rate == 0 && config->image_size == 0);
    assert_true(config->jitter_strength == -1 && config->blur_probability == -1);
    assert_int_equal(config->blur_radius, -1);
    assert_int_equal(config->cache_memory, 0);
    assert_int_equal(config->threads, 0);
    assert_int_equal(config->workers, -1);
    assert_string_equal(config->optimizer, "lars");
    assert_true(config->weight_decay == 1e-4 && config->momentum == 0.9 && config->trust == 0.001);
    assert_true(config->crop_area_min == 0.08 && config->crop_area_max == 1 && config->crop_ratio_min == 0.75);
    assert_true(fabs(config->crop_ratio_max - 4.0 / 3) < 1e-16);
    assert_true(config->brightness == 0.8 && config->hue == 0.2 && config->gray_probability == 0.2);
    assert_true(config->knn_k == 200 && config->knn_temperature == 0.1);
    assert_true(config->tensorboard && config->controls && !config->resume);
    assert_string_equal(config->data, "");
    config_destroy(&config);
    assert_null(config);

    config = make(COMMAND_FINETUNE); /* rows of the same name with other defaults */
    assert_string_equal(config->optimizer, "sgd");
    assert_true(config->learning_rate == 0.05 && config->weight_decay == 0 && config->warmup_epochs == 0);
    assert_true(config->crop_area_min == 0.08); /* not its option, but a field with a default */
    config_destroy(&config);
}

static void values_are_read(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config_set(config, "batch", "512", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "learning_rate", "1e-2", 2, NULL), SIMCLR_OK); /* underscores too */
    assert_int_equal(config_set(config, "head-layers", "none", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "width", "1/4", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "cache-memory", "1.5G", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "mean", "0.49, 0.48,0.45", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "resume", "true", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "optimizer", "adamw", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "temperature", "0.5", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "depth", "50", 2, NULL), SIMCLR_OK);
    assert_int_equal(config->batch, 512);
    assert_true(config->learning_rate == 0.01 && config->width == 0.25 && config->temperature == 0.5);
    assert_int_equal(config->head_layers, 0);
    assert_int_equal(config->depth, 50);
    assert_int_equal(config->cache_memory, 1610612736);
    assert_string_equal(config->mean, "0.49, 0.48,0.45");
    assert_string_equal(config->optimizer, "adamw");
    assert_true(config->resume);
    assert_int_equal(config_set(config, "head-layers", "linear", 2, NULL), SIMCLR_OK);
    assert_int_equal(config->head_layers, 1);
    assert_int_equal(config_set(config, "temperature", "auto", 2, NULL), SIMCLR_OK);
    assert_true(config->temperature == 0 && config_is_auto(config, "temperature"));
    config_destroy(&config);
}

static void wrong_values_say_what_is_allowed(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    REFUSED(config, "epochs", "ten", "--epochs", "\"ten\"", "an integer from 1 to 100000");
    REFUSED(config, "epochs", "10.5", "--epochs", "\"10.5\"", "integer");
    REFUSED(config, "epochs", "0", "--epochs", "\"0\"", "from 1");
    REFUSED(config, "epochs", "99999999999999999999", "--epochs");
    REFUSED(config, "epochs", "", "--epochs", "\"\"");
    REFUSED(config, "epochs", "auto", "--epochs", "integer"); /* pretrain's has a number as default */
    REFUSED(config, "batch", "1", "--batch", "\"1\"", "from 2 to");
    REFUSED(config, "temperature", "0", "--temperature", "\"0\"", "from 0.001 to 100 or auto");
    REFUSED(config, "temperature", "-0.5", "--temperature", "\"-0.5\"");
    REFUSED(config, "temperature", "nan", "--temperature", "\"nan\"");
    REFUSED(config, "temperature", "0x1p-1", "--temperature");
    REFUSED(config, "image-size", "0", "--image-size", "\"0\"", "from 8 to 1024");
    REFUSED(config, "image-size", "100000", "--image-size", "\"100000\"");
    REFUSED(config, "depth", "19", "--depth", "\"19\"", "18, 34, 50, 101, 152 or 200");
    REFUSED(config, "optimizer", "adam", "--optimizer", "\"adam\"", "lars, sgd or adamw");
    REFUSED(config, "optimizer", "lars|sgd", "--optimizer");
    REFUSED(config, "optimizer", "", "--optimizer");
    REFUSED(config, "resume", "yes", "--resume", "\"yes\"", "true or false");
    REFUSED(config, "cache-memory", "lots", "--cache-memory", "\"lots\"", "512M");
    REFUSED(config, "cache-memory", "8X", "--cache-memory");
    REFUSED(config, "cache-memory", "-1G", "--cache-memory");
    REFUSED(config, "mean", "0.5,0.5", "--mean", "three numbers");
    REFUSED(config, "mean", "0.5,0.5,1.5", "--mean", "from 0 to 1");
    REFUSED(config, "mean", "0.5,0.5,0.5,0.5", "--mean");
    REFUSED(config, "head-layers", "4", "--head-layers", "from 0 to 3, none, linear");
    REFUSED(config, "data", "caf\xe9", "--data", "UTF-8", "caf\xe9");
    REFUSED(config, "out", "\xed\xa0\x80", "--out", "UTF-8"); /* a surrogate */
    assert_int_equal(config->epochs, 100);                    /* nothing was changed */
    assert_true(config->temperature == 0);
    config_destroy(&config);
}

static void a_lower_origin_never_wins(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config_set(config, "epochs", "7", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "epochs", "9", 1, NULL), SIMCLR_OK);
    assert_int_equal(config->epochs, 7);
    assert_int_equal(config_set(config, "batch", "64", 1, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "batch", "32", 1, NULL), SIMCLR_OK);
    assert_int_equal(config->batch, 32);
    assert_int_equal(config->origin[option_find("epochs", COMMAND_PRETRAIN) - config_options], 2);
    assert_int_equal(config->origin[option_find("batch", COMMAND_PRETRAIN) - config_options], 1);
    assert_int_equal(config->origin[option_find("depth", COMMAND_PRETRAIN) - config_options], 0);
    config_destroy(&config);
}

static void auto_values_are_resolved_once(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config_resolve(config, "temperature", "0.1", NULL), SIMCLR_OK);
    assert_true(config->temperature == 0.1 && !config_is_auto(config, "temperature"));
    assert_int_equal(config_resolve(config, "temperature", "0.2", NULL), SIMCLR_OK);
    assert_true(config->temperature == 0.1);
    assert_int_equal(config_resolve(config, "precision", "bf16", NULL), SIMCLR_OK);
    assert_string_equal(config->precision, "bf16");
    assert_int_equal(config_resolve(config, "blur-probability", "0", NULL), SIMCLR_OK);
    assert_true(config->blur_probability == 0 && !config_is_auto(config, "blur-probability"));
    assert_int_equal(config_resolve(config, "image-size", "0", NULL), SIMCLR_INVALID);
    assert_int_equal(config_resolve(config, "no-such-thing", "1", NULL), SIMCLR_INVALID);
    config_destroy(&config);
}

/* Sets name (and name2), checks, and wants a refusal that holds `word`. */
static void check_refuses(enum command command, const char *name, const char *value, const char *name2,
                          const char *value2, const char *word)
{
    struct config *config = make(command);
    struct error error = {0};
    if (command != COMMAND_INFO) assert_int_equal(config_set(config, "data", "photos", 2, NULL), SIMCLR_OK);
    if (command == COMMAND_PRETRAIN) assert_int_equal(config_set(config, "out", "run", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, name, value, 2, NULL), SIMCLR_OK);
    if (name2) assert_int_equal(config_set(config, name2, value2, 2, NULL), SIMCLR_OK);
    assert_int_equal(config_check(config, &error), SIMCLR_INVALID);
    if (!strstr(error.text, word)) fail_msg("\"%s\" is not in: %s", word, error.text);
    config_destroy(&config);
}

static void options_are_checked_together(void **state)
{
    (void)state;
    const enum command p = COMMAND_PRETRAIN;
    check_refuses(p, "data", "", NULL, NULL, "pretrain needs --data PATH");
    check_refuses(p, "out", "", NULL, NULL, "pretrain needs --out DIR");
    check_refuses(COMMAND_KNN, "seed", "2", NULL, NULL, "knn needs --checkpoint PATH");
    check_refuses(p, "crop-area-min", "0.9", "crop-area-max", "0.5", "--crop-area-min 0.9 is above");
    check_refuses(p, "crop-area-min", "0.9", "crop-area-max", "0.5", "--crop-area-max 0.5");
    check_refuses(p, "crop-ratio-min", "2", NULL, NULL, "--crop-ratio-max");
    check_refuses(p, "blur-sigma-min", "3", NULL, NULL, "--blur-sigma-max");
    check_refuses(p, "crop-area-min", "0", "crop-area-max", "0", "--crop-probability 0");
    check_refuses(p, "mean", "0.5,0.5,0.5", NULL, NULL, "--mean and --std");
    check_refuses(p, "epochs", "5", "warmup-epochs", "6", "--warmup-epochs 6 is above --epochs 5");
    check_refuses(p, "image-size", "32", "blur-radius", "32", "--blur-radius 32 does not fit");
    check_refuses(p, "resume", "true", "overwrite", "true", "contradict");

    struct config *config = make(p);
    assert_int_equal(config_set(config, "data", "photos", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "out", "run", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "epochs", "1", 2, NULL), SIMCLR_OK); /* fewer than the usual warm-up: fine */
    assert_int_equal(config_check(config, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "warmup-epochs", "6", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_check(config, NULL), SIMCLR_INVALID);
    assert_int_equal(config_set(config, "steps", "1000", 2, NULL), SIMCLR_OK); /* these decide, and not the epochs */
    assert_int_equal(config_check(config, NULL), SIMCLR_OK);
    config_destroy(&config);
    config = make(COMMAND_INFO);
    assert_int_equal(config_check(config, NULL), SIMCLR_OK);
    config_destroy(&config);
}

static void copies_are_equal_and_apart(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN), *copy;
    assert_int_equal(config_set(config, "data", "photos", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "width", "2", 1, NULL), SIMCLR_OK);
    assert_int_equal(config_set(config, "overwrite", "true", 1, NULL), SIMCLR_OK);
    assert_int_equal(config_copy(&copy, config, NULL), SIMCLR_OK);
    char *a = config_to_yaml(config, CONFIG_AS_IT_IS), *b = config_to_yaml(copy, CONFIG_AS_IT_IS);
    assert_string_equal(a, b);
    memory_free(a);
    memory_free(b);
    assert_ptr_not_equal(config->data, copy->data);
    assert_memory_equal(config->origin, copy->origin, (size_t)config_option_count);
    config_destroy(&config);
    assert_string_equal(copy->data, "photos");
    assert_true(copy->overwrite && copy->width == 2);
    config_destroy(&copy);
}

static void differences_name_what_matters(void **state)
{
    (void)state;
    struct config *a = make(COMMAND_PRETRAIN), *b = make(COMMAND_PRETRAIN);
    char *names = config_differences(a, b);
    assert_string_equal(names, "");
    memory_free(names);
    const char *const harmless[][2] = {
        {"threads", "2"},    {"out", "x"},           {"log-every", "3"},       {"keep", "9"},
        {"save-every", "2"}, {"knn-every", "1"},     {"tensorboard", "false"}, {"workers", "1"},
        {"pin", "on"},       {"cache-memory", "1G"}, {"cpu", "avx2"}};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        assert_int_equal(config_set(b, harmless[i][0], harmless[i][1], 2, NULL), SIMCLR_OK);
    }
    names = config_differences(a, b);
    assert_string_equal(names, "");
    memory_free(names);
    assert_int_equal(config_set(b, "learning-rate", "1", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(b, "batch", "128", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(b, "precision", "bf16", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(b, "flip-probability", "0", 2, NULL), SIMCLR_OK);
    names = config_differences(a, b);
    assert_string_equal(names, "flip-probability, batch, learning-rate, precision");
    memory_free(names);
    config_destroy(&a);
    config_destroy(&b);
}

static void times_survive_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
        const char *written;
    } times[] = {{"0", 0, "0"},
                 {"90s", 90, "1m30s"},
                 {"2h", 7200, "2h"},
                 {"1h30m", 5400, "1h30m"},
                 {"1.5h", 5400, "1h30m"},
                 {"2d1s", 172801, "2d1s"},
                 {"0.25s", 0.25, "0.25s"},
                 {"0s", 0, "0"},
                 {"1000000000s", 1e9, "1000000000s"}};
    char text[NUMBER_TEXT];
    double back;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_true(number_parse_duration(times[i].text, &back) && back == times[i].seconds);
        number_format_duration(back, text);
        assert_string_equal(text, times[i].written);
        double again;
        assert_true(number_parse_duration(text, &again) && again == back);
    }
    static const char *const none[] = {"",    "5",    "h",   "1m1h", "1h1h", "1 h",   "-1h",
                                       "1H",  "1e3s", "nan", "1h30", "0x1s", "1..5h", "99999999999999999h",
                                       "1hh", "inf"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (number_parse_duration(none[i], &back)) fail_msg("\"%s\" is taken for %g s", none[i], back);

    struct config *config = make(COMMAND_PRETRAIN);
    assert_true(config->time == 0);
    assert_int_equal(config_set(config, "time", "1h30m", 2, NULL), SIMCLR_OK);
    assert_true(config->time == 5400);
    REFUSED(config, "time", "soon", "--time takes a time such as 90s, 30m, 2h or 1h30m, not \"soon\"");
    config_destroy(&config);
}

/* A command that borrows has what the other has, new options too, but for those that say otherwise. */
static void plan_takes_what_pretrain_takes(void **state)
{
    (void)state;
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!option_of(row, COMMAND_PRETRAIN)) continue;
        const struct option_row *planned = option_find(row->name, COMMAND_PLAN);
        if (!planned) fail_msg("plan does not take --%s", row->name);
        assert_true(planned == row || (row->without & COMMAND_SET(COMMAND_PLAN)));
    }
    assert_false(option_find("out", COMMAND_PLAN)->required);
    assert_true(option_find("out", COMMAND_PRETRAIN)->required);
    assert_true(option_find("data", COMMAND_PLAN)->required);
    assert_null(option_find("json", COMMAND_PRETRAIN)); /* and not the other way round */
}

static void auto_that_is_no_default(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config->batch, 256);
    assert_false(config_is_auto(config, "batch"));
    assert_int_equal(config_set(config, "batch", "auto", 2, NULL), SIMCLR_OK);
    assert_true(config_is_auto(config, "batch"));
    assert_int_equal(config_resolve(config, "batch", "64", NULL), SIMCLR_OK);
    assert_int_equal(config->batch, 64);
    REFUSED(config, "batch", "0", "an integer from 2 to 65536 or auto");
    config_destroy(&config);
    config = make(COMMAND_SUPERVISED);
    REFUSED(config, "batch", "auto", "an integer from 1 to 65536");
    config_destroy(&config);
}

static void numbers_survive_text(void **state)
{
    (void)state;
    const double values[] = {0.1, 1.0 / 3, 1e-300, 123456789.125, 0, -2.5, 5e-324, 1.7976931348623157e308};
    char text[NUMBER_TEXT];
    double back;
    int64_t bytes;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        number_format(values[i], text);
        assert_true(number_parse(text, &back) && back == values[i]);
    }
    number_format(0.3, text);
    assert_string_equal(text, "0.3");
    number_format(100, text);
    assert_string_equal(text, "100");
    number_format_bytes(8589934592, text);
    assert_string_equal(text, "8G");
    number_format_bytes(1000, text);
    assert_string_equal(text, "1000");
    assert_true(number_parse_bytes("512MiB", &bytes) && bytes == 536870912);
    assert_true(number_parse_bytes("2k", &bytes) && bytes == 2048);
    assert_false(number_parse_bytes("2kk", &bytes));
    assert_false(number_parse_bytes("99999999T", &bytes));
    assert_false(number_parse("1,5", &back));
    assert_false(number_parse("inf", &back));
    assert_false(number_parse("", &back));
}

static void a_comma_locale_changes_nothing(void **state)
{
    (void)state;
    double value;
    char text[NUMBER_TEXT];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
        skip_case("no locale with a decimal comma is installed");
    assert_true(number_parse("0.25", &value) && value == 0.25);
    number_format(0.25, text);
    assert_string_equal(text, "0.25");
    setlocale(LC_NUMERIC, "C");
}

static void no_memory_is_said(void **state)
{
    (void)state;
    for (long n = 1; n < 200; n += 7) {
        struct config *config;
        struct error error = {0};
        memory_fail_after(n);
        const int status = config_create(&config, COMMAND_PRETRAIN, &error);
        memory_fail_after(0);
        if (status == SIMCLR_OK) {
            config_destroy(&config);
            assert_true(n > 20);
            return;
        }
        assert_int_equal(status, SIMCLR_NO_MEMORY);
        assert_null(config);
    }
}

static void commands_have_names(void **state)
{
    (void)state;
    enum command back;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        assert_int_equal(command_find(command_name((enum command)i), &back), SIMCLR_OK);
        assert_int_equal(i, back);
        assert_true(strlen(config_commands[i].summary) > 10);
    }
    assert_int_equal(command_find("train", &back), SIMCLR_INVALID);
}

/* What both commands take goes over, checked as a recipe is; nothing else does. */
static void settings_are_derived_for_another_command(void **state)
{
    (void)state;
    struct config *demo = make(COMMAND_DEMO), *out;
    struct error error = {0};
    assert_int_equal(config_set(demo, "depth", "50", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(demo, "out", "a \"strange\" name", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_set(demo, "crop-ratio-max", "4/3", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_derive(&out, demo, COMMAND_PRETRAIN, &error), SIMCLR_INVALID); /* epochs: demo's own auto */
    assert_non_null(strstr(error.text, "--epochs"));
    assert_null(out);
    assert_int_equal(config_set(demo, "epochs", "7", 2, NULL), SIMCLR_OK);
    assert_int_equal(config_derive(&out, demo, COMMAND_PRETRAIN, &error), SIMCLR_OK);
    assert_int_equal(out->command, COMMAND_PRETRAIN);
    assert_int_equal(out->depth, 50);
    assert_int_equal(out->epochs, 7);
    assert_int_equal(out->batch, 128); /* the demo's default, not pretrain's */
    assert_string_equal(out->out, "a \"strange\" name");
    assert_true(out->crop_ratio_max == demo->crop_ratio_max && config_is_auto(out, "temperature"));
    assert_int_equal(out->keep, 3); /* the demo has no --keep */
    assert_string_equal(out->notes, "");
    config_destroy(&out);
    config_destroy(&demo);
}

static void flags_of_one_start_are_not_repeated(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config_set(config, "overwrite", "true", 2, NULL), SIMCLR_OK);
    char *as_it_is = config_to_yaml(config, CONFIG_AS_IT_IS), *repeatable = config_to_yaml(config, CONFIG_REPEATABLE);
    assert_non_null(strstr(as_it_is, "overwrite: true\n"));
    assert_non_null(strstr(repeatable, "overwrite: false\n"));
    assert_non_null(strstr(repeatable, "resume: false\n"));
    assert_true(config->overwrite);
    memory_free(as_it_is);
    memory_free(repeatable);
    config_destroy(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_derived_for_another_command),
        cmocka_unit_test(flags_of_one_start_are_not_repeated),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(lists_gain_a_line_for_each_value),
        cmocka_unit_test(defaults_are_the_methods),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(wrong_values_say_what_is_allowed),
        cmocka_unit_test(a_lower_origin_never_wins),
        cmocka_unit_test(auto_values_are_resolved_once),
        cmocka_unit_test(options_are_checked_together),
        cmocka_unit_test(copies_are_equal_and_apart),
        cmocka_unit_test(differences_name_what_matters),
        cmocka_unit_test(numbers_survive_text),
        cmocka_unit_test(times_survive_text),
        cmocka_unit_test(plan_takes_what_pretrain_takes),
        cmocka_unit_test(auto_that_is_no_default),
        cmocka_unit_test(a_comma_locale_changes_nothing),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(commands_have_names),
    };
    return run_cases(tests, NULL, NULL);
}
