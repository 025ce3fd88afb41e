/* Batch norm (Ioffe and Szegedy, arXiv:1502.03167) with the residual addition and the ReLU after it. A channel is one
 * task of the pool: every sum is added by one thread, in an order that does not depend on their number. */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct affine { /* y = scale (x - mean) + shift */
    double mean, scale, shift;
};

struct batch_norm_plan {
    struct pool *pool;
    struct batch_norm_desc desc;
    size_t pixels;           /* of one image */
    double *x, *other, *d_y; /* [threads] planes each */
};

/* What a thread works with: a plane each. */
struct planes {
    const struct batch_norm_plan *plan;
    double *x, *other, *d_y;
};

static struct planes planes_of(const struct batch_norm_plan *plan, int thread)
{
    const size_t offset = (size_t)thread * plan->pixels;
    return (struct planes){plan, plan->x + offset, plan->other + offset, plan->d_y + offset};
}

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
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    const size_t values = (size_t)pool_threads(plan->pool) * plan->pixels;
    plan->x = memory_array(values, sizeof(double));
    plan->other = memory_array(values, sizeof(double));
    plan->d_y = memory_array(values, sizeof(double));
    if (!plan->x || !plan->other || !plan->d_y) {
        ref_batch_norm_destroy(&plan);
        return error_no_memory(error, "a batch norm of the ref backend", 3 * values * sizeof(double));
    }
    *out = plan;
    return SIMCLR_OK;
}

static size_t plane_offset(const struct batch_norm_plan *plan, int image, size_t channel)
{
    return ((size_t)image * (size_t)plan->desc.channels + channel) * plan->pixels;
}

/* Two passes: the sum of squares is taken about the mean, so that nothing cancels. */
static void measure(const struct planes *planes, const struct batch_norm_forward_args *args, size_t channel,
                    double *mean, double *variance)
{
    const struct batch_norm_plan *plan = planes->plan;
    const double count = (double)args->count;
    double sum = 0, squares = 0;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(planes->x, plan->desc.dtype, args->x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) sum += planes->x[i];
    }
    *mean = sum / count;
    for (int image = 0; image < plan->desc.batch; image++) {
        ref_load(planes->x, plan->desc.dtype, args->x, plane_offset(plan, image, channel), plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) squares += (planes->x[i] - *mean) * (planes->x[i] - *mean);
    }
    *variance = squares / count;
}

struct normalized { /* of one pass, in any channel */
    void *y;
    uint8_t *mask; /* or NULL */
    const void *x, *residual;
};

