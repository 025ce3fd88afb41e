/* run/evaluated.h -- what a folder that `simclr evaluate` wrote is of: for sentences that name what can be given. */
#ifndef RUN_EVALUATED_H
#define RUN_EVALUATED_H

#include <stdbool.h>

/* Is there an evaluation.json in the folder? *model: what it names as judged, as it was given then; a new string
 * (memory_free). NULL: tables of features were judged, or the file cannot be read. */
bool evaluated_folder(const char *folder, char **model);

#endif
