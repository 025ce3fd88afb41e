/* train/pretrain.h -- the state of one pretraining run, shared by the loop (pretrain.c), its preparation
 * (pretrain_open.c), what it says (pretrain_tell.c) and what happens between epochs (pretrain_epoch.c). */
#ifndef TRAIN_PRETRAIN_H
#define TRAIN_PRETRAIN_H

#include "eval/diagnostics.h"
#include "loader/loader.h"
#include "loss/nt_xent.h"
#include "run/run_folder.h"
#include "train/budget.h"
#include "train/footprint.h"
#include "train/pace.h"
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
    bool chosen;             /* steps and warm-up are those of an earlier start (pretrain_recall) */
    double began;            /* clock_seconds at the start of the command's work */
    size_t image_bytes;      /* what the heap grew by for the data set */
    struct session own;      /* the command's, whose log goes to the folder too */
    const struct config *config;
    bool leads;                 /* the one process, or rank 0 of several, which alone writes and evaluates */
    struct run_folder folder;   /* not open on the others */
    struct numbering numbering; /* of the images, of a run that goes on; empty: there is none */

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

    double start, waited;   /* when the step under way began, and what the loader had waited by then */
    double messages;        /* and messages had taken */
    double message_seconds; /* that messages took in the steps since the last line of metrics */
    double step_seconds;    /* of the last step, here */
    double slowest_seconds; /* as the ranks last told each other */
    int slowest;
    bool leader_works; /* at the start and at the end of an epoch or the run: the others wait for it */
};

/* The whole of a run, from the folder of --out to the exported encoder (pretrain.c). */
int pretrain_run(struct session *session, struct error *error);

/* pretrain_open.c: everything that can fail before the first step, resuming included. */
int pretrain_open(struct pretrain *run, struct session *session, struct error *error);
void pretrain_close(struct pretrain *run);

/* The parts of it, for who only plans: nothing is written, and there is no folder. Close also after a failure.
 * pretrain_begin: nothing is opened yet. pretrain_open_images: the set, and all settings that follow from it.
 * pretrain_open_tests: the test part, and the images of the kNN. pretrain_plan_steps: loaders, model, step. */
void pretrain_begin(struct pretrain *run, struct session *session);
int pretrain_open_images(struct pretrain *run, struct error *error);
int pretrain_open_tests(struct pretrain *run, struct error *error);
int pretrain_plan_steps(struct pretrain *run, struct error *error);
/* Model and step once more, as they are at the start. */
int pretrain_renew(struct pretrain *run, struct error *error);
/* The rates of the present --epochs, --steps and --warmup-epochs, and run->steps. */
void pretrain_set_schedule(struct pretrain *run);

/* pretrain_settle.c: what is chosen for the run where options leave it open, or what an earlier start of it has chosen;
 * config.yaml keeps it. The set is open. */
int pretrain_settle(struct pretrain *run, struct error *error);
/* Whether --time decides how long the run is: it is given, and neither --epochs nor --steps by a nearer hand. */
bool pretrain_has_time(const struct config *config);
int pretrain_recall(struct pretrain *run, struct error *error);
int pretrain_set_steps(struct pretrain *run, struct budget_choice choice, struct error *error);
/* An open warm-up becomes a tenth of the epochs, at most ten. SIMCLR_INVALID: one that is given is longer than they. */
int pretrain_set_warmup(struct pretrain *run, struct error *error);
/* SIMCLR_INVALID: a warm-up that is longer than what --steps has. The set is open. Only of a run that begins: one that
 * goes on keeps its warm-up, and an earlier version has begun such runs. */
int pretrain_check_warmup(const struct pretrain *run, struct error *error);
/* The most memory that the run takes while it trains: its step (footprint_measure), images that are read meanwhile, and
 * what the kNN between epochs adds. The images are open, those of the tests too; without a data set it is the step.
 * `planned` is the caller's to release. later: bytes of it that the step alone does not take. */
int pretrain_footprint(struct pretrain *run, const struct model_config *model, struct footprint *out,
                       struct footprint_network *planned, size_t *later, struct error *error);
/* What the run would take in memory with this batch, and what may be taken: 95 % of the machine's or the group's. */
int pretrain_peak(struct pretrain *run, int64_t batch, struct footprint *out, struct error *error);
size_t pretrain_memory_limit(void);

