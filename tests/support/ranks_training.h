/* support/ranks_training.h -- the same steps of training on any number of ranks, which are threads (comm_threads.h),
 * and what they leave, for tests of several ranks. */
#ifndef SUPPORT_RANKS_TRAINING_H
#define SUPPORT_RANKS_TRAINING_H

#include "support/network_check.h"

#include "support/comm_threads.h"

#include "train/step.h"

enum { RANKS_SIZE = 8, RANKS_DIM = 16, RANKS_STEPS = 3, RANKS_TENSORS = 400 };

/* One training. */
struct ranks_setting {
    const char *backend;
    enum dtype dtype;
    int depth, images, ranks, steps;
    int group; /* images that share batch-norm statistics; 0: all */
};

/* What goes wrong in it. */
struct ranks_fault {
    int spoiled; /* this image, counted from 1, has a NaN in the first step; 0: none */
    int failing; /* this rank, counted from 1, has no views in the second step; 0: none */
    bool nudged; /* each number of a gradient goes to its neighbour */
};

/* A model after a step, and the gradient of that step. */
struct ranks_state {
    float *weights, *buffers, *momentum, *gradients;
};

/* What it left. Rows of z and d_z are in the order of the whole batch, of the first step; the rest is rank 0's. */
struct ranks_outcome {
    struct ranks_setting setting;
    struct ranks_fault fault;
    struct step_report reports[RANKS_STEPS];
    float *z, *d_z;
    size_t weight_count, buffer_count;
    char wrong[200]; /* the first failure of any rank */
    double motion[RANKS_STEPS]
                 [RANKS_TENSORS]; /* of each tensor: the norms of its momentum after each step so far, added up */
    double shares[RANKS_STEPS]
                 [RANKS_TENSORS]; /* of each gradient: the norms of the ranks' shares, added up; where `follow` */
    uint64_t weights_hash[COMM_THREADS_MAX]; /* of each rank */
    int skipped[COMM_THREADS_MAX];           /* steps, of each rank */
    int status[COMM_THREADS_MAX];            /* of each rank's last step */
    struct ranks_state after[RANKS_STEPS];   /* of rank 0 */
    const struct ranks_state
        *follow; /* [RANKS_STEPS] the run whose states all steps but the first start from, or NULL */
};

/* ResNet of this depth, an eighth as wide, for views of RANKS_SIZE pixels. */
struct model_config ranks_model(int depth);

/* LARS on NT-Xent, for one of the ranks; `memory`, and what a plan without a communicator needs, are the caller's. */
struct step_config ranks_step(const struct ranks_setting *setting, struct communicator *communicator);

/* name: "ref", or a word of --cpu. One thread. */
int ranks_open_backend(const char *name, struct pool **pool, struct backend **backend, struct error *error);

struct shares ranks_shares(const struct ranks_setting *setting);

/* Trains, and fails the test where a rank fails that is not to. follow: see ranks_outcome. Free with ranks_free. */
struct ranks_outcome ranks_train(struct ranks_setting setting, struct ranks_fault fault,
                                 const struct ranks_state *follow);
void ranks_free(struct ranks_outcome *outcome);

/* Fails where the difference is more than `allowed` of the norm of `want`. moved: of a norm that counts beside it. */
void ranks_check_tensor(const char *label, const char *what, const float *got, const float *want, size_t count,
                        double allowed);
void ranks_check_moved(const char *label, const char *what, const float *got, const float *want, size_t count,
                       double allowed, double motion);

#endif
