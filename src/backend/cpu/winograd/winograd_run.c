/* backend/cpu/winograd/winograd_run.c -- forward and backward data by Winograd: chunks of tiles whose transformed
 * inputs stay in the second-level cache while panel after panel of outputs is multiplied and transformed back. */
#include <string.h>

#include "backend/cpu/winograd/winograd_plan.h"
#include "base/pool.h"

enum { MOST_OUTPUTS = 512 }; /* cells of y that are fetched at once, before they are written */

/* What one thread works on, and where. */
struct part {
    const struct conv_job *job;
    const struct winograd_plan *plan;
    const struct winograd_kernels *kernels;
    const struct winograd_transforms *transforms;
    const struct conv_pass *shape; /* layouts and packed weights */
    int thread;
    char *u, *v;
    float *m;
    double *sum, *squares;
    int first_panel, end_panel;
};

/* U of panels [panel, panel + count). */
static void transform_weights(const struct part *part, char *u, int panel, int count)
{
    const struct winograd_pass *pass = &part->plan->pass;
    const struct winograd_transforms *transforms = part->transforms;
    const struct conv_pass *shape = part->shape;
    for (int p = 0; p < count; p++)
        for (int b = 0; b < shape->x.blocks; b++) {
            const char *taps =
                shape->weights + (size_t)(panel + p) * shape->panel_bytes + (size_t)b * shape->weights_block;
            (pass->pairs ? transforms->weights_pairs : transforms->weights)(
                u + (p * pass->u_panel + (ptrdiff_t)b * BLOCK_CHANNELS * 32) * winograd_element(pass), pass->u_point,
                taps, activation_block_channels(&shape->x, b));
        }
}

/* U of a panel that is kept, among all threads that share this one's panels: they made them in turn. */
static char *kept_weights(const struct part *part, int panel)
{
    const struct winograd_pass *pass = &part->plan->pass;
    const struct cpu_backend *cpu = part->job->plan->cpu;
    const int number = (panel - part->first_panel) / pass->panels_at_once, maker = number % pass->tile_shares;
    const ptrdiff_t offset = part->u - (const char *)cpu_scratch(cpu, part->thread);
    return (char *)cpu_scratch(cpu, part->thread % pass->panel_shares + maker * pass->panel_shares) + offset +
           (ptrdiff_t)(number / pass->tile_shares) * WINOGRAD_WEIGHTS * pass->u_point * winograd_element(pass);
}

static void keep_weights(const struct part *part)
{
    const struct winograd_pass *pass = &part->plan->pass;
    const int step = pass->panels_at_once;
    for (int panel = part->first_panel + part->thread / pass->panel_shares * step; panel < part->end_panel;
         panel += pass->tile_shares * step) {
        const int left = part->end_panel - panel;
        transform_weights(part, kept_weights(part, panel), panel, left < step ? left : step);
    }
    pool_barrier(part->job->plan->cpu->base.pool);
}

/* V of tiles [first, first + count). */
static void transform_inputs(const struct part *part, int64_t first, int count)
{
    const struct winograd_pass *pass = &part->plan->pass;
    const struct activation_layout *x = &part->shape->x;
    const ptrdiff_t cell = (ptrdiff_t)x->cell, block = (ptrdiff_t)(x->block * dtype_bytes(part->job->plan->desc.dtype));
    struct winograd_input args = {
        .point = pass->v_point, .block = x->block_channels, .bf16 = part->job->plan->desc.dtype == DTYPE_BF16};
    for (int t = 0; t < count; t++) {
        const struct winograd_tile tile = winograd_tile(pass, x, first + t);
        winograd_x_cells(args.cells, part->plan, part->job->x, x, &tile);
        args.images = part->kernels->computed_images(tile.images, x->group_images);
        for (int b = 0; b < x->blocks; b++) {
            args.out = part->v + (t * pass->v_tile + b * cell) * winograd_element(pass);
            args.channels = activation_block_channels(x, b);
            (pass->pairs ? part->transforms->input_pairs : part->transforms->input)(&args);
            for (int i = 0; i < pass->form->x_edge * pass->form->x_edge; i++)
                if (args.cells[i] != part->plan->zeros) args.cells[i] += block;
        }
    }
}

