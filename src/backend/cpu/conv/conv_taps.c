/* backend/cpu/conv/conv_taps.c -- which input cells and weight tiles meet at each output position. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"
#include "backend/cpu/vector/octets.h"
#include "base/memory.h"

/* The geometry of a pass: output position -> input position of a tap. */
struct geometry {
    int in_height, in_width;
    int kernel, stride, padding;
    bool backward;
};

/* Where the tap (r, s) of the output position (h, w) reads; false when it is outside the input, or, in backward
 * data, between the strides. */
static bool tap_input(const struct geometry *g, int h, int w, int r, int s, int *in_h, int *in_w)
{
    if (!g->backward) {
        *in_h = h * g->stride + r - g->padding;
        *in_w = w * g->stride + s - g->padding;
    } else {
        *in_h = h + g->padding - r;
        *in_w = w + g->padding - s;
        if (*in_h < 0 || *in_w < 0 || *in_h % g->stride || *in_w % g->stride) return false;
        *in_h /= g->stride;
        *in_w /= g->stride;
    }
    return *in_h >= 0 && *in_w >= 0 && *in_h < g->in_height && *in_w < g->in_width;
}

/* Adds the tap list as a program, or finds the equal one that exists. -1: no memory. */
static int add_program(struct conv_pass *pass, const struct conv_tap *taps, int count)
{
    for (int i = pass->program_count - 1; i >= 0; i--)
        if (pass->programs[i].count == count &&
            memcmp(pass->taps + pass->programs[i].first, taps, (size_t)count * sizeof *taps) == 0)
            return i;
    const size_t old_taps = (size_t)pass->tap_count, old_programs = (size_t)pass->program_count;
    struct conv_tap *all = memory_grow(pass->taps, old_taps, old_taps + (size_t)count + 1, sizeof *all);
    if (!all) return -1;
    pass->taps = all;
    struct conv_program *programs = memory_grow(pass->programs, old_programs, old_programs + 1, sizeof *programs);
    if (!programs) return -1;
    pass->programs = programs;
    memcpy(all + pass->tap_count, taps, (size_t)count * sizeof *taps);
    programs[pass->program_count] = (struct conv_program){.first = pass->tap_count, .count = count};
    pass->tap_count += count;
    return pass->program_count++;
}

/* Positions whose images fill the rows of a tile: two where a matrix tile meets groups of eight. */
static int positions_per_tile(const struct conv_pass *pass, const struct conv_plan *plan)
{
    const int rows = plan->kernels->tile_rows;
    return pass->y.group_images == OCTET_IMAGES && rows > OCTET_IMAGES ? rows / OCTET_IMAGES : 1;
}

static size_t cell_bytes(const struct activation_layout *layout, const struct conv_plan *plan)
{
    return layout->cell * dtype_bytes(plan->desc.dtype);
}

/* Some outputs of one row, `step` apart: `tiles` tiles of `per_tile` positions. Positions past the row's end, in the
 * last tile, do not exist. */
struct row_piece {
    int h, w, step, tiles, per_tile;
};

/* A position of the kernel, and the bytes of a cell of x. */
struct tap_place {
    int r, s;
    size_t cell;
};

/* Both octets of tile u. With one position per tile the second octet follows the first in its cell; there is no need to
 * look at it. Returns whether any is inside. */
static bool tap_octets(const struct conv_pass *pass, const struct geometry *g, const struct row_piece *piece,
                       const struct tap_place *at, int u, int32_t x[2], ptrdiff_t *base)
{
    const ptrdiff_t row = (ptrdiff_t)(at->cell * (size_t)pass->x.width);
    bool inside = false;
    x[0] = x[1] = CONV_OUTSIDE;
    for (int p = 0; p < piece->per_tile; p++) {
        const int w = piece->w + (u * piece->per_tile + p) * piece->step;
        int in_h, in_w;
        if (w >= pass->y.width || !tap_input(g, piece->h, w, at->r, at->s, &in_h, &in_w)) continue;
        const ptrdiff_t offset = in_h * row + in_w * (ptrdiff_t)at->cell;
        if (*base < 0) *base = offset;
        x[p] = (int32_t)(offset - *base);
        inside = true;
    }
    if (!inside) x[0] = x[1] = 0; /* never read, but added to addresses */
    return inside;
}

