/* backend/cpu/conv/conv_gradient.c -- backward weights: d_weight[k][c][r][s] = sum of d_y[k] x[c] over images and
 * positions. Each thread walks over units (some image groups x some output rows), prepares the operands of a unit
 * once, and meets them in 32 x 32 blocks; accumulators stay in registers for a whole unit. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"
#include "base/pool.h"

/* What one thread works on, and where. */
struct gradient_part {
    const struct conv_weights_job *job;
    int first_x, columns;       /* its x blocks: all, or a share */
    int first_block, end_block; /* blocks are numbered y block by y block, `columns` in each */
    float *weights;             /* accumulators of those blocks, or of one at a time */
    char *x, *y;                /* prepared operands            */
    bool one_unit;              /* each block is visited once: it is stored before the next takes its place */
};

static bool is_images(const struct conv_plan *plan)
{
    return plan->desc.input_layout == LAYOUT_IMAGES;
}

static int64_t line_count(const struct conv_plan *plan)
{
    return (int64_t)plan->gradient.cell_groups * plan->out_height;
}

/* The unit that starts at `line` and ends at or before `end`. */
static struct conv_unit next_unit(const struct conv_plan *plan, int64_t line, int64_t end)
{
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_desc *desc = &plan->desc;
    struct conv_unit unit = {
        .group = (int)(line / plan->out_height), .row = (int)(line % plan->out_height), .groups = 1};
    const int64_t left = end - line;
    if (gradient->unit_rows == plan->out_height && unit.row == 0 && left >= plan->out_height) {
        const int64_t whole = left / plan->out_height;
        unit.groups = whole < gradient->unit_groups ? (int)whole : gradient->unit_groups;
        unit.rows = plan->out_height;
    } else {
        unit.rows = plan->out_height - unit.row;
        if (unit.rows > gradient->unit_rows) unit.rows = gradient->unit_rows;
        if (unit.rows > left) unit.rows = (int)left;
    }
    const int last = (unit.row + unit.rows - 1) * desc->stride + desc->kernel - desc->padding;
    unit.x_row = unit.row * desc->stride - desc->padding;
    if (unit.x_row < 0) unit.x_row = 0;
    unit.x_rows = (last < desc->in_height ? last : desc->in_height) - unit.x_row;
    if (unit.x_rows < 0) unit.x_rows = 0;
    return unit;
}

/* The output rows [*first, *end) of the unit for which kernel row r is inside the input. */
static void inside_rows(const struct conv_desc *desc, const struct conv_unit *unit, int r, int *first, int *end)
{
    *first = unit->row;
    *end = unit->row + unit->rows;
    while (*first < *end && *first * desc->stride + r - desc->padding < 0) ++*first;
    while (*end > *first && (*end - 1) * desc->stride + r - desc->padding >= desc->in_height) --*end;
}

static int x_block_of(const struct gradient_part *part, int block)
{
    return part->first_x + block % part->columns;
}

static float *accumulators(const struct gradient_part *part, int block)
{
    const size_t index = part->one_unit ? 0 : (size_t)(block - part->first_block);
    return part->weights + index * part->job->plan->gradient.block_floats;
}

/* All taps of one block of d_weight over one unit. */
static void visit_block(const struct gradient_part *part, struct conv_weights_run *run, const struct conv_unit *unit,
                        int block)
{
    const struct conv_plan *plan = part->job->plan;
    const struct conv_gradient *gradient = &plan->gradient;
    const struct conv_desc *desc = &plan->desc;
    const int x_block = x_block_of(part, block), y_block = block / part->columns;
    float *weights = accumulators(part, block);
    const char *y = run->y;
    run->channels = activation_block_channels(&plan->forward.x, x_block);
    run->outputs = activation_block_channels(&plan->forward.y, y_block);
    for (int r = 0; r < desc->kernel; r++) {
        int first, end;
        inside_rows(desc, unit, r, &first, &end);
        run->rows = end - first;
        if (run->rows == 0 && !run->first) continue;
        run->x = conv_x_row(plan, part->x, part->job->x, unit, x_block,
                            gradient->compact ? first : first * desc->stride + r - desc->padding);
        run->y = y + (first - unit->row) * run->y_row;
        run->d_weight = weights + (size_t)r * (size_t)desc->kernel * 1024;
        plan->kernels->weights(run);
    }
    run->y = y;
}

