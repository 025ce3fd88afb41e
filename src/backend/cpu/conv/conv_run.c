/* backend/cpu/conv/conv_run.c -- forward and backward data: the same walk over strips, panels and image groups. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"
#include "base/pool.h"

struct run_job {
    const struct conv_plan *plan;
    const struct conv_pass *pass;
    const char *x;
    char *y;
    const float *bias;
    double *statistics;
    const char *addend; /* laid out as y, may be y; or NULL */
    bool relu, images;
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
    run->y_image = pass->y_image;
    run->weights_block = (ptrdiff_t)pass->weights_block;
    run->contraction_blocks = pass->contraction_blocks;
    run->steps = pass->steps;
    run->weights_half = (ptrdiff_t)(job->images ? (size_t)pass->steps * job->plan->kernels->step_bytes
                                                : job->plan->kernels->tile_bytes) /
                        2;
    run->last_steps = pass->last_steps;
    run->relu = job->relu;
    run->group_images = pass->y.group_images;
}

/* While the panels of a strip are computed, the rows of x that the next strip adds are fetched: a panel's share
 * of them, spread over the taps of its blocks. Worth up to a third where little is computed per byte. */
static void plan_prefetch(struct conv_run *run, const struct run_job *job, int64_t piece, int panel)
{
    const struct conv_pass *pass = job->pass;
    const struct conv_desc *desc = &job->plan->desc;
    struct conv_prefetch *prefetch = &run->prefetch;
    memset(prefetch, 0, sizeof *prefetch);
    if (job->images || pass->order != CONV_BY_STRIP || ++piece >= (int64_t)pass->y.groups * pass->strips) return;
    const int strip = (int)(piece % pass->strips);
    int64_t first, end;
    pool_share(pass->y.height, strip, pass->strips, &first, &end);
    int first_row, end_row; /* of x: what strip reads and the one before it does not */
    if (pass == &job->plan->data) {
        first_row = (int)(first + desc->padding - 1) / desc->stride + 1;
        end_row = (int)(end + desc->padding - 1) / desc->stride + 1;
    } else {
        first_row = (int)first * desc->stride - desc->padding + desc->kernel - desc->stride;
        end_row = (int)end * desc->stride - desc->padding + desc->kernel - desc->stride;
    }
    if (strip == 0 || first_row < 0) first_row = 0;
    if (end_row > pass->x.height) end_row = pass->x.height;
    if (end_row <= first_row) return;
    const ptrdiff_t row = (ptrdiff_t)(pass->x.row * dtype_bytes(desc->dtype));
    prefetch->segment = (end_row - first_row) * row;
    prefetch->gap = pass->x_block - prefetch->segment;
    int64_t begin_line, end_line;
    pool_share(prefetch->segment / 64 * pass->x.blocks, panel, conv_panels(pass), &begin_line, &end_line);
    const ptrdiff_t block = (ptrdiff_t)(begin_line * 64) / prefetch->segment,
                    at = (ptrdiff_t)(begin_line * 64) % prefetch->segment;
    prefetch->next = job->x + (piece / pass->strips) * pass->x_group + block * pass->x_block + first_row * row + at;
    prefetch->left = (ptrdiff_t)(end_line - begin_line) * 64;
    prefetch->left_in_segment = prefetch->segment - at;
    int64_t taps = 0;
    for (int b = 0; b < run->count; b++)
        taps += (int64_t)pass->programs[run->blocks[b].program].count *
                (job->plan->kernels->tile_rows ? 1 : run->blocks[b].tiles);
    taps *= (int64_t)pass->contraction_blocks * (run->images > 8 ? 2 : 1);
    prefetch->lines = taps > 0 ? (int)((end_line - begin_line + taps - 1) / taps) : 0;
}

/* The octets of a tile are both halves of a group of sixteen, or two positions of a group of eight. */
static void set_octets(struct conv_run *run)
{
    const bool small = run->group_images == OCTET_IMAGES;
    run->octet_images[0] = run->images < OCTET_IMAGES ? run->images : OCTET_IMAGES;
    run->octet_images[1] = small ? run->images : run->images - run->octet_images[0];
}

