/* LARS (arXiv:1708.03888, as the authors of SimCLR have it), SGD with Nesterov momentum, AdamW (arXiv:1711.05101). */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

struct optimizer_plan {
    struct optimizer_desc desc;
    struct optimizer_segment *segments;
};

void ref_optimizer_destroy(struct optimizer_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->segments);
    memory_free(*plan);
    *plan = NULL;
}

int ref_optimizer_create(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                         struct error *error)
{
    (void)backend;
    *out = NULL;
    const int status = check_optimizer(desc, error);
    if (status) return status;
    struct optimizer_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an optimiser plan", sizeof *plan);
    const size_t count = (size_t)desc->count;
    plan->desc = *desc;
    plan->segments = memory_array(count, sizeof *plan->segments);
    if (!plan->segments) {
        ref_optimizer_destroy(&plan);
        return error_no_memory(error, "an optimiser plan", count * sizeof *plan->segments);
    }
    if (count > 0) memcpy(plan->segments, desc->segments, count * sizeof *plan->segments);
    *out = plan;
    return SIMCLR_OK;
}

/* One step of one segment. */
struct update {
    const struct optimizer_desc *desc;
    const struct step_inputs *inputs;
};

static double rate_of(const struct update *update, const struct optimizer_segment *segment)
{
    return (double)update->inputs->learning_rate * (double)segment->rate;
}

/* g' = g + decay w; trust = eta |w| / |g'| if both norms are positive, else 1; v = m v + lr trust g'; w -= v. */
static void run_lars(const struct update *update, const struct optimizer_segment *segment)
{
    const struct optimizer_desc *desc = update->desc;
    const double decay = segment->decay ? desc->weight_decay : 0;
    double weight_squares = 0, gradient_squares = 0;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        weight_squares += weight * weight;
        gradient_squares += gradient * gradient;
    }
    double trust = 1;
    if (segment->adapt && weight_squares > 0 && gradient_squares > 0)
        trust = desc->trust * sqrt(weight_squares) / sqrt(gradient_squares);
    const double rate = rate_of(update, segment) * trust, momentum = desc->momentum;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        const double velocity = momentum * segment->state1[i] + rate * gradient;
        segment->state1[i] = (float)velocity;
        segment->weight[i] = (float)(weight - velocity);
    }
}

/* g' = g + decay w; v = m v + g'; w -= lr (g' + m v). */
static void run_sgd(const struct update *update, const struct optimizer_segment *segment)
{
    const struct optimizer_desc *desc = update->desc;
    const double decay = segment->decay ? desc->weight_decay : 0;
    const double rate = rate_of(update, segment), momentum = desc->momentum;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        const double velocity = momentum * segment->state1[i] + gradient;
        segment->state1[i] = (float)velocity;
        segment->weight[i] = (float)(weight - rate * (gradient + momentum * velocity));
    }
}

/* w *= 1 - lr decay; m, v: averages of g and g^2; w -= lr m' / (sqrt(v') + eps) with both divided by 1 - beta^t. */
static void run_adamw(const struct update *update, const struct optimizer_segment *segment)
{
    const struct optimizer_desc *desc = update->desc;
    const double decay = segment->decay ? desc->weight_decay : 0;
    const double rate = rate_of(update, segment), beta1 = desc->momentum, beta2 = desc->beta2;
    const double correction1 = 1 - pow(beta1, (double)update->inputs->step),
                 correction2 = 1 - pow(beta2, (double)update->inputs->step);
    for (size_t i = 0; i < segment->count; i++) {
        const double gradient = segment->gradient[i];
        const double first = beta1 * segment->state1[i] + (1 - beta1) * gradient;
        const double second = beta2 * segment->state2[i] + (1 - beta2) * gradient * gradient;
        const double change = first / correction1 / (sqrt(second / correction2) + desc->epsilon);
        segment->state1[i] = (float)first;
        segment->state2[i] = (float)second;
        segment->weight[i] = (float)(segment->weight[i] * (1 - rate * decay) - rate * change);
    }
}

void ref_optimizer_run(struct optimizer_plan *plan, const struct step_inputs *inputs)
{
    const struct update update = {&plan->desc, inputs};
    for (int i = 0; i < plan->desc.count; i++) {
        if (plan->desc.kind == OPTIMIZER_LARS)
            run_lars(&update, &plan->segments[i]);
        else if (plan->desc.kind == OPTIMIZER_SGD)
            run_sgd(&update, &plan->segments[i]);
        else
            run_adamw(&update, &plan->segments[i]);
    }
}

void ref_sum_squares(struct backend *backend, double *out, const float *values, size_t count)
{
    (void)backend;
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    *out = sum;
}
