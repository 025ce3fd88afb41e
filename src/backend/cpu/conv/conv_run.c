/* backend/cpu/conv/conv_run.c -- forward, inference and backward data as the contract has them. Each thread does its
 * part by the pass's algorithm; then the threads' statistics are added up. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"
#include "base/pool.h"

static void forward_part(void *context, int thread, int threads)
{
    struct conv_job *job = context;
    const struct conv_way *way = &job->plan->ways[CONV_FORWARD];
    if (thread == 0) job->threads = threads;
    if (job->statistics) memset(conv_statistics(job, thread), 0, conv_statistics_bytes(job->pass));
    way->algorithm->forward(job, way->state, thread, threads);
}

static void backward_part(void *context, int thread, int threads)
{
    struct conv_job *job = context;
    const struct conv_way *way = &job->plan->ways[CONV_BACKWARD_DATA];
    way->algorithm->backward_data(job, way->state, thread, threads);
}

/* The bias as kernels read it. */
static const float *padded_bias(struct conv_plan *plan, const float *bias)
{
    const size_t outputs = (size_t)plan->desc.out_channels;
    if (!bias) return NULL;
    memcpy(plan->bias, bias, outputs * sizeof *bias);
    if (plan->forward.y.block_channels == NARROW_CHANNELS) /* of both images of a row */
        memcpy(plan->bias + NARROW_CHANNELS, bias, outputs * sizeof *bias);
    return plan->bias;
}

/* y = conv(x) + bias. */
static struct conv_job forward_job(struct conv_plan *plan, void *y, const void *x, const float *bias)
{
    return (struct conv_job){
        .plan = plan,
        .pass = &plan->forward,
        .x = x,
        .y = y,
        .bias = padded_bias(plan, bias),
        .images = plan->desc.input_layout == LAYOUT_IMAGES,
        .threads = 1,
    };
}

void cpu_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias)
{
    struct conv_job job = forward_job(plan, y, x, bias);
    if (plan->desc.statistics) job.statistics = statistics;
    const int outputs = plan->desc.out_channels;
    pool_split(plan->cpu->base.pool, forward_part, &job);
    if (!job.statistics) return;
    const size_t half = (size_t)conv_panels(job.pass) * BLOCK_CHANNELS;
    memset(statistics, 0, 2 * (size_t)outputs * sizeof *statistics);
    for (int thread = 0; thread < job.threads; thread++) {
        const double *part = conv_statistics(&job, thread);
        for (int k = 0; k < outputs; k++) {
            statistics[k] += part[k];
            statistics[outputs + k] += part[half + (size_t)k];
        }
    }
}

void cpu_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias)
{
    struct conv_job job = forward_job(plan, y, x, bias);
    if (plan->desc.residual) job.addend = residual;
    job.relu = plan->desc.relu;
    pool_split(plan->cpu->base.pool, forward_part, &job);
}

void cpu_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    struct conv_job job = {
        .plan = plan,
        .pass = &plan->data,
        .x = d_y,
        .y = d_x,
        .addend = plan->desc.accumulate ? d_x : NULL,
        .threads = 1,
    };
    pool_split(plan->cpu->base.pool, backward_part, &job);
}
