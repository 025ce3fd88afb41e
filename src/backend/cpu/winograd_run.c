/* backend/cpu/winograd_run.c -- forward and backward data by Winograd: chunks of tiles whose transformed inputs stay in
 * the second-level cache while panel after panel of outputs is multiplied and transformed back. */
#include <math.h>
#include <string.h>

#include "backend/cpu/conv_plan.h"
#include "backend/cpu/winograd_tiles.h"
#include "base/pool.h"

enum { MOST_OUTPUTS = 512 }; /* cells of y that are fetched at once, before they are written */

/* What one thread works on, and where. */
struct part {
    const struct winograd_job *job;
    const struct winograd_kernels *kernels;
    const struct conv_pass *shape; /* layouts and packed weights */
    char *u, *v;
    float *m;
    double *sum, *squares;
    int first_panel, end_panel;
};

/* Threads form a grid of (tiles) x (panels). The best grid is the one whose largest share is cheapest. */
static void share_work(const struct winograd_pass *pass, const struct conv_pass *shape, int thread, int threads,
                       int64_t *first, int64_t *end, int *first_panel, int *end_panel)
{
    const double blocks = shape->x.blocks;
    int best_parts = 1, best_across = threads;
    double best = 0;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0) continue;
        const int across = threads / parts;
        const double tiles = ceil((double)pass->tiles / parts), panels = ceil((double)conv_panels(shape) / across);
        const double chunks = pass->keep_weights ? 1 : ceil(tiles / pass->chunk);
        const double cost =
            tiles * (WINOGRAD_INPUT_COST * blocks + panels * (WINOGRAD_PRODUCT_COST * blocks + WINOGRAD_OUTPUT_COST)) +
            chunks * panels * blocks * WINOGRAD_WEIGHTS_COST;
        if (parts > 1 && cost >= best) continue;
        best = cost;
        best_parts = parts;
        best_across = across;
    }
    pool_share(pass->tiles, thread / best_across, best_parts, first, end);
    int64_t from, to;
    pool_share(conv_panels(shape), thread % best_across, best_across, &from, &to);
    *first_panel = (int)from;
    *end_panel = (int)to;
}

/* U of panels [panel, panel + count). */
static void transform_weights(const struct part *part, char *u, int panel, int count)
{
    const struct winograd_pass *pass = part->job->pass;
    const struct winograd_kernels *kernels = part->kernels;
    const struct conv_pass *shape = part->shape;
    for (int p = 0; p < count; p++)
        for (int b = 0; b < shape->x.blocks; b++) {
            const char *taps =
                shape->weights + (size_t)(panel + p) * shape->panel_bytes + (size_t)b * shape->weights_block;
            (pass->pairs ? kernels->weights_pairs : kernels->weights)(
                u + (p * pass->u_panel + (ptrdiff_t)b * BLOCK_CHANNELS * 32) * winograd_element(pass), pass->u_point,
                taps, activation_block_channels(&shape->x, b));
        }
}

/* V of tiles [first, first + count). */
static void transform_inputs(const struct part *part, int64_t first, int count)
{
    const struct winograd_pass *pass = part->job->pass;
    const struct activation_layout *x = &part->shape->x;
    const ptrdiff_t cell = (ptrdiff_t)x->cell, block = (ptrdiff_t)(x->block * dtype_bytes(part->job->plan->desc.dtype));
    struct winograd_input args = {
        .point = pass->v_point, .block = x->block_channels, .bf16 = part->job->plan->desc.dtype == DTYPE_BF16};
    for (int t = 0; t < count; t++) {
        const struct winograd_tile tile = winograd_tile(pass, x, first + t);
        winograd_cells(args.cells, part->job->plan, part->job->x, x, &tile, -1, WINOGRAD_IN);
        args.images = part->kernels->computed_images(tile.images, x->group_images);
        for (int b = 0; b < x->blocks; b++) {
            args.out = part->v + (t * pass->v_tile + b * cell) * winograd_element(pass);
            args.channels = activation_block_channels(x, b);
            (pass->pairs ? part->kernels->input_pairs : part->kernels->input)(&args);
            for (int i = 0; i < WINOGRAD_POINTS; i++)
                if (args.cells[i] != part->job->plan->winograd.zeros) args.cells[i] += block;
        }
    }
}

/* y of tiles [first, first + count) and panels [panel, panel + panels) of the chunk's M. */
static void transform_outputs(const struct part *part, int64_t first, int count, int panel, int panels)
{
    const struct winograd_job *job = part->job;
    const struct winograd_pass *pass = job->pass;
    const struct activation_layout *y = &part->shape->y;
    const ptrdiff_t element = (ptrdiff_t)dtype_bytes(job->plan->desc.dtype), cell = (ptrdiff_t)y->cell;
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
        const size_t at = (size_t)tile.group * y->group + (size_t)tile.row * y->row + (size_t)(tile.column * cell);
        args.rows = y->height - tile.row < WINOGRAD_OUT ? y->height - tile.row : WINOGRAD_OUT;
        args.columns = y->width - tile.column < WINOGRAD_OUT ? y->width - tile.column : WINOGRAD_OUT;
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
            part->kernels->output(&args);
            for (ptrdiff_t k = 0; k < BLOCK_CHANNELS && part->sum; k++) {
                part->sum[output + k] += (double)statistics[k];
                part->squares[output + k] += (double)statistics[32 + k];
            }
        }
    }
}

