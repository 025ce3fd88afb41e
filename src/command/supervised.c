/* command/supervised.c -- the same network trained from random weights, on labels alone. */
#include "command/commands.h"
#include "evaluate/protocols.h"

int command_supervised(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_SUPERVISED, error);
}
