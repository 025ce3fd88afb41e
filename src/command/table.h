/* command/table.h -- what each command does, and what it needs of its session. Its words are in config/commands.c. */
#ifndef COMMAND_TABLE_H
#define COMMAND_TABLE_H

#include "run/session.h"

struct command_entry {
    int (*run)(struct session *session, struct error *error);
    struct session_traits traits;
};
extern const struct command_entry command_table[COMMAND_COUNT];

/* Starts the session of session->config->command, runs the command and stops the session. The callbacks are set. */
int command_run(struct session *session, struct error *error);

#endif
