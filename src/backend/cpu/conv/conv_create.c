/* backend/cpu/conv/conv_create.c -- planning a convolution: kernels, tap lists, packed weights, the algorithm of each
 * pass, scratch. */
#include "backend/cpu/conv/conv_plan.h"

#include <stdio.h>

#include "backend/check.h"
#include "backend/cpu/conv/conv_tiles.h"
#include "base/memory.h"

/* Tiles do bf16, and of images rows that one tile can contract; the rest goes to the best vector kernels. */
const struct conv_kernels *conv_choose_kernels(const struct cpu_backend *cpu, const struct conv_desc *desc)
{
    const bool images = desc->input_layout == LAYOUT_IMAGES;
    const enum dtype dtype = desc->dtype;
    const struct conv_kernels *kernels = NULL;
    if (dtype == DTYPE_BF16 && (!images || desc->kernel * desc->in_channels <= CONV_TILE_IMAGE_VALUES)) {
        if (cpu->tiles == CPU_TILES_NATIVE) kernels = conv_kernels_amx(images);
        if (cpu->tiles == CPU_TILES_EMULATED) kernels = conv_kernels_amx_emulated(images);
    }
    if (!kernels && simd_has(cpu->simd, SIMD_AVX512_BF16)) kernels = conv_kernels_avx512bf16(dtype);
    if (!kernels && simd_has(cpu->simd, SIMD_AVX512)) kernels = conv_kernels_avx512(dtype);
    if (!kernels && simd_has(cpu->simd, SIMD_AVX2)) kernels = conv_kernels_avx2(dtype);
    return kernels ? kernels : conv_kernels_portable(dtype);
}

/* What all backends refuse, and the limits of this one. */
static int check_desc(const struct backend *backend, const struct conv_desc *desc, struct error *error)
{
    const int status = check_conv(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    if (desc->kernel > CONV_MAX_KERNEL)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "convolution: the cpu backend has kernels up to %d x %d, not %d x %d", CONV_MAX_KERNEL,
                         CONV_MAX_KERNEL, desc->kernel, desc->kernel);
    if (desc->input_layout == LAYOUT_IMAGES && desc->in_channels > 4)
        return error_set(error, SIMCLR_UNSUPPORTED, "convolution: images have 1 to 4 channels, not %d",
                         desc->in_channels);
    /* Tap offsets are 32 bits wide: a kernel's height of input rows. */
    if ((double)desc->in_width * MOST_GROUP_IMAGES * BLOCK_CHANNELS * 4 * desc->kernel > 1e9)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "convolution: rows of %d positions are too long for the cpu backend", desc->in_width);
    return SIMCLR_OK;
}

/* Strides and packed weights of a pass whose layouts are set. images: x are images, with `row` values per tap. */
static int plan_pass(struct conv_pass *pass, const struct conv_plan *plan, struct error *error)
{
    const struct conv_kernels *kernels = plan->kernels;
    const size_t element = dtype_bytes(plan->desc.dtype);
    const bool images = plan->desc.input_layout == LAYOUT_IMAGES;
    const int kernel = plan->desc.kernel, pair = kernels->pair;
    pass->y_group = (ptrdiff_t)(pass->y.group * element);
    pass->y_block = (ptrdiff_t)(pass->y.block * element);
    pass->y_row = (ptrdiff_t)(pass->y.row * element);
    pass->x_group = (ptrdiff_t)(pass->x.group * element);
    pass->x_block = (ptrdiff_t)(pass->x.block * element);
    pass->x_image = (ptrdiff_t)((size_t)pass->x.block_channels * element);
    pass->y_image = (ptrdiff_t)((size_t)pass->y.block_channels * element);
    if (images) {
        pass->contraction_blocks = 1;
        pass->steps = pass->last_steps = (kernel * plan->desc.in_channels + pair - 1) / pair;
        pass->weights_block = (size_t)kernel * (size_t)pass->steps * kernels->step_bytes;
    } else {
        pass->contraction_blocks = pass->x.blocks;
        pass->steps = pass->x.block_channels / pair;
        pass->last_steps = (activation_block_channels(&pass->x, pass->x.blocks - 1) + pair - 1) / pair;
        pass->weights_block = (size_t)(kernel * kernel) * kernels->tile_bytes;
    }
    pass->panel_bytes = pass->weights_block * (size_t)pass->contraction_blocks;
    pass->weights_bytes = pass->panel_bytes * (size_t)conv_panels(pass);
    pass->weights = memory_allocate(pass->weights_bytes);
    if (!pass->weights) return error_no_memory(error, "packed weights of a convolution", pass->weights_bytes);
    conv_choose_order(pass, plan);
    return SIMCLR_OK;
}

