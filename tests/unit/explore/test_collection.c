/* A collection: rows of both parts with their names, labels, neighbours and thumbnails, of images and of tables. */
#include "unit/explore/explore_fixture.h"

#include <math.h>

#include "base/file.h"
#include "base/npy.h"
#include "data/sets/synthetic.h"

enum { TRAIN = 30, TEST = 30, ROWS = TRAIN + TEST };

static void open_set(struct explore_fixture *f, struct collection *c, const char *part)
{
    const char *const options[] = {
        "data", "synthetic", "synthetic-images", "30", "checkpoint", write_encoder(), "image-size", "16",
        "part", part,        "threads",          "2",  "precision",  "float32",       "device",     "cpu",
        NULL};
    explore_open(f, COMMAND_EMBED, options);
    if (collection_open(c, &f->session, &f->error)) fail_msg("%s", f->error.text);
}

static void both_parts_are_rows(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    open_set(&f, &c, "all");
    assert_int_equal(collection_count(&c), ROWS);
    assert_int_equal(c.begin[0], 0);
    assert_int_equal(c.begin[1], TRAIN);
    assert_int_equal(c.dim, 64);
    assert_string_equal(collection_name(&c, TRAIN - 1), "synthetic/29");
    assert_string_equal(collection_name(&c, TRAIN), "synthetic-test/0");
    assert_int_equal(collection_part(&c, TRAIN - 1), DATASET_TRAIN);
    assert_int_equal(collection_part(&c, TRAIN), DATASET_TEST);
    assert_int_equal(collection_classes(&c), SYNTHETIC_CLASSES);
    for (int64_t i = 0; i < ROWS; i++) assert_int_equal(c.labels[i], i % TRAIN % SYNTHETIC_CLASSES);
    assert_string_equal(collection_class_name(&c, 3), synthetic_class_name(3));
    assert_string_equal(collection_class_name(&c, -1), "");
    collection_close(&c);
    explore_close(&f);
}

/* A part alone has the rows that it has beside the other. */
static void a_part_is_the_same_alone(void **state)
{
    (void)state;
    struct explore_fixture f, g;
    struct collection both, test;
    open_set(&f, &both, "all");
    open_set(&g, &test, "test");
    assert_null(test.sets[DATASET_TRAIN]);
    assert_int_equal(collection_count(&test), TEST);
    assert_memory_equal(test.values, both.values + (size_t)TRAIN * 64, (size_t)TEST * 64 * sizeof(float));
    assert_string_equal(collection_name(&test, 0), "synthetic-test/0");
    assert_int_equal(collection_classes(&test), SYNTHETIC_CLASSES);
    assert_string_equal(collection_class_name(&test, 3), synthetic_class_name(3));
    collection_close(&both);
    collection_close(&test);
    explore_close(&f);
    explore_close(&g);
}

static void a_part_that_is_left_out_is_said(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    open_set(&f, &c, "train");
    assert_int_equal(collection_count(&c), TRAIN);
    assert_non_null(strstr(f.log.bytes, "the test part is left out (30 images)"));
    collection_close(&c);
    explore_close(&f);
}

static double cosine(const struct collection *c, int64_t a, int64_t b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < c->dim; d++) {
        const double x = (double)c->values[a * c->dim + d], y = (double)c->values[b * c->dim + d];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static void the_graph_is_of_all_rows(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    const struct neighbour *graph, *again;
    double recall;
    open_set(&f, &c, "all");
    assert_int_equal(collection_graph(&c, &graph, &recall, &f.error), SIMCLR_OK);
    assert_true(recall == 1);
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t best = -1;
        for (int64_t j = 0; j < ROWS; j++)
            if (j != i && (best < 0 || cosine(&c, i, j) > cosine(&c, i, best))) best = j;
        const struct neighbour *list = graph + i * COLLECTION_NEIGHBOURS;
        assert_true(fabs((double)list[0].similarity - cosine(&c, i, best)) < 1e-5);
        for (int k = 0; k < COLLECTION_NEIGHBOURS; k++) {
            assert_true(list[k].row >= 0 && list[k].row != i);
            if (k > 0) assert_true(list[k].similarity <= list[k - 1].similarity);
        }
    }
    assert_int_equal(collection_graph(&c, &again, &recall, &f.error), SIMCLR_OK);
    assert_ptr_equal(graph, again);
    collection_close(&c);
    explore_close(&f);
}

