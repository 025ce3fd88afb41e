/* Recipes: what is read, every refusal with its place, and the round trip of the effective configuration. */
#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "config/config.h"

static struct config *make(enum command command)
{
    struct config *config;
    assert_int_equal(config_create(&config, command, NULL), SIMCLR_OK);
    return config;
}

/* The recipe is refused with a sentence that starts with "r.yaml:<place>: " and holds `word`. */
static void refused_bytes(const char *text, size_t length, const char *place, const char *word)
{
    struct config *config = make(COMMAND_PRETRAIN);
    struct error error = {0};
    char start[64];
    snprintf(start, sizeof start, "r.yaml:%s: ", place);
    assert_int_equal(config_parse_recipe(config, text, length, "r.yaml", 1, &error), SIMCLR_INVALID);
    if (place[0] && strncmp(error.text, start, strlen(start)) != 0) fail_msg("not at %s: %s", place, error.text);
    if (!strstr(error.text, word)) fail_msg("\"%s\" is not in: %s", word, error.text);
    config_destroy(&config);
}

static void refused(const char *text, const char *place, const char *word)
{
    refused_bytes(text, strlen(text), place, word);
}

static void a_recipe_is_read(void **state)
{
    (void)state;
    static const char text[] = "# CIFAR-10 in an hour\ndata: cifar/train\nlearning_rate: 2.0\nepochs: 20\n"
                               "mean: 0.5,0.5,0.5\nresume: true\nwidth: 1/4\noptimizer: \"lars\"\nout: 'a \"b\" c'\n"
                               "cache-memory: 2G\ntemperature: auto\n";
    struct config *config = make(COMMAND_PRETRAIN);
    struct error error = {0};
    assert_int_equal(config_set(config, "epochs", "3", 2, NULL), SIMCLR_OK);
    const int status = config_parse_recipe(config, text, sizeof text - 1, "r.yaml", 1, &error);
    if (status != SIMCLR_OK) fail_msg("%s", error.text);
    assert_string_equal(config->data, "cifar/train");
    assert_string_equal(config->out, "a \"b\" c");
    assert_string_equal(config->mean, "0.5,0.5,0.5");
    assert_true(config->learning_rate == 2 && config->width == 0.25 && config->resume && config->temperature == 0);
    assert_int_equal(config->cache_memory, 2147483648);
    assert_int_equal(config->epochs, 3); /* the command line was first, and wins */
    assert_string_equal(config->notes, "");
    config_destroy(&config);
}

/* Some editors put a byte order mark before the first key, and carriage returns at the ends of lines. */
static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    static const char *const texts[] = {"\xef\xbb\xbf"
                                        "epochs: 3\r\nwidth: 1/4\r\n",
                                        "\xef\xbb\xbf---\nepochs: 3\nwidth: 1/4\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct config *config = make(COMMAND_PRETRAIN);
        struct error error = {0};
        if (config_parse_recipe(config, texts[i], strlen(texts[i]), "r.yaml", 1, &error)) fail_msg("%s", error.text);
        assert_true(config->epochs == 3 && config->width == 0.25);
        config_destroy(&config);
    }
}

static void empty_recipes_are_fine(void **state)
{
    (void)state;
    const char *const texts[] = {"", "# nothing\n", "{}", "---\n{}\n", "\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config *config = make(COMMAND_PRETRAIN);
        assert_int_equal(config_parse_recipe(config, texts[i], strlen(texts[i]), "r.yaml", 1, NULL), SIMCLR_OK);
        config_destroy(&config);
    }
}

