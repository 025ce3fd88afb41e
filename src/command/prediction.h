/* command/prediction.h -- what `info --ranks` and `plan --ranks` say of a run on several processes. */
#ifndef COMMAND_PREDICTION_H
#define COMMAND_PREDICTION_H

#include "base/text.h"
#include "forecast/forecast.h"
#include "run/session.h"
#include "train/step.h"

struct prediction {
    struct shares shares; /* ranks 1: there is no prediction */
    struct link_speed link;
    struct traffic traffic; /* of rank 0, which receives most */
    struct forecast forecast;
};

/* --ranks and --network, and the shares of --batch. SIMCLR_INVALID: a --network that is none, or one without --ranks;
 * a batch that so many ranks cannot share. */
int prediction_open(struct prediction *prediction, const struct session *session, struct error *error);
/* planned: by footprint_measure, whose step is that of one of the ranks. */
int prediction_count(struct prediction *prediction, const struct step *planned, struct error *error);
/* Images of the rank that has most. */
int prediction_images(const struct prediction *prediction);

/* Of a prediction whose `forecast` is there. */
void prediction_print(const struct session *session, const struct prediction *prediction);
void prediction_json(struct text *json, const struct prediction *prediction);

#endif
