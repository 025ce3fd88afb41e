/* explore/map_atlas.c -- pictures in a grid, in the order of their points on the map. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/collection_map.h"
#include "image/canvas.h"

/* ---- which row goes where -------------------------------------------------------------------------------------- */

struct point {
    float at[2];
    int64_t row;
};

static int by_axis(const struct point *a, const struct point *b, int axis)
{
    if (a->at[axis] != b->at[axis]) return a->at[axis] < b->at[axis] ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int across(const void *a, const void *b)
{
    return by_axis(a, b, 0);
}

/* Rows of the grid go down, the plane's second axis goes up. */
static int downwards(const void *a, const void *b)
{
    return by_axis(b, a, 1);
}

/* Cells [top][left], height x width of them, of a grid with `side` cells in a row. */
struct block {
    int left, top, width, height;
};

/* Gives each of width * height points a cell: halves the block along its longer side, and the points with it. Depth:
 * the logarithm of the cells. */
static void settle(int64_t *cells, int side, struct point *points, struct block block)
{
    if (block.width == 1 && block.height == 1) {
        cells[(int64_t)block.top * side + block.left] = points->row;
        return;
    }
    const bool wide = block.width >= block.height;
    const int half = (wide ? block.width : block.height) / 2;
    const size_t count = (size_t)block.width * (size_t)block.height;
    const size_t first = (size_t)half * (size_t)(wide ? block.height : block.width);
    struct block a = block, b = block;
    qsort(points, count, sizeof *points, wide ? across : downwards);
    if (wide)
        a.width = half, b.left += half, b.width -= half;
    else
        a.height = half, b.top += half, b.height -= half;
    settle(cells, side, points, a);
    settle(cells, side, points + first, b);
}

/* cells: [side * side] rows. */
static int choose_cells(int64_t *cells, int side, const struct collection_map *map, int64_t rows, struct error *error)
{
    const int64_t shown = (int64_t)side * side;
    struct point *points = memory_array((size_t)shown, sizeof *points);
    if (!points) return error_no_memory(error, "an atlas", (size_t)shown * sizeof *points);
    for (int64_t i = 0; i < shown; i++) {
        const int64_t row = i * rows / shown;
        points[i] = (struct point){{map->points[2 * row], map->points[2 * row + 1]}, row};
    }
    settle(cells, side, points, (struct block){0, 0, side, side});
    memory_free(points);
    return SIMCLR_OK;
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

struct atlas {
    struct image *canvas;
    int side;
    enum simd simd;
};

static int draw_cell(void *context, int64_t cell, const struct image *image, struct error *error)
{
    enum { ROOM = ATLAS_CELL - 2 };
    const struct atlas *atlas = context;
    int width = image->width, height = image->height;
    canvas_fit(ROOM, &width, &height);
    const int x = (int)(cell % atlas->side) * ATLAS_CELL + (ATLAS_CELL - width) / 2;
    const int y = (int)(cell / atlas->side) * ATLAS_CELL + (ATLAS_CELL - height) / 2;
    return canvas_picture(atlas->simd, atlas->canvas, x, y, ROOM, image, error);
}

static int draw_all(struct image *out, const struct collection *c, const int64_t *cells, int side, struct error *error)
{
    struct atlas atlas = {out, side, c->session->simd};
    int status = image_create(side * ATLAS_CELL, side * ATLAS_CELL, out, error);
    if (status) return status;
    memset(out->rgb, 250, 3 * (size_t)out->width * (size_t)out->height);
    status = collection_each_image(c, cells, (int64_t)side * side, draw_cell, &atlas, "the atlas", error);
    if (status) image_free(out);
    return status;
}

int collection_map_atlas(struct image *out, int64_t *shown, const struct collection_map *map,
                         const struct collection *collection, struct error *error)
{
    const int64_t rows = collection_count(collection);
    int side = 1;
    while (side < ATLAS_SIDE && (int64_t)(side + 1) * (side + 1) <= rows) side++;
    *out = (struct image){0};
    *shown = (int64_t)side * side;
    int64_t *cells = memory_array((size_t)*shown, sizeof *cells);
    if (!cells) return error_no_memory(error, "an atlas", (size_t)*shown * sizeof *cells);
    int status = choose_cells(cells, side, map, rows, error);
    if (!status) status = draw_all(out, collection, cells, side, error);
    memory_free(cells);
    return status;
}
