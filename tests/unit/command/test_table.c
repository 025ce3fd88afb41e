/* A command is two rows: its words in config/commands.c, what it does in command/table.c. They must agree. */
#include "support/run.h"

#include <string.h>

#include "command/table.h"

static bool takes(enum command command, const char *option)
{
    return option_find(option, command) != NULL;
}

static void every_command_has_both_rows(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = &config_commands[i];
        enum command found;
        if (!row->name || !command_table[i].run) fail_msg("command %d lacks a row", i);
        assert_true(row->summary[0] && row->help[0]);
        assert_non_null(strstr(row->examples, row->name));
        assert_int_equal(command_find(row->name, &found), SIMCLR_OK);
        assert_int_equal(found, i); /* names differ */
        assert_string_equal(command_name(found), row->name);
        for (int j = 0; j < i; j++) assert_ptr_not_equal(command_table[i].run, command_table[j].run);
        assert_true(row->word == NULL || takes(found, row->word));
        assert_true(takes(found, "recipe") && takes(found, row->word ? row->word : "image-size"));
    }
}

/* A command without a network takes none of a network's options, and one with a network all that make one. */
static void needs_agree_with_options(void **state)
{
    (void)state;
    static const char *const of_networks[] = {"device", "precision", "convolution"}; /* --cpu governs views too */
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct session_traits *traits = &command_table[i].traits;
        for (size_t j = 0; j < sizeof of_networks / sizeof *of_networks; j++)
            assert_int_equal(takes((enum command)i, of_networks[j]), !traits->no_network);
        if (!traits->batch_is_of_features) continue;
        assert_true(takes((enum command)i, "batch"));
        assert_true(takes((enum command)i, "checkpoint") || takes((enum command)i, "runs"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_both_rows),
        cmocka_unit_test(needs_agree_with_options),
    };
    return run_cases(tests, NULL, NULL);
}
