/* backend/cpu/conv/conv_operands.c -- backward weights' operands: where they lie, and their preparation where the
 * kernels want them in another order than the activations'. conv_plan.h names the ways (enum conv_operands).
 *
 * Quads. One small group is contracted at four positions of a row at once. So x is turned into rows of channels,
 * [phase][32 channels][columns][8 images]. A tap shifts an operand by whole columns (16 bytes). Zero columns at both
 * ends stand for what is outside. A stride of two needs every second column side by side: columns of equal remainder
 * form a phase. d_y is turned into [four positions' tiles] with zeros after the row's end. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"

enum { QUAD = 4, QUAD_BYTES = 2048, COLUMN_BYTES = OCTET_IMAGES * 2, IMAGE_BYTES = BLOCK_CHANNELS * 2 };

static int round_up(int value, int unit)
{
    return (value + unit - 1) / unit * unit;
}

static int quads_of(int columns)
{
    return (columns + QUAD - 1) / QUAD;
}

/* Columns of zeros before a packed row, in whole quads so that stores are aligned. */
static int margin_of(const struct conv_desc *desc)
{
    return round_up((desc->padding + desc->stride - 1) / desc->stride, QUAD);
}

/* Which phase tap s reads, and how many columns after the output's. */
static int tap_phase(const struct conv_desc *desc, int s, int *columns)
{
    const int at = s - desc->padding + desc->padding * desc->stride; /* never negative */
    *columns = at / desc->stride - desc->padding;
    return at % desc->stride;
}

void conv_plan_operands(struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    const struct conv_kernels *kernels = plan->kernels;
    struct conv_gradient *gradient = &plan->gradient;
    const size_t cell = (size_t)plan->forward.y.group_images * kernels->cell_bytes / MOST_GROUP_IMAGES;
    const bool octets = kernels->pack_x_octets, images = desc->input_layout == LAYOUT_IMAGES;
    gradient->groups_per_cell = 1;
    if (!octets) {
        gradient->operands = kernels->pack ? CONV_BY_CELLS : CONV_AS_THEY_ARE;
        gradient->position_bytes = cell;
    } else if (plan->forward.y.group_images == OCTET_IMAGES) {
        gradient->operands = CONV_BY_QUADS;
        gradient->position_bytes = QUAD_BYTES / QUAD;
    } else {
        gradient->operands = CONV_BY_POSITIONS;
        gradient->position_bytes = kernels->cell_bytes;
        gradient->groups_per_cell = 2;
    }
    gradient->cell_groups = (plan->forward.y.groups + gradient->groups_per_cell - 1) / gradient->groups_per_cell;
    gradient->compact = gradient->operands != CONV_AS_THEY_ARE && desc->kernel == 1 && desc->stride > 1;
    gradient->x_position = gradient->position_bytes * (size_t)plan->forward.x.block_channels / BLOCK_CHANNELS;
    gradient->y_position = gradient->position_bytes * (size_t)plan->forward.y.block_channels / BLOCK_CHANNELS;
    gradient->y_row_bytes = (size_t)plan->out_width * gradient->y_position;
    gradient->x_row_bytes = (size_t)(gradient->compact ? plan->out_width : desc->in_width) * gradient->x_position;
    if (images && octets) { /* 32 elements from each position on, or all elements of a row, with their images */
        const int elements = (plan->out_width - 1) * desc->stride * desc->in_channels + BLOCK_CHANNELS;
        gradient->x_row_bytes = (size_t)round_up(elements, BLOCK_CHANNELS) * (QUAD_BYTES / BLOCK_CHANNELS);
        if (gradient->operands == CONV_BY_QUADS) gradient->x_row_bytes = (size_t)quads_of(plan->out_width) * QUAD_BYTES;
    }
    if (gradient->operands == CONV_BY_QUADS)
        gradient->y_row_bytes = (size_t)quads_of(plan->out_width) * QUAD * gradient->y_position;
    if (gradient->operands != CONV_BY_QUADS || images) return;
    gradient->phases = desc->kernel == 1 && desc->padding == 0 ? 1 : desc->stride;
    int most = (desc->in_width + desc->stride - 1) / desc->stride, columns;
    tap_phase(desc, desc->kernel - 1, &columns);
    columns += round_up(plan->out_width, QUAD);
    if (most < columns) most = columns;
    /* An odd number of lines per channel: sixteen rows of a tile then spread over the sets of a cache. */
    gradient->phase_columns = (size_t)(quads_of(margin_of(desc) + most) | 1) * QUAD;
    gradient->x_row_bytes =
        (size_t)gradient->phases * gradient->phase_columns * COLUMN_BYTES * (size_t)plan->forward.x.block_channels;
}