/* The taps of a piece; x is set to where they count from. In backward data kernel positions are visited (and their
 * tiles packed) from the last to the first, so that both operands are read with rising addresses: up to 20 % faster in
 * float32. */
static int collect_taps(const struct conv_pass *pass, const struct geometry *g, size_t cell, size_t tile_bytes,
                        const struct row_piece *piece, struct conv_tap *taps, ptrdiff_t *x)
{
    ptrdiff_t base = -1;
    int count = 0;
    for (int i = 0; i < g->kernel; i++)
        for (int j = 0; j < g->kernel; j++) {
            const struct tap_place at = {g->backward ? g->kernel - 1 - i : i, g->backward ? g->kernel - 1 - j : j,
                                         cell};
            struct conv_tap tap;
            memset(&tap, 0, sizeof tap);
            tap.weights = (int32_t)((size_t)(i * g->kernel + j) * tile_bytes);
            for (int u = 0; u < piece->tiles; u++) {
                int32_t *octets = tap.x[u];
                if (!tap_octets(pass, g, piece, &at, u, octets, &base)) continue;
                tap.mask |= (uint16_t)(1u << u);
                if (piece->per_tile > 1 && (octets[0] == CONV_OUTSIDE || octets[1] != octets[0] + (int32_t)cell))
                    tap.gather |= (uint16_t)(1u << u);
            }
            if (tap.mask) taps[count++] = tap;
        }
    if (base >= 0) *x = base;
    return count;
}

/* Where the octets of a piece's tiles go. */
static void place_outputs(struct conv_block *block, const struct conv_pass *pass, const struct row_piece *piece,
                          size_t cell)
{
    block->tiles = piece->tiles;
    for (int u = 0; u < piece->tiles; u++) {
        const int w = piece->w + u * piece->per_tile * piece->step;
        ptrdiff_t *y = block->y[u];
        y[0] = (ptrdiff_t)cell * ((ptrdiff_t)piece->h * pass->y.width + w);
        y[1] = y[0] + (ptrdiff_t)cell / 2;
        if (piece->per_tile == 1) continue;
        y[1] = w + piece->step < pass->y.width ? y[0] + (ptrdiff_t)cell * piece->step : -1;
    }
}

/* Tiles that a block may have. */
static int most_tiles(const struct conv_pass *pass, const struct conv_plan *plan)
{
    const struct conv_kernels *kernels = plan->kernels;
    return pass->y.group_images == OCTET_IMAGES && kernels->octet_positions ? kernels->octet_positions
                                                                            : kernels->max_tiles;
}

/* Vector kernels want each tap inside for all tiles. */
static bool suits_kernels(const struct conv_plan *plan, const struct conv_tap *taps, int count, int tiles)
{
    if (plan->kernels->tile_rows) return true;
    for (int t = 0; t < count; t++)
        if (taps[t].mask != (1u << tiles) - 1) return false;
    return true;
}

/* One row of y: positions of equal parity (backward data of a strided convolution) go together. */
static int build_row(struct conv_pass *pass, const struct conv_plan *plan, const struct geometry *g, int h,
                     struct conv_tap *taps)
{
    const size_t x_cell = cell_bytes(&pass->x, plan), y_cell = cell_bytes(&pass->y, plan);
    const int most = most_tiles(pass, plan);
    struct row_piece piece = {.h = h, .step = g->backward ? g->stride : 1, .per_tile = positions_per_tile(pass, plan)};
    const int apart = piece.step * piece.per_tile; /* columns from one tile to the next */
    for (int parity = 0; parity < piece.step; parity++) {
        const int all = (pass->y.width - parity + apart - 1) / apart;
        for (int done = 0; done < all; done += piece.tiles) {
            piece.tiles = octets_together(all - done, most);
            piece.w = parity + done * apart;
            struct conv_block block;
            memset(&block, 0, sizeof block);
            int count = collect_taps(pass, g, x_cell, plan->kernels->tile_bytes, &piece, taps, &block.x);
            while (piece.tiles > 1 && !suits_kernels(plan, taps, count, piece.tiles)) {
                piece.tiles--;
                count = collect_taps(pass, g, x_cell, plan->kernels->tile_bytes, &piece, taps, &block.x);
            }
            if (count == 0 && g->backward && plan->desc.accumulate) continue; /* nothing to add there */
            block.program = add_program(pass, taps, count);
            if (block.program < 0) return -1;
            place_outputs(&block, pass, &piece, y_cell);
            pass->blocks[pass->block_count++] = block;
        }
    }
    return 0;
}