static void thumbnails_are_gray_pixels(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    const uint8_t *all;
    const struct image *image;
    struct image storage = {0};
    open_set(&f, &c, "all");
    assert_int_equal(collection_thumbnails(&c, &all, &f.error), SIMCLR_OK);
    for (int64_t row = 0; row < ROWS; row++) { /* 16 x 16 pictures are enlarged: their mean stays */
        double gray = 0, mean = 0;
        assert_int_equal(collection_image(&c, row, &storage, &image, &f.error), SIMCLR_OK);
        const int pixels = image->width * image->height;
        for (int i = 0; i < pixels; i++)
            gray +=
                (0.299 * image->rgb[3 * i] + 0.587 * image->rgb[3 * i + 1] + 0.114 * image->rgb[3 * i + 2]) / pixels;
        for (int i = 0; i < THUMBNAIL_BYTES; i++) mean += (double)all[row * THUMBNAIL_BYTES + i] / THUMBNAIL_BYTES;
        assert_true(fabs(gray - mean) < 2);
    }
    image_free(&storage);
    collection_close(&c);
    explore_close(&f);
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), SIMCLR_OK);
}

/* Classes of tables are matched by name, whatever their numbers are in either. */
static void tables_are_rows_too(void **state)
{
    (void)state;
    static const float rows[] = {1, 0, 0, 1, 1, 1}, others[] = {2, 1, -1, 0};
    struct explore_fixture f;
    struct collection c;
    const struct neighbour *graph;
    const uint8_t *thumbnails;
    double recall;
    assert_int_equal(npy_write_float(at("train.npy"), rows, 3, 2, NULL), SIMCLR_OK);
    assert_int_equal(npy_write_float(at("test.npy"), others, 2, 2, NULL), SIMCLR_OK);
    write_text(at("train.txt"), "a.jpg\nb.jpg\nc.jpg\n");
    write_text(at("train.labels.txt"), "yes\nno\n\n");
    write_text(at("test.labels.txt"), "yes\nperhaps\n");
    const char *const options[] = {
        "features", at("train.npy"), "test-features", at("test.npy"), "threads", "1", "device", "ref", NULL};
    explore_open(&f, COMMAND_KNN, options);
    if (collection_open(&c, &f.session, &f.error)) fail_msg("%s", f.error.text);
    assert_int_equal(collection_count(&c), 5);
    assert_memory_equal(c.values, rows, sizeof rows);
    assert_memory_equal(c.values + 6, others, sizeof others);
    assert_string_equal(collection_name(&c, 2), "c.jpg");
    assert_string_equal(collection_name(&c, 4), "1");
    assert_int_equal(collection_classes(&c), 3);
    static const char *const names[] = {"yes", "no", "", "yes", "perhaps"};
    for (int i = 0; i < 5; i++) assert_string_equal(collection_class_name(&c, c.labels[i]), names[i]);
    assert_int_equal(collection_graph(&c, &graph, &recall, &f.error), SIMCLR_OK);
    assert_int_equal(graph[2 * COLLECTION_NEIGHBOURS].row, 3); /* (1, 1): (2, 1) is nearest */
    assert_int_equal(graph[2 * COLLECTION_NEIGHBOURS + 3].row, 4);
    assert_int_equal(graph[2 * COLLECTION_NEIGHBOURS + 4].row, -1); /* fewer rows than 50 */
    assert_int_equal(collection_thumbnails(&c, &thumbnails, &f.error), SIMCLR_DATA);
    assert_non_null(strstr(f.error.text, "a table of features has no images"));
    collection_close(&c);
    explore_close(&f);
}

/* Nothing is open afterwards: ASan would tell. */
static void what_cannot_be_opened_is_refused(void **state)
{
    (void)state;
    static const float row[] = {1, 2}, three[] = {1, 2, 3};
    struct explore_fixture f;
    struct collection c;
    const struct neighbour *graph;
    double recall;
    assert_int_equal(npy_write_float(at("one.npy"), row, 1, 2, NULL), SIMCLR_OK);
    assert_int_equal(npy_write_float(at("three.npy"), three, 1, 3, NULL), SIMCLR_OK);
    const char *const wide[] = {"features", at("one.npy"), "test-features", at("three.npy"), "device", "ref", NULL};
    explore_open(&f, COMMAND_KNN, wide);
    assert_int_equal(collection_open(&c, &f.session, &f.error), SIMCLR_DATA);
    assert_non_null(strstr(f.error.text, "both must come from one encoder"));
    explore_close(&f);
    const char *const one[] = {"features", at("one.npy"), "device", "ref", NULL};
    explore_open(&f, COMMAND_KNN, one);
    assert_int_equal(collection_open(&c, &f.session, &f.error), SIMCLR_OK);
    assert_int_equal(collection_graph(&c, &graph, &recall, &f.error), SIMCLR_DATA);
    assert_non_null(strstr(f.error.text, "there is one image"));
    collection_close(&c);
    explore_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_parts_are_rows),
        cmocka_unit_test(a_part_is_the_same_alone),
        cmocka_unit_test(a_part_that_is_left_out_is_said),
        cmocka_unit_test(the_graph_is_of_all_rows),
        cmocka_unit_test(thumbnails_are_gray_pixels),
        cmocka_unit_test(tables_are_rows_too),
        cmocka_unit_test(what_cannot_be_opened_is_refused),
    };
    return run_cases(tests, make_folder, remove_folder);
}
