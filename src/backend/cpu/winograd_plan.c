/* backend/cpu/winograd_plan.c -- which passes go by Winograd, and how they are cut into pieces. */
#include <string.h>

#include "backend/cpu/conv_plan.h"
#include "backend/cpu/winograd_tiles.h"
#include "base/memory.h"

static const struct winograd_kernels *choose_kernels(const struct cpu_backend *cpu)
{
    const struct winograd_kernels *kernels = NULL;
    if (cpu->level >= CPU_AVX512) kernels = winograd_kernels_avx512();
    if (!kernels && cpu->level >= CPU_AVX2) kernels = winograd_kernels_avx2();
    return kernels ? kernels : winograd_kernels_portable();
}

/* Tiles and strides of a pass from layout x to layout y. */
static void plan_pass(struct winograd_pass *pass, const struct activation_layout *x, const struct activation_layout *y)
{
    const ptrdiff_t cell = winograd_cell(x), apart = 32;
    const ptrdiff_t panels = pass->panels_at_once, chunk = pass->chunk;
    pass->v_tile = x->blocks * cell;
    pass->v_point = chunk * pass->v_tile + apart;
    pass->u_panel = (ptrdiff_t)x->channels * 32;
    pass->u_point = panels * pass->u_panel + apart;
    pass->m_tile = panels * cell;
    pass->m_point = chunk * pass->m_tile + apart;
    const size_t groups = pass->keep_weights ? ((size_t)y->blocks + (size_t)panels - 1) / (size_t)panels : 1;
    pass->u_bytes = groups * WINOGRAD_POINTS * (size_t)pass->u_point * sizeof(float);
    pass->v_bytes = WINOGRAD_POINTS * (size_t)pass->v_point * sizeof(float);
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

static void plan_products(struct winograd_pass *pass, const struct activation_layout *x,
                          const struct activation_layout *y)
{
    pass->used = true;
    count_tiles(pass, y);
    pass->keep_weights = x->blocks * y->blocks <= 16;
    pass->chunk = at_most(x->blocks <= 2 ? 1 : x->blocks <= 4 ? 4 : 8, pass->tiles);
    pass->panels_at_once = at_most(x->blocks <= 2 ? 1 : x->blocks <= 4 || x->blocks > 8 ? 2 : 4, y->blocks);
    plan_pass(pass, x, y);
}

static void plan_weights(struct conv_plan *plan)
{
    struct winograd_pass *pass = &plan->winograd.weights;
    struct conv_gradient *gradient = &plan->gradient;
    const struct activation_layout *x = &plan->forward.x, *y = &plan->forward.y;
    const int threads = plan->cpu->threads;
    pass->used = true;
    count_tiles(pass, y);
    gradient->by_tile = y->blocks >= threads && (pass->tiles < threads || (x->blocks >= 8 && y->blocks >= 8));
    const int panels = gradient->by_tile ? (y->blocks + threads - 1) / threads : y->blocks;
    pass->chunk = at_most(x->blocks <= 4 ? 2 : 8, pass->tiles);
    pass->panels_at_once = panels; /* of W; dU is that of one */
    plan_pass(pass, x, y);
    pass->u_point = x->blocks * (ptrdiff_t)1024 + 32;
    pass->u_bytes = WINOGRAD_POINTS * (size_t)pass->u_point * sizeof(float);
    gradient->weight_bytes = (size_t)panels * (size_t)x->blocks * gradient->block_floats * sizeof(float);
}

static size_t operand_bytes(const struct winograd_pass *pass)
{
    return pass->used ? pass->u_bytes + pass->v_bytes + pass->m_bytes : 0;
}

static void add_scratch(struct conv_plan *plan, size_t bytes)
{
    if (plan->scratch_bytes < bytes) plan->scratch_bytes = bytes;
}

int winograd_plan(struct conv_plan *plan, size_t forward_scratch, struct error *error)
{
    const struct conv_desc *desc = &plan->desc;
    struct winograd_plan *winograd = &plan->winograd;
    if (desc->kernel != 3 || desc->stride != 1 || desc->padding != 1 || desc->input_layout == LAYOUT_IMAGES ||
        desc->dtype != DTYPE_F32 || plan->cpu->base.convolution == CONVOLUTION_DIRECT)
        return SIMCLR_OK;
    if (plan->cpu->base.convolution == CONVOLUTION_AUTO) return SIMCLR_OK;
    const size_t cell = (size_t)winograd_cell(&plan->forward.x) * sizeof(float);
    winograd->zeros = memory_allocate(cell);
    if (!winograd->zeros) return error_no_memory(error, "a convolution", cell);
    winograd->kernels = choose_kernels(plan->cpu);
    plan_products(&winograd->forward, &plan->forward.x, &plan->forward.y);
    add_scratch(plan, forward_scratch + operand_bytes(&winograd->forward));
    if (plan->data.weights) plan_products(&winograd->data, &plan->data.x, &plan->data.y);
    add_scratch(plan, operand_bytes(&winograd->data));
    if (desc->training) {
        plan_weights(plan);
        add_scratch(plan, plan->gradient.weight_bytes + operand_bytes(&winograd->weights));
    }
    return SIMCLR_OK;
}
