/* train/step_passes.h -- the forward and the backward pass of the step (step.h), which alone calls them. A batch has
 * one group of images or several, each with batch-norm statistics of its own (--batch-norm-images; loader/grouping.h).
 * What follows the passes does not know of groups: loss, sum over ranks, judging, update.
 *
 * One group: each pass is the network's.
 *
 * Several groups: gradient caching. The loss reads all rows of z, but a group's z depends on the group's views alone.
 * So all groups run forward, one after another. The loss and its gradient with respect to z are those of the whole
 * batch. Then each group runs backward from its rows of that gradient, and the gradients of the weights are added: the
 * result is exact (docs/method.md).
 *
 * - Activations of the last groups are kept, of as many as memory holds and of one at least. The others run forward
 *   again before they run backward. What is kept changes no bit of the result.
 * - The second forward pass must give the z of the first, bit for bit. Each step checks it, and fails otherwise.
 * - The running statistics change once a step, by the sums over the whole batch.
 * - Nothing is recorded up to the update: images are uploaded and outputs are read between the groups. */
#ifndef TRAIN_STEP_PASSES_H
#define TRAIN_STEP_PASSES_H

#include "loader/loader.h"
#include "model/model.h"
#include "tensor/tensor.h"

struct step;
struct step_config;

/* Where the views of groups come from, when a batch is handed out a group at a time (loader_next_part). */
struct step_views {
    void *owner;
    int (*next)(void *owner, int64_t step, int part, const struct batch **out, struct error *error);
};

struct step_groups {
    struct grouping grouping; /* of this rank's images */
    struct step_views views;
    int all;                        /* groups of the batch; 1: it is one, and the rest is unused */
    int first, count;               /* of them this rank's */
    struct communicator *sharing;   /* the ranks that share a group, where one has not a whole one; else NULL */
    struct tensor_desc rows_of_all; /* of z and its gradient over the whole batch, */
    void *z, *d_z;                  /* which lie in the backend's memory, in the order of the loss: all views A first */
    float *all_z, *all_d_z, *group_z; /* the host's: canonical [2N][D] in that order, and [2n][D] of one group */
    float *sum;                       /* of the gradients of the groups that have run backward; the backend's memory */
    int parts;                        /* of the step under way that have been taken */
    int64_t batch_step;               /* of the batch that they belong to: part 0 says it, whatever step is under way */
    const struct batch *batch;        /* the newest that was handed out */
    bool failed;                      /* the step under way has: step->status says why */
};

/* Before the networks are planned: which groups this rank has. Collective. SIMCLR_UNSUPPORTED: groups that are shuffled
 * over several ranks. */
int step_groups_share(struct step *step, const struct step_config *config, struct error *error);
/* What the groups ask of the networks that step_open_network plans. */
void step_groups_plan(struct step *step, const struct step_config *config, struct model_plan_args *args);
/* After the networks are planned: what the groups of a step need besides them. Nothing where the batch is one group.
 * SIMCLR_NO_MEMORY; close also after a failure. */
int step_groups_open(struct step *step, struct error *error);
void step_groups_close(struct step *step);

/* The groups whose activations the present network keeps; the others are run forward twice. */
int step_groups_kept(const struct step *step);

/* The batch of the next two passes, which stays until the second has returned. Where it is handed out by parts, this is
 * part 0, and its `step` is that of the other parts. To be called before what may be recorded. */
void step_passes_take(struct step *step, const struct batch *batch);
/* From the images to z. */
void step_passes_forward(struct step *step);
/* From the gradient of the whole batch's z to that of the weights; the last group first. */
void step_passes_backward(struct step *step);

/* Where the loss finds z and leaves its gradient: tensors of the whole batch. */
const void *step_outputs(const struct step *step);
void *step_output_gradients(const struct step *step);

#endif
