/* train/supervised.h -- cross-entropy training of a whole network with a linear classifier on h, or on a layer of the
 * head: from a trained encoder (fine-tuning) or from random weights. */
#ifndef TRAIN_SUPERVISED_H
#define TRAIN_SUPERVISED_H

#include "run/run_folder.h"
#include "run/session.h"

struct supervised {
    struct session *session;
    const char *phase;                /* "finetune", "random", "supervised": progress, log and the metrics' names */
    struct model *model;              /* with classes; trained in place */
    const struct view_policy *policy; /* of the views; without `as_policy` its size, filter and normalisation only */
    bool as_policy;                   /* all of the policy's random operations; else crop and flip */
    struct dataset *dataset;
    const uint32_t *subset; /* [subset_count] the images whose labels may be used */
    uint32_t subset_count;
    int64_t batch, epochs;   /* batch: as asked for, see supervised_batch */
    float statistics_share;  /* of a batch in batch norm's running statistics; 0: the usual 0.1 */
    struct metrics *metrics; /* NULL: none are written */
    /* A training that can be gone on with: checkpoints every --save-every epochs, at the end and where it is stopped,
     * the last --keep of them kept. NULL: nothing is kept. */
    struct run_folder *folder;
    const char *file; /* with a folder: its checkpoint is this one file, each in place of the last; NULL: one a step */
    uint64_t origin;  /* hash of the encoder that it starts from, for the checkpoint; 0: from none */
    const struct checkpoint *from; /* to go on from, of the same model; NULL: from the model as it is */
};

/* Of the whole training, what was done before it went on included. */
struct supervised_result {
    int64_t steps, skipped;
};

/* The batch that is used for `images` images when `wanted` are asked for: at most that, and such that equal batches use
 * nearly every label in every epoch (500 images, 256 wanted: two of 250). It is even where an even one leaves out at
 * most one image in a hundred of an epoch: odd ones are slower in narrow networks (docs/notes/training.md). */
int64_t supervised_batch(int64_t wanted, int64_t images);
/* The paper's momentum of the running statistics in fine-tuning, max(1 - 10 / steps_per_epoch, 0.9) (appendix B.8), as
 * the share of a batch: in long epochs they move more slowly. */
float supervised_statistics_share(int64_t steps_per_epoch);

/* Trains to the end with the optimiser and the rate of the configuration, cosine to 0 over the epochs. A training that
 * went on ends in the bytes of one that was never stopped. SIMCLR_INTERRUPTED when asked to stop; SIMCLR_DIVERGED after
 * ten non-finite steps in a row; the errors of checkpoint_restore. */
int supervised_train(const struct supervised *job, struct supervised_result *result, struct error *error);

#endif
