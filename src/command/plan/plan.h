/* command/plan/plan.h -- what a pretraining will take. Inside the room only. */
#ifndef COMMAND_PLAN_H
#define COMMAND_PLAN_H

#include "command/prediction.h"
#include "train/pretrain.h"

struct plan {
    struct pretrain run; /* opened, and never trained */
    struct model_config model;
    struct footprint peak;
    struct footprint_totals network;
    size_t limit;  /* bytes that the run may take */
    size_t beside; /* of the peak: what the planner of steps does not count */
    struct prediction prediction;
    int images;                    /* of a step that is timed: a rank's, or all */
    int64_t largest;               /* batch that fits; 0: not even two images */
    struct pretrain_timing timing; /* its step is that of all ranks, where there are several */
    double opening;                /* seconds before the first step */
    struct budget_choice choice;
    int64_t steps;             /* in all */
    double seconds, low, high; /* of the whole; low and high NaN where they are not known */
    int64_t disk;              /* bytes that the run leaves */
    int64_t disk_peak;         /* and needs, while a checkpoint is written beside the others */
    int64_t disk_free;         /* -1: not known */
    bool timed;                /* timing and what follows from it are known */
};

/* The largest batch up to `most` that takes at most `limit` bytes beside the program itself, by bisection on the
 * planner: one more image would not fit, or would be above `most`. *out 0: two images do not fit. Where --recompute
 * auto begins to save memory a still larger batch may fit again. So batches are tried from above by halves first. With
 * --batch-norm-images batches are whole numbers of groups. */
int plan_largest_batch(struct pretrain *run, int64_t most, size_t limit, int64_t *out, struct error *error);

/* plan_tell.c: what is known, as text or JSON. */
int plan_tell(const struct session *session, const struct plan *plan, struct error *error);

#endif
