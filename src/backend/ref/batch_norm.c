/* Batch norm (Ioffe and Szegedy, arXiv:1502.03167) with the residual addition and the ReLU after it. */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

struct affine { /* y = scale (x - mean) + shift */
    double mean, scale, shift;
};

struct batch_norm_plan {
    struct batch_norm_desc desc;
    size_t pixels;           /* of one image */
    double count;            /* batch x height x width */
    double *x, *other, *d_y; /* one plane each */
    struct affine *affine;   /* [channels], of the last forward pass in training */
};

void ref_batch_norm_destroy(struct batch_norm_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->x);
    memory_free((*plan)->other);
    memory_free((*plan)->d_y);
    memory_free((*plan)->affine);
    memory_free(*plan);
    *plan = NULL;
}

int ref_batch_norm_create(struct backend *backend, const struct batch_norm_desc *desc, struct batch_norm_plan **out,
                          struct error *error)
{
    *out = NULL;
    int status = check_batch_norm(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct batch_norm_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a batch norm plan", sizeof *plan);
    plan->desc = *desc;
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    plan->count = (double)plan->pixels * desc->batch;
    plan->x = memory_array(plan->pixels, sizeof(double));
    plan->other = memory_array(plan->pixels, sizeof(double));
    plan->d_y = memory_array(plan->pixels, sizeof(double));
    plan->affine = memory_array((size_t)desc->channels, sizeof *plan->affine);
    if (!plan->x || !plan->other || !plan->d_y || !plan->affine) {
        size_t bytes = 3 * plan->pixels * sizeof(double) + (size_t)desc->channels * sizeof *plan->affine;
        ref_batch_norm_destroy(&plan);
        return error_no_memory(error, "a batch norm of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

static size_t plane_offset(const struct batch_norm_plan *plan, int image, size_t channel)
{
    return ((size_t)image * (size_t)plan->desc.channels + channel) * plan->pixels;
}

/* Two passes: the sum of squares is taken about the mean, so that nothing cancels. */
static void measure(struct batch_norm_plan *plan, const void *x, size_t channel, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(plan->x, plan->desc.dtype, x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) sum += plan->x[i];
    }
    *mean = sum / plan->count;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(plan->x, plan->desc.dtype, x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) squares += (plan->x[i] - *mean) * (plan->x[i] - *mean);
    }
    *variance = squares / plan->count;
}

/* y = scale (x - mean) + shift [+ residual], then max(0, .) if relu; a NaN stays one. */
static void normalize(struct batch_norm_plan *plan, void *y, uint8_t *mask, const void *x, const void *residual,
                      size_t channel, const struct affine *affine)
{
    const struct batch_norm_desc *desc = &plan->desc;
    for (int image = 0; image < desc->batch; image++) {
        const size_t offset = plane_offset(plan, image, channel);
        ref_load(plan->x, desc->dtype, x, offset, plan->pixels);
        if (desc->residual) ref_load(plan->other, desc->dtype, residual, offset, plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) {
            double value = affine->scale * (plan->x[i] - affine->mean) + affine->shift;
            if (desc->residual) value += plan->other[i];
            plan->x[i] = desc->relu && value < 0 ? 0 : value;
            if (mask) mask[offset + i] = value > 0;
        }
        ref_store(y, desc->dtype, offset, plan->pixels, plan->x);
    }
}

size_t ref_batch_norm_mask_bytes(const struct batch_norm_plan *plan)
{
    const struct batch_norm_desc *desc = &plan->desc;
    return desc->relu ? (size_t)desc->batch * (size_t)desc->channels * plan->pixels : 0;
}

void ref_batch_norm_forward(struct batch_norm_plan *plan, void *y, void *mask, float *saved, float *running_mean,
                            float *running_var, const void *x, const void *residual, const double *statistics,
                            const float *gamma, const float *beta)
{
    const struct batch_norm_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->channels;
    for (size_t c = 0; c < channels; c++) {
        double mean, variance;
        if (statistics) {
            mean = statistics[c] / plan->count;
            variance = fmax(statistics[channels + c] / plan->count - mean * mean, 0);
        } else {
            measure(plan, x, c, &mean, &variance);
        }
        const double inverse = 1 / sqrt(variance + (double)desc->epsilon);
        saved[c] = (float)mean;
        saved[channels + c] = (float)inverse;
        const double momentum = desc->momentum;
        if (running_mean) running_mean[c] = (float)((1 - momentum) * running_mean[c] + momentum * mean);
        if (running_var) {
            double unbiased = plan->count > 1 ? variance * plan->count / (plan->count - 1) : variance;
            running_var[c] = (float)((1 - momentum) * running_var[c] + momentum * unbiased);
        }
        struct affine *affine = &plan->affine[c];
        *affine = (struct affine){mean, gamma[c] * inverse, beta ? (double)beta[c] : 0.0};
        normalize(plan, y, desc->relu ? mask : NULL, x, residual, c, affine);
    }
}

void ref_batch_norm_again(struct batch_norm_plan *plan, void *y, void *mask, const void *x, const void *residual)
{
    for (size_t c = 0; c < (size_t)plan->desc.channels; c++)
        normalize(plan, y, plan->desc.relu ? mask : NULL, x, residual, c, &plan->affine[c]);
}

void ref_batch_norm_inference(struct batch_norm_plan *plan, void *y, const void *x, const void *residual,
                              const float *gamma, const float *beta, const float *running_mean,
                              const float *running_var)
{
    for (size_t c = 0; c < (size_t)plan->desc.channels; c++) {
        const double inverse = 1 / sqrt((double)running_var[c] + (double)plan->desc.epsilon);
        const struct affine affine = {running_mean[c], gamma[c] * inverse, beta ? (double)beta[c] : 0.0};
        normalize(plan, y, NULL, x, residual, c, &affine);
    }
}

/* plan->d_y = the gradient before the ReLU of one plane. */
static void load_masked(struct batch_norm_plan *plan, const void *d_y, const uint8_t *mask, size_t offset)
{
    ref_load(plan->d_y, plan->desc.dtype, d_y, offset, plan->pixels);
    if (!plan->desc.relu) return;
    for (size_t i = 0; i < plan->pixels; i++)
        if (!mask[offset + i]) plan->d_y[i] = 0;
}

static void store_residual(struct batch_norm_plan *plan, void *d_residual, size_t offset)
{
    if (plan->desc.accumulate_residual) {
        ref_load(plan->other, plan->desc.dtype, d_residual, offset, plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) plan->other[i] += plan->d_y[i];
        ref_store(d_residual, plan->desc.dtype, offset, plan->pixels, plan->other);
    } else {
        ref_store(d_residual, plan->desc.dtype, offset, plan->pixels, plan->d_y);
    }
}

/* With n = (x - mean) / sqrt(var + eps):
 *   d_gamma = sum d_y n, d_beta = sum d_y, d_x = gamma / sqrt(var + eps) (d_y - d_beta/count - n d_gamma/count). */
void ref_batch_norm_backward(struct batch_norm_plan *plan, void *d_x, void *d_residual, float *d_gamma, float *d_beta,
                             const void *d_y, const void *x, const void *mask, const float *saved, const float *gamma)
{
    const struct batch_norm_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->channels;
    for (size_t c = 0; c < channels; c++) {
        const double mean = saved[c], inverse = saved[channels + c];
        double sum = 0, product = 0;
        for (int image = 0; image < desc->batch; image++) {
            const size_t offset = plane_offset(plan, image, c);
            ref_load(plan->x, desc->dtype, x, offset, plan->pixels);
            load_masked(plan, d_y, mask, offset);
            for (size_t i = 0; i < plan->pixels; i++) {
                sum += plan->d_y[i];
                product += plan->d_y[i] * (plan->x[i] - mean) * inverse;
            }
        }
        d_gamma[c] = (float)product;
        if (d_beta) d_beta[c] = (float)sum;
        for (int image = 0; image < desc->batch; image++) {
            const size_t offset = plane_offset(plan, image, c);
            ref_load(plan->x, desc->dtype, x, offset, plan->pixels);
            load_masked(plan, d_y, mask, offset);
            if (d_residual) store_residual(plan, d_residual, offset);
            for (size_t i = 0; i < plan->pixels; i++) {
                const double normal = (plan->x[i] - mean) * inverse;
                plan->x[i] = gamma[c] * inverse * (plan->d_y[i] - sum / plan->count - normal * product / plan->count);
            }
            ref_store(d_x, desc->dtype, offset, plan->pixels, plan->x);
        }
    }
}
