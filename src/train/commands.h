/* train/commands.h -- one function per command; each returns a status, its results go to the output and to files. */
#ifndef TRAIN_COMMANDS_H
#define TRAIN_COMMANDS_H

#include "run/session.h"

int command_pretrain(struct session *session, struct error *error); /* train/pretrain.c       */
int command_finetune(struct session *session, struct error *error); /* train/finetune.c       */

#endif
