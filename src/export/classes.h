/* export/classes.h -- the classifier that goes out with an encoder, where there is one. */
#ifndef EXPORT_CLASSES_H
#define EXPORT_CLASSES_H

#include "base/log.h"
#include "base/text.h"
#include "model/model.h"

/* Start from {0}; release with export_classes_free. */
struct export_classes {
    int count; /* 0: there is no classifier */
    int dim;
    int layer;           /* of the head, on which it stands; 0: on h */
    float *weight;       /* [count][dim] */
    float *bias;         /* [count] */
    double temperature;  /* probabilities are softmax(logits / temperature) */
    struct text letters; /* the names, each ended by NUL */
    const char **names;  /* [count]: into `letters` */
    bool numbered;       /* the names are numbers, because nothing tells others */
};
void export_classes_free(struct export_classes *classes);

/* The classifier of the encoder that `path` (the user's word) names. `given`: the file, "none" for no classifier, or ""
 * for what is found: classifier.safetensors in the run's folder, in its folder evaluation or in ./evaluation; else the
 * model's own. One that is found and belongs to another encoder is left out with a warning.
 * SIMCLR_INVALID: `given` belongs to another encoder. SIMCLR_CORRUPT: it is no whole classifier. */
int export_classes_open(struct export_classes *out, const struct model *model, const char *path, const char *given,
                        const struct log *log, struct error *error);

/* Where the results of a run lie: "PATH" itself (its folder, of a file) with `name` behind it, then its folder
 * evaluation, then ./evaluation. place: 0, 1, 2. New string (memory_free), or NULL without memory. */
enum { EXPORT_PLACES = 3 };
char *export_place(const char *path, int place, const char *name);

#endif
