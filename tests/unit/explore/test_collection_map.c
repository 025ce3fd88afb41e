/* The map of a collection: the same bits with any number of threads, its groups, its drawing and its files; and what
 * was computed once comes from the cache. */
#include "unit/explore/explore_fixture.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "data/sets/synthetic.h"
#include "explore/collection_map.h"
#include "explore/similar.h"
#include "image/canvas.h"

enum { TRAIN = 120 };

static void open_set(struct explore_fixture *f, struct collection *c, const char *threads)
{
    const char *const options[] = {
        "data",    "synthetic", "synthetic-images", "120",     "checkpoint", write_encoder(), "image-size", "16",
        "threads", threads,     "precision",        "float32", "device",     "cpu",           NULL};
    explore_open(f, COMMAND_MAP, options);
    if (collection_open(c, &f->session, &f->error)) fail_msg("%s", f->error.text);
}

static void make_map(struct explore_fixture *f, struct collection *c, struct collection_map *map)
{
    if (collection_map_make(map, c, &f->error)) fail_msg("%s", f->error.text);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static const char *const threads[] = {"1", "2", "3"};
    struct explore_fixture f[3];
    struct collection c[3];
    struct collection_map map[3];
    for (int i = 0; i < 3; i++) {
        open_set(&f[i], &c[i], threads[i]);
        make_map(&f[i], &c[i], &map[i]);
        assert_memory_equal(c[i].values, c[0].values, (size_t)TRAIN * (size_t)c[0].dim * sizeof(float));
        assert_memory_equal(c[i].graph, c[0].graph, (size_t)TRAIN * COLLECTION_NEIGHBOURS * sizeof *c[0].graph);
        assert_memory_equal(map[i].points, map[0].points, (size_t)TRAIN * 2 * sizeof(float));
        assert_true(map[i].kept == map[0].kept && map[i].kept > 0 && map[i].kept < 1);
    }
    for (int i = 0; i < 3; i++) {
        collection_map_free(&map[i]);
        collection_close(&c[i]);
        explore_close(&f[i]);
    }
}

static void classes_or_clusters_are_groups(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct collection_map map;
    open_set(&f, &c, "2");
    make_map(&f, &c, &map);
    assert_int_equal(map.group_count, SYNTHETIC_CLASSES);
    for (int i = 0; i < SYNTHETIC_CLASSES; i++) assert_string_equal(map.names[i], synthetic_class_name(i));
    for (int64_t i = 0; i < TRAIN; i++) assert_int_equal(map.groups[i], c.labels[i]);
    collection_map_free(&map);
    assert_int_equal(npy_write_float(at("rows.npy"), c.values, TRAIN, c.dim, NULL), SIMCLR_OK);
    collection_close(&c);
    explore_close(&f);
    const char *const options[] = {"features", at("rows.npy"), "threads", "2", "device", "cpu", NULL};
    explore_open(&f, COMMAND_MAP, options);
    if (collection_open(&c, &f.session, &f.error)) fail_msg("%s", f.error.text);
    make_map(&f, &c, &map);
    assert_int_equal(map.group_count, MAP_CLUSTERS);
    assert_null(map.names);
    for (int64_t i = 0; i < TRAIN; i++) assert_in_range(map.groups[i], 0, MAP_CLUSTERS - 1);
    collection_map_free(&map);
    collection_close(&c);
    explore_close(&f);
}

/* The row whose picture stands in a cell, -1: none, or of several. */
static int64_t row_of_cell(const struct image *atlas, const struct image *alone, int column, int line)
{
    int64_t found = -1;
    for (int64_t row = 0; row < TRAIN; row++) {
        bool same = true;
        for (int y = 0; y < ATLAS_CELL && same; y++)
            same = memcmp(atlas->rgb + 3 * ((size_t)(line * ATLAS_CELL + y) * (size_t)atlas->width +
                                            (size_t)column * ATLAS_CELL),
                          alone[row].rgb + 3 * (size_t)y * ATLAS_CELL, 3 * (size_t)ATLAS_CELL) == 0;
        if (!same) continue;
        assert_int_equal(found, -1);
        found = row;
    }
    return found;
}

/* Each row's picture in a cell of its own. */
static void draw_alone(struct image *alone, const struct explore_fixture *f, const struct collection *c)
{
    for (int64_t row = 0; row < TRAIN; row++) {
        struct image storage = {0};
        const struct image *image;
        assert_int_equal(collection_image(c, row, &storage, &image, NULL), SIMCLR_OK);
        assert_int_equal(image_create(ATLAS_CELL, ATLAS_CELL, &alone[row], NULL), SIMCLR_OK);
        memset(alone[row].rgb, 250, (size_t)3 * ATLAS_CELL * ATLAS_CELL);
        int width = image->width, height = image->height;
        canvas_fit(ATLAS_CELL - 2, &width, &height);
        assert_int_equal(canvas_picture(f->session.simd, &alone[row], (ATLAS_CELL - width) / 2,
                                        (ATLAS_CELL - height) / 2, ATLAS_CELL - 2, image, NULL),
                         SIMCLR_OK);
        image_free(&storage);
    }
}

/* How many of the pairs of rows in different columns (or lines) stand as their points do. */
static double in_order(const struct collection_map *map, const int *place, int axis)
{
    int right = 0, all = 0;
    for (int a = 0; a < TRAIN; a++)
        for (int b = 0; b < TRAIN; b++) {
            if (place[a] >= place[b]) continue;
            const float first = map->points[2 * a + axis], second = map->points[2 * b + axis];
            right += axis == 0 ? first <= second : first >= second;
            all++;
        }
    return (double)right / all;
}

