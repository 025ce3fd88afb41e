/* backend/cpu/conv_run.c -- forward and backward data: the same walk over strips, panels and image groups. */
#include <string.h>

#include "backend/cpu/conv_plan.h"
#include "base/pool.h"

struct run_job {
    const struct conv_plan *plan;
    const struct conv_pass *pass;
    const char *x;
    char *y;
    const float *bias;
    double *statistics;
    bool accumulate, images;
    int threads;
};

/* Thread scratch: statistics double [2][panels * 32], then the strip of images. */
static double *thread_statistics(const struct run_job *job, int thread)
{
    return cpu_scratch(job->plan->cpu, thread);
}

static void fill_run(struct conv_run *run, const struct run_job *job)
{
    const struct conv_pass *pass = job->pass;
    memset(run, 0, sizeof *run);
    run->programs = pass->programs;
    run->taps = pass->taps;
    run->x_block = pass->x_block;
    run->x_image = pass->x_image;
    run->weights_block = (ptrdiff_t)pass->weights_block;
    run->contraction_blocks = pass->contraction_blocks;
    run->steps = pass->steps;
    run->last_steps = pass->last_steps;
    run->accumulate = job->accumulate;
}

/* One piece: an image group, a strip of rows, a panel of outputs. */
static void run_piece(struct conv_run *run, const struct run_job *job, int thread, int group, int strip, int panel)
{
    const struct conv_pass *pass = job->pass;
    int64_t first, end;
    pool_share(pass->y.height, strip, pass->strips, &first, &end);
    const int first_row = job->images ? 0 : (int)first, end_row = job->images ? (int)(end - first) : (int)end;
    run->blocks = pass->blocks + pass->first_block[first_row];
    run->count = pass->first_block[end_row] - pass->first_block[first_row];
    run->y = job->y + group * pass->y_group + panel * pass->y_block + (job->images ? first * pass->y_row : 0);
    if (!job->images) run->x = job->x + group * pass->x_group;
    run->weights = pass->weights + (size_t)panel * pass->panel_bytes;
    run->outputs = activation_block_channels(&pass->y, panel);
    run->images = activation_group_images(&pass->y, group);
    run->bias = job->bias ? job->bias + panel * BLOCK_CHANNELS : NULL;
    if (job->statistics) {
        run->sum = thread_statistics(job, thread) + panel * BLOCK_CHANNELS;
        run->squares = run->sum + conv_panels(pass) * BLOCK_CHANNELS;
    }
    job->plan->kernels->forward(run);
}

static const char *load_strip(const struct run_job *job, int thread, int group, int strip)
{
    const struct conv_plan *plan = job->plan;
    const size_t offset = job->statistics ? (size_t)conv_panels(job->pass) * BLOCK_CHANNELS * 2 * sizeof(double) : 0;
    char *out = (char *)cpu_scratch(plan->cpu, thread) + offset;
    int64_t first, end;
    pool_share(job->pass->y.height, strip, job->pass->strips, &first, &end);
    const int rows = (int)(end - first - 1) * plan->desc.stride + plan->desc.kernel;
    conv_fill_image_strip(out, &plan->images, plan, (const float *)(const void *)job->x, group,
                          (int)first * plan->desc.stride, rows);
    return out;
}

static void run_part(void *context, int thread, int threads)
{
    struct run_job *job = context;
    const struct conv_pass *pass = job->pass;
    const int64_t panels = conv_panels(pass), pieces = (int64_t)pass->y.groups * pass->strips;
    struct conv_run run;
    fill_run(&run, job);
    if (thread == 0) job->threads = threads;
    if (job->statistics) memset(thread_statistics(job, thread), 0, (size_t)panels * BLOCK_CHANNELS * 2 * sizeof(double));
    int64_t begin, end, loaded = -1;
    pool_share(pieces * panels, thread, threads, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        const bool by_strip = pass->order == CONV_BY_STRIP;
        const int panel = (int)(by_strip ? i % panels : i / pieces);
        const int64_t piece = by_strip ? i / panels : i % pieces;
        const int group = (int)(piece / pass->strips), strip = (int)(piece % pass->strips);
        if (job->images && piece != loaded) {
            run.x = load_strip(job, thread, group, strip);
            loaded = piece;
        }
        run_piece(&run, job, thread, group, strip, panel);
    }
}

void cpu_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias)
{
    struct run_job job = {
        .plan = plan, .pass = &plan->forward, .x = x, .y = y,
        .statistics = plan->desc.statistics ? statistics : NULL,
        .images = plan->desc.input_layout == LAYOUT_IMAGES, .threads = 1,
    };
    const int outputs = plan->desc.out_channels;
    if (bias) {
        memcpy(plan->bias, bias, (size_t)outputs * sizeof *bias);
        job.bias = plan->bias;
    }
    pool_split(plan->cpu->base.pool, run_part, &job);
    if (!job.statistics) return;
    const size_t half = (size_t)conv_panels(job.pass) * BLOCK_CHANNELS;
    memset(statistics, 0, 2 * (size_t)outputs * sizeof *statistics);
    for (int thread = 0; thread < job.threads; thread++) {
        const double *part = thread_statistics(&job, thread);
        for (int k = 0; k < outputs; k++) {
            statistics[k] += part[k];
            statistics[outputs + k] += part[half + (size_t)k];
        }
    }
}

void cpu_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    struct run_job job = {
        .plan = plan, .pass = &plan->data, .x = d_y, .y = d_x, .accumulate = plan->desc.accumulate, .threads = 1,
    };
    pool_split(plan->cpu->base.pool, run_part, &job);
}
