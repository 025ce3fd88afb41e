/* evaluate/labelled.h -- what the protocols that train with labels share: the folder, the labelled images, the test. */
#ifndef EVALUATE_LABELLED_H
#define EVALUATE_LABELLED_H

#include "evaluate/evaluation.h"
#include "run/run_folder.h"
#include "train/supervised.h"

/* Where it is used, evaluation->state is one, or begins with one. */
struct labelled {
    struct session own; /* the command's, whose log goes to the folder too */
    struct run_folder folder;
    struct model *model; /* being trained: an encoder with a classifier */
    uint32_t *subset;    /* the labelled images */
    uint32_t subset_count;
    int64_t epochs;
};

/* The folder of --out, locked. evaluation->session is run->own from here on, whose log goes to the folder too. `run`
 * must not move while it is open. Close also after a failure: status and error say how it ended. */
int labelled_open_folder(struct evaluation *evaluation, struct labelled *run, struct error *error);
void labelled_close(struct labelled *run, int status, const struct error *error);

/* evaluation->train. A run that goes on keeps the numbers of its images: one that is damaged since is replaced, not
 * left out. */
int labelled_open_training_images(struct evaluation *evaluation, const struct labelled *run, struct error *error);
/* The test images of evaluation->train, which is open, and the training images whose labels --labels lends. The log
 * says how many these are. SIMCLR_DATA: there is nothing to test on or to tell apart; errors of label_share_choose. */
int labelled_open_images(struct evaluation *evaluation, struct labelled *run, struct error *error);
/* Says which classes have fewer images than `labels` asks for, and which have none among run->subset. */
int labelled_say(const struct evaluation *evaluation, const struct labelled *run, const char *labels,
                 struct error *error);
double labelled_share(const struct evaluation *evaluation, const struct labelled *run); /* of the training images */

/* Of run->model, which is new: a class that no labelled image has gets a bias so low that its probability is 0 and its
 * gradient too. What a row of the network must have room for, training and other programs leave alone then. */
int labelled_silence_untaught(const struct evaluation *evaluation, const struct labelled *run, struct error *error);
/* The logits of run->model for all test images, by evaluation views (features_free): of its features in the network's
 * precision by its classifier in float32, as `simclr predict` has them from the file of the classifier; -INFINITY of a
 * class that no labelled image has. */
int labelled_logits(struct evaluation *evaluation, const struct labelled *run, const struct view_policy *policy,
                    struct features *out, struct error *error);
/* classifier.safetensors of the run's folder: the classifier of run->model, which sees images by the policy, and the
 * rows of what it was taught. Classes that no labelled image has are left out. */
int labelled_write_classifier(const struct evaluation *evaluation, const struct labelled *run,
                              const struct view_policy *policy, struct error *error);
/* Their score, and the predictions where --predictions wants those of this source. */
int labelled_test(struct evaluation *evaluation, enum evaluation_source source, const struct view_policy *policy,
                  struct score *out, struct error *error);

/* finetune.c: does the encoder of the source, which `path` names, have the layers that --cut-layer keeps?
 * SIMCLR_INVALID: it has fewer. */
int finetune_check_cut(const struct evaluation *evaluation, enum evaluation_source source, const char *path,
                       struct error *error);
/* The passes over this share of the images: --epochs, or the method's. */
int64_t finetune_epochs(const struct config *config, double share);
/* Where a fine-tuning keeps what it can go on from. */
struct finetune_keep {
    struct run_folder *folder;
    const char *file;              /* its checkpoint */
    uint64_t origin;               /* hash of the encoder that it starts from */
    const struct checkpoint *from; /* NULL: it starts there */
};
/* Trains run->model: the encoder of the source with a classifier, or of SOURCE_UNTRAINED the trained one's network from
 * random weights. keep: NULL for nothing kept. The caller destroys the model, also after a failure. */
int finetune_train(struct evaluation *evaluation, enum evaluation_source source, const struct finetune_keep *keep,
                   struct supervised_result *result, struct error *error);

/* "labels", "labelled_images", "epochs" of the JSON. */
void labelled_facts(const struct evaluation *evaluation, const struct labelled *run, struct text *json);

#endif
