/* backend/cpu/winograd/winograd_gradient.c -- backward weights by Winograd, chunk by chunk of tiles. x and d_y are
 * transformed once. For each panel of outputs dU contracts them over all images of the chunk, in registers, and goes
 * back to the nine taps at once. So dU never leaves the cache. */
#include <string.h>

#include "backend/cpu/winograd/winograd_plan.h"
#include "base/pool.h"

struct part {
    const struct winograd_plan *plan;
    float *weights; /* [panel][channel block][9][32][32], from first_panel */
    float *du;
    char *v, *w;
    const char *d_y, *x;
    int first_panel, end_panel;
};

static void offset_cells(const char **cells, const struct winograd_plan *plan, int count, ptrdiff_t bytes)
{
    for (int i = 0; i < count; i++)
        if (cells[i] != plan->zeros) cells[i] += bytes;
}

static void find_cells(const char **cells, const struct part *part, bool of_x, const struct winograd_tile *tile)
{
    const struct winograd_plan *plan = part->plan;
    if (of_x)
        winograd_x_cells(cells, plan, part->x, &plan->conv->forward.x, tile);
    else
        winograd_y_cells(cells, plan, part->d_y, &plan->conv->forward.y, tile);
}

/* V, or W of the part's panels, of tiles [first, first + count). */
static void transform(const struct part *part, bool of_x, int64_t first, int count)
{
    const struct winograd_plan *plan = part->plan;
    const struct winograd_pass *pass = &plan->pass;
    const struct activation_layout *layout = of_x ? &plan->conv->forward.x : &plan->conv->forward.y;
    const ptrdiff_t cell = (ptrdiff_t)layout->cell;
    const ptrdiff_t block = (ptrdiff_t)(layout->block * dtype_bytes(plan->conv->desc.dtype));
    const int from = of_x ? 0 : part->first_panel, to = of_x ? layout->blocks : part->end_panel;
    const int edge = of_x ? pass->form->x_edge : pass->form->y_edge;
    struct winograd_input args = {.point = of_x ? pass->v_point : pass->m_point,
                                  .block = layout->block_channels,
                                  .bf16 = plan->conv->desc.dtype == DTYPE_BF16};
    const struct winograd_transforms *transforms = winograd_transforms(plan);
    const char *cells[2][WINOGRAD_MOST_POINTS] = {{NULL}}; /* of this tile and block and of the next one */
    struct winograd_tile tile = winograd_tile(pass, layout, first);
    find_cells(cells[0], part, of_x, &tile);
    offset_cells(cells[0], plan, edge * edge, from * block);
    for (int t = 0, now = 0; t < count; t++) {
        args.images = tile.images;
        for (int b = from; b < to; b++, now ^= 1) {
            memcpy(args.cells, cells[now], sizeof args.cells);
            args.next = cells[now ^ 1];
            if (b + 1 < to) {
                memcpy(cells[now ^ 1], cells[now], sizeof cells[now]);
                offset_cells(cells[now ^ 1], plan, edge * edge, block);
            } else if (t + 1 < count) {
                tile = winograd_tile(pass, layout, first + t + 1);
                find_cells(cells[now ^ 1], part, of_x, &tile);
                offset_cells(cells[now ^ 1], plan, edge * edge, from * block);
            } else {
                args.next = NULL;
            }
            args.out = of_x ? part->v + (t * pass->v_tile + b * cell) * winograd_element(pass)
                            : part->w + (t * pass->m_tile + (b - from) * cell) * winograd_element(pass);
            args.channels = activation_block_channels(layout, b);
            if (of_x)
                (pass->pairs ? transforms->input_images : transforms->input)(&args);
            else
                (pass->pairs ? transforms->gradient_images : transforms->gradient)(&args);
        }
    }
}

