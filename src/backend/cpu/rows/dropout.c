/* Dropout. Forward draws the mask and multiplies by it at once, position by position of a plane; backward is the same
 * product. Padding is 0 in the mask. */
#include "backend/dropout.h"
#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

struct dropout_plan {
    struct cpu_backend *cpu;
    struct dropout_desc desc;
    struct activation_layout layout;
    uint32_t bound;
    float scale;
    bool bf16;
    size_t element; /* bytes */
};

int cpu_dropout_create(struct backend *backend, const struct dropout_desc *desc, struct dropout_plan **out,
                       struct error *error)
{
    *out = NULL;
    const int status = check_dropout(backend, desc, error);
    if (status) return status;
    struct dropout_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a dropout plan", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->desc = *desc;
    plan->layout = activation_layout(desc->batch, desc->channels, desc->height, desc->width);
    plan->bound = dropout_bound(desc);
    plan->scale = 1 / (1 - desc->rate);
    plan->bf16 = desc->dtype == DTYPE_BF16;
    plan->element = dtype_bytes(desc->dtype);
    *out = plan;
    return SIMCLR_OK;
}

void cpu_dropout_destroy(struct dropout_plan **plan)
{
    memory_free(*plan);
    *plan = NULL;
}

struct dropout_job {
    const struct dropout_plan *plan;
    char *to;
    const char *from;
    float *mask;            /* written on the way forward; NULL: not kept */
    const float *mask_read; /* of the way back */
    const struct dropout_draw *draw;
};

static void multiply(const struct dropout_job *job, size_t at, const float *mask, size_t elements)
{
    const struct dropout_plan *plan = job->plan;
    const struct dropout_args args = {.to = job->to + at * plan->element,
                                      .from = job->from + at * plan->element,
                                      .mask = mask,
                                      .rows = (ptrdiff_t)(elements / ROW_ELEMENTS),
                                      .bf16 = plan->bf16};
    plan->cpu->kernels->dropout(&args);
}

/* The mask of one cell: the values of a group of images and a block of channels at one position. */
static void draw_cell(const struct dropout_job *job, int group, int block, uint32_t position, float *mask)
{
    const struct dropout_plan *plan = job->plan;
    const struct activation_layout *layout = &plan->layout;
    const int images = activation_group_images(layout, group), channels = activation_block_channels(layout, block);
    const int first_quad = block * layout->block_channels / 4;
    for (int image = 0; image < layout->group_images; image++)
        for (int channel = 0; channel < layout->block_channels; channel += 4, mask += 4) {
            const bool real = image < images && channel < channels;
            struct philox_block words = {{0}};
            if (real)
                words = dropout_words(&plan->desc, job->draw, (uint32_t)(group * layout->group_images + image),
                                      position, (uint32_t)(first_quad + channel / 4));
            for (int i = 0; i < 4; i++)
                mask[i] = real && channel + i < channels && words.word[i] >= plan->bound ? plan->scale : 0;
        }
}

static void forward_row(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct dropout_job *job = context;
    const struct activation_layout *layout = &job->plan->layout;
    const int64_t plane = index / layout->height, row = index % layout->height;
    const int group = (int)(plane / layout->blocks), block = (int)(plane % layout->blocks);
    size_t at = (size_t)plane * layout->block + (size_t)row * layout->row;
    for (int w = 0; w < layout->width; w++, at += layout->cell) {
        float own[MOST_GROUP_IMAGES * BLOCK_CHANNELS];
        float *mask = job->mask ? job->mask + at : own;
        draw_cell(job, group, block, (uint32_t)(row * layout->width + w), mask);
        multiply(job, at, mask, layout->cell);
    }
}

void cpu_dropout_forward(struct dropout_plan *plan, void *y, void *mask, const void *x, const struct dropout_draw *draw)
{
    const struct activation_layout *layout = &plan->layout;
    struct dropout_job job = {.plan = plan, .to = y, .from = x, .mask = mask, .draw = draw};
    pool_run(plan->cpu->base.pool, (int64_t)layout->groups * layout->blocks * layout->height, forward_row, &job);
}

static void backward_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct dropout_job *job = context;
    const size_t elements = job->plan->layout.block, at = (size_t)plane * elements;
    multiply(job, at, job->mask_read + at, elements);
}

void cpu_dropout_backward(struct dropout_plan *plan, void *d_x, const void *d_y, const void *mask)
{
    struct dropout_job job = {.plan = plan, .to = d_x, .from = d_y, .mask_read = mask};
    pool_run(plan->cpu->base.pool, (int64_t)plan->layout.groups * plan->layout.blocks, backward_plane, &job);
}
