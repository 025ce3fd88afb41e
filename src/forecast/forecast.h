/* forecast/forecast.h -- seconds of a step of pretraining over several ranks, from those of one process and from what
 * connects the ranks. Plain arithmetic, by which `info --ranks` and `plan --ranks` predict.
 *
 * - What is done for each image is shared by the ranks. The rank with most images counts.
 * - NT-Xent is shared worse: a rank makes all products of its own rows, where one process makes a product once for both
 *   of its rows. So W ranks have 1.5 / W of it each (docs/scale.md).
 * - Norms, update and packed weights are every rank's, whole.
 * - A message takes the delay as often as communicator_delays says, and the time of the bytes that a rank receives.
 *   Messages follow the computing, but for sums of gradients: each stretch of them begins as soon as it is complete and
 *   those before it are through (comm/overlapped_sum.h).
 *
 * Not in it: ranks that wait for a slower one, processors that two ranks share, the time that sums take in memory. */
#ifndef FORECAST_FORECAST_H
#define FORECAST_FORECAST_H

#include "forecast/link.h"
#include "forecast/traffic.h"

/* Seconds of a step of `images` images on one process. */
struct forecast_measured {
    int images;
    double passes;   /* views, forward, backward, groups that run forward twice: in proportion to the images */
    int loss_images; /* of which NT-Xent was timed */
    double loss;     /* in proportion to their square */
    double update;   /* the same for any number */
};

struct forecast {
    double passes, loss, update;   /* seconds of the rank that has most images */
    double messages;               /* seconds of all messages */
    double by_part[TRAFFIC_PARTS]; /* seconds of them by part */
    double overlapped;             /* seconds of them in which this rank computes too */
    double step;                   /* the four together, but for what is overlapped */
    double views_per_second;       /* of all ranks */
    double alone;                  /* seconds of the step of the same batch on one rank */
    double speedup, efficiency;    /* alone / step, and that by the ranks */
};

/* traffic: of the rank that receives most, which is rank 0. */
void forecast_make(struct forecast *out, const struct forecast_measured *measured, const struct shares *shares,
                   const struct traffic *traffic, const struct link_speed *link);

#endif
