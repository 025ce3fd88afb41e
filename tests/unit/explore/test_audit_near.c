/* Near-duplicates of a set: found among all and in cells alike, and the check that comes with them. */
#include "unit/explore/explore_fixture.h"

#include "base/file.h"
#include "data/sets/synthetic.h"
#include "explore/audit/near.h"

enum { ROWS = 60, SIDE = 32, COPIES = 6 };

/* Pictures of the built-in set as files, and copies of the first ones: mirrored, or brighter. */
static void write_set(const char *pictures)
{
    const double where[2] = {0.5, 0.5};
    for (int i = 0; i < ROWS + COPIES; i++) {
        struct image image, copy;
        char path[700];
        const int of = i < ROWS ? i : i - ROWS;
        assert_int_equal(image_create(SIDE, SIDE, &image, NULL), SIMCLR_OK);
        synthetic_render(5, 0, (uint32_t)of, SIDE, image.rgb);
        snprintf(path, sizeof path, "%s/%03d.png", pictures, i);
        if (i < ROWS) {
            assert_int_equal(image_write_png(path, &image, NULL), SIMCLR_OK);
        } else {
            const enum copy_kind kind = i % 2 ? COPY_MIRROR : COPY_BRIGHT;
            assert_int_equal(copy_make(0, kind, where, &image, &copy, NULL), SIMCLR_OK);
            assert_int_equal(image_write_png(path, &copy, NULL), SIMCLR_OK);
            image_free(&copy);
        }
        image_free(&image);
    }
}

static bool has_pair(const struct near *near, int32_t a, int32_t b)
{
    for (int64_t i = 0; i < near->count; i++)
        if (near->pairs[i].a == a && near->pairs[i].b == b) return true;
    return false;
}

static void cells_find_the_same_pairs(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    const uint8_t *thumbnails;
    const struct neighbour *graph;
    double recall;
    struct near all, cells;
    char pictures[600];
    snprintf(pictures, sizeof pictures, "%s", at("pictures"));
    assert_int_equal(file_make_folder(pictures, NULL), SIMCLR_OK);
    write_set(pictures);
    const char *const options[] = {"data",      pictures,  "checkpoint", write_encoder(), "image-size",
                                   "16",        "part",    "all",        "threads",       "2",
                                   "precision", "float32", "device",     "cpu",           NULL};
    explore_open(&f, COMMAND_AUDIT, options);
    if (collection_open(&c, &f.session, &f.error)) fail_msg("%s", f.error.text);
    assert_int_equal(collection_count(&c), ROWS + COPIES);
    assert_int_equal(collection_graph(&c, &graph, &recall, &f.error), SIMCLR_OK);
    assert_int_equal(collection_thumbnails(&c, &thumbnails, &f.error), SIMCLR_OK);
    assert_int_equal(near_find(&all, &c, graph, thumbnails, &f.error), SIMCLR_OK);
    c.exact_rows = 10;
    assert_int_equal(near_find(&cells, &c, graph, thumbnails, &f.error), SIMCLR_OK);
    assert_non_null(strstr(f.log.bytes, "thumbnails by cells"));
    for (int i = 0; i < COPIES; i++) {
        assert_true(has_pair(&all, i, ROWS + i));
        assert_true(has_pair(&cells, i, ROWS + i));
    }
    for (int64_t i = 0; i < all.count; i++) assert_true(all.pairs[i].a < all.pairs[i].b);
    for (int64_t i = 0; i < cells.count; i++) assert_true(has_pair(&all, cells.pairs[i].a, cells.pairs[i].b));
    int64_t copies = 0, found = 0;
    for (int k = 0; k < COPY_KINDS; k++) {
        copies += all.copies[k];
        found += all.found[k];
        assert_true(all.found[k] <= all.met[k] && all.met[k] <= all.copies[k]);
    }
    assert_int_equal(copies, ROWS + COPIES);
    assert_true(found * 100 >= 90 * copies);
    assert_true(all.limit <= NEAR_LIMIT && all.limit >= NEAR_LEAST);
    near_free(&all);
    near_free(&cells);
    collection_close(&c);
    explore_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells_find_the_same_pairs)};
    return run_cases(tests, make_folder, remove_folder);
}