/* Every picture stands once, and those near each other hold points near each other. */
static void an_atlas_is_in_map_order(void **state)
{
    (void)state;
    enum { SIDE = 11 }; /* 121 cells for 120 rows */
    struct explore_fixture f;
    struct collection c;
    struct collection_map map;
    struct image atlas, alone[TRAIN];
    int64_t shown;
    int columns[TRAIN], lines[TRAIN], empty = 0;
    open_set(&f, &c, "2");
    make_map(&f, &c, &map);
    assert_int_equal(collection_map_atlas(&atlas, &shown, &map, &c, &f.error), SIMCLR_OK);
    assert_int_equal(shown, TRAIN);
    assert_int_equal(atlas.width, SIDE * ATLAS_CELL);
    assert_int_equal(atlas.height, SIDE * ATLAS_CELL);
    draw_alone(alone, &f, &c);
    for (int i = 0; i < TRAIN; i++) columns[i] = -1;
    for (int cell = 0; cell < SIDE * SIDE; cell++) {
        const int64_t row = row_of_cell(&atlas, alone, cell % SIDE, cell / SIDE);
        empty += row < 0;
        if (row < 0) continue;
        assert_int_equal(columns[row], -1);
        columns[row] = cell % SIDE;
        lines[row] = cell / SIDE;
    }
    assert_int_equal(empty, 1);
    assert_true(in_order(&map, columns, 0) > 0.8 && in_order(&map, lines, 1) > 0.8); /* 0.93, 0.85; by chance 0.5 */
    for (int i = 0; i < TRAIN; i++) image_free(&alone[i]);
    image_free(&atlas);
    collection_map_free(&map);
    collection_close(&c);
    explore_close(&f);
}

/* All files that keeps_features wrote say so, and a damaged one is not believed. */
static void graphs_and_thumbnails_are_kept(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    const struct neighbour *graph;
    const uint8_t *thumbnails;
    struct neighbour first[COLLECTION_NEIGHBOURS];
    uint8_t picture[THUMBNAIL_BYTES];
    double recall;
    setenv("SIMCLR_CACHE", at("cache"), 1);
    for (int turn = 0; turn < 3; turn++) {
        open_set(&f, &c, turn == 1 ? "1" : "2");
        assert_int_equal(collection_graph(&c, &graph, &recall, &f.error), SIMCLR_OK);
        assert_int_equal(collection_thumbnails(&c, &thumbnails, &f.error), SIMCLR_OK);
        const bool said = strstr(f.log.bytes, "the graph of neighbours comes from the cache");
        assert_int_equal(said, turn == 1);
        assert_int_equal(strstr(f.log.bytes, "is damaged, or another file") != NULL, turn == 2);
        if (turn == 0) {
            memcpy(first, graph + 7 * COLLECTION_NEIGHBOURS, sizeof first);
            memcpy(picture, thumbnails + 7 * THUMBNAIL_BYTES, sizeof picture);
        }
        assert_memory_equal(first, graph + 7 * COLLECTION_NEIGHBOURS, sizeof first);
        assert_memory_equal(picture, thumbnails + 7 * THUMBNAIL_BYTES, sizeof picture);
        collection_close(&c);
        explore_close(&f);
        if (turn == 1) { /* what is kept is damaged now */
            char command[256];
            snprintf(command, sizeof command,
                     "for f in '%s'/*; do printf x | dd of=\"$f\" bs=1 seek=2000 conv=notrunc 2>/dev/null; done",
                     at("cache"));
            assert_int_equal(system(command), 0);
        }
    }
    setenv("SIMCLR_CACHE", "none", 1);
}

static void few_rows_have_maps_too(void **state)
{
    (void)state;
    static const float two[] = {1, 0, 0, 1}, same[] = {1, 2, 1, 2, 1, 2, 1, 2};
    struct explore_fixture f;
    struct collection c;
    struct collection_map map;
    assert_int_equal(npy_write_float(at("two.npy"), two, 2, 2, NULL), SIMCLR_OK);
    assert_int_equal(npy_write_float(at("same.npy"), same, 4, 2, NULL), SIMCLR_OK);
    for (int i = 0; i < 2; i++) {
        const char *const options[] = {"features", i ? at("same.npy") : at("two.npy"), "device", "cpu", NULL};
        explore_open(&f, COMMAND_MAP, options);
        if (collection_open(&c, &f.session, &f.error)) fail_msg("%s", f.error.text);
        make_map(&f, &c, &map);
        for (int64_t k = 0; k < 2 * collection_count(&c); k++) assert_true(isfinite(map.points[k]));
        assert_true(isnan(map.kept));
        collection_map_free(&map);
        collection_close(&c);
        explore_close(&f);
    }
}

static void lists_are_as_long_as_there_are_rows(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct similar similar;
    open_set(&f, &c, "2");
    assert_int_equal(similar_find(&similar, &c, "", 51, &f.error), SIMCLR_INVALID);
    assert_int_equal(similar_find(&similar, &c, "", 5, &f.error), SIMCLR_OK);
    assert_int_equal(similar.count, TRAIN);
    for (int64_t i = 0; i < TRAIN; i++) {
        assert_int_equal(similar_length(&similar, i), 5);
        assert_memory_equal(similar.list + i * 5, c.graph + i * COLLECTION_NEIGHBOURS, 5 * sizeof *c.graph);
    }
    similar_free(&similar);
    collection_close(&c);
    explore_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing),   cmocka_unit_test(classes_or_clusters_are_groups),
        cmocka_unit_test(an_atlas_is_in_map_order), cmocka_unit_test(graphs_and_thumbnails_are_kept),
        cmocka_unit_test(few_rows_have_maps_too),   cmocka_unit_test(lists_are_as_long_as_there_are_rows),
    };
    return run_cases(tests, make_folder, remove_folder);
}