static void refusals_name_the_place(void **state)
{
    (void)state;
    refused("epochs: 5\nlerning_rate: 1\n", "2:1", "unknown key \"lerning_rate\"; the nearest is \"learning-rate\"");
    refused("epochs: ten\n", "1:9", "\"epochs\" takes an integer from 1 to 100000, not \"ten\"");
    refused("data: a\nepochs: 1.5\n", "2:9", "integer");
    refused("epochs: \"5\"\n", "1:9", "not the text \"5\"");
    refused("temperature: -1\n", "1:14", "from 0.001 to 100 or auto");
    refused("temperature: 0\n", "1:14", "not \"0\"");
    refused("resume: yes\n", "1:9", "true or false");
    refused("optimizer: adam\n", "1:12", "lars, sgd or adamw");
    refused("epochs: 5\nbatch: 64\nepochs: 6\n", "3:1", "duplicate key \"epochs\"");
    refused("learning-rate: 1\nlearning_rate: 1\n", "2:1", "duplicate key");
    refused("l2: 1\nl2: 1\n", "2:1", "duplicate key"); /* of another command's options, too */
    refused("epochs: 5\n\tbatch: 2\n", "2:1", "tab");
    refused("epochs:\t5\n", "1:8", "tab");
    refused("epochs:\n", "1:8", "\"epochs\" has no value");
    refused("data: ~\n", "1:7", "no value");
    refused("data: null\n", "1:7", "no value");
    refused("recipe: other.yaml\n", "1:1", "another recipe");
    refused("? [a]\n: 1\n", "1:3", "must be the name of an option");
    refused("\"epo\\0chs\": 1\n", "1:1", "unknown key");
    refused("data: \"a\\0b\"\n", "1:7", "\"data\" takes");
}

static void yaml_that_is_no_recipe(void **state)
{
    (void)state;
    refused("epochs: &a 5\n", "1:9", "anchors");
    refused("&a epochs: 5\n", "1:1", "anchors");
    refused("data: *a\n", "1:7", "aliases");
    refused("epochs: !!int 5\n", "1:9", "tags");
    refused("!recipe\nepochs: 5\n", "1:1", "tags");
    refused("<<: {epochs: 5}\n", "1:1", "unknown key \"<<\"");
    refused("%YAML 1.1\n---\nepochs: 5\n", "1:1", "directives");
    refused("epochs: 5\n---\nepochs: 6\n", "2:1", "one document");
    refused("- epochs\n", "1:1", "mapping");
    refused("pretrain\n", "1:1", "mapping");
    refused("---\n", "2:1", "mapping");
    refused("loader:\n  flip: 1\n", "1:1", "unknown key");
    refused("mean: [0.5, 0.5, 0.5]\n", "1:7", "one value, not a list");
    refused("epochs: {a: 1}\n", "1:9", "not a list or a mapping");
    refused("epochs: [5\n", "1:9", "not a list");
    refused("{epochs: 5\n", "2:1", "not valid YAML");
    refused("epochs: 5: 6\n", "1:10", "not valid YAML");
    refused("epochs: 'a\n", "", "not valid YAML");
    refused("data: \xff\xfe\n", "", "UTF-8");
    refused_bytes("epochs: 5\n\0", 11, "2:1", "NUL");
}

static void megabytes_and_depth_are_refused_at_once(void **state)
{
    (void)state;
    const size_t size = (1 << 20) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    refused_bytes(text, size, "", "1 MiB");
    refused_bytes(text, size - 1, "1:1", "mapping"); /* one MiB of nesting */
    memcpy(text, "data: ", 6);
    refused_bytes(text, size - 1, "1:7", "not a list");
    for (size_t i = 0; i + 1 < size - 1; i += 2) memcpy(text + i, "{a", 2);
    refused_bytes(text, size - 1, "1:2", "unknown key");
    memset(text, '#', size - 1); /* one long comment is a recipe */
    struct config *config = make(COMMAND_PRETRAIN);
    assert_int_equal(config_parse_recipe(config, text, size - 1, "r.yaml", 1, NULL), SIMCLR_OK);
    config_destroy(&config);
    free(text);
}

