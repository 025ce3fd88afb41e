/* backend/cpu/conv_pack.c -- master weights [K][C][R][S] into the tiles that the kernels read. */
#include <string.h>

#include "backend/cpu/conv_plan.h"
#include "base/pool.h"

struct pack_job {
    struct conv_plan *plan;
    const float *weight;
};

/* Tiles are not a multiple of 4 KB apart while they are filled side by side: that would be one set of the cache. */
enum { TAPS_AT_ONCE = 9, TILE_STRIDE = 1024 + 16 };

/* Taps [tap, tap + count) of the 32 x 32 block (panel of outputs k, block of inputs c): out[t][k][c], which stays
 * zero outside the real channels. */
static void gather_taps(float *out, const struct pack_job *job, int panel, int block, int tap, int count)
{
    const struct conv_plan *plan = job->plan;
    const int outputs = activation_block_channels(&plan->forward.y, panel);
    const int inputs = activation_block_channels(&plan->forward.x, block);
    const int taps = plan->desc.kernel * plan->desc.kernel;
    const size_t row = (size_t)plan->desc.in_channels * (size_t)taps;
    const float *from =
        job->weight + (size_t)panel * BLOCK_CHANNELS * row + (size_t)(block * BLOCK_CHANNELS * taps + tap);
    for (ptrdiff_t k = 0; k < outputs; k++, from += row) {
        if (taps == 1) {
            memcpy(out + k * 32, from, (size_t)inputs * sizeof *out);
            continue;
        }
        if (taps == TAPS_AT_ONCE) { /* known to the compiler: 3 x 3 kernels are most of a network */
            for (ptrdiff_t c = 0; c < inputs; c++)
                for (ptrdiff_t t = 0; t < TAPS_AT_ONCE; t++)
                    out[t * TILE_STRIDE + k * 32 + c] = from[c * TAPS_AT_ONCE + t];
            continue;
        }
        for (ptrdiff_t c = 0; c < inputs; c++)
            for (ptrdiff_t t = 0; t < count; t++) out[t * TILE_STRIDE + k * 32 + c] = from[c * taps + t];
    }
}

/* All taps of a block, for forward and backward data. */
static void pack_block(const struct pack_job *job, int panel, int block)
{
    struct conv_plan *plan = job->plan;
    const struct conv_kernels *kernels = plan->kernels;
    struct conv_pass *forward = &plan->forward, *data = &plan->data;
    const int taps = plan->desc.kernel * plan->desc.kernel;
    char *to = forward->weights + (size_t)panel * forward->panel_bytes + (size_t)block * forward->weights_block;
    char *to_data = NULL;
    if (data->weights)
        to_data = data->weights + (size_t)block * data->panel_bytes + (size_t)panel * data->weights_block;
    float gathered[TAPS_AT_ONCE * TILE_STRIDE] = {0}, tile[1024];
    for (int tap = 0; tap < taps; tap += TAPS_AT_ONCE) {
        const int count = taps - tap < TAPS_AT_ONCE ? taps - tap : TAPS_AT_ONCE;
        gather_taps(gathered, job, panel, block, tap, count);
        for (ptrdiff_t t = 0; t < count; t++) {
            kernels->transpose(tile, gathered + t * TILE_STRIDE);
            kernels->pack_weights(to + (size_t)(tap + t) * kernels->tile_bytes, tile, 32);
            if (to_data) /* the order of taps is that of conv_taps.c */
                kernels->pack_weights(to_data + (size_t)(taps - 1 - tap - t) * kernels->tile_bytes,
                                      gathered + t * TILE_STRIDE, 32);
        }
    }
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
    const int panels = conv_panels(&job->plan->forward), blocks = job->plan->forward.x.blocks;
    int64_t begin, end;
    if (job->plan->desc.input_layout == LAYOUT_IMAGES) {
        pool_share(panels, thread, threads, &begin, &end);
        for (int64_t i = begin; i < end; i++) pack_image_panel(job, (int)i);
        return;
    }
    pool_share((int64_t)panels * blocks, thread, threads, &begin, &end);
    for (int64_t i = begin; i < end; i++) pack_block(job, (int)(i / blocks), (int)(i % blocks));
}

void cpu_conv_set_weights(struct conv_plan *plan, const float *weight)
{
    struct pack_job job = {.plan = plan, .weight = weight};
    pool_split(plan->cpu->base.pool, pack_part, &job);
}
