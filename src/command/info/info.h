/* command/info/info.h -- the two halves of info. Inside the room only. */
#ifndef COMMAND_INFO_H
#define COMMAND_INFO_H

#include "forecast/forecast.h"
#include "run/session.h"
#include "train/footprint.h"

int info_network(struct session *session, struct error *error); /* info_network.c: table, --memory */
int info_file(struct session *session, struct error *error);    /* info_file.c: --checkpoint       */

/* info_ranks.c: seconds of a step of this network here, from one of at most 32 of a rank's `own_images`, and of NT-Xent
 * over at most 1,024 of all `images`. Without the making of views. */
int info_measure(struct session *session, const struct footprint *footprint, const struct model_config *model,
                 int own_images, int images, struct forecast_measured *out, struct error *error);

#endif
