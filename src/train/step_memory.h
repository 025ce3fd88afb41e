/* train/step_memory.h -- what a machine has for the activations of a step, and which groups fit in it. */
#ifndef TRAIN_STEP_MEMORY_H
#define TRAIN_STEP_MEMORY_H

#include "augment/views.h"
#include "train/step.h"

enum { STEP_BATCHES_AHEAD = 3 }; /* of views, where there are workers */

/* Bytes of the views of one size that lie in memory at once. *by_parts: a whole batch of them would take more than
 * 1 GiB, so with groups they are made a group at a time, twice. */
size_t step_view_bytes(const struct grouping *grouping, int size, enum view_type type, int workers, bool *by_parts);

/* Bytes that the activations of groups may take: what is available on the machine, but for an eighth of its memory,
 * for `others` (views and images that come into memory later) and for what is in proportion to the weights: gradients,
 * their sum, states, packed weights. At least 1. */
size_t step_memory_left(const struct parameters *parameters, size_t others);

/* Of the divisors of the batch, the greatest number of images whose step's activations take at most `memory` bytes;
 * *bytes: those. 0: not even a group of two. Plans networks dry. */
int step_largest_group(const struct step_config *config, struct backend *backend, struct model *model, size_t memory,
                       size_t *bytes);
/* After a step could not be opened: where its activations, of a group or of the whole batch, need more than the machine
 * has, the sentence says what they need, what there is, and the largest group that fits. Other errors stay. Returns the
 * error's status. */
int step_explain_memory(const struct step_config *config, struct backend *backend, struct model *model,
                        struct error *error);

#endif
