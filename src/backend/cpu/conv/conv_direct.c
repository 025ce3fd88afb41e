/* backend/cpu/conv/conv_direct.c -- the sum over taps as it stands: forward and backward data are the same walk over
 * strips, panels and image groups. */
#include <string.h>

#include "backend/check.h"
#include "backend/cpu/conv/conv_plan.h"
#include "base/pool.h"

static void fill_run(struct conv_run *run, const struct conv_job *job)
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
static void plan_prefetch(struct conv_run *run, const struct conv_job *job, int64_t piece, int panel)
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
static void run_piece(struct conv_run *run, const struct conv_job *job, int thread, int group, int strip, int panel)
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
        run->sum = conv_statistics(job, thread) + output;
        run->squares = run->sum + (ptrdiff_t)conv_panels(pass) * BLOCK_CHANNELS;
    }
    plan_prefetch(run, job, (int64_t)group * pass->strips + strip, panel);
    job->plan->kernels->forward(run);
}

static const char *load_strip(const struct conv_job *job, int thread, int group, int strip)
{
    const struct conv_plan *plan = job->plan;
    char *out = conv_scratch(job, thread);
    int64_t first, end;
    pool_share(job->pass->y.height, strip, job->pass->strips, &first, &end);
    const int rows = (int)(end - first - 1) * plan->desc.stride + plan->desc.kernel;
    conv_fill_image_strip(out, &plan->images, plan, job->x, group, (int)first * plan->desc.stride, rows);
    return out;
}

static void run_direct(const struct conv_job *job, const void *state, int thread, int threads)
{
    const struct conv_pass *pass = job->pass;
    const int64_t panels = conv_panels(pass), pieces = (int64_t)pass->y.groups * pass->strips;
    struct conv_run run;
    (void)state;
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

static int plan_direct(struct conv_way *way, const struct conv_plan *plan, enum conv_pass_kind pass,
                       struct error *error)
{
    (void)error;
    way->algorithm = &conv_direct;
    way->in_parts = pass == CONV_BACKWARD_WEIGHTS && !plan->gradient.by_tile;
    return SIMCLR_OK;
}

/* The first layer's images come as padded strips, whose padding is multiplied too. */
static double direct_flops(const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    if (desc->input_layout != LAYOUT_IMAGES) return conv_inside_flops(desc);
    return 2.0 * desc->batch * desc->in_channels * desc->out_channels * desc->kernel * desc->kernel * plan->out_height *
           plan->out_width;
}

static void direct_work(struct conv_work *work, const struct conv_plan *plan, const void *state)
{
    (void)state;
    work->kernels = plan->kernels->name;
    work->operands = plan->kernels->pair == 2 ? DTYPE_BF16 : DTYPE_F32;
    work->flops = direct_flops(plan);
}

const struct conv_algorithm conv_direct = {
    .name = "direct",
    .plan = plan_direct,
    .forward = run_direct,
    .backward_data = run_direct,
    .backward_weights = conv_direct_weights,
    .work = direct_work,
};
