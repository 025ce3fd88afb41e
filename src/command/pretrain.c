/* command/pretrain.c -- an encoder trained on images without labels. */
#include "train/pretrain.h"
#include "command/commands.h"

int command_pretrain(struct session *session, struct error *error)
{
    return pretrain_run(session, error);
}
