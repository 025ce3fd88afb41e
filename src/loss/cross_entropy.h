/* loss/cross_entropy.h -- softmax cross entropy for the supervised phases. */
#ifndef LOSS_CROSS_ENTROPY_H
#define LOSS_CROSS_ENTROPY_H

#include "backend/backend.h"

/* The plan and its labels; backend.h says what is computed. */
struct cross_entropy;
/* SIMCLR_INVALID for impossible sizes, SIMCLR_NO_MEMORY. */
int cross_entropy_create(struct cross_entropy **out, struct backend *backend, int rows, int classes,
                         struct error *error);
void cross_entropy_destroy(struct cross_entropy **loss);
/* labels: the host's, [count]; rows past them are left out. Uploads, so not part of a recording. */
void cross_entropy_set_labels(struct cross_entropy *loss, const int32_t *labels, int count);
/* result, d_logits (NULL: loss only), logits: the backend's memory; tensors as backend.h has them. */
void cross_entropy_run(struct cross_entropy *loss, struct cross_entropy_result *result, void *d_logits,
                       const void *logits);

#endif