/* The kernel rows of the first layer's images, each a tile of its own. */
static void visit_images(const struct gradient_part *part, struct conv_weights_run *run, const struct conv_unit *unit,
                         int y_block)
{
    const struct conv_plan *plan = part->job->plan;
    const struct conv_gradient *gradient = &plan->gradient;
    const size_t tile = gradient->block_floats / (size_t)plan->desc.kernel;
    const ptrdiff_t row = run->x_row; /* of x, from one kernel row to the next */
    float *weights = accumulators(part, y_block);
    run->outputs = activation_block_channels(&plan->forward.y, y_block);
    run->rows = unit->rows;
    run->x_row = row * plan->desc.stride;
    for (int r = 0; r < plan->desc.kernel; r++) {
        run->x = part->x + r * row;
        run->d_weight = weights + (size_t)r * tile;
        plan->kernels->weights(run);
    }
    run->x_row = row;
}

/* Rows of x that the next unit (which must follow in the same image) has and this one has not, of the first `blocks`.
 */
static void fetch_next_unit(struct conv_prefetch *prefetch, const struct gradient_part *part,
                            const struct conv_unit *unit, int blocks)
{
    const struct conv_plan *plan = part->job->plan;
    const struct conv_pass *pass = &plan->forward;
    const ptrdiff_t row = (ptrdiff_t)(pass->x.row * dtype_bytes(plan->desc.dtype));
    int rows = plan->desc.in_height - (unit->x_row + unit->x_rows);
    if (unit->groups > 1 || rows <= 0) return;
    if (rows > unit->x_rows) rows = unit->x_rows;
    prefetch->next =
        part->job->x + unit->group * pass->x_group + part->first_x * pass->x_block + (unit->x_row + unit->x_rows) * row;
    prefetch->segment = rows * row;
    prefetch->gap = pass->x_block - prefetch->segment;
    prefetch->left = prefetch->segment * blocks;
}

/* The unit's operand of an x block, prepared or as it is. */
static void fetch_x(struct conv_prefetch *prefetch, const struct gradient_part *part,
                    const struct conv_weights_run *run, const struct conv_unit *unit, int x_block)
{
    const struct conv_plan *plan = part->job->plan;
    const struct conv_gradient *gradient = &plan->gradient;
    const int first = gradient->compact ? unit->row : unit->x_row;
    const ptrdiff_t row = gradient->operands == CONV_AS_THEY_ARE
                              ? (ptrdiff_t)(plan->forward.x.row * dtype_bytes(plan->desc.dtype))
                              : (ptrdiff_t)gradient->x_row_bytes;
    prefetch->next = conv_x_row(plan, part->x, part->job->x, unit, x_block, first);
    prefetch->segment = (gradient->compact ? unit->rows : unit->x_rows) * row;
    prefetch->gap = run->x_group - prefetch->segment;
    prefetch->left = prefetch->segment * unit->groups;
}

/* d_y of a y block. */
static void fetch_y(struct conv_prefetch *prefetch, const struct gradient_part *part, const struct conv_unit *unit,
                    int y_block)
{
    const struct conv_pass *pass = &part->job->plan->forward;
    prefetch->next = part->job->d_y + unit->group * pass->y_group + y_block * pass->y_block + unit->row * pass->y_row;
    prefetch->segment = unit->rows * pass->y_row;
    prefetch->gap = pass->y_group - prefetch->segment;
    prefetch->left = prefetch->segment * unit->groups;
}

/* What will be read next is fetched into the second-level cache while a block is computed: the next x block, or d_y of
 * the next y block. The kernel passes over its operands several times and would wait for every line of the first one, a
 * third of the time of a 1x1 layer. Not x where stride makes a block of it four times as large as what is read; and if
 * x will have to be prepared, the next unit's rows during the last y block. Such a plan holds for a whole row of
 * blocks. */
static void plan_prefetch(struct conv_prefetch *prefetch, const struct gradient_part *part,
                          const struct conv_weights_run *run, const struct conv_unit *unit, int block)
{
    const struct conv_plan *plan = part->job->plan;
    const enum conv_operands operands = plan->gradient.operands;
    const int columns = part->columns, y_block = block / columns;
    const int row_end = part->end_block < (y_block + 1) * columns ? part->end_block : (y_block + 1) * columns;
    const bool more = part->end_block > row_end, starts = block == part->first_block || block % columns == 0;
    const bool x = operands == CONV_AS_THEY_ARE ? plan->desc.stride == 1 : more;
    if (!x && !starts) return; /* goes on */
    memset(prefetch, 0, sizeof *prefetch);
    if (operands > CONV_BY_CELLS) return;
    if (x && block + 1 < row_end)
        fetch_x(prefetch, part, run, unit, x_block_of(part, block + 1));
    else if (more)
        fetch_y(prefetch, part, unit, y_block + 1);
    else if (!is_images(plan))
        fetch_next_unit(prefetch, part, unit, x ? 1 : columns);
    prefetch->left_in_segment = prefetch->segment;
    const double visits = (double)(x ? 1 : row_end - block) * plan->kernels->weights_tiles * plan->desc.kernel *
                          plan->desc.kernel * unit->groups * unit->rows * plan->out_width;
    prefetch->lines = (int)((double)prefetch->left / 64 / visits) + 1;
}