/* y = scale (x - mean) + shift [+ residual], then max(0, .) if relu; a NaN stays one. */
static void normalize(const struct planes *planes, const struct normalized *to, size_t channel,
                      const struct affine *affine)
{
    const struct batch_norm_plan *plan = planes->plan;
    const struct batch_norm_desc *desc = &plan->desc;
    for (int image = 0; image < desc->batch; image++) {
        const size_t offset = plane_offset(plan, image, channel);
        ref_load(planes->x, desc->dtype, to->x, offset, plan->pixels);
        if (desc->residual) ref_load(planes->other, desc->dtype, to->residual, offset, plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) {
            double value = affine->scale * (planes->x[i] - affine->mean) + affine->shift;
            if (desc->residual) value += planes->other[i];
            planes->x[i] = desc->relu && value < 0 ? 0 : value;
            if (to->mask) to->mask[offset + i] = value > 0;
        }
        ref_store(to->y, desc->dtype, offset, plan->pixels, planes->x);
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

static float next_mean(const struct batch_norm_desc *desc, float running, double mean)
{
    return (float)((1 - (double)desc->momentum) * running + (double)desc->momentum * mean);
}

static float next_variance(const struct batch_norm_desc *desc, float running, double variance, double count)
{
    const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
    return (float)((1 - (double)desc->momentum) * running + (double)desc->momentum * unbiased);
}

/* From the sums of values and of their squares. */
static void mean_and_variance(const struct batch_norm_plan *plan, const double *statistics, double count,
                              size_t channel, double *mean, double *variance)
{
    *mean = statistics[channel] / count;
    *variance = fmax(statistics[(size_t)plan->desc.channels + channel] / count - *mean * *mean, 0);
}

static void batch_statistics(const struct planes *planes, const struct batch_norm_forward_args *args, size_t channel,
                             double *mean, double *variance)
{
    if (args->statistics)
        mean_and_variance(planes->plan, args->statistics, (double)args->count, channel, mean, variance);
    else
        measure(planes, args, channel, mean, variance);
}

/* ---- the passes: a task is a channel ----------------------------------------------------------------------------- */
struct norm_job {
    const struct batch_norm_plan *plan;
    const void *args; /* of the pass */
};

static void run_channels(const struct batch_norm_plan *plan, pool_task *task, const void *args)
{
    struct norm_job job = {plan, args};
    pool_run(plan->pool, plan->desc.channels, task, &job);
}

static void forward_channel(void *context, int64_t channel, int thread)
{
    const struct norm_job *job = context;
    const struct batch_norm_forward_args *args = job->args;
    const struct batch_norm_desc *desc = &job->plan->desc;
    const struct planes planes = planes_of(job->plan, thread);
    const size_t c = (size_t)channel, channels = (size_t)desc->channels;
    float *saved = args->saved;
    double *kept = exact(job->plan, saved), mean, variance;
    batch_statistics(&planes, args, c, &mean, &variance);
    const double inverse = 1 / sqrt(variance + (double)desc->epsilon);
    saved[c] = (float)mean;
    saved[channels + c] = (float)inverse;
    kept[c] = mean;
    kept[channels + c] = inverse;
    if (args->next_mean) args->next_mean[c] = next_mean(desc, args->running_mean[c], mean);
    if (args->next_var) args->next_var[c] = next_variance(desc, args->running_var[c], variance, (double)args->count);
    const struct affine affine = {mean, args->gamma[c] * inverse, args->beta ? (double)args->beta[c] : 0.0};
    const struct normalized to = {args->y, desc->relu ? args->mask : NULL, args->x, args->residual};
    normalize(&planes, &to, c, &affine);
}

void ref_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args)
{
    run_channels(plan, forward_channel, args);
}

void ref_batch_norm_running(struct batch_norm_plan *plan, const struct batch_norm_running_args *args)
{
    const double count = (double)args->count;
    for (size_t c = 0; c < (size_t)plan->desc.channels; c++) {
        double mean, variance;
        mean_and_variance(plan, args->statistics, count, c, &mean, &variance);
        args->next_mean[c] = next_mean(&plan->desc, args->running_mean[c], mean);
        args->next_var[c] = next_variance(&plan->desc, args->running_var[c], variance, count);
    }
}

static void again_channel(void *context, int64_t channel, int thread)
{
    const struct norm_job *job = context;
    const struct batch_norm_again_args *args = job->args;
    const struct batch_norm_desc *desc = &job->plan->desc;
    const struct planes planes = planes_of(job->plan, thread);
    const size_t c = (size_t)channel, channels = (size_t)desc->channels;
    const double *kept = (const double *)(const void *)((const float *)args->saved + 2 * channels);
    const struct affine affine = {kept[c], args->gamma[c] * kept[channels + c],
                                  args->beta ? (double)args->beta[c] : 0.0};
    const struct normalized to = {args->y, desc->relu ? args->mask : NULL, args->x, args->residual};
    normalize(&planes, &to, c, &affine);
}

void ref_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args)
{
    run_channels(plan, again_channel, args);
}

