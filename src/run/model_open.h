/* run/model_open.h -- a trained encoder from whatever names it. */
#ifndef RUN_MODEL_OPEN_H
#define RUN_MODEL_OPEN_H

#include "augment/views.h"
#include "checkpoint/weights.h"
#include "model/model.h"
#include "run/session.h"

/* A model from --checkpoint (a run folder: its newest valid checkpoint; a checkpoint file; an exported encoder; or
 * another program's ResNet or AlexNet, as safetensors or as a checkpoint of PyTorch), with the view policy's size and
 * mean/std it was trained with. */
int model_open(struct session *session, const char *path, struct model **out, struct view_policy *policy,
               struct error *error);

/* What a file says of how its encoder came about. */
struct model_origin {
    bool trained_here; /* it is a checkpoint of ours: the fields below are known */
    int64_t step, epoch, images_seen;
    uint64_t seed;
    char *recipe;            /* the effective configuration (memory_free), or NULL */
    int64_t batches_tracked; /* that batch norms have seen; 0 where nothing tells */
};
void model_origin_free(struct model_origin *origin);
/* model_open, and where the model comes from. After a failure *origin is empty. */
int model_open_with_origin(struct session *session, const char *path, struct model **out, struct view_policy *policy,
                           struct model_origin *origin, struct error *error);

/* Weights for a new run from all that model_open takes: every tensor of encoder and head whose name and shape fit is
 * copied into `model`, and the log says how many did and what was left out. policy: of the run, whose input is compared
 * with that of the weights. Networks planned before need network_set_weights. Errors as weights_begin has them. */
int model_begin(const struct session *session, const char *path, struct model *model, const struct view_policy *policy,
                struct error *error);

/* What model_import found. */
struct model_imported {
    struct model_config config;
    struct view_policy policy; /* of the images that it takes, where that is known: */
    bool input_known;
    int encoder, left; /* tensors that were taken, and that were left out */
    char prefix[WEIGHTS_PREFIX_MAX];
};
/* Writes the encoder that is found at `path`, all that model_open takes, to the file `to` as an exported encoder, and
 * a config.json beside it where the input is known.
 * wanted: the prefix of its network there (weights_look_for), or NULL. The session has no backend. */
int model_import(const struct session *session, const char *path, const char *wanted, const char *to,
                 struct model_imported *out, struct error *error);

/* The moving averages of a checkpoint (--ema) as a model. *out is NULL where it has none, and for other files. */
int model_open_average(struct session *session, const char *path, struct model **out, struct view_policy *policy,
                       struct error *error);

#endif
