/* backend/cpu/winograd_plan.c -- which passes go by Winograd, and how they are cut into pieces. */
#include <math.h>
#include <stdio.h>

#include "backend/cpu/conv_plan.h"
#include "backend/cpu/winograd_tiles.h"
#include "base/memory.h"

static const struct winograd_kernels *choose_kernels(const struct cpu_backend *cpu, enum dtype dtype)
{
    const struct winograd_kernels *kernels = NULL;
    if (dtype == DTYPE_BF16 && cpu->level >= CPU_AVX512_BF16) kernels = winograd_kernels_avx512bf16();
    if (kernels) return kernels;
    if (cpu->level >= CPU_AVX512) kernels = winograd_kernels_avx512();
    if (!kernels && cpu->level >= CPU_AVX2) kernels = winograd_kernels_avx2();
    return kernels ? kernels : winograd_kernels_portable();
}

/* Tiles and strides of a pass from layout x to layout y. */
static void plan_pass(struct winograd_pass *pass, const struct activation_layout *x, const struct activation_layout *y)
{
    const ptrdiff_t cell = (ptrdiff_t)x->cell, apart = pass->pairs ? 64 : 32;
    const size_t element = pass->pairs ? sizeof(uint16_t) : sizeof(float);
    const ptrdiff_t panels = pass->panels_at_once, chunk = pass->chunk;
    pass->v_tile = x->blocks * cell;
    pass->v_point = chunk * pass->v_tile + apart;
    pass->u_panel = (ptrdiff_t)(x->channels + 1) / 2 * 2 * 32; /* bf16 comes in pairs of channels */
    pass->u_point = panels * pass->u_panel + apart;
    pass->m_tile = panels * cell;
    pass->m_point = chunk * pass->m_tile + apart;
    const size_t groups = pass->keep_weights ? ((size_t)y->blocks + (size_t)panels - 1) / (size_t)panels : 1;
    pass->u_bytes = groups * WINOGRAD_POINTS * (size_t)pass->u_point * element;
    pass->v_bytes = WINOGRAD_POINTS * (size_t)pass->v_point * element;
    pass->m_bytes = WINOGRAD_POINTS * (size_t)pass->m_point * sizeof(float);
}

static int at_most(int value, int64_t most)
{
    return value < most ? value : (int)most;
}