/* The cells of tile `number` that are to be fetched; none if it is negative. */
static void find_next(const struct part *part, const char **next, int64_t number)
{
    const struct conv_plan *plan = part->job->plan;
    memset(next, 0, WINOGRAD_POINTS * sizeof *next);
    if (number < 0) return;
    const struct winograd_tile tile = winograd_tile(part->job->pass, &part->shape->x, number);
    winograd_cells(next, plan, part->job->x, &part->shape->x, &tile, -1, WINOGRAD_IN);
    for (int i = 0; i < WINOGRAD_POINTS; i++)
        if (next[i] == plan->winograd.zeros) next[i] = NULL;
}

/* The cells of y that tiles [first, first + count) of some panels will be stored to; returns how many. */
static int find_outputs(const struct part *part, const char **cells, int64_t first, int count, int panel, int panels)
{
    const struct activation_layout *y = &part->shape->y;
    const size_t element = dtype_bytes(part->job->plan->desc.dtype);
    int found = 0;
    for (int t = 0; t < count; t++) {
        const struct winograd_tile tile = winograd_tile(part->job->pass, y, first + t);
        const char *inside[WINOGRAD_OUT * WINOGRAD_OUT];
        winograd_cells(inside, part->job->plan, part->job->y, y, &tile, 0, WINOGRAD_OUT);
        for (int p = 0; p < panels; p++)
            for (int i = 0; i < WINOGRAD_OUT * WINOGRAD_OUT; i++)
                if (inside[i] != part->job->plan->winograd.zeros && found < MOST_OUTPUTS)
                    cells[found++] = inside[i] + (size_t)(panel + p) * y->block * element;
    }
    return found;
}

/* All of tiles [first, first + count); `following`: the tiles that come after them, whose cells are fetched. */
static void run_chunk(const struct part *part, int64_t first, int count, int following)
{
    const struct winograd_pass *pass = part->job->pass;
    const struct activation_layout *x = &part->shape->x;
    const ptrdiff_t element = (ptrdiff_t)dtype_bytes(part->job->plan->desc.dtype);
    const char *next[WINOGRAD_MOST_TILES * WINOGRAD_POINTS], *outputs[MOST_OUTPUTS];
    struct winograd_products args = {
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
        find_next(part, next + (ptrdiff_t)t * WINOGRAD_POINTS, t < following ? first + count + t : -1);
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
            args.u = part->u + (ptrdiff_t)((panel - part->first_panel) / pass->panels_at_once) * WINOGRAD_POINTS *
                                   pass->u_point * winograd_element(pass);
        else
            transform_weights(part, part->u, panel, args.panels);
        (pass->pairs ? part->kernels->products_pairs : part->kernels->products)(&args);
        transform_outputs(part, first, count, panel, args.panels);
    }
}

void winograd_run(const struct winograd_job *job, char *scratch, double *sum, double *squares, int thread, int threads)
{
    const struct winograd_pass *pass = job->pass;
    struct part part = {
        .job = job,
        .kernels = job->plan->winograd.kernels,
        .shape = job->backward ? &job->plan->data : &job->plan->forward,
        .u = scratch,
        .v = scratch + pass->u_bytes,
        .m = (float *)(void *)(scratch + pass->u_bytes + pass->v_bytes),
        .sum = sum,
        .squares = squares,
    };
    int64_t first, end;
    share_work(pass, part.shape, thread, threads, &first, &end, &part.first_panel, &part.end_panel);
    if (first == end || part.first_panel == part.end_panel) return;
    if (pass->keep_weights) {
        char *u = part.u;
        for (int panel = part.first_panel; panel < part.end_panel; panel += pass->panels_at_once) {
            const int left = part.end_panel - panel;
            transform_weights(&part, u, panel, left < pass->panels_at_once ? left : pass->panels_at_once);
            u += WINOGRAD_POINTS * pass->u_point * winograd_element(pass);
        }
    }
    const int chunks = (int)((end - first + pass->chunk - 1) / pass->chunk);
    for (int chunk = 0; chunk < chunks; chunk++) {
        int64_t begin, stop, after = 0, last = 0;
        pool_share(end - first, chunk, chunks, &begin, &stop);
        if (chunk + 1 < chunks) pool_share(end - first, chunk + 1, chunks, &after, &last);
        run_chunk(&part, first + begin, (int)(stop - begin), (int)(last - after));
    }
}
