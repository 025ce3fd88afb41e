/* export/classes.h -- the classifier that goes out with an encoder, where there is one. */
#ifndef EXPORT_CLASSES_H
#define EXPORT_CLASSES_H

#include "base/log.h"
#include "evaluate/classifier.h"

/* The classifier of the encoder that `path` (the user's word) names: out->classes is 0 where there is none.
 * `given`: the file or its folder, "none" for no classifier, or "" for what is found: CLASSIFIER_FILE in the run's
 * folder, in its folder evaluation or in ./evaluation; else the model's own. One that is found and belongs to another
 * encoder is left out with a warning. *named: false where nothing tells the classes' names, which are then numbers.
 * SIMCLR_INVALID: `given` belongs to another encoder. Errors of classifier_read. The caller frees it. */
int export_classes_open(struct classifier *out, bool *named, const struct model *model, const char *path,
                        const char *given, const struct log *log, struct error *error);

/* Where the results of a run lie: "PATH" itself (its folder, of a file) with `name` behind it, then its folder
 * evaluation, then ./evaluation. place: 0, 1, 2. New string (memory_free), or NULL without memory. */
enum { EXPORT_PLACES = 3 };
char *export_place(const char *path, int place, const char *name);

#endif