/* ---- preparation --------------------------------------------------------------------------------------------- */
/* `positions` positions of two groups of sixteen; the second may not exist. */
static void positions_x(const struct conv_plan *plan, char *out, const char *in0, const char *in1, int positions)
{
    const int channels = plan->forward.x.block_channels;
    const ptrdiff_t image = (ptrdiff_t)channels * 2, octet = OCTET_IMAGES * image;
    for (int i = 0; i < positions; i++, out += plan->gradient.x_position, in0 += 2 * octet) {
        const void *octets[4] = {in0, in0 + octet, in1, in1 ? in1 + octet : NULL};
        plan->kernels->pack_x_octets(out, 64, octets, image, channels);
        if (in1) in1 += 2 * octet;
    }
}

static void positions_y(const struct conv_plan *plan, char *out, const char *in0, const char *in1, int positions)
{
    const int channels = plan->forward.y.block_channels;
    const ptrdiff_t octet = (ptrdiff_t)OCTET_IMAGES * channels * 2;
    for (int i = 0; i < positions; i++, out += plan->gradient.y_position, in0 += 2 * octet) {
        const void *octets[4] = {in0, in0 + octet, in1, in1 ? in1 + octet : NULL};
        plan->kernels->pack_y_octets(out, octets, channels);
        if (in1) in1 += 2 * octet;
    }
}

/* The four columns from `first` on, `step` apart, of a row `width` columns wide. */
static void quad_octets(const void *octets[4], const char *row, ptrdiff_t octet, int first, int step, int width)
{
    for (int i = 0; i < QUAD; i++) {
        const int column = first + i * step;
        octets[i] = column >= 0 && column < width ? row + column * octet : NULL;
    }
}

static void quads_x(const struct conv_plan *plan, char *out, const char *row)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_desc *desc = &plan->desc;
    const ptrdiff_t pitch = (ptrdiff_t)gradient->phase_columns * COLUMN_BYTES;
    const int margin = margin_of(desc), columns = (int)gradient->phase_columns,
              channels = plan->forward.x.block_channels;
    const ptrdiff_t image = (ptrdiff_t)channels * 2;
    for (int phase = 0; phase < gradient->phases; phase++, out += pitch * channels)
        for (int c = 0; c < columns; c += QUAD) {
            const void *octets[4];
            quad_octets(octets, row, OCTET_IMAGES * image, (c - margin) * desc->stride + phase, desc->stride,
                        desc->in_width);
            plan->kernels->pack_x_octets(out + (ptrdiff_t)c * COLUMN_BYTES, pitch, octets, image, channels);
        }
}

static void quads_y(const struct conv_plan *plan, char *out, const char *row)
{
    const int channels = plan->forward.y.block_channels;
    for (int c = 0; c < plan->out_width; c += QUAD, out += QUAD * plan->gradient.y_position) {
        const void *octets[4];
        quad_octets(octets, row, (ptrdiff_t)OCTET_IMAGES * channels * 2, c, 1, plan->out_width);
        plan->kernels->pack_y_octets(out, octets, channels);
    }
}