/* One piece: an image group, a strip of rows, a panel of outputs. */
static void run_piece(struct conv_run *run, const struct run_job *job, int thread, int group, int strip, int panel)
{
    const struct conv_pass *pass = job->pass;
    const ptrdiff_t output = (ptrdiff_t)panel * BLOCK_CHANNELS;
    int64_t first, end;
    pool_share(pass->y.height, strip, pass->strips, &first, &end);
    const int first_row = job->images ? 0 : (int)first, end_row = job->images ? (int)(end - first) : (int)end;
    run->blocks = pass->blocks + pass->first_block[first_row];
    run->count = pass->first_block[end_row] - pass->first_block[first_row];
    const ptrdiff_t at = group * pass->y_group + panel * pass->y_block + (job->images ? first * pass->y_row : 0);
    run->y = job->y + at;
    run->addend = job->addend ? job->addend + at : NULL;
    if (!job->images) run->x = job->x + group * pass->x_group;
    run->weights = pass->weights + (size_t)panel * pass->panel_bytes;
    run->outputs = activation_block_channels(&pass->y, panel);
    run->images = activation_group_images(&pass->y, group);
    set_octets(run);
    run->bias = job->bias ? job->bias + output : NULL;
    if (job->statistics) {
        run->sum = thread_statistics(job, thread) + output;
        run->squares = run->sum + (ptrdiff_t)conv_panels(pass) * BLOCK_CHANNELS;
    }
    plan_prefetch(run, job, (int64_t)group * pass->strips + strip, panel);
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
    conv_fill_image_strip(out, &plan->images, plan, job->x, group, (int)first * plan->desc.stride, rows);
    return out;
}

static void run_winograd(const struct run_job *job, const struct winograd_pass *pass, int thread)
{
    const struct winograd_job winograd = {
        .plan = job->plan,
        .pass = pass,
        .backward = job->pass == &job->plan->data,
        .x = job->x,
        .y = job->y,
        .bias = job->bias,
        .addend = job->addend,
        .relu = job->relu,
    };
    char *scratch = cpu_scratch(job->plan->cpu, thread);
    double *sum = NULL, *squares = NULL;
    if (job->statistics) {
        sum = thread_statistics(job, thread);
        squares = sum + (ptrdiff_t)conv_panels(job->pass) * BLOCK_CHANNELS;
        scratch = (char *)(squares + (ptrdiff_t)conv_panels(job->pass) * BLOCK_CHANNELS);
    }
    winograd_run(&winograd, scratch, sum, squares, thread);
}

static void run_part(void *context, int thread, int threads)
{
    struct run_job *job = context;
    const struct conv_pass *pass = job->pass;
    const struct winograd_plan *winograd = &job->plan->winograd;
    const struct winograd_pass *other = pass == &job->plan->data ? &winograd->data : &winograd->forward;
    const int64_t panels = conv_panels(pass), pieces = (int64_t)pass->y.groups * pass->strips;
    struct conv_run run;
    if (thread == 0) job->threads = threads;
    if (job->statistics)
        memset(thread_statistics(job, thread), 0, (size_t)panels * BLOCK_CHANNELS * 2 * sizeof(double));
    if (other->used) {
        run_winograd(job, other, thread);
        return;
    }
    fill_run(&run, job);
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
static struct run_job forward_job(struct conv_plan *plan, void *y, const void *x, const float *bias)
{
    return (struct run_job){
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
    struct run_job job = forward_job(plan, y, x, bias);
    if (plan->desc.statistics) job.statistics = statistics;
    const int outputs = plan->desc.out_channels;
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

void cpu_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias)
{
    struct run_job job = forward_job(plan, y, x, bias);
    if (plan->desc.residual) job.addend = residual;
    job.relu = plan->desc.relu;
    pool_split(plan->cpu->base.pool, run_part, &job);
}

void cpu_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    struct run_job job = {
        .plan = plan,
        .pass = &plan->data,
        .x = d_y,
        .y = d_x,
        .addend = plan->desc.accumulate ? d_x : NULL,
        .threads = 1,
    };
    pool_split(plan->cpu->base.pool, run_part, &job);
}
