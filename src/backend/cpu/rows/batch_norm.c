/* Batch norm with the residual addition and ReLU that follow it: one pass forward (two without the convolution's
 * statistics), two passes backward. The cells of the tensor are split over the threads in one static piece each; sums
 * are per thread and joined in the threads' order, so that equal thread counts give equal bits. */
#include <math.h>
#include <string.h>

#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

enum { SEGMENT_CELLS = 64 }; /* of one kernel call: 32 or 64 KiB of a tensor */

struct batch_norm_plan {
    struct cpu_backend *cpu;
    struct batch_norm_desc desc;
    struct activation_layout layout;
    int64_t cells;    /* of the whole tensor */
    size_t element;   /* bytes */
    bool stream;      /* outputs too large for the cache go past it, which saves reading them first */
    int padded;       /* channels, a multiple of 32 */
    float *mean;      /* [padded]; in the forward pass without statistics first the shift of the sums */
    float *a, *b, *c; /* [padded] coefficients of the last pass; zero in padding channels, always */
    double *partials; /* [threads][blocks][64]: sums and their partners, per block as kernels want them */
};

/* ---- creation ------------------------------------------------------------------------------------------------ */
void cpu_batch_norm_destroy(struct batch_norm_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->mean);
    memory_free((*plan)->partials);
    memory_free(*plan);
    *plan = NULL;
}