static void inference_channel(void *context, int64_t channel, int thread)
{
    const struct norm_job *job = context;
    const struct batch_norm_inference_args *args = job->args;
    const struct planes planes = planes_of(job->plan, thread);
    const size_t c = (size_t)channel;
    const double inverse = 1 / sqrt((double)args->running_var[c] + (double)job->plan->desc.epsilon);
    const struct affine affine = {args->running_mean[c], args->gamma[c] * inverse,
                                  args->beta ? (double)args->beta[c] : 0.0};
    const struct normalized to = {args->y, NULL, args->x, args->residual};
    normalize(&planes, &to, c, &affine);
}

void ref_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args)
{
    run_channels(plan, inference_channel, args);
}

/* planes->x and planes->d_y = x and the gradient before the ReLU of one plane. */
static void load_plane(const struct planes *planes, const void *x, const void *d_y, const uint8_t *mask, size_t offset)
{
    const struct batch_norm_plan *plan = planes->plan;
    ref_load(planes->x, plan->desc.dtype, x, offset, plan->pixels);
    ref_load(planes->d_y, plan->desc.dtype, d_y, offset, plan->pixels);
    for (size_t i = 0; plan->desc.relu && i < plan->pixels; i++)
        if (!mask[offset + i]) planes->d_y[i] = 0;
}

static void store_residual(const struct planes *planes, void *d_residual, size_t offset)
{
    const struct batch_norm_plan *plan = planes->plan;
    if (plan->desc.accumulate_residual) {
        ref_load(planes->other, plan->desc.dtype, d_residual, offset, plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) planes->other[i] += planes->d_y[i];
        ref_store(d_residual, plan->desc.dtype, offset, plan->pixels, planes->other);
    } else {
        ref_store(d_residual, plan->desc.dtype, offset, plan->pixels, planes->d_y);
    }
}

static void sums_channel(void *context, int64_t channel, int thread)
{
    const struct norm_job *job = context;
    const struct batch_norm_plan *plan = job->plan;
    const struct batch_norm_sums_args *args = job->args;
    const struct planes planes = planes_of(plan, thread);
    const size_t c = (size_t)channel, channels = (size_t)plan->desc.channels;
    const float *saved = args->saved;
    const double mean = saved[c], inverse = saved[channels + c];
    double sum = 0, product = 0;
    for (int image = 0; image < plan->desc.batch; image++) {
        load_plane(&planes, args->x, args->d_y, args->mask, plane_offset(plan, image, c));
        for (size_t i = 0; i < plan->pixels; i++) {
            sum += planes.d_y[i];
            product += planes.d_y[i] * (planes.x[i] - mean) * inverse;
        }
    }
    args->sums[c] = sum;
    args->sums[channels + c] = product;
    if (args->d_gamma) args->d_gamma[c] = (float)product;
    if (args->d_beta) args->d_beta[c] = (float)sum;
}

void ref_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args)
{
    run_channels(plan, sums_channel, args);
}

static void backward_channel(void *context, int64_t channel, int thread)
{
    const struct norm_job *job = context;
    const struct batch_norm_plan *plan = job->plan;
    const struct batch_norm_backward_args *args = job->args;
    const struct planes planes = planes_of(plan, thread);
    const size_t c = (size_t)channel, channels = (size_t)plan->desc.channels;
    const double count = (double)args->count;
    const float *saved = args->saved;
    const double mean = saved[c], inverse = saved[channels + c];
    const double sum = args->sums[c], product = args->sums[channels + c];
    for (int image = 0; image < plan->desc.batch; image++) {
        const size_t offset = plane_offset(plan, image, c);
        load_plane(&planes, args->x, args->d_y, args->mask, offset);
        if (args->d_residual) store_residual(&planes, args->d_residual, offset);
        for (size_t i = 0; i < plan->pixels; i++) {
            const double normal = (planes.x[i] - mean) * inverse;
            planes.x[i] = args->gamma[c] * inverse * (planes.d_y[i] - sum / count - normal * product / count);
        }
        ref_store(args->d_x, plan->desc.dtype, offset, plan->pixels, planes.x);
    }
}

void ref_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args)
{
    run_channels(plan, backward_channel, args);
}
