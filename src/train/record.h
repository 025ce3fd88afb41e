/* train/record.h -- the training that a checkpoint is of: written into it, and compared before a run goes on from it.
 */
#ifndef TRAIN_RECORD_H
#define TRAIN_RECORD_H

#include "augment/views.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "data/dataset.h"

struct training_record {
    const struct config *config;
    const struct dataset *dataset;    /* NULL: of a training that never goes on, which writes nothing of its images */
    const struct view_policy *policy; /* its normalisation of the input */
    const char *folder;               /* of the run, for sentences */
};

/* checkpoint_write of `state` with the record's options, seed, images and normalisation. path NULL: SIMCLR_NO_MEMORY.
 */
int record_write(const struct training_record *record, const char *path, const struct model *model,
                 const struct optimizer *optimizer, const struct checkpoint_state *state, struct error *error);

/* SIMCLR_INVALID: the checkpoint is of a run on other images. */
int record_check_images(const struct training_record *record, const struct checkpoint_state *state,
                        struct error *error);
/* The options that the checkpoint was written with (config_destroy); *out NULL: it does not say. */
int record_read_options(const struct training_record *record, const struct checkpoint_state *state, struct config **out,
                        struct error *error);
/* SIMCLR_INVALID: options whose change makes it another run are not what they were `before`. */
int record_check_options(const struct training_record *record, const struct config *before, struct error *error);

#endif