int cpu_batch_norm_create(struct backend *backend, const struct batch_norm_desc *desc, struct batch_norm_plan **out,
                          struct error *error)
{
    *out = NULL;
    int status = check_batch_norm(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct batch_norm_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a batch norm plan", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->desc = *desc;
    plan->layout = activation_layout(desc->batch, desc->channels, desc->height, desc->width);
    plan->cells = (int64_t)(plan->layout.elements / plan->layout.cell);
    plan->element = dtype_bytes(desc->dtype);
    plan->stream = plan->layout.elements * plan->element > plan->cpu->cache_bytes;
    plan->padded = plan->layout.blocks * ROW_ELEMENTS;
    const size_t padded = (size_t)plan->padded;
    plan->mean = memory_array(4 * padded, sizeof *plan->mean);
    plan->partials = memory_array((size_t)plan->cpu->threads * 2 * padded, sizeof *plan->partials);
    if (!plan->mean || !plan->partials) {
        cpu_batch_norm_destroy(&plan);
        return error_no_memory(error, "a batch norm plan", 4 * padded * sizeof(float));
    }
    plan->a = plan->mean + padded;
    plan->b = plan->a + padded;
    plan->c = plan->b + padded;
    *out = plan;
    return SIMCLR_OK;
}

/* ---- splitting over threads ---------------------------------------------------------------------------------- */
/* What a pass gives to its threads. Each pass sets only what it needs. */
struct norm_job {
    struct batch_norm_plan *plan;
    void *y;
    uint8_t *mask;
    const void *x, *residual;
    const struct batch_norm_forward_args *measured; /* forward without given statistics: they are taken from x first */
    const struct batch_norm_sums_args *summed;      /* backward, first half  */
    const struct batch_norm_backward_args *back;    /* backward, second half */
};

/* A run of cells inside one plane. */
struct segment {
    int block, rows;
    ptrdiff_t cells;
    size_t bytes;      /* from the tensor's start */
    size_t mask_bytes; /* from the mask's         */
};

/* Cuts a segment off the range [*begin, *end), from its front or its back; false when nothing is left. Each pass over
 * a tensor starts where the one before it ended, for that end is what the caches still hold. */
static bool cut_segment(const struct batch_norm_plan *plan, int64_t *begin, int64_t *end, bool back,
                        struct segment *segment)
{
    if (*begin >= *end) return false;
    const int64_t positions = (int64_t)plan->desc.height * plan->desc.width;
    const int64_t plane = (back ? *end - 1 : *begin) / positions;
    int64_t first = *begin, last = *end;
    if (back) {
        if (first < plane * positions) first = plane * positions;
        if (first < last - SEGMENT_CELLS) first = last - SEGMENT_CELLS;
        *end = first;
    } else {
        if (last > (plane + 1) * positions) last = (plane + 1) * positions;
        if (last > first + SEGMENT_CELLS) last = first + SEGMENT_CELLS;
        *begin = last;
    }
    segment->block = (int)(plane % plan->layout.blocks);
    segment->rows = activation_group_rows(&plan->layout, (int)(plane / plan->layout.blocks));
    segment->cells = (ptrdiff_t)(last - first);
    segment->bytes = (size_t)first * plan->layout.cell * plan->element;
    segment->mask_bytes = (size_t)first * plan->layout.cell / 8;
    return true;
}

static const void *at(const void *tensor, size_t bytes)
{
    return tensor ? (const char *)tensor + bytes : NULL;
}

static void *at_mutable(void *tensor, size_t bytes)
{
    return tensor ? (char *)tensor + bytes : NULL;
}

static double *thread_sums(const struct batch_norm_plan *plan, int thread)
{
    return plan->partials + (size_t)thread * 2 * (size_t)plan->padded;
}

/* The two sums of `channel`, joined over the threads in their order. */
static void joined_sums(const struct batch_norm_plan *plan, int threads, int channel, double sums[2])
{
    const int per_block = plan->layout.block_channels;
    const size_t index = (size_t)(channel / per_block) * 2 * ROW_ELEMENTS + (size_t)(channel % per_block);
    sums[0] = sums[1] = 0;
    for (int thread = 0; thread < threads; thread++)
        for (int place = 0; place < ROW_ELEMENTS; place += per_block) {
            sums[0] += thread_sums(plan, thread)[index + (size_t)place];
            sums[1] += thread_sums(plan, thread)[index + (size_t)place + ROW_ELEMENTS];
        }
}

/* ---- forward ------------------------------------------------------------------------------------------------- */
/* Sets the coefficient of a channel, wherever a row has the channel. */
static void set_coefficient(const struct batch_norm_plan *plan, float *coefficients, int channel, double value)
{
    const int per_block = plan->layout.block_channels, first = channel / per_block * ROW_ELEMENTS + channel % per_block;
    for (int place = 0; place < ROW_ELEMENTS; place += per_block) coefficients[first + place] = (float)value;
}

static float mean_of(const struct batch_norm_plan *plan, int channel)
{
    const int per_block = plan->layout.block_channels;
    return plan->mean[channel / per_block * ROW_ELEMENTS + channel % per_block];
}

static void set_affine(struct batch_norm_plan *plan, int channel, float mean, float scale, const float *beta)
{
    set_coefficient(plan, plan->mean, channel, (double)mean);
    set_coefficient(plan, plan->a, channel, (double)scale);
    set_coefficient(plan, plan->b, channel, beta ? (double)beta[channel] : 0.0);
}

/* saved: mean, 1/sqrt(var + epsilon) and the scale of the pass as it was rounded then, each [C]. */
size_t cpu_batch_norm_saved_bytes(const struct batch_norm_plan *plan)
{
    return 3 * (size_t)plan->desc.channels * sizeof(float);
}

/* Of a channel, from the sums of (x - shift) and its square. */
struct moments {
    double mean, variance; /* biased */
};

static struct moments moments_of(const double sums[2], double shift, double count)
{
    const double offset = sums[0] / count, variance = sums[1] / count - offset * offset;
    return (struct moments){shift + offset, variance < 0 ? 0 : variance}; /* rounding of nearly constant channels */
}

static float next_mean(const struct batch_norm_plan *plan, float running, struct moments moments)
{
    return (1 - plan->desc.momentum) * running + plan->desc.momentum * (float)moments.mean;
}

static float next_variance(const struct batch_norm_plan *plan, float running, struct moments moments, double count)
{
    const double unbiased = count > 1 ? moments.variance * (count / (count - 1)) : moments.variance;
    return (1 - plan->desc.momentum) * running + plan->desc.momentum * (float)unbiased;
}

/* The statistics of a channel and the coefficients of the pass to come. */
static void finish_channel(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args, int channel,
                           const double sums[2], double shift)
{
    const double count = (double)args->count;
    const struct moments moments = moments_of(sums, shift, count);
    const double mean = moments.mean, inverse = 1 / sqrt(moments.variance + (double)plan->desc.epsilon);
    const float scale = (float)(args->gamma[channel] * inverse);
    float *saved = args->saved;
    saved[channel] = (float)mean;
    saved[plan->desc.channels + channel] = (float)inverse;
    saved[2 * plan->desc.channels + channel] = scale;
    if (args->next_mean) args->next_mean[channel] = next_mean(plan, args->running_mean[channel], moments);
    if (args->next_var) args->next_var[channel] = next_variance(plan, args->running_var[channel], moments, count);
    set_affine(plan, channel, (float)mean, scale, args->beta);
}

static void apply_range(const struct norm_job *job, int64_t begin, int64_t end)
{
    const struct batch_norm_plan *plan = job->plan;
    struct segment s;
    while (cut_segment(plan, &begin, &end, true, &s)) {
        const size_t channel = (size_t)s.block * ROW_ELEMENTS;
        struct norm_apply_args args = {.y = at_mutable(job->y, s.bytes),
                                       .mask = at_mutable(job->mask, s.mask_bytes),
                                       .x = at(job->x, s.bytes),
                                       .residual = at(job->residual, s.bytes),
                                       .cells = s.cells,
                                       .cell_rows = activation_cell_rows(&plan->layout),
                                       .bf16 = plan->desc.dtype == DTYPE_BF16,
                                       .relu = plan->desc.relu,
                                       .stream = plan->stream,
                                       .mean = plan->mean + channel,
                                       .scale = plan->a + channel,
                                       .shift = plan->b + channel};
        plan->cpu->kernels->norm_apply(&args);
    }
}

static void forward_sums(const struct norm_job *job, int thread, int threads)
{
    const struct batch_norm_plan *plan = job->plan;
    int64_t begin, end;
    pool_share(plan->cells, thread, threads, &begin, &end);
    double *sums = thread_sums(plan, thread);
    memset(sums, 0, 2 * (size_t)plan->padded * sizeof *sums);
    struct segment s;
    while (cut_segment(plan, &begin, &end, false, &s)) {
        struct norm_sums_args args = {.x = at(job->x, s.bytes),
                                      .cells = s.cells,
                                      .rows = s.rows,
                                      .cell_rows = activation_cell_rows(&plan->layout),
                                      .bf16 = plan->desc.dtype == DTYPE_BF16,
                                      .shift = plan->mean + (size_t)s.block * ROW_ELEMENTS,
                                      .sums = sums + (size_t)s.block * 2 * ROW_ELEMENTS};
        plan->cpu->kernels->norm_sums(&args);
    }
}

static void forward_part(void *context, int thread, int threads)
{
    const struct norm_job *job = context;
    struct batch_norm_plan *plan = job->plan;
    int64_t begin, end;
    if (job->measured) {
        forward_sums(job, thread, threads);
        pool_barrier(plan->cpu->base.pool);
        pool_share(plan->desc.channels, thread, threads, &begin, &end);
        for (int64_t channel = begin; channel < end; channel++) {
            double sums[2];
            joined_sums(plan, threads, (int)channel, sums);
            finish_channel(plan, job->measured, (int)channel, sums, (double)mean_of(plan, (int)channel));
        }
        pool_barrier(plan->cpu->base.pool);
    }
    pool_share(plan->cells, thread, threads, &begin, &end);
    apply_range(job, begin, end);
}

/* Sums about a value of the channel itself lose no digits when the mean is far from zero: take the first image's
 * first position. */
static void choose_shifts(struct batch_norm_plan *plan, const void *x)
{
    for (int channel = 0; channel < plan->desc.channels; channel++) {
        const size_t index = activation_index(&plan->layout, 0, channel, 0, 0);
        const float value =
            plan->desc.dtype == DTYPE_BF16 ? bf16_to_float(((const uint16_t *)x)[index]) : ((const float *)x)[index];
        set_coefficient(plan, plan->mean, channel, (double)value);
    }
}

/* A bit per element: four bytes for the 32 channels of an image at a position. */
size_t cpu_batch_norm_mask_bytes(const struct batch_norm_plan *plan)
{
    return plan->desc.relu ? plan->layout.elements / 8 : 0;
}

void cpu_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args)
{
    struct norm_job job = {.plan = plan,
                           .y = args->y,
                           .mask = plan->desc.relu ? args->mask : NULL,
                           .x = args->x,
                           .residual = args->residual,
                           .measured = args->statistics ? NULL : args};
    if (args->statistics) {
        for (int channel = 0; channel < plan->desc.channels; channel++) {
            const double sums[2] = {args->statistics[channel], args->statistics[plan->desc.channels + channel]};
            finish_channel(plan, args, channel, sums, 0);
        }
    } else {
        choose_shifts(plan, args->x);
    }
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

void cpu_batch_norm_running(struct batch_norm_plan *plan, const struct batch_norm_running_args *args)
{
    const double count = (double)args->count;
    for (int channel = 0; channel < plan->desc.channels; channel++) {
        const double sums[2] = {args->statistics[channel], args->statistics[plan->desc.channels + channel]};
        const struct moments moments = moments_of(sums, 0, count);
        args->next_mean[channel] = next_mean(plan, args->running_mean[channel], moments);
        args->next_var[channel] = next_variance(plan, args->running_var[channel], moments, count);
    }
}

void cpu_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args)
{
    const float *saved = args->saved;
    for (int channel = 0; channel < plan->desc.channels; channel++)
        set_affine(plan, channel, saved[channel], saved[2 * plan->desc.channels + channel], args->beta);
    struct norm_job job = {.plan = plan,
                           .y = args->y,
                           .mask = plan->desc.relu ? args->mask : NULL,
                           .x = args->x,
                           .residual = args->residual};
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

void cpu_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args)
{
    for (int channel = 0; channel < plan->desc.channels; channel++) {
        const double inverse = 1 / sqrt((double)args->running_var[channel] + (double)plan->desc.epsilon);
        const float scale = (float)(args->gamma[channel] * inverse);
        set_affine(plan, channel, args->running_mean[channel], scale, args->beta);
    }
    struct norm_job job = {.plan = plan, .y = args->y, .x = args->x, .residual = args->residual};
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

/* ---- backward ------------------------------------------------------------------------------------------------ */
static void gradient_sums(const struct norm_job *job, int thread, int threads)
{
    const struct batch_norm_plan *plan = job->plan;
    int64_t begin, end;
    pool_share(plan->cells, thread, threads, &begin, &end);
    double *sums = thread_sums(plan, thread);
    memset(sums, 0, 2 * (size_t)plan->padded * sizeof *sums);
    struct segment s;
    while (cut_segment(plan, &begin, &end, true, &s)) {
        struct norm_gradient_sums_args args = {.d_y = at(job->summed->d_y, s.bytes),
                                               .x = at(job->summed->x, s.bytes),
                                               .mask = at(plan->desc.relu ? job->summed->mask : NULL, s.mask_bytes),
                                               .cells = s.cells,
                                               .rows = s.rows,
                                               .cell_rows = activation_cell_rows(&plan->layout),
                                               .bf16 = plan->desc.dtype == DTYPE_BF16,
                                               .mean = plan->mean + (size_t)s.block * ROW_ELEMENTS,
                                               .sums = sums + (size_t)s.block * 2 * ROW_ELEMENTS};
        plan->cpu->kernels->norm_gradient_sums(&args);
    }
}

static void gradient_range(const struct norm_job *job, int64_t begin, int64_t end)
{
    const struct batch_norm_plan *plan = job->plan;
    const struct batch_norm_backward_args *back = job->back;
    struct segment s;
    while (cut_segment(plan, &begin, &end, false, &s)) {
        const size_t channel = (size_t)s.block * ROW_ELEMENTS;
        struct norm_gradient_args args = {.d_x = at_mutable(back->d_x, s.bytes),
                                          .d_residual = at_mutable(back->d_residual, s.bytes),
                                          .d_y = at(back->d_y, s.bytes),
                                          .x = at(back->x, s.bytes),
                                          .mask = at(plan->desc.relu ? back->mask : NULL, s.mask_bytes),
                                          .cells = s.cells,
                                          .rows = s.rows,
                                          .cell_rows = activation_cell_rows(&plan->layout),
                                          .bf16 = plan->desc.dtype == DTYPE_BF16,
                                          .accumulate = plan->desc.accumulate_residual,
                                          .stream = plan->stream && back->d_x != back->d_y,
                                          .mean = plan->mean + channel,
                                          .a = plan->a + channel,
                                          .b = plan->b + channel,
                                          .c = plan->c + channel};
        plan->cpu->kernels->norm_gradient(&args);
    }
}

static void set_means(struct batch_norm_plan *plan, const float *saved)
{
    for (int channel = 0; channel < plan->desc.channels; channel++)
        set_coefficient(plan, plan->mean, channel, (double)saved[channel]);
}

static void sums_part(void *context, int thread, int threads)
{
    const struct norm_job *job = context;
    const struct batch_norm_plan *plan = job->plan;
    const struct batch_norm_sums_args *args = job->summed;
    const float *inverse = (const float *)args->saved + plan->desc.channels;
    int64_t begin, end;
    gradient_sums(job, thread, threads);
    pool_barrier(plan->cpu->base.pool);
    pool_share(plan->desc.channels, thread, threads, &begin, &end);
    for (int64_t channel = begin; channel < end; channel++) {
        double sums[2];
        joined_sums(plan, threads, (int)channel, sums); /* of g and of g (x - mean) */
        args->sums[channel] = sums[0];
        args->sums[plan->desc.channels + channel] = sums[1] * (double)inverse[channel];
        if (args->d_gamma) args->d_gamma[channel] = (float)args->sums[plan->desc.channels + channel];
        if (args->d_beta) args->d_beta[channel] = (float)sums[0];
    }
}

void cpu_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args)
{
    set_means(plan, args->saved);
    struct norm_job job = {.plan = plan, .summed = args};
    pool_split(plan->cpu->base.pool, sums_part, &job);
}

static void backward_part(void *context, int thread, int threads)
{
    const struct norm_job *job = context;
    int64_t begin, end;
    pool_share(job->plan->cells, thread, threads, &begin, &end);
    gradient_range(job, begin, end);
}

/* d_x = gamma r (g - mean(g) - x^ mean(g x^)) with x^ = (x - mean) r, written as a g + b (x - mean) + c. */
void cpu_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args)
{
    const int channels = plan->desc.channels;
    const float *saved = args->saved;
    const double count = (double)args->count;
    set_means(plan, saved);
    for (int channel = 0; channel < channels; channel++) {
        const double inverse = (double)saved[channels + channel], a = (double)args->gamma[channel] * inverse;
        set_coefficient(plan, plan->a, channel, a);
        set_coefficient(plan, plan->b, channel, -a * inverse * args->sums[channels + channel] / count);
        set_coefficient(plan, plan->c, channel, -a * args->sums[channel] / count);
    }
    struct norm_job job = {.plan = plan, .back = args};
    pool_split(plan->cpu->base.pool, backward_part, &job);
}
