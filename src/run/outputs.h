/* run/outputs.h -- files that a command makes: never one that it reads, and told before the work that they cannot be
 * made. */
#ifndef RUN_OUTPUTS_H
#define RUN_OUTPUTS_H

#include "base/error.h"
#include "config/config.h"

/* `path` is a file that --`option` makes. A path that is a folder is left to whoever writes.
 * SIMCLR_INVALID: it is a file that the command reads, by whatever name. That is the list or archive of --data,
 * features, a checkpoint or weights in its folder, or an image in the folder of --data that this program did not draw.
 * SIMCLR_IO: its folder is not there. */
int outputs_check(const struct config *config, const char *option, const char *path, struct error *error);

/* `path` is a folder that --`option` makes as a whole. SIMCLR_INVALID: the weights of --checkpoint lie in it.
 * SIMCLR_IO: the folder around it is not there. */
int outputs_check_folder(const struct config *config, const char *option, const char *path, struct error *error);

/* SIMCLR_INVALID: --overwrite would empty the folder `path`, in which the checkpoint lies that is read. */
int outputs_check_overwrite(const struct config *config, const char *path, struct error *error);

#endif
