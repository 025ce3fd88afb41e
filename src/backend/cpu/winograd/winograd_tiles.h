/* backend/cpu/winograd/winograd_tiles.h -- where the tiles of a Winograd pass lie. */
#ifndef BACKEND_CPU_WINOGRAD_TILES_H
#define BACKEND_CPU_WINOGRAD_TILES_H

#include "backend/cpu/conv/conv_plan.h"

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

/* The edge x edge cells of channel block 0 that tile t has from position (t step + from) on; zeros where outside. */
static inline void winograd_cells(const char **cells, const struct conv_plan *plan, const char *tensor,
                                  const struct activation_layout *layout, const struct winograd_tile *tile, int step,
                                  int from, int edge)
{
    const size_t element = dtype_bytes(plan->desc.dtype);
    const char *group = tensor + (size_t)tile->group * layout->group * element;
    for (int i = 0; i < edge; i++)
        for (int j = 0; j < edge; j++) {
            const int h = tile->down * step + from + i, w = tile->across * step + from + j;
            const bool inside = h >= 0 && w >= 0 && h < layout->height && w < layout->width;
            cells[i * edge + j] =
                inside ? group + ((size_t)h * layout->row + (size_t)w * layout->cell) * element : plan->winograd.zeros;
        }
}

static inline void winograd_x_cells(const char **cells, const struct conv_plan *plan, const struct winograd_pass *pass,
                                    const char *x, const struct activation_layout *layout,
                                    const struct winograd_tile *tile)
{
    const struct winograd_form *form = pass->form;
    winograd_cells(cells, plan, x, layout, tile, form->x_step, form->x_from, form->x_edge);
}

static inline void winograd_y_cells(const char **cells, const struct conv_plan *plan, const struct winograd_pass *pass,
                                    const char *y, const struct activation_layout *layout,
                                    const struct winograd_tile *tile)
{
    winograd_cells(cells, plan, y, layout, tile, pass->form->y_edge, 0, pass->form->y_edge);
}

static inline const struct winograd_transforms *winograd_transforms(const struct conv_plan *plan,
                                                                    const struct winograd_pass *pass)
{
    return &plan->winograd.kernels->transforms[pass->form->kind];
}

#endif
