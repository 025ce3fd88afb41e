/* run/environment.h -- on what a run was made: environment.json. */
#ifndef RUN_ENVIRONMENT_H
#define RUN_ENVIRONMENT_H

#include "data/dataset.h"
#include "run/session.h"

/* Of this program: "0.1.0". */
const char *environment_version(void);

/* The machine, the build and the data set as JSON. */
int environment_write(const char *path, const struct session *session, const struct dataset *dataset,
                      struct error *error);

#endif