/* The second group of sixteen of a cell group, or NULL. */
static const char *partner(const struct conv_plan *plan, const char *group0, int cell_group, ptrdiff_t group_bytes)
{
    if (plan->gradient.groups_per_cell == 1) return NULL;
    return 2 * cell_group + 1 < plan->forward.y.groups ? group0 + group_bytes : NULL;
}

/* One row of x: all columns, or (compact) every stride-th. in1: the partner, or NULL. */
static void pack_x_row(const struct conv_plan *plan, char *out, const char *in0, const char *in1)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const size_t cell = plan->forward.x.cell * dtype_bytes(plan->desc.dtype);
    const size_t images = (size_t)plan->forward.x.group_images;
    if (gradient->operands == CONV_BY_QUADS) {
        quads_x(plan, out, in0);
        return;
    }
    const int pieces = gradient->compact ? plan->out_width : 1, columns = gradient->compact ? 1 : plan->desc.in_width;
    for (int piece = 0; piece < pieces; piece++) {
        const size_t at = (size_t)(piece * plan->desc.stride) * cell;
        char *to = out + (size_t)piece * gradient->x_position;
        if (gradient->operands == CONV_BY_CELLS)
            plan->kernels->pack(to, in0 + at, (size_t)columns * images, plan->forward.x.block_channels);
        else
            positions_x(plan, to, in0 + at, in1 ? in1 + at : NULL, columns);
    }
}

void conv_pack_x(const struct conv_plan *plan, char *out, const char *x, const struct conv_unit *unit, int first,
                 int end)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_pass *pass = &plan->forward;
    const size_t row = pass->x.row * dtype_bytes(plan->desc.dtype);
    const int rows = gradient->compact ? unit->rows : unit->x_rows;
    for (int g = 0; g < unit->groups; g++)
        for (int c = first; c < end; c++) {
            const char *in0 =
                x + (ptrdiff_t)(unit->group + g) * gradient->groups_per_cell * pass->x_group + c * pass->x_block;
            const char *in1 = partner(plan, in0, unit->group + g, pass->x_group);
            char *to = out + (size_t)((g * gradient->x_blocks + c) * gradient->x_rows) * gradient->x_row_bytes;
            for (int h = 0; h < rows; h++, to += gradient->x_row_bytes) {
                const int in_h = gradient->compact ? (unit->row + h) * plan->desc.stride : unit->x_row + h;
                const size_t at = (size_t)in_h * row;
                pack_x_row(plan, to, in0 + at, in1 ? in1 + at : NULL);
            }
        }
}

void conv_pack_y(const struct conv_plan *plan, char *out, const char *d_y, const struct conv_unit *unit, int block)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_pass *pass = &plan->forward;
    const int positions = unit->rows * plan->out_width;
    for (int g = 0; g < unit->groups; g++) {
        const char *in0 = d_y + (ptrdiff_t)(unit->group + g) * gradient->groups_per_cell * pass->y_group +
                          block * pass->y_block + unit->row * pass->y_row;
        const char *in1 = partner(plan, in0, unit->group + g, pass->y_group);
        char *to = out + (size_t)(g * unit->rows) * gradient->y_row_bytes;
        if (gradient->operands == CONV_BY_CELLS)
            plan->kernels->pack(to, in0, (size_t)positions * (size_t)pass->y.group_images, pass->y.block_channels);
        else if (gradient->operands == CONV_BY_POSITIONS)
            positions_y(plan, to, in0, in1, positions);
        else
            for (int h = 0; h < unit->rows; h++)
                quads_y(plan, to + (size_t)h * gradient->y_row_bytes, in0 + h * pass->y_row);
    }
}

/* ---- images -------------------------------------------------------------------------------------------------- */
/* One padded row of a strip for tiles. Its elements (column, channel) are what a kernel row contracts with: the left
 * operand's rows are the 32 elements from a position's first on. */
