/* command/probe.h -- a training step of a fresh model, to be taken as often as one likes: for bench and demo. The step
 * is the one that pretrain takes (train/step.h). */
#ifndef COMMAND_PROBE_H
#define COMMAND_PROBE_H

#include "loader/loader.h"
#include "run/session.h"
#include "train/step.h"

struct probe {
    struct model *model;
    struct step step;
    void *images;          /* a batch of dense random ones, as the network takes them */
    struct loader *loader; /* NULL: the same dense images every step */
    int64_t number;        /* batches taken from the loader */
    int status;            /* of the last run: a batch that could not be read, a fault of the device */
};

/* A fresh model of the session's configuration and --seed, planned for --batch images (twice as many views), LARS at a
 * constant rate, NT-Xent at --temperature, dense random images. */
int probe_open(struct session *session, struct probe *probe, struct error *error);
void probe_run(void *context); /* context: struct probe. One step */
void probe_close(struct probe *probe);

/* The session's --data (or the synthetic set) and a loader of its view pairs by --seed; close the loader before the
 * data set. For a training step: views of session_view_type. */
int probe_loader_open(struct session *session, enum view_type type, struct dataset **dataset, struct loader **loader,
                      struct error *error);

/* Dense random values: processors run faster on zeros. */
void fill_dense(float *values, size_t count, double low, double high);
/* The same between 0 and 1 as images of a planned network; NULL: no memory. */
void *dense_images(const struct network *network);

#endif
