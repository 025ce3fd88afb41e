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

/* The grid; a cell without a row is EMPTY. */
enum { EMPTY = -1 };
struct grid {
    int width, height;
    int64_t *cells; /* [height][width] rows */
};

/* Cells [top][left], height x width of them. */
struct block {
    int left, top, width, height;
};

static int64_t cells_of(const struct block *block)
{
    return (int64_t)block->width * block->height;
}

/* Gives each of `count` points a cell, where there are as many or more: halves the block along its longer side, and the
 * points with it, so that cells without one are spread evenly. Depth: the logarithm of the cells. */
static void settle(const struct grid *grid, struct point *points, int64_t count, struct block block)
{
    const int64_t cells = cells_of(&block);
    if (cells <= 1) {
        grid->cells[(int64_t)block.top * grid->width + block.left] = count > 0 ? points->row : EMPTY;
        return;
    }
    const bool wide = block.width >= block.height;
    const int half = (wide ? block.width : block.height) / 2;
    struct block a = block, b = block;
    qsort(points, (size_t)count, sizeof *points, wide ? across : downwards);
    if (wide)
        a.width = half, b.left += half, b.width -= half;
    else
        a.height = half, b.top += half, b.height -= half;
    const int64_t first = count * cells_of(&a) / cells; /* at most its cells; the others hold the rest */
    settle(grid, points, first, a);
    settle(grid, points + first, count - first, b);
}

/* shown: as many rows, spread evenly over all. */
static int choose_cells(const struct grid *grid, int64_t shown, const struct collection_map *map, int64_t rows,
                        struct error *error)
{
    struct point *points = memory_array((size_t)shown, sizeof *points);
    if (!points) return error_no_memory(error, "an atlas", (size_t)shown * sizeof *points);
    for (int64_t i = 0; i < shown; i++) {
        const int64_t row = i * rows / shown;
        points[i] = (struct point){{map->points[2 * row], map->points[2 * row + 1]}, row};
    }
    settle(grid, points, shown, (struct block){0, 0, grid->width, grid->height});
    memory_free(points);
    return SIMCLR_OK;
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

struct atlas {
    struct image *canvas;
    int width;            /* cells in a row */
    const int64_t *place; /* of each row that is shown: its cell */
    enum simd simd;
};

static int draw_cell(void *context, int64_t number, const struct image *image, struct error *error)
{
    enum { ROOM = ATLAS_CELL - 2 };
    const struct atlas *atlas = context;
    const int64_t cell = atlas->place[number];
    int width = image->width, height = image->height;
    canvas_fit(ROOM, &width, &height);
    const int x = (int)(cell % atlas->width) * ATLAS_CELL + (ATLAS_CELL - width) / 2;
    const int y = (int)(cell / atlas->width) * ATLAS_CELL + (ATLAS_CELL - height) / 2;
    return canvas_picture(atlas->simd, atlas->canvas, x, y, ROOM, image, error);
}

static int draw_all(struct image *out, const struct collection *c, const struct grid *grid, struct error *error)
{
    const int64_t cells = (int64_t)grid->width * grid->height;
    int64_t *place = memory_array((size_t)cells, sizeof *place), count = 0;
    if (!place) return error_no_memory(error, "an atlas", (size_t)cells * sizeof *place);
    for (int64_t cell = 0; cell < cells; cell++) {
        if (grid->cells[cell] == EMPTY) continue;
        place[count] = cell;
        grid->cells[count++] = grid->cells[cell]; /* the rows move to the front */
    }
    struct atlas atlas = {out, grid->width, place, c->session->simd};
    int status = image_create(grid->width * ATLAS_CELL, grid->height * ATLAS_CELL, out, error);
    if (!status) {
        memset(out->rgb, 250, 3 * (size_t)out->width * (size_t)out->height);
        status = collection_each_image(c, grid->cells, count, draw_cell, &atlas, "the atlas", error);
        if (status) image_free(out);
    }
    memory_free(place);
    return status;
}

int collection_map_atlas(struct image *out, int64_t *shown, const struct collection_map *map,
                         const struct collection *collection, struct error *error)
{
    const int64_t rows = collection_count(collection);
    struct grid grid = {.width = 1};
    while (grid.width < ATLAS_SIDE && (int64_t)grid.width * grid.width < rows) grid.width++;
    *shown = rows < (int64_t)grid.width * grid.width ? rows : (int64_t)grid.width * grid.width;
    grid.height = (int)((*shown + grid.width - 1) / grid.width);
    *out = (struct image){0};
    const size_t cells = (size_t)grid.width * (size_t)grid.height;
    grid.cells = memory_array(cells, sizeof *grid.cells);
    if (!grid.cells) return error_no_memory(error, "an atlas", cells * sizeof *grid.cells);
    int status = choose_cells(&grid, *shown, map, rows, error);
    if (!status) status = draw_all(out, collection, &grid, error);
    memory_free(grid.cells);
    return status;
}