static void pack_image_row(const struct conv_plan *plan, char *out, const char *row0, const char *row1)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_image_strip *strip = &gradient->images;
    const ptrdiff_t image = (ptrdiff_t)(strip->row_elements * strip->element_bytes);
    if (gradient->operands == CONV_BY_QUADS) {
        const ptrdiff_t position = (ptrdiff_t)plan->desc.stride * plan->desc.in_channels * 2;
        for (int w = 0; w < plan->out_width; w += QUAD, out += QUAD_BYTES) {
            const void *octets[4];
            for (int i = 0; i < QUAD; i++) octets[i] = w + i < plan->out_width ? row0 + (w + i) * position : NULL;
            plan->kernels->pack_x_octets(out, 64, octets, image, BLOCK_CHANNELS);
        }
        return;
    }
    const ptrdiff_t pieces = (ptrdiff_t)gradient->x_row_bytes / QUAD_BYTES;
    for (ptrdiff_t piece = 0; piece < pieces; piece++) {
        const ptrdiff_t at = piece * IMAGE_BYTES;
        const void *octets[4] = {row0 + at, row0 + OCTET_IMAGES * image + at, row1 ? row1 + at : NULL,
                                 row1 ? row1 + OCTET_IMAGES * image + at : NULL};
        plan->kernels->pack_x_octets(out + piece * QUAD_BYTES, 64, octets, image, BLOCK_CHANNELS);
    }
}

void conv_pack_images(const struct conv_plan *plan, char *out, char *strip, const void *images,
                      const struct conv_unit *unit)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_image_strip *form = &gradient->images;
    const int first = unit->row * plan->desc.stride, rows = (unit->rows - 1) * plan->desc.stride + plan->desc.kernel;
    const size_t row = form->row_elements * form->element_bytes * (size_t)form->lines;
    for (int g = 0; g < unit->groups; g++) {
        const int group = (unit->group + g) * gradient->groups_per_cell;
        const bool pair = gradient->groups_per_cell == 2 && group + 1 < plan->forward.y.groups;
        if (!plan->kernels->pack_x_octets) {
            conv_fill_image_strip(out + (size_t)g * form->bytes, form, plan, images, group, first, rows);
            continue;
        }
        conv_fill_image_strip(strip, form, plan, images, group, first, rows);
        if (pair) conv_fill_image_strip(strip + form->bytes, form, plan, images, group + 1, first, rows);
        for (int h = 0; h < rows; h++) {
            const char *row0 = strip + (size_t)h * row;
            pack_image_row(plan, out + (size_t)(g * gradient->x_rows + h) * gradient->x_row_bytes, row0,
                           pair ? row0 + form->bytes : NULL);
        }
    }
}

/* ---- where a kernel finds them ------------------------------------------------------------------------------- */
void conv_set_y(struct conv_weights_run *run, const struct conv_plan *plan, const char *packed, const char *d_y,
                const struct conv_unit *unit, int block)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_pass *pass = &plan->forward;
    run->y_step = (ptrdiff_t)pass->y.block_channels * 4;
    run->narrow_y = pass->y.block_channels == NARROW_CHANNELS;
    if (gradient->operands == CONV_AS_THEY_ARE) {
        run->y = d_y + unit->group * pass->y_group + block * pass->y_block + unit->row * pass->y_row;
        run->y_column = (ptrdiff_t)(pass->y.cell * dtype_bytes(plan->desc.dtype));
        run->y_row = pass->y_row;
        run->y_group = pass->y_group;
        return;
    }
    run->y = packed;
    run->y_column = (ptrdiff_t)gradient->y_position * (gradient->operands == CONV_BY_QUADS ? QUAD : 1);
    run->y_row = (ptrdiff_t)gradient->y_row_bytes;
    run->y_group = run->y_row * unit->rows;
}

