/* optim/ema.h -- an exponential moving average of a model's weights and running statistics (Polyak and Juditsky 1992;
 * of networks for self-supervised learning as in arXiv:2006.07733, without its part in the loss).
 *
 * After update n (0, 1, ...), with d = min(decay, (1 + n) / (10 + n)): average = d average + (1 - d) weights. The
 * second term makes the first updates count, so that the average forgets the weights of the start (TensorFlow's rule).
 */
#ifndef OPTIM_EMA_H
#define OPTIM_EMA_H

#include "backend/backend.h"
#include "tensor/parameters.h"

struct ema {
    struct backend *backend;            /* borrowed */
    const struct parameters *of, *into; /* borrowed; of one form, in the backend's memory */
    double decay;
    float *keep; /* the backend's: d of the update under way */
    float given; /* the same on the host */
};

/* SIMCLR_INVALID unless 0 < decay < 1, SIMCLR_NO_MEMORY; nothing is open then. */
int ema_open(struct ema *ema, struct backend *backend, const struct parameters *of, const struct parameters *into,
             double decay, struct error *error);
void ema_close(struct ema *ema); /* all zeros: nothing happens */

/* The average becomes a copy. */
void ema_start(const struct ema *ema);
/* An update has two parts. ema_set uploads d of update n; ema_run does the arithmetic and may be part of a recording.
 */
void ema_set(struct ema *ema, int64_t n);
void ema_run(const struct ema *ema);

#endif
