/* command/linear.c -- linear evaluation in its fast form: logistic regression on cached features. */
#include "command/commands.h"
#include "evaluate/protocols.h"

int command_linear(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_LINEAR, error);
}