static void options_of_other_commands_are_noted(void **state)
{
    (void)state;
    static const char text[] = "data: a\nl2: 0.5\nlabels: 1%\n", one[] = "l2: 0.25\n";
    struct config *config = make(COMMAND_PRETRAIN), *copy;
    assert_int_equal(config_parse_recipe(config, text, sizeof text - 1, "r.yaml", 1, NULL), SIMCLR_OK);
    assert_string_equal(config->notes, "r.yaml: 2 of its options are not of pretrain and are left out: l2, labels");
    assert_int_equal(config_parse_recipe(config, one, sizeof one - 1, "s.yaml", 1, NULL), SIMCLR_OK);
    assert_string_equal(config->notes, "r.yaml: 2 of its options are not of pretrain and are left out: l2, labels\n"
                                       "s.yaml: 1 of its options is not of pretrain and is left out: l2");
    assert_int_equal(config_copy(&copy, config, NULL), SIMCLR_OK); /* what a session starts with */
    assert_string_equal(copy->notes, config->notes);
    config_destroy(&copy);
    assert_string_equal(config->labels, "10%");
    config_destroy(&config);
}

/* The recipe of a run has all options of its command. */
static void many_options_of_other_commands_are_counted(void **state)
{
    (void)state;
    struct config *pretrain = make(COMMAND_PRETRAIN), *knn = make(COMMAND_KNN);
    char *text = config_to_yaml(pretrain, CONFIG_REPEATABLE);
    assert_non_null(text);
    assert_int_equal(config_parse_recipe(knn, text, strlen(text), "run/config.yaml", 1, NULL), SIMCLR_OK);
    int left = 0, named = 0, more = 0;
    assert_int_equal(sscanf(knn->notes, "run/config.yaml: %d of its options are not of knn and are left out: ", &left),
                     1);
    for (const char *at = strchr(knn->notes, ','); at; at = strchr(at + 1, ',')) named++;
    assert_null(strchr(knn->notes, '\n'));
    assert_int_equal(named, 7);
    assert_int_equal(sscanf(strrchr(knn->notes, 'd') + 1, " %d more", &more), 1);
    assert_int_equal(left, 8 + more);
    memory_free(text);
    config_destroy(&pretrain);
    config_destroy(&knn);
}

static void files_are_read(void **state)
{
    (void)state;
    char path[] = "/tmp/simclr-recipe-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "epochs: 4\nbatch: 8\n", 19), 19);
    close(file);
    struct config *config = make(COMMAND_PRETRAIN);
    struct error error = {0};
    assert_int_equal(config_set(config, "batch", "16", 2, NULL), SIMCLR_OK);
    assert_string_equal(config->recipe, "");
    assert_int_equal(config_load_recipe(config, path, NULL), SIMCLR_OK);
    assert_string_equal(config->recipe, path);                                /* as if the option had named it */
    assert_int_equal(config_set(config, "recipe", path, 2, NULL), SIMCLR_OK); /* loads it */
    assert_int_equal(config->epochs, 4);
    assert_int_equal(config->batch, 16);
    assert_int_equal(config_set(config, "epochs", "6", 2, NULL), SIMCLR_OK);
    assert_int_equal(config->epochs, 6);
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_int_equal(config_load_recipe(config, path, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "1 MiB"));
    unlink(path);
    assert_int_equal(config_load_recipe(config, path, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(config_load_recipe(config, "/nowhere/r.yaml", &error), SIMCLR_IO);
    assert_string_equal(config->recipe, path); /* still that of what was read */
    config_destroy(&config);
}

/* The YAML of `config` read into a new configuration gives the same YAML. */
static void reproduces_itself(const struct config *config)
{
    struct config *again = make(config->command);
    struct error error = {0};
    char *first = config_to_yaml(config, CONFIG_AS_IT_IS);
    assert_non_null(first);
    if (config_parse_recipe(again, first, strlen(first), "r.yaml", 1, &error) != SIMCLR_OK) {
        fail_msg("%s\n%s", error.text, first);
    }
    char *second = config_to_yaml(again, CONFIG_AS_IT_IS), *differences = config_differences(config, again);
    assert_string_equal(first, second);
    assert_string_equal(differences, "");
    assert_string_equal(again->data, config->data);
    assert_string_equal(again->notes, "");
    memory_free(first);
    memory_free(second);
    memory_free(differences);
    config_destroy(&again);
}

static void the_effective_configuration_reproduces_itself(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        struct config *config = make((enum command)i);
        reproduces_itself(config);
        config_destroy(&config);
    }
    const char *const texts[] = {
        " leading and trailing ",
        "a: b # c",
        "- x",
        "\"q\" \\ 'r'",
        "line\nbreak\ttab\x01\x7f",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xb1",
        "\xc2\x85\xef\xbb\xbf\xef\xbf\xbf\xef\xbf\xbe",
        "\xe2\x80\xa8 \xe2\x80\xaeright to left \xf3\xa0\x80\x81",
        "true",
        "null",
        "~",
        "123",
        "*a",
        "&a",
        "!t",
        "{",
        "%",
        "@",
        "`",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config *config = make(COMMAND_PRETRAIN);
        assert_int_equal(config_set(config, "data", texts[i], 2, NULL), SIMCLR_OK);
        reproduces_itself(config);
        config_destroy(&config);
    }
}

/* Random legal values in every numeric option, from a seeded generator; a failure prints its seed. */
static void random_configurations_reproduce_themselves(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct rng rng = rng_open(seed, RNG_TEST, 0, 0, 0);
        struct config *config = make(COMMAND_PRETRAIN);
        for (int i = 0; i < config_option_count; i++) {
            const struct option_row *row = &config_options[i];
            char value[64];
            const uint32_t x = rng_below(&rng, UINT32_MAX);
            const double share = (double)x / UINT32_MAX, width = row->maximum - row->minimum;
            if (!option_of(row, COMMAND_PRETRAIN) || row->choices) continue;
            if (row->type == OPTION_NUMBER)
                snprintf(value, sizeof value, "%.17g", row->minimum + share * width);
            else if (row->type == OPTION_INTEGER)
                snprintf(value, sizeof value, "%.0f", row->minimum + share * width);
            else if (row->type == OPTION_BYTES)
                snprintf(value, sizeof value, "%u", x | 1u);
            else
                continue;
            const int status = config_set(config, row->name, value, 2, NULL);
            if (status != SIMCLR_OK) fail_msg("seed %u: %s %s", seed, row->name, value);
        }
        reproduces_itself(config);
        config_destroy(&config);
    }
}