/* y of tiles [first, first + count) and panels [panel, panel + panels) of the chunk's M. */
static void transform_outputs(const struct part *part, int64_t first, int count, int panel, int panels)
{
    const struct conv_job *job = part->job;
    const struct winograd_pass *pass = &part->plan->pass;
    const struct activation_layout *y = &part->shape->y;
    const ptrdiff_t element = (ptrdiff_t)dtype_bytes(job->plan->desc.dtype), cell = (ptrdiff_t)y->cell;
    const int edge = pass->form->y_edge;
    float statistics[64] __attribute__((aligned(64)));
    struct winograd_output args = {
        .point = pass->m_point,
        .cell = cell * element,
        .row = (ptrdiff_t)y->row * element,
        .places = y->group_images,
        .block = y->block_channels,
        .relu = job->relu,
        .bf16 = job->plan->desc.dtype == DTYPE_BF16,
        .statistics = part->sum ? statistics : NULL,
    };
    for (int t = 0; t < count; t++) {
        const struct winograd_tile tile = winograd_tile(pass, y, first + t);
        const int row = tile.down * edge, column = tile.across * edge;
        const size_t at = (size_t)tile.group * y->group + (size_t)row * y->row + (size_t)(column * cell);
        args.rows = y->height - row < edge ? y->height - row : edge;
        args.columns = y->width - column < edge ? y->width - column : edge;
        args.images = tile.images;
        for (int p = 0; p < panels; p++) {
            const ptrdiff_t output = (ptrdiff_t)(panel + p) * BLOCK_CHANNELS;
            args.m = part->m + t * pass->m_tile + p * cell;
            const size_t bytes = (at + (size_t)(panel + p) * y->block) * (size_t)element;
            args.y = job->y + bytes;
            args.addend = job->addend ? job->addend + bytes : NULL;
            args.outputs = activation_block_channels(y, panel + p);
            args.bias = job->bias ? job->bias + output : NULL;
            memset(statistics, 0, sizeof statistics);
            part->transforms->output(&args);
            for (ptrdiff_t k = 0; k < BLOCK_CHANNELS && part->sum; k++) {
                part->sum[output + k] += (double)statistics[k];
                part->squares[output + k] += (double)statistics[32 + k];
            }
        }
    }
}

/* The cells of tile `number` that are to be fetched, one for each point; none if it is negative. */
static void find_next(const struct part *part, const char **next, int64_t number)
{
    const struct winograd_plan *plan = part->plan;
    const struct winograd_pass *pass = &plan->pass;
    memset(next, 0, (size_t)pass->form->points * sizeof *next);
    if (number < 0) return;
    const struct winograd_tile tile = winograd_tile(pass, &part->shape->x, number);
    winograd_x_cells(next, plan, part->job->x, &part->shape->x, &tile);
    for (int i = 0; i < pass->form->x_edge * pass->form->x_edge; i++)
        if (next[i] == plan->zeros) next[i] = NULL;
}

/* The cells of y that tiles [first, first + count) of some panels will be stored to; returns how many. */
static int find_outputs(const struct part *part, const char **cells, int64_t first, int count, int panel, int panels)
{
    const struct winograd_plan *plan = part->plan;
    const struct winograd_pass *pass = &plan->pass;
    const struct activation_layout *y = &part->shape->y;
    const size_t element = dtype_bytes(plan->conv->desc.dtype);
    const int edge = pass->form->y_edge;
    int found = 0;
    for (int t = 0; t < count; t++) {
        const struct winograd_tile tile = winograd_tile(pass, y, first + t);
        const char *inside[WINOGRAD_MOST_POINTS];
        winograd_y_cells(inside, plan, part->job->y, y, &tile);
        for (int p = 0; p < panels; p++)
            for (int i = 0; i < edge; i++)
                for (int j = 0; j < edge; j++) {
                    const char *cell = inside[i * edge + j];
                    if (cell != plan->zeros && found < MOST_OUTPUTS)
                        cells[found++] = cell + (size_t)(panel + p) * y->block * element;
                }
    }
    return found;
}

