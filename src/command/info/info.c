/* command/info/info.c -- a network as a table, or what a file holds. */
#include "command/info/info.h"
#include "command/commands.h"

int command_info(struct session *session, struct error *error)
{
    if (session->config->checkpoint[0] && session->config->ranks > 1)
        return error_set(error, SIMCLR_INVALID,
                         "--ranks predicts the training of a network by its options: leave --checkpoint out");
    return session->config->checkpoint[0] ? info_file(session, error) : info_network(session, error);
}
