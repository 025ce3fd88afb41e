/* command/info/info.c -- a network as a table, or what a file holds. */
#include "command/info/info.h"
#include "command/commands.h"

int command_info(struct session *session, struct error *error)
{
    return session->config->checkpoint[0] ? info_file(session, error) : info_network(session, error);
}
