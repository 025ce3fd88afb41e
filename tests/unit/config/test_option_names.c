/* Names that are no option and no command: the nearest one, or ours for what other programs call it. */
#include "support/run.h"

#include <stdio.h>
#include <string.h>

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

static void unknown_names_come_with_the_nearest(void **state)
{
    (void)state;
    struct config *config = make(COMMAND_PRETRAIN);
    REFUSED(config, "lerning-rate", "1", "--lerning-rate", "nearest is --learning-rate", "simclr pretrain --help");
    REFUSED(config, "temprature", "1", "--temperature");
    REFUSED(config, "bacth", "1", "--batch"); /* a swap is one edit */
    REFUSED(config, "optimiser", "1", "--optimizer");
    REFUSED(config, "l2", "1", "--l2 is not an option of pretrain");
    REFUSED(config, "x\x1b[2J", "1", "x\x1b[2J"); /* as it is: where errors go out, they are escaped */
    char text[HINT_TEXT];
    assert_string_equal(option_hint("warm_up_epoch", COMMAND_PRETRAIN, HINT_RECIPE, text),
                        "the nearest is \"warmup-epochs\"");
    assert_string_equal(option_hint("l3", COMMAND_LINEAR, HINT_COMMAND_LINE, text), "the nearest is --l2");
    assert_string_equal(option_hint("learning", COMMAND_PRETRAIN, HINT_COMMAND_LINE, text),
                        "the nearest is --learning-rate");
    assert_null(option_hint("xyzzy", COMMAND_PRETRAIN, HINT_COMMAND_LINE, text)); /* nothing is like it: no nonsense */
    assert_null(option_hint("", COMMAND_PRETRAIN, HINT_COMMAND_LINE, text));
    assert_string_equal(command_hint("pretrian", text), "the nearest is \"pretrain\"");
    assert_string_equal(command_hint("train", text), "here it is \"pretrain\"");
    assert_null(command_hint("xyzzy", text));
    config_destroy(&config);
}

/* Is `word` an option of any command? Names are compared as option_find does. */
static bool is_option(const char *word)
{
    return option_find_any(word) != NULL;
}

/* Calls `check` with each word of "lr|base-lr" as a string of its own; returns how many there are. */
static int each_word(const char *words, void (*check)(const char *word, const struct option_row *row),
                     const struct option_row *row)
{
    int count = 0;
    for (const char *at = words; at && *at; count++) {
        char word[64];
        const size_t length = strcspn(at, "|");
        assert_in_range(length, 1, sizeof word - 1);
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        check(word, row);
        at += length + (at[length] == '|');
    }
    return count;
}

/* A word of other programs is nobody's option here, stands in one row only, and leads to that row's name. */
static void check_word(const char *word, const struct option_row *row)
{
    char text[HINT_TEXT], expected[96];
    enum command command = COMMAND_PRETRAIN;

    assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(word));
    if (is_option(word)) fail_msg("--%s is an option itself", word);
    while (!option_of(row, command)) command++;
    const char *hint = option_hint(word, command, HINT_COMMAND_LINE, text);
    snprintf(expected, sizeof expected, "here it is --%s", row->name);
    if (!hint || strncmp(hint, expected, strlen(expected)) != 0 || !strchr(" ", hint[strlen(expected)]))
        fail_msg("--%s: \"%s\" instead of \"%s\"", word, hint ? hint : "", expected);
}

static void names_of_other_programs_lead_to_ours(void **state)
{
    (void)state;
    int words = 0;
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        words += each_word(row->elsewhere, check_word, row);
        for (int j = 0; j < i; j++) /* in the first row of a name only */
            if (row->elsewhere) assert_string_not_equal(row->name, config_options[j].name);
    }
    assert_true(words > 100);

    struct config *config = make(COMMAND_PRETRAIN);
    REFUSED(config, "lr", "1", "unknown option --lr; here it is --learning-rate RATE; see");
    REFUSED(config, "batch_size", "1", "here it is --batch N");
    REFUSED(config, "arch", "resnet50", "here it is --depth N");
    REFUSED(config, "xyzzy", "1", "unknown option --xyzzy; see simclr pretrain --help");
    config_destroy(&config);
    config = make(COMMAND_KNN);
    REFUSED(config, "lr", "1", "here it is --learning-rate, which is not an option of knn");
    config_destroy(&config);
}

static void check_command_word(const char *word, const struct option_row *row)
{
    enum command found;
    char text[HINT_TEXT];
    (void)row;
    assert_int_equal(command_find(word, &found), SIMCLR_INVALID);
    assert_ptr_equal(strstr(command_hint(word, text), "here it is "), text);
}

static void commands_of_other_programs_lead_to_ours(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_COUNT; i++) each_word(config_commands[i].elsewhere, check_command_word, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_names_come_with_the_nearest),
        cmocka_unit_test(names_of_other_programs_lead_to_ours),
        cmocka_unit_test(commands_of_other_programs_lead_to_ours),
    };
    return run_cases(tests, NULL, NULL);
}
