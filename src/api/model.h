/* api/model.h -- what is behind simclr.h's simclr_model. */
#ifndef API_MODEL_H
#define API_MODEL_H

#include <pthread.h>

#include "api/internal.h"
#include "evaluate/predictor.h"
#include "model/model.h"
#include "run/feature_rows.h"

/* What all handles of one model have in common. The session is that of the handle that loaded it: the weights lie in
 * its backend's memory, so it stays until the last handle is closed. */
struct model_shared {
    atomic_int handles;
    pthread_mutex_t planning; /* networks over the same weights are planned one after the other */
    struct config *config;
    struct session session;
    bool started;
    struct model *model;
    struct view_policy policy;
    bool classifies; /* there is a classifier; else `reason` says why not */
    struct classifier classifier;
    struct error reason;
};

struct maker;      /* what a thread makes views with: pictures.c */
struct predicting; /* what predicts: predict.c */

struct simclr_model {
    simclr_context *context;
    struct model_shared *shared;
    struct session own; /* of a handle that simclr_model_share made */
    bool owns;
    const struct session *session; /* `own`, or that of `shared` */
    int batch;                     /* as simclr_model_set_batch has it; 0: as many as there are */
    struct feature_rows *one;      /* planned for one image: with the handle, so that it is there */
    struct feature_rows *many;     /* planned for `planned` images, when they are first asked for */
    int planned;
    struct predicting *predicting; /* planned when it is first asked for */
    unsigned char *views;          /* of one batch: room for views_bytes */
    size_t views_bytes;
    struct maker *makers; /* one for each thread */
};

/* The images of a call. */
struct pictures {
    const simclr_image *images;
    const char *only; /* the name of a single image; NULL: its path, or "image I" */
};
enum { PICTURE_NAME = 48 }; /* room for a name that is made */
const char *pictures_name(const struct pictures *pictures, int64_t index, char made[PICTURE_NAME]);
int pictures_check(const struct pictures *pictures, int64_t count, struct error *error);

/* pictures.c: a maker for each thread of the model, and room for the views of so many images. */
int makers_open(simclr_model *model, struct error *error);
void makers_close(simclr_model *model);
int pictures_reserve(simclr_model *model, const struct view_policy *policy, int batch, struct error *error);
/* The views of images [first, first + count) of `images`, in model->views. The error is that of the first image that
 * has one, whatever the threads do. policy: the same object at each call that it is meant for. */
int pictures_make(simclr_model *model, const struct view_policy *policy, const struct pictures *pictures, int64_t first,
                  int count, struct error *error);

/* Images of a call that the network takes at once. */
int model_batch_of(const simclr_model *model, int64_t count);

/* predict.c */
void predicting_close(struct predicting **predicting);

#endif