/* pretrain_time.c: seconds, measured. The training is open; its model is another one afterwards (pretrain_renew). */
struct pretrain_timing {
    struct pace step;    /* with its views; of several sizes the mean by their shares */
    struct pace views;   /* a batch made by the loader alone; of limits without views: zeros */
    double wait_share;   /* of a step spent waiting for views */
    double loss, update; /* seconds of it: NT-Xent; update and packing */
    struct budget_costs costs;
    double between; /* seconds that it took to try what is between epochs */
};
struct pretrain_timing_limits {
    double steps; /* seconds for the steps, in pieces */
    double most;  /* after which they end in any case */
    double views; /* seconds for the loader alone, in pieces between them; 0: it is not timed */
};
/* Without a folder the checkpoint is not tried but reckoned by its size. SIMCLR_INTERRUPTED. */
int pretrain_time(struct pretrain *run, const struct pretrain_timing_limits *limits, struct pretrain_timing *out,
                  struct error *error);
/* For how long a run of --time times its steps. */
double pretrain_timing_seconds(const struct config *config);
int64_t pretrain_checkpoint_bytes(const struct pretrain *run);
/* --time: epochs, steps and warm-up by what was measured. Nothing where they were chosen before or are given.
 * SIMCLR_INVALID: too short for twenty steps. */
int pretrain_choose_steps(struct pretrain *run, struct error *error);
/* --time without --image-size: the size of the views. */
int pretrain_choose_views(struct pretrain *run, struct error *error);

/* pretrain_ranks.c: these are collective unless they say otherwise, and do nothing in a run of one process.
 * pretrain_agree: every rank goes on, or none does: communicator_agree of the status so far. */
int pretrain_agree(struct pretrain *run, int status, struct error *error);
/* Not collective: rank 0 works alone from here on, and the others wait for it longer, until they next agree. */
void pretrain_let_leader_work(struct pretrain *run);
int pretrain_compare_weights(const struct pretrain *run, struct error *error);
int pretrain_compare_images(const struct pretrain *run, struct error *error);
/* From rank 0 to all: how the images are numbered; the step, the model and the optimiser that the run goes on from. */
int pretrain_share_numbering(const struct pretrain *run, struct numbering *numbering, struct error *error);
void pretrain_share_standing(struct pretrain *run);

/* pretrain_sizes.c: the stages of --image-size-schedule, which may settle --image-size; a loader for each size. */
int pretrain_read_sizes(struct pretrain *run, struct error *error);
int pretrain_open_loaders(struct pretrain *run, struct error *error);
void pretrain_close_loaders(struct pretrain *run);
/* Takes loader and network of the size that the next step has. Nothing where there are no stages. */
void pretrain_choose_size(struct pretrain *run);
void pretrain_take_size(struct pretrain *run, int size); /* the same for a given size, without a word */
void pretrain_describe_sizes(const struct pretrain *run);
/* Steps to go, those of another size counted by their pixels. */
double pretrain_steps_left(const struct pretrain *run);

/* pretrain_groups.c: the groups of --batch-norm-images; what the run's step is planned with, and what the log says. */
struct grouping pretrain_grouping(const struct config *config);
/* The same of this rank's images, which *own tells. Of a batch that the ranks can share (shares_check). */
struct grouping pretrain_own_grouping(const struct pretrain *run, struct share *own);
struct grouping pretrain_grouping_of(const struct config *config, int rank, int ranks, struct share *own);
void pretrain_set_groups(struct pretrain *run, struct step_config *step);
void pretrain_describe_groups(const struct pretrain *run);
void pretrain_warn_of_groups(const struct pretrain *run); /* that are too small to learn from, if they are */

/* pretrain_tell.c: counts the step just taken, which took `seconds`, `waited` of them for views; progress, metrics. */
int pretrain_tell_step(struct pretrain *run, double seconds, double waited, struct error *error);
/* The last line: a command that works as it is printed, with what names the images. linear where there is something to
 * test on, else embed. */
int pretrain_say_next(const struct pretrain *run, struct error *error);
/* Of all steps of a stretch, skipped ones too. */
double pretrain_views_per_second(const struct pretrain *run, const struct stretch *stretch);

/* pretrain_epoch.c: diagnostics, warnings, online kNN, metrics, checkpoint. */
int pretrain_end_epoch(struct pretrain *run, struct error *error);
/* The diagnostics of an epoch's end. */
int pretrain_diagnose(struct pretrain *run, struct diagnostics *out, struct error *error);
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
/* Bytes that it takes for features of `dim`, at most, beside those of the encoder: `rows` until it is over, `search`
 * once the encoder is done. */
void online_knn_bytes(const struct pretrain *run, int dim, size_t *rows, size_t *search);
/* What that takes, by trying it on some of the images. */
int online_knn_seconds(struct pretrain *run, double *seconds, struct error *error);

#endif
