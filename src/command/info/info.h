/* command/info/info.h -- the two halves of info. Inside the room only. */
#ifndef COMMAND_INFO_H
#define COMMAND_INFO_H

#include "run/session.h"

int info_network(struct session *session, struct error *error); /* info_network.c: table, --memory */
int info_file(struct session *session, struct error *error);    /* info_file.c: --checkpoint       */

#endif
