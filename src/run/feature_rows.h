/* run/feature_rows.h -- a batch of views as rows of features: the encoder in inference mode, or the pixels. */
#ifndef RUN_FEATURE_ROWS_H
#define RUN_FEATURE_ROWS_H

#include "model/model.h"
#include "run/session.h"

enum features_kind {
    FEATURES_H,      /* of the encoder: [count][model_feature_dim] */
    FEATURES_PIXELS, /* the control: the view minus 0.5, so that cosine on it is kNN on pixels; no model */
    FEATURES_HEAD    /* of a layer of the head, ReLU included: [count][model_layer_dim] */
};
/* h is layer 0. */
static inline enum features_kind features_of_layer(int layer)
{
    return layer > 0 ? FEATURES_HEAD : FEATURES_H;
}

struct feature_rows_config {
    enum features_kind kind;
    struct model *model;
    int layer; /* of FEATURES_HEAD: 1, 2, ... */
    int size;  /* S: views are S x S */
    int batch; /* views that the network takes at once */
};

/* SIMCLR_INVALID with a sentence for who gave --layer, where the model has no such layer. */
int feature_rows_check_layer(const struct model_config *config, int layer, struct error *error);

/* What turns views [count][3][S][S] into rows [count][dim]. */
struct feature_rows;
int feature_rows_open(struct feature_rows **out, const struct session *session,
                      const struct feature_rows_config *config, struct error *error);
void feature_rows_close(struct feature_rows **rows);

int feature_rows_dim(const struct feature_rows *rows);
enum view_type feature_rows_type(const struct feature_rows *rows); /* of the views that it reads */

/* values: [count][dim] out. Any number of views: more than a batch are taken batch after batch. A fault of the device,
 * or SIMCLR_INTERRUPTED where the session's pool was stopped: the values are then no result. */
int feature_rows_run(struct feature_rows *rows, const void *views, int count, float *values, struct error *error);

#endif
