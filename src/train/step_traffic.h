/* train/step_traffic.h -- what the ranks of a run send each other in a step, by the step's plan. */
#ifndef TRAIN_STEP_TRAFFIC_H
#define TRAIN_STEP_TRAFFIC_H

#include "forecast/traffic.h"
#include "train/step.h"

/* step: planned for NT-Xent by the ranks of `shares`, or by one process, dry too: the same network. Of rank `rank`,
 * from the message at its top to its end. SIMCLR_NO_MEMORY. */
int step_traffic(struct traffic *out, const struct step *step, const struct shares *shares, int rank,
                 struct error *error);

#endif
