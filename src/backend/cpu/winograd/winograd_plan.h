/* backend/cpu/winograd/winograd_plan.h -- a planned pass by Winograd: how it is cut into pieces, and where its tiles
 * lie. */
#ifndef BACKEND_CPU_WINOGRAD_PLAN_H
#define BACKEND_CPU_WINOGRAD_PLAN_H

#include "backend/cpu/conv/conv_plan.h"
#include "backend/cpu/winograd/winograd.h"

/* How a pass is cut into pieces; all strides in elements of what they are strides of. */
struct winograd_pass {
    const struct winograd_form *form;
    bool pairs;         /* V, U and W are bf16 */
    int down, across;   /* tiles of one image */
    int64_t tiles;      /* of all image groups */
    int chunk;          /* tiles that are transformed together */
    int panels_at_once; /* whose products are between two output transforms */
    bool keep_weights;  /* U of all panels is made once per run, by all threads for all; else by each thread of
                         * panels_at_once, for each chunk */
    int tile_shares, panel_shares; /* threads form a grid: shares of the tiles x shares of the panels */
    ptrdiff_t v_point, v_tile, u_point, u_panel, m_point, m_tile;
    size_t u_bytes, v_bytes, m_bytes; /* of a thread's scratch, in this order, after what the driver keeps there;
                                         backward weights: dU, V, W */
};

/* The state of a conv_way that goes by Winograd: one pass of a convolution. */
struct winograd_plan {
    const struct conv_plan *conv;
    const struct winograd_kernels *kernels;
    const char *zeros; /* a cell outside the image */
    struct winograd_pass pass;
    /* Backward weights: threads own panels of outputs over all tiles; else all panels over some tiles, and partial sums
     * are added up. */
    bool by_panel;
    size_t weight_bytes; /* backward weights: of the blocks of d_weight at the beginning of a thread's scratch */
};

/* winograd_run.c, winograd_gradient.c: the functions of conv_winograd. `state` is a struct winograd_plan. */
void winograd_forward(const struct conv_job *job, const void *state, int thread, int threads);
void winograd_backward_data(const struct conv_job *job, const void *state, int thread, int threads);
void winograd_backward_weights(const struct conv_weights_job *job, const void *state, int thread, int threads);

/* A tile's image group, where it lies (counted in tiles), and the real images of the group. */
struct winograd_tile {
    int group, down, across, images;
};

static inline struct winograd_tile winograd_tile(const struct winograd_pass *pass,
                                                 const struct activation_layout *layout, int64_t number)
{
    const int64_t tiles = (int64_t)pass->down * pass->across;
    const int inside = (int)(number % tiles);
    struct winograd_tile tile = {.group = (int)(number / tiles)};
    tile.down = inside / pass->across;
    tile.across = inside % pass->across;
    tile.images = activation_group_images(layout, tile.group);
    return tile;
}

/* Bytes of an element of V, U and W. */
static inline ptrdiff_t winograd_element(const struct winograd_pass *pass)
{
    return pass->pairs ? 2 : 4;
}

/* The cells of a tile t: edge x edge of them, from position (t step + from) on. */
struct winograd_window {
    int step, from, edge;
};

/* Those of channel block 0; zeros where outside. */
static inline void winograd_cells(const char **cells, const struct winograd_plan *plan, const char *tensor,
                                  const struct activation_layout *layout, const struct winograd_tile *tile,
                                  struct winograd_window window)
{
    const int step = window.step, from = window.from, edge = window.edge;
    const size_t element = dtype_bytes(plan->conv->desc.dtype);
    const char *group = tensor + (size_t)tile->group * layout->group * element;
    for (int i = 0; i < edge; i++)
        for (int j = 0; j < edge; j++) {
            const int h = tile->down * step + from + i, w = tile->across * step + from + j;
            const bool inside = h >= 0 && w >= 0 && h < layout->height && w < layout->width;
            cells[i * edge + j] =
                inside ? group + ((size_t)h * layout->row + (size_t)w * layout->cell) * element : plan->zeros;
        }
}

static inline void winograd_x_cells(const char **cells, const struct winograd_plan *plan, const char *x,
                                    const struct activation_layout *layout, const struct winograd_tile *tile)
{
    const struct winograd_form *form = plan->pass.form;
    winograd_cells(cells, plan, x, layout, tile, (struct winograd_window){form->x_step, form->x_from, form->x_edge});
}

static inline void winograd_y_cells(const char **cells, const struct winograd_plan *plan, const char *y,
                                    const struct activation_layout *layout, const struct winograd_tile *tile)
{
    const int edge = plan->pass.form->y_edge;
    winograd_cells(cells, plan, y, layout, tile, (struct winograd_window){edge, 0, edge});
}

static inline const struct winograd_transforms *winograd_transforms(const struct winograd_plan *plan)
{
    return &plan->kernels->transforms[plan->pass.form->kind];
}

#endif
