/* command/data/download.h -- one file from the network. Inside the room only. */
#ifndef COMMAND_DOWNLOAD_H
#define COMMAND_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session.h"

bool download_is_built(void); /* was libcurl there when this was built? */

/* Downloads `url` (http, https or file) to `path`, behind what is there already; servers that give no parts are read
 * from the start. Failures of the line and of the server are tried again, at most `retries` times without a byte.
 * bytes: how many it must have, -1: not known. SIMCLR_IO when it cannot be had, SIMCLR_CORRUPT when the server sends
 * more than that, SIMCLR_INTERRUPTED (what came stays), SIMCLR_UNSUPPORTED without libcurl. */
int download(struct session *session, const char *url, const char *path, int64_t bytes, int retries,
             struct error *error);

#endif
