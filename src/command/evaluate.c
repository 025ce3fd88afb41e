/* command/evaluate.c -- what an encoder's features are worth: every protocol with its controls. */
#include "command/commands.h"
#include "evaluate/suite.h"

int command_evaluate(struct session *session, struct error *error)
{
    return suite_run(session, error);
}