static enum conv_accumulators order_of(const struct conv_plan *plan)
{
    const bool narrow = plan->forward.y.block_channels == NARROW_CHANNELS;
    return narrow && plan->kernels->accumulators == CONV_TILES ? CONV_NARROW_TILES : plan->kernels->accumulators;
}

/* Where the accumulator of input c and output k lies in a tile. */
static size_t tile_index(enum conv_accumulators order, int c, int k)
{
    if (order == CONV_ROWS) return (size_t)c * 32 + (size_t)k;
    const int column = order == CONV_TILES ? k % 2 * 256 + k / 2 : k;
    return (size_t)(c / 16) * 512 + (size_t)(c % 16) * 16 + (size_t)column;
}

/* Finished accumulators of a block to [K][C][R][S]. */
void conv_store_block(const struct conv_weights_job *job, const float *weights, int x_block, int y_block)
{
    const struct conv_plan *plan = job->plan;
    const struct conv_gradient *gradient = &plan->gradient;
    const int outputs = activation_block_channels(&plan->forward.y, y_block);
    const int channels = plan->desc.in_channels, kernel = plan->desc.kernel, taps = kernel * kernel;
    const size_t row = (size_t)channels * (size_t)taps;
    float *out = job->d_weight + (size_t)y_block * BLOCK_CHANNELS * row;
    if (is_images(plan)) {
        const size_t tile = gradient->block_floats / (size_t)kernel;
        for (int k = 0; k < outputs; k++)
            for (int c = 0; c < channels; c++)
                for (int t = 0; t < taps; t++)
                    out[(size_t)k * row + (size_t)(c * taps + t)] =
                        weights[(size_t)(t / kernel) * tile + tile_index(order_of(plan), t % kernel * channels + c, k)];
        return;
    }
    const int inputs = activation_block_channels(&plan->forward.x, x_block);
    out += (size_t)x_block * BLOCK_CHANNELS * (size_t)taps;
    plan->kernels->store_weights(out, row, weights, taps, inputs, outputs, order_of(plan));
}

/* first: the accumulators start; finish: nothing more comes, they are stored. */
static void visit_unit(const struct gradient_part *part, const struct conv_unit *unit, bool first, bool finish)
{
    const struct conv_plan *plan = part->job->plan;
    const int columns = part->columns;
    struct conv_weights_run run;
    struct conv_prefetch prefetch;
    memset(&run, 0, sizeof run);
    run.prefetch = &prefetch;
    run.first = first;
    run.groups = unit->groups;
    run.group_images = plan->forward.y.group_images;
    run.last_images = activation_group_images(&plan->forward.y, unit->group + unit->groups - 1);
    if (is_images(plan)) {
        char *strip = part->y - (size_t)plan->gradient.groups_per_cell * plan->gradient.images.bytes;
        conv_pack_images(plan, part->x, strip, part->job->x, unit);
        conv_set_images(&run, plan);
    } else {
        conv_set_x_strides(&run, plan);
        if (plan->gradient.operands != CONV_AS_THEY_ARE) {
            const bool one_row = part->first_block / columns == (part->end_block - 1) / columns;
            conv_pack_x(plan, part->x, part->job->x, unit,
                        one_row ? x_block_of(part, part->first_block) : part->first_x,
                        one_row ? x_block_of(part, part->end_block - 1) + 1 : part->first_x + columns);
        }
    }
    for (int block = part->first_block; block < part->end_block; block++) {
        const int y_block = block / columns;
        if (block == part->first_block || block % columns == 0) {
            if (plan->gradient.operands != CONV_AS_THEY_ARE) conv_pack_y(plan, part->y, part->job->d_y, unit, y_block);
            conv_set_y(&run, plan, part->y, part->job->d_y, unit, y_block);
        }
        plan_prefetch(&prefetch, part, &run, unit, block);
        if (is_images(plan))
            visit_images(part, &run, unit, y_block);
        else
            visit_block(part, &run, unit, block);
        if (finish) conv_store_block(part->job, accumulators(part, block), x_block_of(part, block), y_block);
    }
}

