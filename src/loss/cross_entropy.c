/* loss/cross_entropy.c -- softmax cross entropy, in double from float logits. */
#include "loss/cross_entropy.h"

#include <math.h>
#include <string.h>

#include "base/rank.h"

static double row_maximum(const float *logits, int classes)
{
    double maximum = logits[0];
    for (int k = 1; k < classes; k++)
        if (logits[k] > maximum) maximum = logits[k];
    return maximum;
}

/* Returns the row's loss; gradient (may be NULL): softmax minus one-hot, times scale. */
static double one_row(float *gradient, const float *logits, int label, int classes, double scale)
{
    double maximum = row_maximum(logits, classes), sum = 0;
    for (int k = 0; k < classes; k++) sum += exp(logits[k] - maximum);
    for (int k = 0; gradient && k < classes; k++)
        gradient[k] = (float)(scale * (exp(logits[k] - maximum) / sum - (k == label)));
    return log(sum) + maximum - logits[label];
}

void cross_entropy_run(struct cross_entropy_result *result, float *d_logits, const float *logits, const int32_t *labels,
                       int rows, int classes)
{
    int used = 0;
    for (int i = 0; i < rows; i++) used += labels[i] >= 0 && labels[i] < classes;
    *result = (struct cross_entropy_result){0};
    for (int i = 0; i < rows; i++) {
        const float *row = logits + (size_t)i * (size_t)classes;
        float *gradient = d_logits ? d_logits + (size_t)i * (size_t)classes : NULL;
        if (labels[i] < 0 || labels[i] >= classes) {
            if (gradient) memset(gradient, 0, (size_t)classes * sizeof *gradient);
            continue;
        }
        int rank = rank_of_label(row, classes, labels[i]);
        result->loss += one_row(gradient, row, labels[i], classes, 1.0 / used) / used;
        result->top1 += (double)(rank < 1) / used;
        result->top5 += (double)(rank < 5) / used;
    }
}