/* All of tiles [first, first + count); `following`: the tiles that come after them, whose cells are fetched. */
static void run_chunk(const struct part *part, int64_t first, int count, int following)
{
    const struct winograd_pass *pass = &part->plan->pass;
    const struct activation_layout *x = &part->shape->x;
    const ptrdiff_t element = (ptrdiff_t)dtype_bytes(part->job->plan->desc.dtype);
    const char *next[WINOGRAD_MOST_TILES * WINOGRAD_MOST_POINTS], *outputs[MOST_OUTPUTS];
    struct winograd_products args = {
        .form = pass->form,
        .v = part->v,
        .m = part->m,
        .v_point = pass->v_point,
        .v_tile = pass->v_tile,
        .u_point = pass->u_point,
        .u_panel = pass->u_panel,
        .m_point = pass->m_point,
        .m_tile = pass->m_tile,
        .tiles = count,
        .places = x->group_images,
        .block = x->block_channels,
        .channels = x->channels,
        .next_block = (ptrdiff_t)x->block * element,
        .next_bytes = (ptrdiff_t)x->cell * element,
        .outputs = {.cells = outputs, .bytes = (ptrdiff_t)x->cell * element},
    };
    for (int t = 0; t < count; t++) {
        args.images[t] = winograd_tile(pass, x, first + t).images;
        find_next(part, next + (ptrdiff_t)t * pass->form->points, t < following ? first + count + t : -1);
    }
    transform_inputs(part, first, count);
    for (int panel = part->first_panel; panel < part->end_panel; panel += pass->panels_at_once) {
        const int left = part->end_panel - panel;
        args.panels = left < pass->panels_at_once ? left : pass->panels_at_once;
        args.last_outputs = activation_block_channels(&part->shape->y, panel + args.panels - 1);
        args.next = panel == part->first_panel ? next : NULL;
        args.outputs.count = find_outputs(part, outputs, first, count, panel, args.panels);
        args.u = part->u;
        if (pass->keep_weights)
            args.u = kept_weights(part, panel);
        else
            transform_weights(part, part->u, panel, args.panels);
        (pass->pairs ? part->kernels->products_pairs : part->kernels->products)(&args);
        transform_outputs(part, first, count, panel, args.panels);
    }
}

static void run(const struct conv_job *job, const struct winograd_plan *plan, int thread)
{
    const struct winograd_pass *pass = &plan->pass;
    char *scratch = conv_scratch(job, thread);
    double *sum = conv_statistics(job, thread);
    struct part part = {
        .job = job,
        .plan = plan,
        .kernels = plan->kernels,
        .transforms = winograd_transforms(plan),
        .shape = job->pass,
        .thread = thread,
        .u = scratch,
        .v = scratch + pass->u_bytes,
        .m = (float *)(void *)(scratch + pass->u_bytes + pass->v_bytes),
        .sum = sum,
        .squares = sum ? sum + (ptrdiff_t)conv_panels(job->pass) * BLOCK_CHANNELS : NULL,
    };
    int64_t first, end, from, to;
    pool_share(pass->tiles, thread / pass->panel_shares, pass->tile_shares, &first, &end);
    pool_share(conv_panels(part.shape), thread % pass->panel_shares, pass->panel_shares, &from, &to);
    part.first_panel = (int)from;
    part.end_panel = (int)to;
    if (pass->keep_weights) keep_weights(&part);
    if (first == end || from == to) return;
    const int chunks = (int)((end - first + pass->chunk - 1) / pass->chunk);
    for (int chunk = 0; chunk < chunks; chunk++) {
        int64_t begin, stop, after = 0, last = 0;
        pool_share(end - first, chunk, chunks, &begin, &stop);
        if (chunk + 1 < chunks) pool_share(end - first, chunk + 1, chunks, &after, &last);
        run_chunk(&part, first + begin, (int)(stop - begin), (int)(last - after));
    }
}

void winograd_forward(const struct conv_job *job, const void *state, int thread, int threads)
{
    (void)threads;
    run(job, state, thread);
}

void winograd_backward_data(const struct conv_job *job, const void *state, int thread, int threads)
{
    (void)threads;
    run(job, state, thread);
}
