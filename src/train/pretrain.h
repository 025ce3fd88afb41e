/* train/pretrain.h -- the state of one pretraining run, shared by the loop (pretrain.c), its preparation
 * (pretrain_open.c), what it says (pretrain_tell.c) and what happens between epochs (pretrain_epoch.c). */
#ifndef TRAIN_PRETRAIN_H
#define TRAIN_PRETRAIN_H

#include "loader/loader.h"
#include "loss/nt_xent.h"
#include "run/run_folder.h"
#include "train/record.h"
#include "train/size_schedule.h"
#include "train/step.h"

/* The training images of the online kNN, chosen once from the seed: first those that vote, then those of the held-out
 * tenth that are in the sample of --knn-images too, then its others. Only images with a label are listed. */
struct online_images {
    uint32_t *list;
    int64_t voting, shared, extra;
};

/* Of one part; top1: a share, NaN where it was not measured. */
struct online_score {
    double top1;
    int64_t queries;
};
struct online_report {
    struct online_score held_out; /* the held-out tenth by the others: what the best checkpoint is chosen by */
    struct online_score test;     /* the test images by the whole sample: for the log only */
};

struct pretrain {
    struct session *session; /* `own` */
    bool warmup_is_open;     /* --warmup-epochs was not given: a run that goes on keeps its own */
    struct session own;      /* the command's, whose log goes to the folder too */
    const struct config *config;
    struct run_folder folder;

    struct dataset *dataset;
    struct dataset *test; /* for the log of the online kNN, or NULL */
    struct online_images online;
    struct view_policy policy;
    struct size_schedule sizes; /* of the views; no stages: one size */
    struct {
        int size;
        struct loader *loader;
    } loaders[STEP_SIZES_MAX];
    struct loader *loader; /* of the present size */
    int size;              /* that one, once it was chosen; 0 without stages */

    struct model *model;   /* encoder f and head g */
    struct model *average; /* their moving average; NULL without --ema */
    struct step step;      /* of batches of 2N views; its number: steps taken */

    int64_t steps, steps_per_epoch;
    int64_t epoch;             /* epochs that are over, their evaluation included */
    struct step_report report; /* of the last step */
    double best_knn;           /* best kNN top-1 of the held-out tenth so far, -1: none */
    int64_t saved_step;        /* of the newest checkpoint */
    struct stretch since_log;  /* a resumed run starts it anew */
    struct stretch this_epoch; /* in the checkpoint */
    double pace;               /* seconds a step, of the last twenty or so */
};

/* The whole of a run, from the folder of --out to the exported encoder (pretrain.c). */
int pretrain_run(struct session *session, struct error *error);

/* pretrain_open.c: everything that can fail before the first step, resuming included. */
int pretrain_open(struct pretrain *run, struct session *session, struct error *error);
void pretrain_close(struct pretrain *run);

/* pretrain_sizes.c: the stages of --image-size-schedule, which may settle --image-size; a loader for each size. */
int pretrain_read_sizes(struct pretrain *run, struct error *error);
int pretrain_open_loaders(struct pretrain *run, struct error *error);
void pretrain_close_loaders(struct pretrain *run);
/* Takes loader and network of the size that the next step has. Nothing where there are no stages. */
void pretrain_choose_size(struct pretrain *run);
void pretrain_describe_sizes(const struct pretrain *run);
/* Steps to go, those of another size counted by their pixels. */
double pretrain_steps_left(const struct pretrain *run);

/* pretrain_groups.c: the groups of --batch-norm-images; what the run's step is planned with, and what the log says. */
struct grouping pretrain_grouping(const struct config *config);
void pretrain_set_groups(struct pretrain *run, struct step_config *step);
void pretrain_describe_groups(const struct pretrain *run);

/* pretrain_tell.c: counts the step just taken, which took `seconds`, `waited` of them for views; progress, metrics. */
int pretrain_tell_step(struct pretrain *run, double seconds, double waited, struct error *error);

/* pretrain_epoch.c: diagnostics, warnings, online kNN, metrics, checkpoint. */
int pretrain_end_epoch(struct pretrain *run, struct error *error);
int pretrain_save(struct pretrain *run, const char *path, struct error *error);
struct training_record pretrain_record(const struct pretrain *run);
/* The checkpoint of this step, in its place among the last K. Nothing while steps are being skipped. */
int pretrain_save_step(struct pretrain *run, struct error *error);

/* online_knn.c: the images of all evaluations of a run; empty where none has a label. Close also after a failure. */
int online_images_open(struct online_images *images, const struct dataset *dataset, const struct config *config,
                       struct error *error);
void online_images_close(struct online_images *images);
/* Weighted kNN with the encoder of `model` as it is now: the run's, or its average. */
int online_knn(struct pretrain *run, struct model *model, struct online_report *report, struct error *error);

#endif
