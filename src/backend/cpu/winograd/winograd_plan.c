/* backend/cpu/winograd/winograd_plan.c -- which passes go by Winograd, and how they are cut into pieces. */
#include "backend/cpu/winograd/winograd_plan.h"

#include <math.h>

#include "base/memory.h"

static const struct winograd_form FORMS[WINOGRAD_KINDS] = {
    [WINOGRAD_PLAIN] = {.kind = WINOGRAD_PLAIN,
                        .points = 36,
                        .x_edge = 6,
                        .x_step = 4,
                        .x_from = -1,
                        .y_edge = 4,
                        .first = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,
                                  19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36}},
#define STRIDED_FIRST                                                                                                  \
    {                                                                                                                  \
        0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 22, 23, 27, 28, 29, 30, 31, 32, 36, 37, 38, 39, 40,   \
            41, 45, 49, 53, 57, 61, 65, 81                                                                             \
    }
    [WINOGRAD_STRIDED] = {.kind = WINOGRAD_STRIDED,
                          .points = 81,
                          .x_edge = 9,
                          .x_step = 8,
                          .x_from = -1,
                          .y_edge = 4,
                          .first = STRIDED_FIRST},
    [WINOGRAD_STRIDED_DATA] = {.kind = WINOGRAD_STRIDED_DATA,
                               .points = 81,
                               .x_edge = 5,
                               .x_step = 4,
                               .x_from = 0,
                               .y_edge = 8,
                               .first = STRIDED_FIRST},
#undef STRIDED_FIRST
};

/* The largest cell. */
_Alignas(64) static const char ZEROS[sizeof(float) * MOST_GROUP_IMAGES * BLOCK_CHANNELS];

static const struct winograd_kernels *choose_kernels(const struct cpu_backend *cpu, enum dtype dtype)
{
    const struct winograd_kernels *kernels = NULL;
    if (dtype == DTYPE_BF16 && simd_has(cpu->simd, SIMD_AVX512_BF16)) kernels = winograd_kernels_avx512bf16();
    if (kernels) return kernels;
    if (simd_has(cpu->simd, SIMD_AVX512)) kernels = winograd_kernels_avx512();
    if (!kernels && simd_has(cpu->simd, SIMD_AVX2)) kernels = winograd_kernels_avx2();
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
    size_t groups = 1; /* that a thread makes and keeps */
    if (pass->keep_weights) {
        const ptrdiff_t own = (y->blocks + pass->panel_shares - 1) / pass->panel_shares;
        groups = (size_t)(((own + panels - 1) / panels + pass->tile_shares - 1) / pass->tile_shares);
    }
    const size_t points = (size_t)pass->form->points;
    pass->u_bytes = groups * WINOGRAD_WEIGHTS * (size_t)pass->u_point * element;
    pass->v_bytes = points * (size_t)pass->v_point * element;
    pass->m_bytes = points * (size_t)pass->m_point * sizeof(float);
}

static int at_most(int value, int64_t most)
{
    return value < most ? value : (int)most;
}

static void count_tiles(struct winograd_pass *pass, const struct activation_layout *y)
{
    const int edge = pass->form->y_edge;
    pass->down = (y->height + edge - 1) / edge;
    pass->across = (y->width + edge - 1) / edge;
    pass->tiles = (int64_t)y->groups * pass->down * pass->across;
}

/* Pairs of an output position and a tap inside the image along an axis of x of this length: for each output three, but
 * one in the padding before, and one after if the axis ends with an output. */
static double inside_taps(int in, const struct conv_plan *plan)
{
    const int stride = plan->desc.stride, out = conv_out(in, 3, stride, 1);
    return 3.0 * out - 1 - ((out - 1) * stride + 1 >= in);
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
    const double points = (double)pass->form->points / WINOGRAD_WEIGHTS;
    const double taps = inside_taps(plan->desc.in_height, plan) * inside_taps(plan->desc.in_width, plan) * y->groups;
    const double positions = (double)y->height * y->width * y->groups;
    const double transforms =
        (WINOGRAD_INPUT_COST * x->blocks + WINOGRAD_OUTPUT_COST * y->blocks) * x->block_channels / BLOCK_CHANNELS;
    const double tile = points * (places * product * blocks + transforms);
    const double chunks = pass->keep_weights ? 1 : ceil((double)pass->tiles / pass->chunk);
    const double direct = places * (taps * tap * blocks + positions * DIRECT_OUTPUT_COST * y->blocks);
    return ((double)pass->tiles * tile + WINOGRAD_WEIGHTS_COST * chunks * blocks) * 1.1 < direct;
}

static bool is_wanted(const struct conv_plan *plan, const struct winograd_pass *pass, const struct activation_layout *x,
                      const struct activation_layout *y)
{
    if (x->block_channels != y->block_channels) return false; /* the products know cells of one kind */
    /* 81 products of float32 take longer than the direct sum's 144 of pairs. */
    if (pass->form->kind == WINOGRAD_STRIDED && plan->kernels->pair == 2 && !pass->pairs) return false;
    return plan->desc.algorithm == CONVOLUTION_WINOGRAD || is_cheaper(plan, pass, x, y);
}