void conv_direct_weights(const struct conv_weights_job *job, const void *state, int thread, int threads)
{
    const struct conv_plan *plan = job->plan;
    const struct conv_gradient *gradient = &plan->gradient;
    struct gradient_part part = {.job = job, .weights = cpu_scratch(plan->cpu, thread)};
    (void)state;
    part.x = (char *)part.weights + gradient->weight_bytes;
    part.y = part.x + gradient->x_bytes;
    int64_t begin = 0, end = (int64_t)gradient->x_blocks * gradient->y_blocks;
    int64_t line = 0, last = line_count(plan);
    if (gradient->by_tile)
        pool_share(end, thread, threads, &begin, &end);
    else
        pool_share(last, thread, threads, &line, &last);
    part.columns = gradient->x_blocks;
    if (gradient->by_x) {
        pool_share(gradient->x_blocks, thread, threads, &begin, &end);
        part.first_x = (int)begin;
        part.columns = (int)(end - begin);
        begin = 0;
        end = (int64_t)part.columns * gradient->y_blocks;
    }
    part.first_block = (int)begin;
    part.end_block = (int)end;
    if (begin == end) return;
    if (line == last) memset(part.weights, 0, (size_t)(end - begin) * gradient->block_floats * sizeof(float));
    for (bool first = true; line < last; first = false) {
        const struct conv_unit unit = next_unit(plan, line, last);
        line += (int64_t)unit.groups * unit.rows;
        const bool finish = gradient->by_tile && line == last;
        part.one_unit = first && finish;
        visit_unit(&part, &unit, first, finish);
    }
    plan->kernels->stream_end();
}

static void compute_part(void *context, int thread, int threads)
{
    struct conv_weights_job *job = context;
    const struct conv_way *way = &job->plan->ways[CONV_BACKWARD_WEIGHTS];
    if (thread == 0) job->threads = threads;
    way->algorithm->backward_weights(job, way->state, thread, threads);
}

/* Adds the threads' partial sums in the order of the threads. */
static void reduce_part(void *context, int thread, int threads)
{
    struct conv_weights_job *job = context;
    const struct conv_gradient *gradient = &job->plan->gradient;
    int64_t begin, end;
    pool_share((int64_t)gradient->x_blocks * gradient->y_blocks, thread, threads, &begin, &end);
    for (int64_t block = begin; block < end; block++) {
        const size_t at = (size_t)block * gradient->block_floats;
        float *total = (float *)cpu_scratch(job->plan->cpu, 0) + at;
        for (int other = 1; other < job->threads; other++) {
            const float *more = (const float *)cpu_scratch(job->plan->cpu, other) + at;
            for (size_t i = 0; i < gradient->block_floats; i++) total[i] += more[i];
        }
        conv_store_block(job, total, (int)block % gradient->x_blocks, (int)block / gradient->x_blocks);
    }
    job->plan->kernels->stream_end();
}

/* d_bias[k] = sum of d_y[k]; padding images are zero. */
static void bias_part(void *context, int thread, int threads)
{
    const struct conv_weights_job *job = context;
    const struct conv_plan *plan = job->plan;
    const struct activation_layout *y = &plan->forward.y;
    const size_t cells = (size_t)y->height * (size_t)y->width;
    int64_t begin, end;
    pool_share(y->blocks, thread, threads, &begin, &end);
    for (int64_t block = begin; block < end; block++) {
        double sum[BLOCK_CHANNELS] = {0};
        for (int g = 0; g < y->groups; g++) {
            const size_t at = (size_t)g * y->group + (size_t)block * y->block;
            for (size_t i = 0; i < cells * y->cell; i++) {
                float value;
                if (plan->desc.dtype == DTYPE_BF16)
                    value = bf16_to_float(((const uint16_t *)(const void *)job->d_y)[at + i]);
                else
                    value = ((const float *)(const void *)job->d_y)[at + i];
                sum[i % (size_t)y->block_channels] += (double)value;
            }
        }
        const int real = activation_block_channels(y, (int)block);
        for (int k = 0; k < real; k++) job->d_bias[block * BLOCK_CHANNELS + k] = (float)sum[k];
    }
}

void cpu_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x)
{
    struct conv_weights_job job = {
        .plan = plan, .d_weight = d_weight, .d_bias = d_bias, .d_y = d_y, .x = x, .threads = 1};
    struct pool *pool = plan->cpu->base.pool;
    pool_split(pool, compute_part, &job);
    if (plan->ways[CONV_BACKWARD_WEIGHTS].in_parts) pool_split(pool, reduce_part, &job);
    if (d_bias) pool_split(pool, bias_part, &job);
}
