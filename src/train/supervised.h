/* train/supervised.h -- cross-entropy training of a whole network with a linear classifier on h. */
#ifndef TRAIN_SUPERVISED_H
#define TRAIN_SUPERVISED_H

#include "run/metrics.h"
#include "run/session.h"

struct supervised {
    struct session *session;
    const char *phase;                /* "finetune", "random": progress, log and the metrics' names */
    struct model *model;              /* with classes; trained in place */
    const struct view_policy *policy; /* size and normalisation; its random operations are replaced by crop and flip */
    struct dataset *dataset;
    const uint32_t *subset; /* [subset_count] the images whose labels may be used */
    uint32_t subset_count;
    int64_t batch, epochs; /* batch: as asked for, see supervised_batch */
    struct metrics *metrics;
};

/* The batch that is used for `images` images when `wanted` are asked for: at most that, and such that equal batches use
 * nearly every label in every epoch (500 images, 256 wanted: two of 250). */
int64_t supervised_batch(int64_t wanted, int64_t images);

/* Trains to the end with the optimiser and the rate of the configuration, cosine to 0 over the epochs.
 * SIMCLR_INTERRUPTED when asked to stop; SIMCLR_DIVERGED after ten non-finite steps in a row. */
int supervised_train(const struct supervised *job, struct error *error);

#endif
