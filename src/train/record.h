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
    uint64_t origin;                  /* hash of the encoder that it started from; 0: from none */
};

/* checkpoint_write of `state` with the record's options, seed, images and normalisation. path NULL: SIMCLR_NO_MEMORY.
 */
int record_write(const struct training_record *record, const char *path, const struct model *model,
                 const struct optimizer *optimizer, const struct checkpoint_state *state, struct error *error);

/* SIMCLR_INVALID: the checkpoint is of a run on other images, or from another encoder. */
int record_check_images(const struct training_record *record, const struct checkpoint_state *state,
                        struct error *error);
/* The options that the checkpoint was written with (config_destroy); *out NULL: it does not say. */
int record_read_options(const struct training_record *record, const struct checkpoint_state *state, struct config **out,
                        struct error *error);
/* SIMCLR_INVALID: options whose change makes it another run are not what they were `before`. */
int record_check_options(const struct training_record *record, const struct config *before, struct error *error);

/* The same for a run that may go on with more epochs than it was to have. The warm-up stays the run's own, so that
 * there is no second one: where it was left open it is set in `settings`, which are the record's. */
int record_check_further(const struct training_record *record, struct config *settings, bool warmup_is_open,
                         struct config *before, struct error *error);
/* Tells of a run that has more epochs now; nothing otherwise. Rates are those of the cosine over all of them. */
void record_say_further(const struct training_record *record, const struct config *before, int64_t batch,
                        int64_t steps_per_epoch, int64_t step, const struct log *log);

#endif
