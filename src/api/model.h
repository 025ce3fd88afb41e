/* api/model.h -- what is behind simclr.h's simclr_model. */
#ifndef API_MODEL_H
#define API_MODEL_H

#include <pthread.h>

#include "api/internal.h"
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
};

struct maker; /* what a thread makes views with: pictures.c */

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
    unsigned char *views; /* [planned, or 1][3][S][S] of the policy's type */
    size_t view_bytes;
    struct maker *makers; /* one for each thread */
};

/* pictures.c: a maker for each thread of the model. */
int makers_open(simclr_model *model, struct error *error);
void makers_close(simclr_model *model);
/* The views of images [first, first + count) of `images`, in model->views. The error is that of the first image that
 * has one, whatever the threads do. */
struct pictures {
    const simclr_image *images;
    const char *only; /* the name of a single image; NULL: its path, or "image I" */
};
int pictures_check(const struct pictures *pictures, int64_t count, struct error *error);
int pictures_make(simclr_model *model, const struct pictures *pictures, int64_t first, int count, struct error *error);
enum { PICTURE_NAME = 48 }; /* room for a name that is made */
const char *pictures_name(const struct pictures *pictures, int64_t index, char made[PICTURE_NAME]);

#endif
