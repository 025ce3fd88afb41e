/* command/demo/demo_picture.h -- the sheet that demo leaves: what the network saw, and what it finds alike. */
#ifndef COMMAND_DEMO_PICTURE_H
#define COMMAND_DEMO_PICTURE_H

#include "run/features.h"

/* Writes a PNG: rows of an image beside random views of it, then rows of an image beside its nearest neighbours among
 * `test` by cosine of `features` (of `test`, in its order). */
int demo_picture(struct session *session, struct dataset *test, const struct features *features, const char *path,
                 struct error *error);

#endif
