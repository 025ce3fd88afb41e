/* command/commands.h -- one function per command; each returns a status, its results go to the output and to files.
 * table.c names them. */
#ifndef COMMAND_COMMANDS_H
#define COMMAND_COMMANDS_H

#include "run/session.h"

int command_pretrain(struct session *session, struct error *error);
int command_plan(struct session *session, struct error *error);
int command_watch(struct session *session, struct error *error);
int command_verify(struct session *session, struct error *error);
int command_finetune(struct session *session, struct error *error);
int command_supervised(struct session *session, struct error *error);
int command_knn(struct session *session, struct error *error);
int command_linear(struct session *session, struct error *error);
int command_evaluate(struct session *session, struct error *error);
int command_report(struct session *session, struct error *error);
int command_audit(struct session *session, struct error *error);
int command_predict(struct session *session, struct error *error);
int command_embed(struct session *session, struct error *error);
int command_export(struct session *session, struct error *error);
int command_neighbours(struct session *session, struct error *error);
int command_map(struct session *session, struct error *error);
int command_select(struct session *session, struct error *error);
int command_info(struct session *session, struct error *error);
int command_import(struct session *session, struct error *error);
int command_bench(struct session *session, struct error *error);
int command_demo(struct session *session, struct error *error);
int command_views(struct session *session, struct error *error);
int command_data_info(struct session *session, struct error *error);
int command_data_pack(struct session *session, struct error *error);
int command_data_fetch(struct session *session, struct error *error);

#endif
