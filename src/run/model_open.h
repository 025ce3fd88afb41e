/* run/model_open.h -- a trained encoder from whatever names it. */
#ifndef RUN_MODEL_OPEN_H
#define RUN_MODEL_OPEN_H

#include "augment/views.h"
#include "model/model.h"
#include "run/session.h"

/* A model from --checkpoint (a run folder: its newest valid checkpoint; a checkpoint file; an exported encoder; or
 * torchvision's ResNet weights as safetensors), with the view policy's size and mean/std it was trained with. */
int model_open(struct session *session, const char *path, struct model **out, struct view_policy *policy,
               struct error *error);

#endif
