/* train/step_options.c -- options turned into what a step is planned with: the optimiser and the learning rates. */
#include <math.h>
#include <string.h>

#include "train/step.h"

struct optimizer_config step_optimizer_usual(enum optimizer_kind kind)
{
    return (struct optimizer_config){
        .kind = kind, .momentum = 0.9f, .weight_decay = 1e-4f, .trust = 0.001f, .beta2 = 0.999f, .epsilon = 1e-8f};
}

enum optimizer_kind step_optimizer_kind(const char *name)
{
    if (strcmp(name, "sgd") == 0) return OPTIMIZER_SGD;
    return strcmp(name, "adamw") == 0 ? OPTIMIZER_ADAMW : OPTIMIZER_LARS;
}

struct optimizer_config step_optimizer(const struct config *config)
{
    struct optimizer_config optimizer = step_optimizer_usual(step_optimizer_kind(config->optimizer));
    optimizer.momentum = (float)config->momentum;
    optimizer.weight_decay = (float)config->weight_decay;
    optimizer.trust = (float)config->trust;
    return optimizer;
}

static enum scaling scaling(const char *name)
{
    if (strcmp(name, "none") == 0) return SCALING_NONE;
    return strcmp(name, "sqrt") == 0 ? SCALING_SQRT : SCALING_LINEAR;
}

struct schedule step_schedule(const struct config *config, int64_t batch, int64_t steps_per_epoch, double epochs)
{
    return (struct schedule){
        .base = config->learning_rate,
        .scaling = scaling(config->scaling),
        .batch = batch,
        .steps_per_epoch = steps_per_epoch,
        .epochs = epochs,
        .warmup_epochs = config->warmup_epochs,
    };
}

double step_epochs(const struct config *config, int64_t steps_per_epoch)
{
    return config->steps > 0 ? (double)config->steps / (double)steps_per_epoch : (double)config->epochs;
}

/* A schedule without end never leaves its peak. */
struct schedule step_schedule_constant(double rate)
{
    return (struct schedule){.base = rate, .batch = 256, .steps_per_epoch = 1, .epochs = INFINITY};
}
