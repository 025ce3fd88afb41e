/* backend/cpu/conv_pack.c -- master weights [K][C][R][S] into the tiles that the kernels read. */
#include <string.h>

#include "backend/cpu/conv_plan.h"
#include "base/pool.h"

struct pack_job {
    struct conv_plan *plan;
    const float *weight;
};

/* All taps of the 32 x 32 block (panel of outputs k, block of inputs c), for forward and backward data. */
static void pack_block(const struct pack_job *job, int panel, int block)
{
    struct conv_plan *plan = job->plan;
    const struct conv_kernels *kernels = plan->kernels;
    struct conv_pass *forward = &plan->forward, *data = &plan->data;
    const int outputs = activation_block_channels(&forward->y, panel);
    const int inputs = activation_block_channels(&forward->x, block);
    const int taps = plan->desc.kernel * plan->desc.kernel;
    const size_t row = (size_t)plan->desc.in_channels * (size_t)taps;
    const float *from = job->weight + (size_t)panel * BLOCK_CHANNELS * row + (size_t)block * BLOCK_CHANNELS * (size_t)taps;
    float tile[1024] = {0}; /* stays zero outside the real channels */
    float turned[1024] = {0};
    for (int t = 0; t < taps; t++) {
        for (int k = 0; k < outputs; k++)
            for (int c = 0; c < inputs; c++) turned[k * 32 + c] = from[(size_t)k * row + (size_t)(c * taps + t)];
        for (int c = 0; c < inputs; c++)
            for (int k = 0; k < outputs; k++) tile[c * 32 + k] = turned[k * 32 + c];
        kernels->pack_weights(forward->weights + (size_t)panel * forward->panel_bytes +
                                  (size_t)block * forward->weights_block + (size_t)t * kernels->tile_bytes, tile, 32);
        if (data->weights) /* the order of taps is that of conv_taps.c */
            kernels->pack_weights(data->weights + (size_t)block * data->panel_bytes +
                                      (size_t)panel * data->weights_block +
                                      (size_t)(taps - 1 - t) * kernels->tile_bytes, turned, 32);
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
                        job->weight[(((size_t)(panel * BLOCK_CHANNELS + k) * (size_t)channels + (size_t)c) * (size_t)kernel +
                                     (size_t)r) * (size_t)kernel + (size_t)s];
        kernels->pack_weights(forward->weights + (size_t)panel * forward->panel_bytes +
                                  (size_t)(r * forward->steps) * kernels->step_bytes, tile, rows);
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
