/* train/pretrain.h -- the state of one pretraining run, shared by the loop (pretrain.c), its preparation
 * (pretrain_open.c), what it says (pretrain_tell.c) and what happens between epochs (pretrain_epoch.c). */
#ifndef TRAIN_PRETRAIN_H
#define TRAIN_PRETRAIN_H

#include "loader/loader.h"
#include "loss/nt_xent.h"
#include "run/run_folder.h"
#include "train/step.h"

struct pretrain {
    struct session *session; /* `own` */
    bool warmup_is_open;     /* --warmup-epochs was not given: a run that goes on keeps its own */
    struct session own;      /* the command's, whose log goes to the folder too */
    const struct config *config;
    struct run_folder folder;

    struct dataset *dataset;
    struct dataset *test; /* for the online kNN; NULL: a part of `dataset` is held out of the bank instead */
    struct view_policy policy;
    struct loader *loader;

    struct model *model; /* encoder f and head g */
    struct step step;    /* of batches of 2N views; its number: steps taken */

    int64_t steps, steps_per_epoch;
    int64_t epoch;             /* epochs that are over, their evaluation included */
    struct step_report report; /* of the last step */
    double best_knn;           /* best online kNN top-1 so far, -1: none */
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

/* pretrain_tell.c: counts the step just taken, which took `seconds`, `waited` of them for views; progress, metrics. */
int pretrain_tell_step(struct pretrain *run, double seconds, double waited, struct error *error);

/* pretrain_epoch.c: diagnostics, warnings, online kNN, metrics, checkpoint. */
int pretrain_end_epoch(struct pretrain *run, struct error *error);
int pretrain_save(struct pretrain *run, const char *path, struct error *error);
/* The checkpoint of this step, in its place among the last K. Nothing while steps are being skipped. */
int pretrain_save_step(struct pretrain *run, struct error *error);

/* online_knn.c: weighted kNN with the encoder as it is now: top-1 as a share, with the number of queries. */
int online_knn(struct pretrain *run, double *top1, int64_t *queries, struct error *error);

#endif
