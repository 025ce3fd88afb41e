/* command/step.h -- one whole training step, planned once and run as often as one likes: for bench and demo. */
#ifndef COMMAND_STEP_H
#define COMMAND_STEP_H

#include "loader/loader.h"
#include "loss/nt_xent.h"
#include "optim/optimizer.h"
#include "train/session.h"

struct training_step {
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct nt_xent *loss;
    struct optimizer *optimizer;
    void *images; /* as the network takes them */
    float *z, *d_z;
    struct nt_xent_result result;
    struct loader *loader;                                   /* NULL: the same dense images every step */
    int64_t number;                                          /* batches taken from the loader */
    double forward, loss_seconds, backward, update, packing; /* of the last run; packing: of the new weights */
    int status;
};

/* A fresh model of the session's configuration, planned for --batch images (twice as many views), LARS, dense random
 * images. */
int training_step_open(struct session *session, struct training_step *step, struct error *error);
void training_step_run(void *context); /* context: struct training_step */
void training_step_close(struct training_step *step);

/* The session's --data (or the synthetic set) and a loader of its view pairs; close the loader before the data set. For
 * a training step: views of session_view_type. */
int training_loader_open(struct session *session, enum view_type type, struct dataset **dataset, struct loader **loader,
                         struct error *error);

/* Dense random values: processors run faster on zeros. */
void fill_dense(float *values, size_t count, double low, double high);
/* The same between 0 and 1 as images of a planned network; NULL: no memory. */
void *dense_images(const struct network *network);

#endif
