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
struct norm_job {
    struct batch_norm_plan *plan;
    void *y, *d_x, *d_residual;
    uint8_t *mask; /* of the forward pass */
    const void *x, *residual, *d_y;
    const uint8_t *kept; /* the mask, in the backward pass */
    float *saved, *running_mean, *running_var, *d_gamma, *d_beta;
    const float *gamma, *beta, *given;
    bool sums_wanted;
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
static double value_count(const struct batch_norm_plan *plan)
{
    return (double)plan->desc.batch * plan->desc.height * plan->desc.width;
}

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

/* From the sums of (x - shift) and its square: the mean, the variances, the coefficients of the pass to come. */
static void finish_channel(const struct norm_job *job, int channel, double sum, double square, double shift)
{
    struct batch_norm_plan *plan = job->plan;
    const double count = value_count(plan), offset = sum / count;
    double variance = square / count - offset * offset;
    if (variance < 0) variance = 0; /* rounding of nearly constant channels */
    const double mean = shift + offset, inverse = 1 / sqrt(variance + (double)plan->desc.epsilon);
    const float momentum = plan->desc.momentum;
    if (job->saved) {
        job->saved[channel] = (float)mean;
        job->saved[plan->desc.channels + channel] = (float)inverse;
    }
    if (job->running_mean)
        job->running_mean[channel] = (1 - momentum) * job->running_mean[channel] + momentum * (float)mean;
    if (job->running_var) {
        const double unbiased = count > 1 ? variance * (count / (count - 1)) : variance;
        job->running_var[channel] = (1 - momentum) * job->running_var[channel] + momentum * (float)unbiased;
    }
    set_affine(plan, channel, (float)mean, (float)(job->gamma[channel] * inverse), job->beta);
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
    if (job->sums_wanted) {
        forward_sums(job, thread, threads);
        pool_barrier(plan->cpu->base.pool);
        pool_share(plan->desc.channels, thread, threads, &begin, &end);
        for (int64_t channel = begin; channel < end; channel++) {
            double sums[2];
            joined_sums(plan, threads, (int)channel, sums);
            finish_channel(job, (int)channel, sums[0], sums[1], (double)mean_of(plan, (int)channel));
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

void cpu_batch_norm_forward(struct batch_norm_plan *plan, void *y, void *mask, float *saved, float *running_mean,
                            float *running_var, const void *x, const void *residual, const double *statistics,
                            const float *gamma, const float *beta)
{
    struct norm_job job = {.plan = plan,
                           .y = y,
                           .mask = plan->desc.relu ? mask : NULL,
                           .x = x,
                           .residual = residual,
                           .saved = saved,
                           .gamma = gamma,
                           .beta = beta,
                           .running_mean = running_mean,
                           .running_var = running_var,
                           .sums_wanted = statistics == NULL};
    if (statistics) {
        for (int channel = 0; channel < plan->desc.channels; channel++)
            finish_channel(&job, channel, statistics[channel], statistics[plan->desc.channels + channel], 0);
    } else {
        choose_shifts(plan, x);
    }
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

void cpu_batch_norm_again(struct batch_norm_plan *plan, void *y, void *mask, const void *x, const void *residual)
{
    struct norm_job job = {.plan = plan, .y = y, .mask = plan->desc.relu ? mask : NULL, .x = x, .residual = residual};
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

void cpu_batch_norm_inference(struct batch_norm_plan *plan, void *y, const void *x, const void *residual,
                              const float *gamma, const float *beta, const float *running_mean,
                              const float *running_var)
{
    for (int channel = 0; channel < plan->desc.channels; channel++) {
        const double inverse = 1 / sqrt((double)running_var[channel] + (double)plan->desc.epsilon);
        set_affine(plan, channel, running_mean[channel], (float)(gamma[channel] * inverse), beta);
    }
    struct norm_job job = {.plan = plan, .y = y, .x = x, .residual = residual};
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
        struct norm_gradient_sums_args args = {.d_y = at(job->d_y, s.bytes),
                                               .x = at(job->x, s.bytes),
                                               .mask = at(job->kept, s.mask_bytes),
                                               .cells = s.cells,
                                               .rows = s.rows,
                                               .cell_rows = activation_cell_rows(&plan->layout),
                                               .bf16 = plan->desc.dtype == DTYPE_BF16,
                                               .mean = plan->mean + (size_t)s.block * ROW_ELEMENTS,
                                               .sums = sums + (size_t)s.block * 2 * ROW_ELEMENTS};
        plan->cpu->kernels->norm_gradient_sums(&args);
    }
}

/* d_x = gamma r (g - mean(g) - x^ mean(g x^)) with x^ = (x - mean) r, written as a g + b (x - mean) + c. */
static void finish_gradient(const struct norm_job *job, int channel, const double sums[2])
{
    struct batch_norm_plan *plan = job->plan;
    const double inverse = (double)job->given[plan->desc.channels + channel], count = value_count(plan);
    const double d_gamma = sums[1] * inverse, a = (double)job->gamma[channel] * inverse;
    if (job->d_gamma) job->d_gamma[channel] = (float)d_gamma;
    if (job->d_beta) job->d_beta[channel] = (float)sums[0];
    set_coefficient(plan, plan->a, channel, a);
    set_coefficient(plan, plan->b, channel, -a * inverse * d_gamma / count);
    set_coefficient(plan, plan->c, channel, -a * sums[0] / count);
}

static void gradient_range(const struct norm_job *job, int64_t begin, int64_t end)
{
    const struct batch_norm_plan *plan = job->plan;
    struct segment s;
    while (cut_segment(plan, &begin, &end, false, &s)) {
        const size_t channel = (size_t)s.block * ROW_ELEMENTS;
        struct norm_gradient_args args = {.d_x = at_mutable(job->d_x, s.bytes),
                                          .d_residual = at_mutable(job->d_residual, s.bytes),
                                          .d_y = at(job->d_y, s.bytes),
                                          .x = at(job->x, s.bytes),
                                          .mask = at(job->kept, s.mask_bytes),
                                          .cells = s.cells,
                                          .rows = s.rows,
                                          .cell_rows = activation_cell_rows(&plan->layout),
                                          .bf16 = plan->desc.dtype == DTYPE_BF16,
                                          .accumulate = plan->desc.accumulate_residual,
                                          .stream = plan->stream && job->d_x != job->d_y,
                                          .mean = plan->mean + channel,
                                          .a = plan->a + channel,
                                          .b = plan->b + channel,
                                          .c = plan->c + channel};
        plan->cpu->kernels->norm_gradient(&args);
    }
}

static void backward_part(void *context, int thread, int threads)
{
    const struct norm_job *job = context;
    struct batch_norm_plan *plan = job->plan;
    int64_t begin, end;
    gradient_sums(job, thread, threads);
    pool_barrier(plan->cpu->base.pool);
    pool_share(plan->desc.channels, thread, threads, &begin, &end);
    for (int64_t channel = begin; channel < end; channel++) {
        double sums[2];
        joined_sums(plan, threads, (int)channel, sums);
        finish_gradient(job, (int)channel, sums);
    }
    pool_barrier(plan->cpu->base.pool);
    pool_share(plan->cells, thread, threads, &begin, &end);
    gradient_range(job, begin, end);
}

void cpu_batch_norm_backward(struct batch_norm_plan *plan, void *d_x, void *d_residual, float *d_gamma, float *d_beta,
                             const void *d_y, const void *x, const void *mask, const float *saved, const float *gamma)
{
    for (int channel = 0; channel < plan->desc.channels; channel++)
        set_coefficient(plan, plan->mean, channel, (double)saved[channel]);
    struct norm_job job = {.plan = plan,
                           .d_x = d_x,
                           .d_residual = d_residual,
                           .d_gamma = d_gamma,
                           .d_beta = d_beta,
                           .d_y = d_y,
                           .x = x,
                           .kept = plan->desc.relu ? mask : NULL,
                           .given = saved,
                           .gamma = gamma};
    pool_split(plan->cpu->base.pool, backward_part, &job);
}