/* Columns of y for which each tap is inside x; quads have zeros there instead. */
static void set_columns(struct conv_weights_run *run, const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    run->taps = desc->kernel;
    for (int s = 0; s < desc->kernel; s++) {
        int first = 0, end = plan->out_width;
        while (first < end && first * desc->stride + s - desc->padding < 0) first++;
        while (end > first && (end - 1) * desc->stride + s - desc->padding >= desc->in_width) end--;
        if (plan->gradient.operands == CONV_BY_QUADS) {
            first = 0;
            end = quads_of(plan->out_width);
        }
        run->first_column[s] = first;
        run->end_column[s] = end;
    }
}

void conv_set_x_strides(struct conv_weights_run *run, const struct conv_plan *plan)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_desc *desc = &plan->desc;
    const struct conv_pass *pass = &plan->forward;
    const int stride = gradient->compact ? 1 : desc->stride;
    const bool raw = gradient->operands == CONV_AS_THEY_ARE, quads = gradient->operands == CONV_BY_QUADS;
    const ptrdiff_t cell = raw ? (ptrdiff_t)(pass->x.cell * dtype_bytes(desc->dtype)) : (ptrdiff_t)gradient->x_position;
    const ptrdiff_t line = raw ? (ptrdiff_t)(pass->x.row * dtype_bytes(desc->dtype)) : (ptrdiff_t)gradient->x_row_bytes;
    const ptrdiff_t pitch = (ptrdiff_t)gradient->phase_columns * COLUMN_BYTES;
    set_columns(run, plan);
    run->x_group = raw ? pass->x_group : line * gradient->x_rows * gradient->x_blocks;
    run->x_row = line * stride;
    run->x_column = quads ? (ptrdiff_t)QUAD * COLUMN_BYTES : cell * stride;
    run->x_step = (ptrdiff_t)pass->x.block_channels * 4;
    if (gradient->operands == CONV_BY_POSITIONS) run->x_step = 64;
    if (quads) run->x_step = pitch;
    for (int s = 0; s < desc->kernel; s++) {
        int columns;
        const int phase = tap_phase(desc, s, &columns);
        run->x_tap[s] = (s - desc->padding) * cell;
        if (quads)
            run->x_tap[s] =
                phase * pitch * pass->x.block_channels + (ptrdiff_t)(margin_of(desc) + columns) * COLUMN_BYTES;
    }
}

void conv_set_images(struct conv_weights_run *run, const struct conv_plan *plan)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_image_strip *strip = &gradient->images;
    const struct conv_desc *desc = &plan->desc;
    const bool quads = gradient->operands == CONV_BY_QUADS;
    const ptrdiff_t elements = (ptrdiff_t)desc->stride * desc->in_channels; /* from one position to the next */
    run->images = true;
    run->channels = desc->kernel * desc->in_channels;
    run->taps = 1;
    run->x_tap[0] = 0;
    run->first_column[0] = 0;
    run->end_column[0] = quads ? quads_of(plan->out_width) : plan->out_width;
    if (plan->kernels->pack_x_octets) {
        run->x_step = 64;
        run->x_column = quads ? QUAD_BYTES : elements * run->x_step;
        run->x_row = (ptrdiff_t)gradient->x_row_bytes;
        run->x_group = run->x_row * gradient->x_rows;
    } else {
        run->x_step = (ptrdiff_t)(strip->row_elements * strip->element_bytes);
        run->x_column = elements * (ptrdiff_t)strip->element_bytes;
        run->x_row = run->x_step * strip->lines;
        run->x_group = (ptrdiff_t)strip->bytes;
    }
}

const char *conv_x_row(const struct conv_plan *plan, const char *packed, const char *x, const struct conv_unit *unit,
                       int block, int row)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_pass *pass = &plan->forward;
    if (gradient->operands == CONV_AS_THEY_ARE)
        return x + unit->group * pass->x_group + block * pass->x_block +
               row * (ptrdiff_t)(pass->x.row * dtype_bytes(plan->desc.dtype));
    const ptrdiff_t line = (ptrdiff_t)gradient->x_row_bytes;
    return packed + (ptrdiff_t)block * gradient->x_rows * line +
           (row - (gradient->compact ? unit->row : unit->x_row)) * line;
}
