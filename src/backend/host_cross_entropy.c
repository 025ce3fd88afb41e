/* Softmax cross entropy, in double from float logits. */
#include <math.h>
#include <string.h>

#include "backend/check.h"
#include "backend/host.h"
#include "base/memory.h"
#include "base/rank.h"

struct cross_entropy_plan {
    struct backend *backend;
    struct cross_entropy_desc desc;
    struct tensor_desc tensor;
    float *logits, *gradient; /* canonical [rows][classes] */
};

void host_cross_entropy_destroy(struct cross_entropy_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->logits);
    memory_free((*plan)->gradient);
    memory_free(*plan);
    *plan = NULL;
}

int host_cross_entropy_create(struct backend *backend, const struct cross_entropy_desc *desc,
                              struct cross_entropy_plan **out, struct error *error)
{
    *out = NULL;
    const int status = check_cross_entropy(desc, error);
    if (status) return status;
    struct cross_entropy_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a cross entropy plan", sizeof *plan);
    const size_t values = (size_t)desc->rows * (size_t)desc->classes;
    plan->backend = backend;
    plan->desc = *desc;
    plan->tensor = (struct tensor_desc){.batch = desc->rows, .channels = desc->classes, .height = 1, .width = 1};
    plan->logits = memory_array(values, sizeof *plan->logits);
    plan->gradient = memory_array(values, sizeof *plan->gradient);
    if (!plan->logits || !plan->gradient) {
        host_cross_entropy_destroy(&plan);
        return error_no_memory(error, "logits and their gradient", 2 * values * sizeof(float));
    }
    *out = plan;
    return SIMCLR_OK;
}

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

void host_cross_entropy_run(struct cross_entropy_plan *plan, struct cross_entropy_result *result, void *d_logits,
                            const void *logits, const int32_t *labels)
{
    const int rows = plan->desc.rows, classes = plan->desc.classes;
    const struct backend_ops *ops = plan->backend->ops;
    int used = 0;
    for (int i = 0; i < rows; i++) used += labels[i] >= 0 && labels[i] < classes;
    *result = (struct cross_entropy_result){0};
    ops->tensor_read(plan->backend, &plan->tensor, plan->logits, logits);
    for (int i = 0; i < rows; i++) {
        const float *row = plan->logits + (size_t)i * (size_t)classes;
        float *gradient = d_logits ? plan->gradient + (size_t)i * (size_t)classes : NULL;
        if (labels[i] < 0 || labels[i] >= classes) {
            if (gradient) memset(gradient, 0, (size_t)classes * sizeof *gradient);
            continue;
        }
        int rank = rank_of_label(row, classes, labels[i]);
        result->loss += one_row(gradient, row, labels[i], classes, 1.0 / used) / used;
        result->top1 += (double)(rank < 1) / used;
        result->top5 += (double)(rank < 5) / used;
    }
    if (d_logits) ops->tensor_write(plan->backend, &plan->tensor, d_logits, plan->gradient);
}
