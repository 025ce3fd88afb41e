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
    double *x, *other, *d_y; /* one plane each */
};

void ref_batch_norm_destroy(struct batch_norm_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->x);
    memory_free((*plan)->other);
    memory_free((*plan)->d_y);
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
    plan->x = memory_array(plan->pixels, sizeof(double));
    plan->other = memory_array(plan->pixels, sizeof(double));
    plan->d_y = memory_array(plan->pixels, sizeof(double));
    if (!plan->x || !plan->other || !plan->d_y) {
        size_t bytes = 3 * plan->pixels * sizeof(double);
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
static void measure(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args, size_t channel,
                    double *mean, double *variance)
{
    const double count = (double)args->count;
    double sum = 0, squares = 0;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(plan->x, plan->desc.dtype, args->x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) sum += plan->x[i];
    }
    *mean = sum / count;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(plan->x, plan->desc.dtype, args->x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) squares += (plan->x[i] - *mean) * (plan->x[i] - *mean);
    }
    *variance = squares / count;
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

/* saved: float [2][C] as the contract has it, then the same in double, from which `again` makes the same bits. */
size_t ref_batch_norm_saved_bytes(const struct batch_norm_plan *plan)
{
    return (size_t)plan->desc.channels * 2 * (sizeof(float) + sizeof(double));
}

static double *exact(const struct batch_norm_plan *plan, void *saved)
{
    return (double *)(void *)((float *)saved + 2 * (size_t)plan->desc.channels);
}

static void batch_statistics(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args, size_t channel,
                             double *mean, double *variance)
{
    if (!args->statistics) {
        measure(plan, args, channel, mean, variance);
        return;
    }
    const double count = (double)args->count;
    *mean = args->statistics[channel] / count;
    *variance = fmax(args->statistics[(size_t)plan->desc.channels + channel] / count - *mean * *mean, 0);
}

void ref_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args)
{
    const struct batch_norm_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->channels;
    const double count = (double)args->count, momentum = desc->momentum;
    float *saved = args->saved;
    double *kept = exact(plan, saved);
    for (size_t c = 0; c < channels; c++) {
        double mean, variance;
        batch_statistics(plan, args, c, &mean, &variance);
        const double inverse = 1 / sqrt(variance + (double)desc->epsilon);
        saved[c] = (float)mean;
        saved[channels + c] = (float)inverse;
        kept[c] = mean;
        kept[channels + c] = inverse;
        if (args->next_mean) args->next_mean[c] = (float)((1 - momentum) * args->running_mean[c] + momentum * mean);
        if (args->next_var) {
            double unbiased = count > 1 ? variance * count / (count - 1) : variance;
            args->next_var[c] = (float)((1 - momentum) * args->running_var[c] + momentum * unbiased);
        }
        const struct affine affine = {mean, args->gamma[c] * inverse, args->beta ? (double)args->beta[c] : 0.0};
        normalize(plan, args->y, desc->relu ? args->mask : NULL, args->x, args->residual, c, &affine);
    }
}

void ref_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args)
{
    const size_t channels = (size_t)plan->desc.channels;
    const double *kept = (const double *)(const void *)((const float *)args->saved + 2 * channels);
    for (size_t c = 0; c < channels; c++) {
        const struct affine affine = {kept[c], args->gamma[c] * kept[channels + c],
                                      args->beta ? (double)args->beta[c] : 0.0};
        normalize(plan, args->y, plan->desc.relu ? args->mask : NULL, args->x, args->residual, c, &affine);
    }
}

void ref_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args)
{
    for (size_t c = 0; c < (size_t)plan->desc.channels; c++) {
        const double inverse = 1 / sqrt((double)args->running_var[c] + (double)plan->desc.epsilon);
        const struct affine affine = {args->running_mean[c], args->gamma[c] * inverse,
                                      args->beta ? (double)args->beta[c] : 0.0};
        normalize(plan, args->y, NULL, args->x, args->residual, c, &affine);
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

/* plan->x and plan->d_y = x and the gradient before the ReLU of one plane. */
static void load_plane(struct batch_norm_plan *plan, const void *x, const void *d_y, const void *mask, size_t offset)
{
    ref_load(plan->x, plan->desc.dtype, x, offset, plan->pixels);
    load_masked(plan, d_y, mask, offset);
}

void ref_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args)
{
    const size_t channels = (size_t)plan->desc.channels;
    const float *saved = args->saved;
    for (size_t c = 0; c < channels; c++) {
        const double mean = saved[c], inverse = saved[channels + c];
        double sum = 0, product = 0;
        for (int image = 0; image < plan->desc.batch; image++) {
            load_plane(plan, args->x, args->d_y, args->mask, plane_offset(plan, image, c));
            for (size_t i = 0; i < plan->pixels; i++) {
                sum += plan->d_y[i];
                product += plan->d_y[i] * (plan->x[i] - mean) * inverse;
            }
        }
        args->sums[c] = sum;
        args->sums[channels + c] = product;
        if (args->d_gamma) args->d_gamma[c] = (float)product;
        if (args->d_beta) args->d_beta[c] = (float)sum;
    }
}

void ref_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args)
{
    const struct batch_norm_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->channels;
    const double count = (double)args->count;
    const float *saved = args->saved;
    for (size_t c = 0; c < channels; c++) {
        const double mean = saved[c], inverse = saved[channels + c];
        const double sum = args->sums[c], product = args->sums[channels + c];
        for (int image = 0; image < desc->batch; image++) {
            const size_t offset = plane_offset(plan, image, c);
            load_plane(plan, args->x, args->d_y, args->mask, offset);
            if (args->d_residual) store_residual(plan, args->d_residual, offset);
            for (size_t i = 0; i < plan->pixels; i++) {
                const double normal = (plan->x[i] - mean) * inverse;
                plan->x[i] = args->gamma[c] * inverse * (plan->d_y[i] - sum / count - normal * product / count);
            }
            ref_store(args->d_x, desc->dtype, offset, plan->pixels, plan->x);
        }
    }
}
