/* explore/map_atlas.c -- pictures in a grid, in the order of their points on the map. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/collection_map.h"
#include "image/canvas.h"

/* ---- which row goes where -------------------------------------------------------------------------------------- */

struct point {
    float at[2];
    int64_t row, cell; /* cell: of a grid, row after row */
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

/* Cells [top][left], height x width of them. */
struct block {
    int left, top, width, height;
};

static int64_t cells_of(const struct block *block)
{
    return (int64_t)block->width * block->height;
}

/* Gives each of `count` points a cell, where there are as many or more, of a grid with `side` in a row: halves the
 * block along its longer side, and the points with it, so that cells without one are spread evenly. Depth: the
 * logarithm of the cells. */
static void settle(struct point *points, int64_t count, int side, struct block block)
{
    const int64_t cells = cells_of(&block);
    if (count == 0) return;
    if (cells <= 1) {
        points->cell = (int64_t)block.top * side + block.left;
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
    settle(points, first, side, a);
    settle(points + first, count - first, side, b);
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

struct atlas {
    struct image *canvas;
    const struct point *points; /* of the rows that are shown */
    int side;
    enum simd simd;
};

static int draw_cell(void *context, int64_t number, const struct image *image, struct error *error)
{
    enum { ROOM = ATLAS_CELL - 2 };
    const struct atlas *atlas = context;
    const int64_t cell = atlas->points[number].cell;
    int width = image->width, height = image->height;
    canvas_fit(ROOM, &width, &height);
    const int x = (int)(cell % atlas->side) * ATLAS_CELL + (ATLAS_CELL - width) / 2;
    const int y = (int)(cell / atlas->side) * ATLAS_CELL + (ATLAS_CELL - height) / 2;
    return canvas_picture(atlas->simd, atlas->canvas, x, y, ROOM, image, error);
}

/* rows: [shown], space. */
static int draw_all(struct atlas *atlas, int lines, const struct collection *c, int64_t *rows, int64_t shown,
                    struct error *error)
{
    struct image *out = atlas->canvas;
    int status = image_create(atlas->side * ATLAS_CELL, lines * ATLAS_CELL, out, error);
    if (status) return status;
    memset(out->rgb, 250, 3 * (size_t)out->width * (size_t)out->height);
    for (int64_t i = 0; i < shown; i++) rows[i] = atlas->points[i].row;
    status = collection_each_image(c, rows, shown, draw_cell, atlas, "the atlas", error);
    if (status) image_free(out);
    return status;
}

int collection_map_atlas(struct image *out, int64_t *shown, const struct collection_map *map,
                         const struct collection *collection, struct error *error)
{
    const int64_t count = collection_count(collection);
    int side = 1;
    while (side < ATLAS_SIDE && (int64_t)side * side < count) side++;
    *shown = count < (int64_t)side * side ? count : (int64_t)side * side;
    *out = (struct image){0};
    const int lines = (int)((*shown + side - 1) / side);
    struct point *points = memory_array((size_t)*shown, sizeof *points);
    int64_t *rows = memory_array((size_t)*shown, sizeof *rows);
    int status = points && rows ? SIMCLR_OK : error_no_memory(error, "an atlas", (size_t)*shown * sizeof *points);
    for (int64_t i = 0; !status && i < *shown; i++) { /* spread evenly over all rows */
        const int64_t row = i * count / *shown;
        points[i] = (struct point){{map->points[2 * row], map->points[2 * row + 1]}, row, 0};
    }
    if (!status) settle(points, *shown, side, (struct block){0, 0, side, lines});
    struct atlas atlas = {out, points, side, collection->session->simd};
    if (!status) status = draw_all(&atlas, lines, collection, rows, *shown, error);
    memory_free(points);
    memory_free(rows);
    return status;
}
