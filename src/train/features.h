/* train/features.h -- features of a whole data set: the encoder in inference mode on evaluation views. */
#ifndef TRAIN_FEATURES_H
#define TRAIN_FEATURES_H

#include "train/session.h"

/* features: [count][dim], labels: [count] (-1: none); release with features_free. */
struct features {
    float *values;
    int32_t *labels;
    int64_t count;
    int dim;
};

/* limit: 0 = all in the data set's order, else the first `limit` of a seeded permutation. SIMCLR_INTERRUPTED when asked
 * to stop; SIMCLR_CORRUPT, with the image's name, when a feature is not finite. */
int features_extract(struct session *session, struct model *model, const struct view_policy *policy,
                     struct dataset *dataset, int64_t limit, struct features *out, struct error *error);
/* The control: the pixels of the evaluation view minus 0.5 as features (cosine on them is kNN on pixels). */
int features_pixels(struct session *session, const struct view_policy *policy, struct dataset *dataset, int64_t limit,
                    struct features *out, struct error *error);
/* The classifier's outputs (model->config.classes > 0) on evaluation views: values [count][classes].
 * Errors as above. */
int features_logits(struct session *session, struct model *model, const struct view_policy *policy,
                    struct dataset *dataset, struct features *out, struct error *error);
void features_free(struct features *features);

/* A model from --checkpoint (a run folder: its newest valid checkpoint; a checkpoint file; an exported encoder; or
 * torchvision's ResNet weights as safetensors), with the view policy's size and mean/std it was trained with. */
int model_open(struct session *session, const char *path, struct model **out, struct view_policy *policy,
               struct error *error);

#endif
