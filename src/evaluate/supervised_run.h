/* evaluate/supervised_run.h -- the parts of a supervised run, for the command and for `evaluate`, which has its own
 * images. evaluation->state is the run. */
#ifndef EVALUATE_SUPERVISED_RUN_H
#define EVALUATE_SUPERVISED_RUN_H

#include "evaluate/labelled.h"

struct supervised_run {
    struct labelled labelled;    /* first: its address is the run's */
    struct view_policy policy;   /* of the training; its evaluation views are those of the test */
    struct model_config network; /* without its classes; a head is left out */
    bool warmup_is_open;         /* nobody has set it: a run that goes on keeps its own */
    bool replaces;               /* what another run left in the folder: it is no error */
    struct checkpoint *from;     /* to go on from, or NULL */
};

/* Once the folder is locked, images and labels are chosen, and policy and network are set: finds the checkpoint to go
 * on from, makes the network, and starts the folder. */
int supervised_begin(struct evaluation *evaluation, struct error *error);
/* Trains to the end, and exports the encoder. */
int supervised_learn(struct evaluation *evaluation, struct error *error);
/* Also after a failure, and of a run that is all zeros but for its folder's lock (-1). */
void supervised_end(struct supervised_run *run, int status, const struct error *error);

#endif
