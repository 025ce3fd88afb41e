/* eval/linear_sgd.c -- see linear_sgd.h. Products by the backend in float32; softmax and sums in double. */
#include "eval/linear_sgd.h"

#include <math.h>

#include "base/memory.h"

int linear_sgd_open(struct linear_sgd *sgd, const struct linear_sgd_config *config, struct backend *backend,
                    struct error *error)
{
    *sgd = (struct linear_sgd){.config = *config, .backend = backend};
    if (config->dim < 1 || config->classes < 2 || config->bank < 1 || config->rows < 1)
        return error_set(error, SIMCLR_INVALID, "a linear classifier needs features, rows and at least two classes");
    if (!(config->momentum >= 0 && config->momentum < 1) || !(config->weight_decay >= 0))
        return error_set(error, SIMCLR_INVALID, "linear classifier: momentum %g or weight decay %g is impossible",
                         config->momentum, config->weight_decay);
    const size_t lines = (size_t)config->bank * (size_t)config->classes, values = lines * (size_t)config->dim;
    sgd->weight = memory_array(values, sizeof(float));
    sgd->weight_velocity = memory_array(values, sizeof(float));
    sgd->gradient = memory_array(values, sizeof(float));
    sgd->bias = memory_array(lines, sizeof(float));
    sgd->velocity = memory_array(lines, sizeof(float));
    sgd->logits = memory_array((size_t)config->rows * lines, sizeof(float));
    sgd->row_loss = memory_array((size_t)config->rows * (size_t)config->bank, sizeof(double));
    if (sgd->weight && sgd->weight_velocity && sgd->gradient && sgd->bias && sgd->velocity && sgd->logits &&
        sgd->row_loss)
        return SIMCLR_OK;
    linear_sgd_close(sgd);
    return error_no_memory(error, "linear classifiers", 3 * values * sizeof(float));
}

void linear_sgd_close(struct linear_sgd *sgd)
{
    memory_free(sgd->weight);
    memory_free(sgd->weight_velocity);
    memory_free(sgd->gradient);
    memory_free(sgd->bias);
    memory_free(sgd->velocity);
    memory_free(sgd->logits);
    memory_free(sgd->row_loss);
    *sgd = (struct linear_sgd){0};
}

/* ---- logits ----------------------------------------------------------------------------------------------------- */

static void add_bias(void *context, int64_t row, int thread)
{
    const struct linear_sgd *sgd = context;
    const int lines = sgd->config.bank * sgd->config.classes;
    float *logits = sgd->logits + row * lines;
    (void)thread;
    for (int i = 0; i < lines; i++) logits[i] += sgd->bias[i];
}

const float *linear_sgd_logits(struct linear_sgd *sgd, const float *x, int rows)
{
    const int dim = sgd->config.dim, lines = sgd->config.bank * sgd->config.classes;
    const struct matmul_args product = {
        .transpose_b = true,
        .m = rows,
        .n = lines,
        .k = dim,
        .alpha = 1,
        .a = x,
        .lda = dim,
        .b = sgd->weight,
        .ldb = dim,
        .c = sgd->logits,
        .ldc = lines,
    };
    sgd->backend->ops->matmul(sgd->backend, &product);
    pool_run(sgd->backend->pool, rows, add_bias, sgd);
    return sgd->logits;
}

/* ---- a step ----------------------------------------------------------------------------------------------------- */

struct sgd_step {
    struct linear_sgd *sgd;
    const int32_t *labels;
    const double *rates;
    int rows, used; /* used: rows with a label */
};

/* Logits of one classifier become its error (softmax - one-hot) / used. Returns the loss of the row. */
static double row_error(float *logits, int classes, int label, int used)
{
    double largest = logits[0], sum = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > largest) largest = logits[c];
    for (int c = 0; c < classes; c++) sum += exp(logits[c] - largest);
    /* cppcheck-suppress invalidFunctionArg ; sum >= 1: the largest one's term */
    const double loss = largest + log(sum) - logits[label];
    for (int c = 0; c < classes; c++)
        logits[c] = (float)((exp(logits[c] - largest) / sum - (c == label ? 1.0 : 0.0)) / used);
    return loss;
}

static void error_of_row(void *context, int64_t row, int thread)
{
    const struct sgd_step *step = context;
    const struct linear_sgd *sgd = step->sgd;
    const int bank = sgd->config.bank, classes = sgd->config.classes, label = step->labels[row];
    float *logits = sgd->logits + row * bank * classes;
    double *losses = sgd->row_loss + row * bank;
    (void)thread;
    for (int b = 0; b < bank; b++, logits += classes) {
        losses[b] = 0;
        if (label >= 0)
            losses[b] = row_error(logits, classes, label, step->used);
        else
            for (int c = 0; c < classes; c++) logits[c] = 0;
    }
}

static float moved(const struct linear_sgd_config *config, float *velocity, float value, float gradient, float rate)
{
    const float momentum = (float)config->momentum;
    if (config->rule == LINEAR_SGD_LARS) {
        *velocity = momentum * *velocity + rate * gradient;
        return value - *velocity;
    }
    *velocity = momentum * *velocity + gradient;
    return value - rate * (gradient + momentum * *velocity);
}

/* One class of one classifier: its row of weights, and its bias. */
static void update_line(void *context, int64_t line, int thread)
{
    const struct sgd_step *step = context;
    struct linear_sgd *sgd = step->sgd;
    const struct linear_sgd_config *config = &sgd->config;
    const int64_t lines = (int64_t)config->bank * config->classes;
    const size_t at = (size_t)line * (size_t)config->dim;
    const float rate = (float)step->rates[line / config->classes], decay = (float)config->weight_decay;
    float *weight = sgd->weight + at, *velocity = sgd->weight_velocity + at;
    const float *gradient = sgd->gradient + at;
    (void)thread;
    for (int d = 0; d < config->dim; d++)
        weight[d] = moved(config, &velocity[d], weight[d], gradient[d] + decay * weight[d], rate);
    double sum = 0;
    for (int row = 0; row < step->rows; row++) sum += (double)sgd->logits[row * lines + line];
    sgd->bias[line] = moved(config, &sgd->velocity[line], sgd->bias[line], (float)sum, rate);
}

void linear_sgd_step(struct linear_sgd *sgd, const float *x, const int32_t *labels, int rows, const double *rates,
                     double *losses)
{
    const int dim = sgd->config.dim, bank = sgd->config.bank, lines = bank * sgd->config.classes;
    struct sgd_step step = {.sgd = sgd, .labels = labels, .rates = rates, .rows = rows};
    for (int row = 0; row < rows; row++) step.used += labels[row] >= 0;
    for (int b = 0; b < bank && losses; b++) losses[b] = 0;
    if (step.used == 0) return;
    linear_sgd_logits(sgd, x, rows);
    pool_run(sgd->backend->pool, rows, error_of_row, &step);
    for (int row = 0; row < rows && losses; row++)
        for (int b = 0; b < bank; b++) losses[b] += sgd->row_loss[row * bank + b] / step.used;
    const struct matmul_args backward = {
        .transpose_a = true,
        .m = lines,
        .n = dim,
        .k = rows,
        .alpha = 1,
        .a = sgd->logits,
        .lda = lines,
        .b = x,
        .ldb = dim,
        .c = sgd->gradient,
        .ldc = dim,
    };
    sgd->backend->ops->matmul(sgd->backend, &backward);
    pool_run(sgd->backend->pool, lines, update_line, &step);
}
