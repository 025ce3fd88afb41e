/* train/supervised.h -- cross-entropy training of a whole network with a linear classifier on h. */
#ifndef TRAIN_SUPERVISED_H
#define TRAIN_SUPERVISED_H

#include "train/metrics.h"
#include "train/session.h"

struct supervised {
    struct session *session;
    const char *phase;           /* "finetune", "random": progress, log and the metrics' names */
    struct model *model;         /* with classes; trained in place */
    const struct view_policy *policy; /* size and normalisation; its random operations are replaced by crop and flip */
    struct dataset *dataset;
    const uint32_t *subset;      /* [subset_count] the images whose labels may be used */
    uint32_t subset_count;
    int64_t batch, epochs;       /* batch is cut to the subset */
    struct metrics *metrics;
};

/* Trains to the end with the optimiser and the rate of the configuration, cosine to 0 over the epochs.
 * SIMCLR_INTERRUPTED when asked to stop; SIMCLR_DIVERGED after ten non-finite steps in a row. */
int supervised_train(const struct supervised *job, struct error *error);

#endif