/* The best grid is the one whose largest share is cheapest. */
static void choose_grid(struct winograd_pass *pass, const struct activation_layout *x,
                        const struct activation_layout *y, int threads)
{
    const double points = (double)pass->form->points / WINOGRAD_WEIGHTS;
    double best = 0;
    pass->tile_shares = pass->panel_shares = 1;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0) continue;
        const int across = threads / parts;
        const double tiles = ceil((double)pass->tiles / parts), panels = ceil((double)y->blocks / across);
        const double made = pass->keep_weights ? 1.0 / parts : ceil(tiles / pass->chunk);
        const double tile =
            WINOGRAD_INPUT_COST * x->blocks + panels * (WINOGRAD_PRODUCT_COST * x->blocks + WINOGRAD_OUTPUT_COST);
        const double cost = tiles * points * tile + made * panels * x->blocks * WINOGRAD_WEIGHTS_COST;
        if (parts > 1 && cost >= best) continue;
        best = cost;
        pass->tile_shares = parts;
        pass->panel_shares = across;
    }
}

/* U of so many 32 x 32 blocks is kept where it is used more than once: 9.4 MB in float32, in the third level. */
enum { KEPT_BLOCKS = 64 };

/* Chunks, found by trial: V of a chunk fits the second-level cache where U is kept, which then streams by; else a chunk
 * has enough rows to repay making U, and everything streams from the third level. */
static bool plan_products(struct winograd_pass *pass, const struct conv_plan *plan, const struct conv_pass *shape,
                          int threads)
{
    const struct activation_layout *x = &shape->x, *y = &shape->y;
    const int rounds = MOST_GROUP_IMAGES / x->group_images;
    const bool strided = plan->desc.stride > 1;
    pass->form = &FORMS[!strided ? WINOGRAD_PLAIN : shape == &plan->data ? WINOGRAD_STRIDED_DATA : WINOGRAD_STRIDED];
    pass->pairs = pass->form->kind == WINOGRAD_STRIDED ? false : pass->pairs;
    count_tiles(pass, y);
    pass->chunk = strided && pass->pairs ? 4 : 8;
    /* Made for one chunk by one thread, U of a panel is best used at once. */
    pass->keep_weights = x->blocks * y->blocks <= (strided ? KEPT_BLOCKS / 2 : KEPT_BLOCKS) &&
                         (threads > 1 || pass->tiles > (int64_t)pass->chunk * rounds);
    if (pass->keep_weights && (strided || (x->blocks <= 4 && !pass->pairs)))
        pass->chunk = 1;
    else if (pass->keep_weights && (x->blocks <= 4 || rounds == 1))
        pass->chunk = 2;
    pass->chunk = at_most(pass->chunk * rounds, pass->tiles);
    pass->panels_at_once = 1;
    choose_grid(pass, x, y, threads);
    plan_pass(pass, x, y);
    return is_wanted(plan, pass, x, y);
}

/* In inference nothing is learnt from what is rounded, and the representation stays as near to float32 as PyTorch's
 * bf16 (docs/numerics.md): pairs, then, but not where Winograd is only forced, in images that hardly fill a tile. */
static bool plan_by_pairs(struct winograd_pass *pass, const struct winograd_plan *winograd,
                          const struct conv_pass *shape, int threads)
{
    const struct conv_plan *plan = winograd->conv;
    pass->pairs = !plan->desc.training && winograd->kernels->products_pairs;
    const bool wanted = plan_products(pass, plan, shape, threads);
    if (!pass->pairs || is_cheaper(plan, pass, &shape->x, &shape->y)) return wanted;
    pass->pairs = false;
    return plan_products(pass, plan, shape, threads);
}

/* What an encoder makes of an image must not depend on how many others are beside it, or on the threads: in inference
 * every batch goes by the algorithm that is best for this one. (The algorithms differ in the last bits. Within each the
 * sums of an image are the same in every batch.) */
enum { STEADY_BATCH = 128, STEADY_THREADS = 2 };

static bool choose_steadily(struct winograd_pass *pass, const struct winograd_plan *winograd)
{
    const struct activation_layout *x = &winograd->conv->forward.x, *y = &winograd->conv->forward.y;
    struct conv_pass shape = winograd->conv->forward;
    struct winograd_pass usual = {0};
    shape.x = activation_layout(STEADY_BATCH, x->channels, x->height, x->width);
    shape.y = activation_layout(STEADY_BATCH, y->channels, y->height, y->width);
    const bool wanted = plan_by_pairs(&usual, winograd, &shape, STEADY_THREADS);
    pass->pairs = usual.pairs;
    return wanted;
}

