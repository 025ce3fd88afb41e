/* backend/cpu/conv/conv_order.c -- how large the pieces are that a convolution is cut into, and in which order they
 * are visited: chosen so that what is read most often stays in the second-level cache. */
#include <unistd.h>

#include "backend/cpu/conv/conv_plan.h"

static size_t second_level_cache(void)
{
#if defined(_SC_LEVEL2_CACHE_SIZE)
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    const long least = 256L << 10, most = 2L << 20;
    if (bytes >= least) return (size_t)(bytes < most ? bytes : most);
#endif
    return (size_t)1 << 20;
}

static int at_least_one(double value, int most)
{
    if (value >= (double)most) return most;
    return value < 1.0 ? 1 : (int)value;
}

/* Rows of y whose input rows and one weight panel fit the budget. */
static int rows_that_fit(const struct conv_pass *pass, const struct conv_plan *plan, double budget)
{
    const struct conv_desc *desc = &plan->desc;
    const double row = (double)pass->x.row * (double)dtype_bytes(desc->dtype) * pass->x.blocks;
    const double left = budget - (double)pass->panel_bytes;
    const double in_rows = left > 0 ? left / row : 0;
    const double per_row = pass == &plan->data ? 1.0 / desc->stride : (double)desc->stride;
    return at_least_one((in_rows - desc->kernel + desc->stride) / per_row, pass->y.height);
}

static int strips_of(int height, int rows)
{
    return (height + rows - 1) / rows;
}

void conv_choose_order(struct conv_pass *pass, const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    const double cache = (double)second_level_cache();
    const int threads = plan->cpu->threads;
    const int height = pass->y.height, groups = pass->y.groups;
    const bool images = desc->input_layout == LAYOUT_IMAGES;
    int rows;
    if (images) {
        const double row = (double)(desc->in_width + 2 * desc->padding) * desc->in_channels * 4 * pass->y.group_images;
        rows = at_least_one((cache / 4 / row - desc->kernel) / desc->stride, height);
    } else {
        rows = rows_that_fit(pass, plan, cache * 0.6);
    }
    const int strips = strips_of(height, rows);
    /* What each order reads from beyond the cache. */
    const double x = (double)pass->x.elements * (double)dtype_bytes(desc->dtype);
    const double weights = (double)pass->weights_bytes;
    const double visits = (double)groups * strips / threads;
    const double by_strip = x / threads + (weights > cache * 0.4 ? weights * (visits > 1 ? visits : 1) : weights);
    const double by_panel = x / threads * conv_panels(pass) + weights;
    pass->order = images || by_strip <= by_panel ? CONV_BY_STRIP : CONV_BY_PANEL;
    /* Enough pieces for an even share among the threads. */
    int pieces = pass->order == CONV_BY_STRIP ? strips : 1;
    while (pieces < height && (long)pieces * groups * conv_panels(pass) < 8L * threads) pieces++;
    pass->strips = pieces;
}

/* Output lines (rows of one cell group) per visit: enough positions to repay loading and storing the d_weight
 * blocks, few enough that one channel block of x and of y stays in the cache over all taps. */
void conv_choose_units(struct conv_plan *plan)
{
    struct conv_gradient *gradient = &plan->gradient;
    const double cache = (double)second_level_cache();
    const int threads = plan->cpu->threads;
    const int blocks = gradient->x_blocks * gradient->y_blocks;
    const double total = (double)blocks * (double)gradient->block_floats * sizeof(float);
    const double lines = (double)gradient->cell_groups * plan->out_height;
    gradient->by_tile = blocks >= 4 * threads && (total > cache * 0.3 || lines < 8.0 * threads);
    /* The wider operand is prepared once, the narrower by each thread; only where the shares come out even. */
    gradient->by_x = gradient->by_tile && gradient->x_blocks > gradient->y_blocks &&
                     (gradient->x_blocks % threads == 0 || gradient->x_blocks >= 8 * threads);

    const double own = gradient->by_tile ? total / threads : total;
    double positions = cache * 0.5 / (2.0 * (double)plan->gradient.position_bytes);
    if (own < cache * 0.25) positions /= 2;
    const double packed = 8.0 * 1024 * 1024 / ((double)plan->gradient.position_bytes * gradient->x_blocks);
    if (positions > packed) positions = packed;
    const double image = (double)plan->out_height * plan->out_width;
    if (positions >= image) {
        gradient->unit_rows = plan->out_height;
        /* Of x a group has stride^2 positions for one of y. */
        const bool vectors = gradient->operands <= CONV_BY_CELLS && plan->desc.kernel > 1;
        const double apart = vectors ? plan->desc.stride * plan->desc.stride : 1;
        gradient->unit_groups = at_least_one(positions * 2.0 / (1.0 + apart) / image, gradient->cell_groups);
    } else {
        const int rows = at_least_one(positions / plan->out_width, plan->out_height);
        const int units = strips_of(plan->out_height, rows);
        gradient->unit_rows = (plan->out_height + units - 1) / units;
        gradient->unit_groups = 1;
    }
}