static void count_tiles(struct winograd_pass *pass, const struct activation_layout *y)
{
    pass->down = (y->height + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
    pass->across = (y->width + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
    pass->tiles = (int64_t)y->groups * pass->down * pass->across;
}

/* Is Winograd cheaper than the direct sum, by a tenth at least? The latter skips the taps that fall outside, which
 * leaves little to win in images of a few pixels; and where images end within a tile, part of it is computed in vain.
 */
static bool is_cheaper(const struct conv_plan *plan, const struct winograd_pass *pass,
                       const struct activation_layout *x, const struct activation_layout *y)
{
    const double blocks = (double)x->channels * y->channels / (BLOCK_CHANNELS * BLOCK_CHANNELS);
    const double places = (double)x->group_images / MOST_GROUP_IMAGES;
    /* An instruction for pairs of bf16 does twice the products. */
    const double product = WINOGRAD_PRODUCT_COST / (pass->pairs ? 2 : 1), tap = DIRECT_TAP_COST / plan->kernels->pair;
    const double taps = (3.0 * y->height - 2) * (3.0 * y->width - 2) * y->groups;
    const double positions = (double)y->height * y->width * y->groups;
    const double transforms = (WINOGRAD_INPUT_COST * x->blocks + WINOGRAD_OUTPUT_COST * y->blocks) *
                              x->block_channels / BLOCK_CHANNELS;
    const double tile = places * product * blocks + transforms;
    const double chunks = pass->keep_weights ? 1 : ceil((double)pass->tiles / pass->chunk);
    const double direct = places * (taps * tap * blocks + positions * DIRECT_OUTPUT_COST * y->blocks);
    return ((double)pass->tiles * tile + WINOGRAD_WEIGHTS_COST * chunks * blocks) * 1.1 < direct;
}

static bool is_wanted(const struct conv_plan *plan, const struct winograd_pass *pass, const struct activation_layout *x,
                      const struct activation_layout *y)
{
    if (x->block_channels != y->block_channels) return false; /* the products know cells of one kind */
    return plan->cpu->base.convolution == CONVOLUTION_WINOGRAD || is_cheaper(plan, pass, x, y);
}

/* Chunks, found by trial: V of a chunk (and U, if it is small) fits the second-level cache as long as a chunk has
 * enough rows to repay reading U, or making it; from 256 channels on everything streams from the third level. */
static void plan_products(const struct conv_plan *plan, struct winograd_pass *pass, const struct activation_layout *x,
                          const struct activation_layout *y)
{
    const int rounds = MOST_GROUP_IMAGES / x->group_images;
    count_tiles(pass, y);
    pass->keep_weights = x->blocks * y->blocks <= 16;
    pass->chunk = at_most((x->blocks > 4 ? 8 : pass->pairs ? 2 : x->blocks > 2 ? 4 : 1) * rounds, pass->tiles);
    pass->panels_at_once = 1;
    pass->used = is_wanted(plan, pass, x, y);
    if (pass->used) plan_pass(pass, x, y);
}

static void plan_weights(struct conv_plan *plan)
{
    struct winograd_pass *pass = &plan->winograd.weights;
    struct conv_gradient *gradient = &plan->gradient;
    const struct activation_layout *x = &plan->forward.x, *y = &plan->forward.y;
    const int threads = plan->cpu->threads, rounds = MOST_GROUP_IMAGES / x->group_images;
    count_tiles(pass, y);
    pass->chunk = at_most(x->blocks <= 2 ? WINOGRAD_MOST_TILES : 8 * rounds, pass->tiles);
    pass->used = is_wanted(plan, pass, x, y);
    if (!pass->used) return;
    gradient->by_tile = y->blocks >= threads && (pass->tiles < threads || (x->blocks >= 8 && y->blocks >= 8));
    const int panels = gradient->by_tile ? (y->blocks + threads - 1) / threads : y->blocks;
    pass->panels_at_once = panels; /* of W; dU is that of one */
    plan_pass(pass, x, y);
    pass->u_point = x->blocks * (ptrdiff_t)1024 + 32;
    pass->u_bytes = WINOGRAD_POINTS * (size_t)pass->u_point * sizeof(float);
    gradient->weight_bytes = (size_t)panels * (size_t)x->blocks * gradient->block_floats * sizeof(float);
}

/* What a thread needs when it goes by Winograd, `before` being kept before the operands. */
static void add_scratch(struct conv_plan *plan, const struct winograd_pass *pass, size_t before)
{
    const size_t bytes = before + pass->u_bytes + pass->v_bytes + pass->m_bytes;
    if (pass->used && plan->scratch_bytes < bytes) plan->scratch_bytes = bytes;
}

static void name_algorithm(struct conv_plan *plan)
{
    const struct winograd_plan *winograd = &plan->winograd;
    const bool forward = winograd->forward.used, data = winograd->data.used, weights = winograd->weights.used;
    const bool all = forward && (data || !plan->data.weights) && (weights || !plan->desc.training);
    char passes[32] = "";
    if (!all)
        snprintf(passes, sizeof passes, " of%s%s%s", forward ? " forward" : "", data ? " data" : "",
                 weights ? " weights" : "");
    snprintf(plan->algorithm, sizeof plan->algorithm, "winograd%s %s", passes, winograd->kernels->name);
}

int winograd_plan(struct conv_plan *plan, size_t forward_scratch, struct error *error)
{
    const struct conv_desc *desc = &plan->desc;
    struct winograd_plan *winograd = &plan->winograd;
    if (desc->kernel != 3 || desc->stride != 1 || desc->padding != 1 || desc->input_layout == LAYOUT_IMAGES ||
        plan->cpu->base.convolution == CONVOLUTION_DIRECT)
        return SIMCLR_OK;
    /* Matrix tiles do products of bf16 faster than the transforms could be made. Otherwise bf16 has it when asked. */
    if (desc->dtype == DTYPE_BF16 &&
        (plan->kernels->tile_rows || plan->cpu->base.convolution != CONVOLUTION_WINOGRAD))
        return SIMCLR_OK;
    winograd->kernels = choose_kernels(plan->cpu, desc->dtype);
    winograd->data.pairs = winograd->weights.pairs = winograd->kernels->products_pairs != NULL;
    plan_products(plan, &winograd->forward, &plan->forward.x, &plan->forward.y);
    /* Without fused multiply-adds the forward pass rounds so often that, of the reference networks' millions of values,
     * one beside a ReLU's kink falls on the other side of it (docs/numerics.md). */
    if (plan->cpu->level == CPU_PORTABLE && plan->cpu->base.convolution == CONVOLUTION_AUTO)
        winograd->forward.used = false;
    if (plan->data.weights) plan_products(plan, &winograd->data, &plan->data.x, &plan->data.y);
    if (desc->training) plan_weights(plan);
    if (!winograd->forward.used && !winograd->data.used && !winograd->weights.used) return SIMCLR_OK;
    const size_t cell = plan->forward.x.cell * sizeof(float);
    winograd->zeros = memory_allocate(cell);
    if (!winograd->zeros) return error_no_memory(error, "a convolution", cell);
    add_scratch(plan, &winograd->forward, forward_scratch);
    add_scratch(plan, &winograd->data, 0);
    add_scratch(plan, &winograd->weights, plan->gradient.weight_bytes);
    name_algorithm(plan);
    return SIMCLR_OK;
}
