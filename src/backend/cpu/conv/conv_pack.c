/* backend/cpu/conv/conv_pack.c -- master weights [K][C][R][S] into the tiles that the kernels read. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"
#include "backend/host.h"
#include "base/pool.h"

struct pack_job {
    struct conv_plan *plan;
    const float *weight;
};

/* The block of a kernel that is too large to be turned as a whole, one tap: tile[c][k], zero outside the real channels.
 */
static void gather_tap(float *tile, const struct conv_pack_block *block, int tap)
{
    memset(tile, 0, 1024 * sizeof *tile);
    for (ptrdiff_t k = 0; k < block->outputs; k++)
        for (ptrdiff_t c = 0; c < block->inputs; c++)
            tile[c * 32 + k] = block->weight[(size_t)k * block->row + (size_t)(c * block->taps + tap)];
}

/* All taps of a block, for forward and backward data. */
static void pack_block(const struct conv_kernels *kernels, const struct conv_pack_block *block)
{
    const bool small = block->taps <= CONV_PACK_MOST_TAPS;
    float tiles[CONV_PACK_MOST_TAPS * 1024], turned[1024];
    if (small && kernels->pack_block) {
        kernels->pack_block(block);
        return;
    }
    if (small) kernels->load_weights(tiles, block);
    for (ptrdiff_t t = 0; t < block->taps; t++) {
        const float *tile = small ? tiles + t * 1024 : tiles;
        if (!small) gather_tap(tiles, block, (int)t);
        kernels->pack_weights(block->forward + (size_t)t * kernels->tile_bytes, tile, 32);
        if (!block->data) continue;
        kernels->transpose(turned, tile); /* the order of taps is that of conv_taps.c */
        kernels->pack_weights(block->data + (size_t)(block->taps - 1 - t) * kernels->tile_bytes, turned, 32);
    }
}

/* Outputs of `panel`, inputs of `block`. */
static struct conv_pack_block block_of(const struct pack_job *job, int panel, int block)
{
    const struct conv_plan *plan = job->plan;
    const struct conv_pass *forward = &plan->forward, *data = &plan->data;
    const int taps = plan->desc.kernel * plan->desc.kernel;
    struct conv_pack_block all = {.row = (size_t)plan->desc.in_channels * (size_t)taps, .taps = taps};
    all.weight = job->weight + ((size_t)panel * all.row + (size_t)(block * taps)) * BLOCK_CHANNELS;
    all.outputs = activation_block_channels(&forward->y, panel);
    all.inputs = activation_block_channels(&forward->x, block);
    all.forward = forward->weights + (size_t)panel * forward->panel_bytes + (size_t)block * forward->weights_block;
    if (data->weights)
        all.data = data->weights + (size_t)block * data->panel_bytes + (size_t)panel * data->weights_block;
    return all;
}

/* Images: per kernel row the steps run over (column, channel). */
static void pack_image_panel(const struct pack_job *job, int panel)
{
    struct conv_plan *plan = job->plan;
    const struct conv_kernels *kernels = plan->kernels;
    const struct conv_pass *forward = &plan->forward;
    const int outputs = activation_block_channels(&forward->y, panel);
    const int kernel = plan->desc.kernel, channels = plan->desc.in_channels;
    const int rows = forward->steps * kernels->pair;
    for (int r = 0; r < kernel; r++) {
        float tile[(CONV_MAX_KERNEL * 4 + 1) * 32] = {0};
        for (int s = 0; s < kernel; s++)
            for (int c = 0; c < channels; c++)
                for (int k = 0; k < outputs; k++)
                    tile[(s * channels + c) * 32 + k] =
                        job->weight[(((size_t)(panel * BLOCK_CHANNELS + k) * (size_t)channels + (size_t)c) *
                                         (size_t)kernel +
                                     (size_t)r) *
                                        (size_t)kernel +
                                    (size_t)s];
        kernels->pack_weights(forward->weights + (size_t)panel * forward->panel_bytes +
                                  (size_t)(r * forward->steps) * kernels->step_bytes,
                              tile, rows);
    }
}

static void pack_part(void *context, int thread, int threads)
{
    const struct pack_job *job = context;
    const struct conv_kernels *kernels = job->plan->kernels;
    const int panels = conv_panels(&job->plan->forward), blocks = job->plan->forward.x.blocks;
    int64_t begin, end;
    if (job->plan->desc.input_layout == LAYOUT_IMAGES) {
        pool_share(panels, thread, threads, &begin, &end);
        for (int64_t i = begin; i < end; i++) pack_image_panel(job, (int)i);
        kernels->stream_end();
        return;
    }
    pool_share((int64_t)panels * blocks, thread, threads, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        const struct conv_pack_block block = block_of(job, (int)(i / blocks), (int)(i % blocks));
        pack_block(kernels, &block);
    }
    kernels->stream_end();
}

void cpu_conv_set_weights(struct conv_plan *plan, const float *weight)
{
    struct pack_job job = {.plan = plan, .weight = weight};
    pool_split(plan->cpu->base.pool, pack_part, &job);
}

void cpu_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *folding)
{
    const struct conv_desc *desc = &plan->desc;
    host_fold(folding, desc->out_channels, (size_t)desc->in_channels * (size_t)desc->kernel * (size_t)desc->kernel);
    cpu_conv_set_weights(plan, folding->scratch);
}
