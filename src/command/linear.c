/* command/linear.c -- linear evaluation: logistic regression on cached features, or the paper's SGD on fresh views. */
#include <string.h>

#include "command/commands.h"
#include "evaluate/protocols.h"

int command_linear(struct session *session, struct error *error)
{
    const bool sgd = strcmp(session->config->solver, "sgd") == 0;
    return evaluation_run(session, sgd ? PROTOCOL_LINEAR_SGD : PROTOCOL_LINEAR, error);
}
