/* command/finetune.c -- the whole network trained on a share of the labels, beside random weights. */
#include "command/commands.h"
#include "evaluate/protocols.h"

int command_finetune(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_FINETUNE, error);
}
