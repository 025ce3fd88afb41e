/* train/commands.h -- one function per command; each returns a status, its results go to the output and to files. */
#ifndef TRAIN_COMMANDS_H
#define TRAIN_COMMANDS_H

#include "train/session.h"

int command_pretrain(struct session *session, struct error *error);   /* train/pretrain.c       */
int command_finetune(struct session *session, struct error *error);   /* train/finetune.c       */
int command_knn(struct session *session, struct error *error);        /* command/knn.c          */
int command_linear(struct session *session, struct error *error);     /* command/linear.c       */
int command_embed(struct session *session, struct error *error);      /* command/embed.c        */
int command_info(struct session *session, struct error *error);       /* command/info.c         */
int command_bench(struct session *session, struct error *error);      /* command/bench.c        */
int command_demo(struct session *session, struct error *error);       /* command/demo.c         */
int command_views(struct session *session, struct error *error);      /* command/views.c        */
int command_data_info(struct session *session, struct error *error);  /* command/data_info.c   */
int command_data_pack(struct session *session, struct error *error);  /* command/data_pack.c   */
int command_data_fetch(struct session *session, struct error *error); /* command/data_fetch.c */

#endif