static int plan_forward(struct conv_plan *plan, struct error *error)
{
    const struct conv_desc *desc = &plan->desc;
    struct conv_pass *pass = &plan->forward;
    pass->x = activation_layout(desc->batch, desc->in_channels, desc->in_height, desc->in_width);
    pass->y = activation_layout(desc->batch, desc->out_channels, plan->out_height, plan->out_width);
    int status = plan_pass(pass, plan, error);
    if (status != SIMCLR_OK) return status;
    plan->bias = memory_array((size_t)conv_panels(pass) * BLOCK_CHANNELS, sizeof *plan->bias);
    if (!plan->bias) return error_no_memory(error, "bias of a convolution", (size_t)desc->out_channels * sizeof(float));

    size_t scratch = desc->statistics ? conv_statistics_bytes(pass) : 0;
    if (desc->input_layout == LAYOUT_IMAGES) {
        const int rows = (plan->out_height + pass->strips - 1) / pass->strips;
        /* The last step of a pair reads one element past the kernel's row. */
        conv_plan_image_strip(&plan->images, plan, plan->kernels->forward_images, rows, plan->kernels->tile_rows, 2);
        pass->x_image = (ptrdiff_t)(plan->images.row_elements * plan->images.element_bytes);
        pass->x_group = pass->x_block = 0;
        scratch += plan->images.bytes;
        status = conv_build_image_taps(pass, plan, error);
    } else {
        status = conv_build_taps(pass, plan, false, error);
    }
    if (plan->scratch_bytes < scratch) plan->scratch_bytes = scratch;
    return status;
}

static int plan_data(struct conv_plan *plan, struct error *error)
{
    struct conv_pass *pass = &plan->data;
    pass->x = plan->forward.y;
    pass->y = plan->forward.x;
    const int status = plan_pass(pass, plan, error);
    return status != SIMCLR_OK ? status : conv_build_taps(pass, plan, true, error);
}

