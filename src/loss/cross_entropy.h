/* loss/cross_entropy.h -- softmax cross entropy for the supervised phases. */
#ifndef LOSS_CROSS_ENTROPY_H
#define LOSS_CROSS_ENTROPY_H

#include "backend/backend.h"

/* Mean over rows. logits, d_logits: [rows][classes] (d_logits may be NULL); labels: [rows], rows whose label is not in
 * [0, classes) are left out (zero gradient). top1, top5: shares of rows; ties go to the lower class. All 0 if no row is
 * left. */
void cross_entropy_run(struct cross_entropy_result *result, float *d_logits, const float *logits, const int32_t *labels,
                       int rows, int classes);

#endif