/* ---- what a recipe expects of its runs ---- */

static void expectations_are_read(void **state)
{
    (void)state;
    static const char text[] = "epochs: 20\nexpect:\n"
                               "  - {epoch: 5, metric: epoch/loss, low: 5.06, high: 5.126, source: \"eight runs\"}\n"
                               "  - epoch: 0.5\n    source: 'a \"b\": c'\n    low: -1e-3\n    high: 0.25\n"
                               "    metric: train/top1\nbatch: 64\n";
    struct config *config = make(COMMAND_PRETRAIN), *copy, *again = make(COMMAND_PRETRAIN);
    struct error error = {0};
    if (config_parse_recipe(config, text, sizeof text - 1, "r.yaml", 1, &error)) fail_msg("%s", error.text);
    assert_int_equal(config->batch, 64); /* options may follow */
    assert_string_equal(config->notes, "");
    assert_int_equal(config_copy(&copy, config, NULL), SIMCLR_OK);
    char *yaml = config_to_yaml(copy, CONFIG_REPEATABLE);
    if (config_parse_recipe(again, yaml, strlen(yaml), "again", 1, &error)) fail_msg("%s", error.text);
    memory_free(yaml);
    const struct config *const all[] = {config, copy, again};
    for (int i = 0; i < 3; i++) {
        const struct expectations *expect = &all[i]->expect;
        assert_int_equal(expect->count, 2);
        assert_true(expect->rows[0].epoch == 5 && expect->rows[0].low == 5.06 && expect->rows[0].high == 5.126);
        assert_string_equal(expect->rows[0].metric, "epoch/loss");
        assert_string_equal(expect->rows[0].source, "eight runs");
        assert_true(expect->rows[1].epoch == 0.5 && expect->rows[1].low == -1e-3 && expect->rows[1].high == 0.25);
        assert_string_equal(expect->rows[1].metric, "train/top1");
        assert_string_equal(expect->rows[1].source, "a \"b\": c");
    }
    config_destroy(&config);
    config_destroy(&copy);
    config_destroy(&again);
}

