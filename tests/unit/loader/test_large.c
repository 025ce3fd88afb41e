/* Sets of so many images that only a sample is looked at: lists of 200,000 lines. */
#include "unit/data/data_support.h"

#include "augment/views.h"
#include "base/text.h"
#include "data/cache.h"
#include "data/sets/list.h"
#include "loader/loader.h"

enum { LINES = 200000 };

/* Line i names x.png or, with chance `bad` in a thousand, a file that is not there; label i % 7. */
static void put_list(const char *path, int lines, int bad, const char *one_more)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < lines; i++) {
        const bool missing = (i * 7919LL + 13) % 1000 < bad;
        fprintf(file, "%s%d.png\tclass %d\n", missing ? "no" : "x", i % 3, i % 7);
    }
    fputs(one_more, file);
    fclose(file);
}

static int open_kept(struct dataset **out, const char *path, size_t cache_bytes, struct kept_log *kept,
                     struct error *error)
{
    struct pool *pool = support_pool(2);
    struct dataset_config config = dataset_config_default();
    const struct log log = {keep_line, kept};
    memset(kept, 0, sizeof *kept);
    config.path = path;
    config.cache_bytes = cache_bytes;
    const int status = dataset_open(out, &config, pool, &log, error);
    pool_destroy(&pool);
    return status;
}

static void put_pictures(void)
{
    for (int i = 0; i < 3; i++) put_png(at("x%d.png", i), 8 + i, 8, (uint32_t)i);
}

static void only_a_sample_is_measured(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    put_pictures();
    put_png(at("large.png"), 100, 50, 9);
    put_list(at("list.txt"), LINES, 0, "large.png\tclass 0\nmissing.png\n");
    if (open_kept(&set, at("list.txt"), NOT_CACHED, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), LINES + 2); /* the missing one too: nobody has looked */
    assert_int_equal(dataset_bad_count(set), 0);
    assert_int_equal(dataset_classes(set), 7);
    assert_string_equal(dataset_class_name(set, 6), "class 6");
    assert_int_equal(dataset_label(set, 100006), 100006 % 7);
    assert_int_equal(dataset_label(set, LINES + 1), -1);
    assert_non_null(strstr(dataset_description(set), "up to 10 x 8 among 1024 looked at"));
    expect_image(set, 100000, at("x%d.png", 100000 % 3));
    struct image storage = {0};
    const struct image *image;
    /* The missing one is found when it is read; the next one, from the beginning again, stands in for it. */
    assert_int_equal(dataset_image(set, LINES + 1, &storage, &image, &error), SIMCLR_OK);
    assert_string_equal(dataset_name(set, LINES + 1), at("x0.png"));
    assert_int_equal(dataset_bad_count(set), 1);
    assert_int_equal(times_in(kept->text, "missing.png"), 1);
    /* One that is larger than all that were looked at. */
    assert_int_equal(dataset_image(set, LINES, &storage, &image, &error), SIMCLR_OK);
    assert_int_equal(image->width, 100);
    image_free(&storage);
    dataset_close(&set);
    memory_free(kept);
}

/* The loader's scratch grows for an image that is larger than those that were looked at: the same views as alone. */
static void views_of_a_larger_image(void **state)
{
    (void)state;
    put_pictures();
    put_png(at("large.png"), 640, 480, 9);
    put_list(at("views.txt"), LINES, 0, "large.png\n");
    put_text(at("alone.txt"), "large.png\nx0.png\n");
    struct dataset *set = open_set(at("views.txt"), DATASET_TRAIN, NOT_CACHED);
    struct dataset *alone = open_set(at("alone.txt"), DATASET_TRAIN, NOT_CACHED);
    const uint32_t subsets[2] = {LINES, 0};
    float views[2][3 * 32 * 32];
    for (int i = 0; i < 2; i++) {
        struct pool *pool = support_pool(1);
        struct loader *loader;
        const struct batch *batch;
        struct error error = {0};
        const struct loader_config config = {.policy = view_policy_cifar(32),
                                             .batch = 1,
                                             .views = 1,
                                             .evaluation = true,
                                             .subset = &subsets[i],
                                             .subset_count = 1,
                                             .keep_last = true};
        if (loader_open(&loader, &config, i == 0 ? set : alone, pool, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        if (loader_next(loader, 0, &batch, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        memcpy(views[i], batch->views, sizeof views[i]);
        loader_close(&loader);
        pool_destroy(&pool);
    }
    assert_memory_equal(views[0], views[1], sizeof views[0]);
    dataset_close(&set);
    dataset_close(&alone);
}

/* A large set that fits is measured and decoded like any other. */
static void small_images_are_kept(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    put_pictures();
    put_list(at("fits.txt"), LINES, 0, "missing.png\n");
    if (open_kept(&set, at("fits.txt"), (size_t)1 << 30, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), LINES);
    assert_int_equal(dataset_bad_count(set), 1);
    assert_int_equal(times_in(kept->text, "missing.png"), 1);
    assert_non_null(strstr(dataset_description(set), "decoded in memory"));
    dataset_close(&set);
    memory_free(kept);
}

static void bad_images_of_the_sample(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    put_pictures();
    put_list(at("few.txt"), LINES, 8, "");
    if (open_kept(&set, at("few.txt"), NOT_CACHED, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), LINES);
    const int64_t found = dataset_bad_count(set);
    assert_true(found > 0 && found < 40);
    assert_int_equal(times_in(kept->text, "image left out"), (int)found);
    dataset_close(&set);
    put_list(at("all.txt"), LINES, 1000, "");
    assert_int_equal(open_kept(&set, at("all.txt"), NOT_CACHED, kept, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "none of the 1024 images that were looked at can be used"));
    assert_true(kept->lines >= 1);
    memory_free(kept);
}

/* Lines across the reader's chunks, ends of all kinds. */
static void lines_and_chunks(void **state)
{
    (void)state;
    for (int shift = 0; shift < 40; shift++) {
        struct text text = {0};
        struct catalog catalog = {.prefix = memory_string("p/")};
        for (int i = 0; i < shift; i++) text_add(&text, "\n");
        for (int i = 0; i < 60000; i++) text_add(&text, "%s%07d.png%s\n", i % 3 ? "" : "/", i, i % 5 ? "" : "\tdog");
        text_add(&text, "last.png\tcat");
        const struct blob blob = blob_of_memory((const uint8_t *)text.bytes, text.length);
        assert_int_equal(list_parse(&blob, &list_columns_plain, "list", &catalog, NULL), SIMCLR_OK);
        assert_int_equal(catalog.count, 60001);
        for (int i = 0; i < 60000; i += 7) {
            char name[32];
            snprintf(name, sizeof name, "%s%07d.png", i % 3 ? "p/" : "/", i);
            assert_string_equal(catalog_name(&catalog, i), name);
            assert_int_equal(catalog.label[i], i % 5 ? -1 : 1);
        }
        assert_string_equal(catalog_name(&catalog, 60000), "p/last.png");
        assert_int_equal(catalog.label[60000], 0);
        catalog_free(&catalog);
        text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_sample_is_measured), cmocka_unit_test(views_of_a_larger_image),
        cmocka_unit_test(small_images_are_kept),     cmocka_unit_test(bad_images_of_the_sample),
        cmocka_unit_test(lines_and_chunks),
    };
    return run_cases(tests, support_open, remove_folder);
}