static int allocate_blocks(struct conv_pass *pass, int rows, struct error *error)
{
    const size_t most = (size_t)rows * (size_t)pass->y.width;
    pass->rows = rows;
    pass->first_block = memory_array((size_t)rows + 1, sizeof *pass->first_block);
    pass->blocks = memory_array(most, sizeof *pass->blocks);
    if (!pass->first_block || !pass->blocks)
        return error_no_memory(error, "tap lists of a convolution", most * sizeof *pass->blocks);
    return SIMCLR_OK;
}

int conv_build_taps(struct conv_pass *pass, const struct conv_plan *plan, bool backward, struct error *error)
{
    const struct conv_desc *desc = &plan->desc;
    const struct geometry g = {
        .in_height = pass->x.height,
        .in_width = pass->x.width,
        .kernel = desc->kernel,
        .stride = desc->stride,
        .padding = desc->padding,
        .backward = backward,
    };
    if (allocate_blocks(pass, pass->y.height, error) != SIMCLR_OK) return SIMCLR_NO_MEMORY;
    struct conv_tap taps[CONV_MAX_KERNEL * CONV_MAX_KERNEL];
    for (int h = 0; h < pass->y.height; h++) {
        pass->first_block[h] = pass->block_count;
        if (build_row(pass, plan, &g, h, taps) != 0)
            return error_no_memory(error, "tap lists of a convolution", sizeof taps);
    }
    pass->first_block[pass->y.height] = pass->block_count;
    return SIMCLR_OK;
}

/* Images: one tap per kernel row, whose steps run over (column, channel); rows of y count from the strip's. Where a
 * tile takes two positions the strip's second eight lines are the images shifted by one (conv_images.c). */
int conv_build_image_taps(struct conv_pass *pass, const struct conv_plan *plan, struct error *error)
{
    const struct conv_image_strip *strip = &plan->images;
    const struct conv_desc *desc = &plan->desc;
    const size_t cell = cell_bytes(&pass->y, plan);
    const int per_tile = positions_per_tile(pass, plan), most = plan->kernels->tile_rows ? 1 : most_tiles(pass, plan);
    const ptrdiff_t position = (ptrdiff_t)((size_t)(desc->stride * desc->in_channels) * strip->element_bytes);
    const size_t row = strip->row_elements * strip->element_bytes * (size_t)strip->lines;
    const int out_rows = (strip->max_rows - desc->kernel) / desc->stride + 1;
    struct conv_tap taps[CONV_MAX_KERNEL];
    memset(taps, 0, sizeof taps);
    for (int r = 0; r < desc->kernel; r++) {
        for (int u = 0; u < CONV_MAX_POSITIONS; u++) taps[r].x[u][0] = (int32_t)((ptrdiff_t)(r * row) + u * position);
        taps[r].weights = (int32_t)((size_t)r * (size_t)pass->steps * plan->kernels->step_bytes);
        taps[r].mask = 1;
    }
    if (allocate_blocks(pass, out_rows, error) != SIMCLR_OK) return SIMCLR_NO_MEMORY;
    if (add_program(pass, taps, desc->kernel) < 0)
        return error_no_memory(error, "tap lists of a convolution", sizeof taps);
    for (int h = 0; h < out_rows; h++) {
        pass->first_block[h] = pass->block_count;
        struct row_piece piece = {.h = h, .step = 1, .per_tile = per_tile};
        for (; piece.w < pass->y.width; piece.w += piece.tiles * per_tile) {
            struct conv_block *block = &pass->blocks[pass->block_count++];
            piece.tiles = octets_together(pass->y.width - piece.w, most);
            place_outputs(block, pass, &piece, cell);
            block->x = (ptrdiff_t)((size_t)(h * desc->stride) * row) + piece.w * position;
        }
    }
    pass->first_block[out_rows] = pass->block_count;
    return SIMCLR_OK;
}