static void expectations_that_are_none(void **state)
{
    (void)state;
#define ROW "{epoch: 5, metric: a, low: 1, high: 2, source: s}"
    refused("expect: 5\n", "1:9", "takes a list of rows");
    refused("expect: {epoch: 5}\n", "1:9", "takes a list of rows");
    refused("expect: [5]\n", "1:10", "is a list of {epoch: N");
    refused("expect: [[" ROW "]]\n", "1:10", "is a list of {epoch: N");
    refused("expect: [" ROW "]\nexpect: [" ROW "]\n", "2:1", "duplicate key \"expect\"");
    refused("expect: [{epoch: 5, metric: a, low: 1, high: 2}]\n", "1:10", "lacks \"source\"");
    refused("expect: [{}]\n", "1:10", "lacks \"epoch\"");
    refused("expect: [{epoch: 5, epoch: 6}]\n", "1:21", "each once");
    refused("expect: [{epoch: 5, when: 6}]\n", "1:21", "each once");
    refused("expect: [{[a]: 6}]\n", "1:11", "each once");
    refused("expect: [{epoch: [5]}]\n", "1:18", "is a number or a text");
    refused("expect: [{epoch: five}]\n", "1:18", "take numbers");
    refused("expect: [{low: \"5\"}]\n", "1:16", "take numbers");
    refused("expect: [{low: .nan}]\n", "1:16", "take numbers");
    refused("expect: [{metric: ''}]\n", "1:19", "at most 400 bytes");
    refused("expect: [{metric: \"a\\0b\"}]\n", "1:19", "at most 400 bytes");
    refused("expect: [{epoch: 0, metric: a, low: 1, high: 2, source: s}]\n", "1:10", "not above 0");
    refused("expect: [{epoch: 1, metric: a, low: 2, high: 1, source: s}]\n", "1:10", "\"low\" is above \"high\"");
    refused("expect: [*a]\n", "1:10", "aliases");
    refused("expect: &a [" ROW "]\n", "1:9", "anchors");
#undef ROW
    struct text many = {0};
    text_add(&many, "expect:\n");
    for (int i = 0; i < 1001; i++) text_add(&many, "- {epoch: 5, metric: a, low: 1, high: 2, source: s}\n");
    refused(many.bytes, "1002:3", "more than 1000 rows");
    text_free(&many);
}

/* Bytes turned over at random never crash, and a refusal always has its sentence. */
static void damaged_recipes_are_refused_or_read(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    char *yaml = config_to_yaml(config, CONFIG_AS_IT_IS);
    const size_t length = strlen(yaml);
    struct rng rng = rng_open(12345, RNG_TEST, 0, 0, 0);
    config_destroy(&config);
    for (int round = 0; round < 500; round++) {
        char *damaged = memory_string(yaml);
        for (int k = 0; k < 3; k++) {
            const uint32_t place = rng_below(&rng, (uint32_t)length);
            damaged[place] = (char)rng_below(&rng, 256);
        }
        struct error error = {0};
        config = make(COMMAND_PRETRAIN);
        const int status = config_parse_recipe(config, damaged, length, "r.yaml", 1, &error);
        assert_true(status == SIMCLR_OK || (status == SIMCLR_INVALID && strncmp(error.text, "r.yaml:", 7) == 0));
        config_destroy(&config);
        memory_free(damaged);
    }
    memory_free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipe_is_read),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(empty_recipes_are_fine),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(yaml_that_is_no_recipe),
        cmocka_unit_test(megabytes_and_depth_are_refused_at_once),
        cmocka_unit_test(options_of_other_commands_are_noted),
        cmocka_unit_test(many_options_of_other_commands_are_counted),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(the_effective_configuration_reproduces_itself),
        cmocka_unit_test(random_configurations_reproduce_themselves),
        cmocka_unit_test(expectations_are_read),
        cmocka_unit_test(expectations_that_are_none),
        cmocka_unit_test(damaged_recipes_are_refused_or_read),
    };
    return run_cases(tests, NULL, NULL);
}