static bool plan_forward(struct winograd_plan *winograd)
{
    const struct conv_plan *plan = winograd->conv;
    struct winograd_pass *pass = &winograd->pass;
    /* Without fused multiply-adds the forward pass rounds so often that, of the reference networks' millions of values,
     * one beside a ReLU's kink falls on the other side of it (docs/numerics.md). */
    if (!simd_has(plan->cpu->simd, SIMD_AVX2) && plan->desc.algorithm == CONVOLUTION_AUTO) return false;
    if (plan->desc.training) return plan_by_pairs(pass, winograd, &plan->forward, plan->cpu->threads);
    if (!choose_steadily(pass, winograd)) return false;
    plan_products(pass, plan, &plan->forward, plan->cpu->threads);
    return true;
}

static bool plan_data(struct winograd_plan *winograd)
{
    winograd->pass.pairs = winograd->kernels->products_pairs != NULL;
    return plan_products(&winograd->pass, winograd->conv, &winograd->conv->data, winograd->conv->cpu->threads);
}

static bool plan_weights(struct winograd_plan *winograd)
{
    const struct conv_plan *plan = winograd->conv;
    struct winograd_pass *pass = &winograd->pass;
    const struct activation_layout *x = &plan->forward.x, *y = &plan->forward.y;
    const int threads = plan->cpu->threads, rounds = MOST_GROUP_IMAGES / x->group_images;
    const bool strided = plan->desc.stride > 1;
    pass->pairs = winograd->kernels->products_pairs != NULL;
    pass->form = &FORMS[strided ? WINOGRAD_STRIDED : WINOGRAD_PLAIN];
    count_tiles(pass, y);
    const bool many = strided ? pass->pairs && x->blocks <= 2 : pass->pairs || x->blocks <= 2;
    pass->chunk = at_most((many ? 8 : 4) * rounds, pass->tiles);
    if (!is_wanted(plan, pass, x, y)) return false;
    winograd->by_panel = y->blocks >= threads && (pass->tiles < threads || (x->blocks >= 8 && y->blocks >= 8));
    const int panels = winograd->by_panel ? (y->blocks + threads - 1) / threads : y->blocks;
    pass->panels_at_once = panels; /* of W; dU is that of one */
    plan_pass(pass, x, y);
    pass->u_point = x->blocks * (ptrdiff_t)1024 + 32;
    pass->u_bytes = WINOGRAD_WEIGHTS * (size_t)pass->u_point * sizeof(float);
    winograd->weight_bytes = (size_t)panels * (size_t)x->blocks * plan->gradient.block_floats * sizeof(float);
    return true;
}

static bool may_go(const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    /* Matrix tiles do products of bf16 faster than the transforms could be made. */
    const bool tiles = desc->dtype == DTYPE_BF16 && plan->kernels->tile_rows;
    return desc->kernel == 3 && desc->stride <= 2 && desc->padding == 1 && desc->input_layout != LAYOUT_IMAGES &&
           plan->desc.algorithm != CONVOLUTION_DIRECT && !tiles;
}

static int plan_way(struct conv_way *way, const struct conv_plan *plan, enum conv_pass_kind kind, struct error *error)
{
    if (!may_go(plan)) return SIMCLR_OK;
    struct winograd_plan planned = {
        .conv = plan, .zeros = ZEROS, .kernels = choose_kernels(plan->cpu, plan->desc.dtype)};
    const bool wanted = kind == CONV_FORWARD         ? plan_forward(&planned)
                        : kind == CONV_BACKWARD_DATA ? plan_data(&planned)
                                                     : plan_weights(&planned);
    if (!wanted) return SIMCLR_OK;
    struct winograd_plan *state = memory_allocate(sizeof *state);
    if (!state) return error_no_memory(error, "a convolution", sizeof *state);
    *state = planned;
    way->algorithm = &conv_winograd;
    way->state = state;
    /* What a thread keeps before the operands: sums, or its blocks of d_weight. */
    const bool sums = kind == CONV_FORWARD && plan->desc.statistics;
    const size_t before = sums ? conv_statistics_bytes(&plan->forward) : state->weight_bytes;
    way->scratch_bytes = before + state->pass.u_bytes + state->pass.v_bytes + state->pass.m_bytes;
    way->in_parts = kind == CONV_BACKWARD_WEIGHTS && !state->by_panel;
    return SIMCLR_OK;
}

static void work_of(struct conv_work *work, const struct conv_plan *plan, const void *state)
{
    const struct winograd_plan *winograd = state;
    const struct winograd_pass *pass = &winograd->pass;
    work->kernels = winograd->kernels->name;
    work->operands = pass->pairs ? DTYPE_BF16 : DTYPE_F32;
    work->flops = 2.0 * pass->form->points * pass->down * pass->across * plan->desc.batch * plan->desc.in_channels *
                  plan->desc.out_channels;
}

const struct conv_algorithm conv_winograd = {
    .name = "winograd",
    .plan = plan_way,
    .forward = winograd_forward,
    .backward_data = winograd_backward_data,
    .backward_weights = winograd_backward_weights,
    .work = work_of,
    .destroy = memory_free,
};
