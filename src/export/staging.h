/* export/staging.h -- files that nobody may use before they were looked at. They are made in a folder of their own
 * beside their place, and get their name by one rename. A killed process leaves such a folder behind; the next export
 * to the same place removes it. */
#ifndef EXPORT_STAGING_H
#define EXPORT_STAGING_H

#include "base/error.h"

struct staging {
    char *target; /* as the user named it, without slashes at its end */
    char *folder; /* "TARGET.tmp-PID-N" */
    int lock;
};

/* Makes the folder. SIMCLR_IO where it cannot be made. `staging` is empty after a failure. */
int staging_open(struct staging *staging, const char *target, struct error *error);
/* The path of a file in it (memory_free); NULL without memory. */
char *staging_path(const struct staging *staging, const char *name);
/* The folder becomes the target, in place of an empty folder or of an earlier export. SIMCLR_IO. */
int staging_commit_folder(struct staging *staging, struct error *error);
/* The file `name`, the only one, becomes the target, in place of a file that is there. SIMCLR_IO. */
int staging_commit_file(struct staging *staging, const char *name, struct error *error);
/* Removes it with what is in it. Nothing happens where it is empty, or was committed. */
void staging_abort(struct staging *staging);

/* Whether a folder may become `target`: there is nothing, an empty folder, or an earlier export and nothing else. So
 * nothing of anybody's is ever removed. SIMCLR_INVALID with what else is there. */
int staging_check_folder(const char *target, struct error *error);

#endif