static size_t round_to_line(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void plan_gradient(struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    const struct conv_kernels *kernels = plan->kernels;
    struct conv_gradient *gradient = &plan->gradient;
    const bool images = desc->input_layout == LAYOUT_IMAGES;
    const size_t kernel = (size_t)desc->kernel;
    conv_plan_operands(plan);
    gradient->x_blocks = images ? 1 : plan->forward.x.blocks;
    gradient->y_blocks = plan->forward.y.blocks;
    /* Images: per kernel row one tile with a row for each (column, channel), which may be more than 32. */
    const size_t image_tile = (kernel * (size_t)desc->in_channels + 31) / 32 * 1024;
    gradient->block_floats = images ? kernel * image_tile : kernel * kernel * 1024;
    conv_choose_units(plan);

    const int threads = plan->cpu->threads;
    const size_t blocks = (size_t)gradient->x_blocks * (size_t)gradient->y_blocks;
    const size_t columns = ((size_t)gradient->x_blocks + (size_t)threads - 1) / (size_t)threads;
    const size_t own = gradient->by_x      ? columns * (size_t)gradient->y_blocks
                       : gradient->by_tile ? (blocks + (size_t)threads - 1) / (size_t)threads
                                           : blocks;
    gradient->weight_bytes = own * gradient->block_floats * sizeof(float);
    gradient->x_rows =
        gradient->compact ? gradient->unit_rows : (gradient->unit_rows - 1) * desc->stride + desc->kernel;
    if (!images && !gradient->compact && gradient->x_rows > desc->in_height) gradient->x_rows = desc->in_height;
    const size_t groups = (size_t)gradient->unit_groups;
    if (gradient->operands != CONV_AS_THEY_ARE) {
        gradient->y_bytes = round_to_line(groups * (size_t)gradient->unit_rows * gradient->y_row_bytes);
        if (!images || kernels->pack_x_octets)
            gradient->x_bytes = groups * (size_t)gradient->x_blocks * (size_t)gradient->x_rows * gradient->x_row_bytes;
    }
    gradient->x_bytes = round_to_line(gradient->x_bytes);
    if (images) { /* tiles pack 32 elements from each position on, one cell group after the other */
        conv_plan_image_strip(&gradient->images, plan, kernels->weights_images, gradient->unit_rows, 0, BLOCK_CHANNELS);
        const size_t strips = kernels->pack_x_octets ? (size_t)gradient->groups_per_cell : groups;
        gradient->x_bytes += strips * gradient->images.bytes;
    }
    const size_t scratch = gradient->weight_bytes + gradient->x_bytes + gradient->y_bytes;
    if (plan->scratch_bytes < scratch) plan->scratch_bytes = scratch;
}

/* The first algorithm of the table that takes a pass has it. */
static int choose_way(struct conv_plan *plan, enum conv_pass_kind pass, struct error *error)
{
    struct conv_way *way = &plan->ways[pass];
    int status = SIMCLR_OK;
    for (int i = 0; !status && !way->algorithm && conv_algorithms[i]; i++)
        status = conv_algorithms[i]->plan(way, plan, pass, error);
    if (plan->scratch_bytes < way->scratch_bytes) plan->scratch_bytes = way->scratch_bytes;
    return status;
}

/* "direct avx512 8x2"; or the algorithm that has passes of the direct one's, and which if not all: "winograd of data
 * avx512". */
static void name_algorithm(struct conv_plan *plan)
{
    static const char *const PASSES[CONV_PASSES] = {" forward", " data", " weights"};
    const struct conv_algorithm *other = NULL;
    const char *kernels = plan->kernels->name, *passes[CONV_PASSES] = {"", "", ""};
    bool all = true;
    struct conv_work work[CONV_PASSES];
    cpu_conv_work(plan, work);
    for (int i = 0; i < CONV_PASSES; i++) {
        const struct conv_algorithm *algorithm = plan->ways[i].algorithm;
        if (algorithm == &conv_direct) all = false;
        if (!algorithm || algorithm == &conv_direct) continue;
        other = algorithm;
        kernels = work[i].kernels;
        passes[i] = PASSES[i];
    }
    if (!other || all)
        snprintf(plan->algorithm, sizeof plan->algorithm, "%s %s", other ? other->name : conv_direct.name, kernels);
    else
        snprintf(plan->algorithm, sizeof plan->algorithm, "%s of%s%s%s %s", other->name, passes[0], passes[1],
                 passes[2], kernels);
}

int cpu_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out, struct error *error)
{
    *out = NULL;
    int status = check_desc(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct conv_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a convolution", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->desc = *desc;
    plan->kernels = conv_choose_kernels(plan->cpu, desc);
    plan->out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    plan->out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    status = plan_forward(plan, error);
    if (status == SIMCLR_OK && desc->training && desc->input_gradient) status = plan_data(plan, error);
    if (status == SIMCLR_OK && desc->training) plan_gradient(plan);
    const bool planned[CONV_PASSES] = {true, plan->data.weights != NULL, desc->training};
    for (int pass = 0; pass < CONV_PASSES; pass++)
        if (status == SIMCLR_OK && planned[pass]) status = choose_way(plan, (enum conv_pass_kind)pass, error);
    if (status == SIMCLR_OK) status = cpu_reserve_scratch(plan->cpu, plan->scratch_bytes, error);
    if (status != SIMCLR_OK) {
        cpu_conv_destroy(&plan);
        return status;
    }
    name_algorithm(plan);
    *out = plan;
    return SIMCLR_OK;
}

static void free_pass(struct conv_pass *pass)
{
    memory_free(pass->taps);
    memory_free(pass->programs);
    memory_free(pass->blocks);
    memory_free(pass->first_block);
    memory_free(pass->weights);
}

void cpu_conv_destroy(struct conv_plan **plan)
{
    if (!*plan) return;
    free_pass(&(*plan)->forward);
    free_pass(&(*plan)->data);
    memory_free((*plan)->bias);
    for (int i = 0; i < CONV_PASSES; i++) {
        const struct conv_way *way = &(*plan)->ways[i];
        if (way->state) way->algorithm->destroy(way->state);
    }
    memory_free(*plan);
    *plan = NULL;
}

static size_t pass_bytes(const struct conv_pass *pass)
{
    return (size_t)pass->tap_count * sizeof *pass->taps + (size_t)pass->program_count * sizeof *pass->programs +
           (size_t)pass->block_count * sizeof *pass->blocks + (size_t)pass->rows * sizeof *pass->first_block +
           pass->weights_bytes;
}

size_t cpu_conv_bytes(const struct conv_plan *plan)
{
    return sizeof *plan + pass_bytes(&plan->forward) + pass_bytes(&plan->data) +
           plan->scratch_bytes * (size_t)plan->cpu->threads;
}

const char *cpu_conv_algorithm(const struct conv_plan *plan)
{
    return plan->algorithm;
}