static void run_chunk(const struct part *part, int64_t first, int count, bool add)
{
    const struct winograd_plan *plan = part->plan;
    const struct winograd_pass *pass = &plan->pass;
    const struct winograd_kernels *kernels = plan->kernels;
    const struct winograd_transforms *transforms = winograd_transforms(plan);
    const struct activation_layout *x = &plan->conv->forward.x, *y = &plan->conv->forward.y;
    struct winograd_gradient args = {
        .form = pass->form,
        .v = part->v,
        .du = part->du,
        .v_point = pass->v_point,
        .v_tile = pass->v_tile,
        .w_point = pass->m_point,
        .w_tile = pass->m_tile,
        .du_point = pass->u_point,
        .tiles = count,
        .places = x->group_images,
        .block = x->block_channels,
        .channels = x->channels,
    };
    for (int t = 0; t < count; t++) args.images[t] = winograd_tile(pass, y, first + t).images;
    transform(part, true, first, count);
    transform(part, false, first, count);
    for (int panel = part->first_panel; panel < part->end_panel; panel++) {
        const ptrdiff_t block = (ptrdiff_t)9 * 1024;
        float *weights = part->weights + (ptrdiff_t)(panel - part->first_panel) * x->blocks * block;
        args.w = part->w + (panel - part->first_panel) * (ptrdiff_t)y->cell * winograd_element(pass);
        args.outputs = activation_block_channels(y, panel);
        (pass->pairs ? kernels->gradient_products_pairs : kernels->gradient_products)(&args);
        for (int b = 0; b < x->blocks; b++)
            transforms->gradient_weights(weights + b * block, part->du + (ptrdiff_t)b * 1024, pass->u_point,
                                         activation_block_channels(x, b), add);
    }
}

/* Panels [first_panel, end_panel) over tiles [first, end) of all image groups, to weights [panel][channel
 * block][9][32][32]. */
static void run(const struct conv_weights_job *job, const struct winograd_plan *plan, float *weights, int first_panel,
                int end_panel, int64_t first, int64_t end)
{
    const struct winograd_pass *pass = &plan->pass;
    char *scratch = (char *)weights + plan->weight_bytes;
    const struct part part = {
        .plan = plan,
        .weights = weights,
        .du = (float *)(void *)scratch,
        .v = scratch + pass->u_bytes,
        .w = scratch + pass->u_bytes + pass->v_bytes,
        .d_y = job->d_y,
        .x = job->x,
        .first_panel = first_panel,
        .end_panel = end_panel,
    };
    const int chunks = (int)((end - first + pass->chunk - 1) / pass->chunk);
    for (int chunk = 0; chunk < chunks; chunk++) {
        int64_t begin, stop;
        pool_share(end - first, chunk, chunks, &begin, &stop);
        run_chunk(&part, first + begin, (int)(stop - begin), chunk > 0);
    }
}

void winograd_backward_weights(const struct conv_weights_job *job, const void *state, int thread, int threads)
{
    const struct winograd_plan *plan = state;
    const struct conv_plan *conv = plan->conv;
    const struct conv_gradient *gradient = &conv->gradient;
    float *weights = cpu_scratch(conv->cpu, thread);
    int64_t panel = 0, end_panel = gradient->y_blocks, first = 0, end = plan->pass.tiles;
    if (plan->by_panel)
        pool_share(end_panel, thread, threads, &panel, &end_panel);
    else
        pool_share(end, thread, threads, &first, &end);
    const size_t blocks = (size_t)(end_panel - panel) * (size_t)gradient->x_blocks;
    if (blocks > 0 && first == end) memset(weights, 0, blocks * gradient->block_floats * sizeof(float));
    if (blocks > 0) run(job, plan, weights, (int)panel, (int)end_panel, first, end);
    for (size_t i = 0; plan->by_panel && i < blocks; i++)
        conv_store_block(job, weights + i * gradient->block_floats, (int)(i % (size_t)gradient->x_blocks),
                         (int)panel + (int)(i / (size_t)gradient->x_blocks));
    conv->kernels->stream_end();
}
