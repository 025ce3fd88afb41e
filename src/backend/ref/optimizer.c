/* LARS (arXiv:1708.03888, as the authors of SimCLR have it), SGD with Nesterov momentum, AdamW (arXiv:1711.05101). */
#include <math.h>

#include "backend/ref/ref.h"

/* g' = g + decay w; trust = eta |w| / |g'| if both norms are positive, else 1; v = m v + lr trust g'; w -= v. */
static void run_lars(const struct optimizer_step *step, const struct optimizer_segment *segment)
{
    const double decay = segment->decay ? step->weight_decay : 0;
    double weight_squares = 0, gradient_squares = 0;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        weight_squares += weight * weight;
        gradient_squares += gradient * gradient;
    }
    double trust = 1;
    if (segment->adapt && weight_squares > 0 && gradient_squares > 0)
        trust = step->trust * sqrt(weight_squares) / sqrt(gradient_squares);
    const double rate = step->learning_rate * trust, momentum = step->momentum;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        const double velocity = momentum * segment->state1[i] + rate * gradient;
        segment->state1[i] = (float)velocity;
        segment->weight[i] = (float)(weight - velocity);
    }
}

/* g' = g + decay w; v = m v + g'; w -= lr (g' + m v). */
static void run_sgd(const struct optimizer_step *step, const struct optimizer_segment *segment)
{
    const double decay = segment->decay ? step->weight_decay : 0;
    const double rate = step->learning_rate, momentum = step->momentum;
    for (size_t i = 0; i < segment->count; i++) {
        const double weight = segment->weight[i], gradient = segment->gradient[i] + decay * weight;
        const double velocity = momentum * segment->state1[i] + gradient;
        segment->state1[i] = (float)velocity;
        segment->weight[i] = (float)(weight - rate * (gradient + momentum * velocity));
    }
}

/* w *= 1 - lr decay; m, v: averages of g and g^2; w -= lr m' / (sqrt(v') + eps) with both divided by 1 - beta^t. */
static void run_adamw(const struct optimizer_step *step, const struct optimizer_segment *segment)
{
    const double decay = segment->decay ? step->weight_decay : 0;
    const double rate = step->learning_rate, beta1 = step->momentum, beta2 = step->beta2;
    const double correction1 = 1 - pow(beta1, (double)step->step), correction2 = 1 - pow(beta2, (double)step->step);
    for (size_t i = 0; i < segment->count; i++) {
        const double gradient = segment->gradient[i];
        const double first = beta1 * segment->state1[i] + (1 - beta1) * gradient;
        const double second = beta2 * segment->state2[i] + (1 - beta2) * gradient * gradient;
        const double update = first / correction1 / (sqrt(second / correction2) + step->epsilon);
        segment->state1[i] = (float)first;
        segment->state2[i] = (float)second;
        segment->weight[i] = (float)(segment->weight[i] * (1 - rate * decay) - rate * update);
    }
}

void ref_optimizer_run(struct backend *backend, const struct optimizer_step *step,
                       const struct optimizer_segment *segments, int count)
{
    (void)backend;
    for (int i = 0; i < count; i++) {
        if (step->kind == OPTIMIZER_LARS)
            run_lars(step, &segments[i]);
        else if (step->kind == OPTIMIZER_SGD)
            run_sgd(step, &segments[i]);
        else
            run_adamw(step, &segments[i]);
    }
}

double ref_sum_squares(struct backend *backend, const float *values, size_t count)
{
    (void)backend;
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    return sum;
}
