/* A set as it is listed: every name once and in order, bad images too, each read by itself. */
#include "support/run.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/listing.h"
#include "support/folder.h"

static struct pool *pool;

static void write_picture(const char *path, int side)
{
    struct image image;
    assert_int_equal(image_create(side, side, &image, NULL), SIMCLR_OK);
    memset(image.rgb, side, 3 * (size_t)side * (size_t)side);
    assert_int_equal(image_write_png(path, &image, NULL), SIMCLR_OK);
    image_free(&image);
}

static struct dataset_config config_of(const char *path, enum dataset_part part)
{
    struct dataset_config config = dataset_config_default();
    config.path = path;
    config.part = part;
    return config;
}

static void bad_images_keep_their_places(void **state)
{
    (void)state;
    struct listing *listing;
    struct error error;
    struct image image = {0};
    assert_int_equal(file_make_folder(at("set"), NULL), SIMCLR_OK);
    write_picture(at("set/a.png"), 9);
    assert_int_equal(file_write_atomic(at("set/b.png"), "no picture", 10, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("set/c.png"), "", 0, NULL), SIMCLR_OK);
    write_picture(at("set/d.png"), 11);
    const struct dataset_config config = config_of(at("set"), DATASET_TRAIN);
    assert_int_equal(listing_open(&listing, &config, pool, NULL, &error), SIMCLR_OK);
    assert_int_equal(listing_count(listing), 4);
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "/%c.png", 'a' + i);
        assert_non_null(strstr(listing_name(listing, i), name));
        struct image_header header;
        const int status = listing_read(listing, i, &image, &header, &error);
        const bool good = i == 0 || i == 3;
        assert_int_equal(header.format, good ? IMAGE_PNG : IMAGE_OTHER);
        assert_int_equal(header.width, good ? image.width : 0);
        assert_true((status == SIMCLR_OK) == good);
        if (good) assert_int_equal(image.width, i == 0 ? 9 : 11);
        if (good) assert_int_equal(image.rgb[5], i == 0 ? 9 : 11);
        if (!good) assert_true(listing_is_image_fault(status));
        if (!good) assert_non_null(strstr(error.text, name)); /* the sentence names it */
    }
    image_free(&image);
    listing_close(&listing);
    assert_null(listing);
    assert_true(!listing_is_image_fault(SIMCLR_NO_MEMORY) && !listing_is_image_fault(SIMCLR_INTERRUPTED));
}

static void parts_and_other_kinds(void **state)
{
    (void)state;
    struct listing *listing;
    struct image image = {0};
    struct dataset_config config = config_of("synthetic", DATASET_TEST);
    config.synthetic_count = 5;
    assert_int_equal(listing_open(&listing, &config, pool, NULL, NULL), SIMCLR_OK);
    assert_int_equal(listing_count(listing), 5);
    assert_string_equal(listing_name(listing, 4), "synthetic-test/4");
    assert_int_equal(listing_read(listing, 4, &image, NULL, NULL), SIMCLR_OK);
    assert_int_equal(image.width, 32);
    image_free(&image);
    listing_close(&listing);
}

static void pictures_by_name_or_by_bytes(void **state)
{
    (void)state;
    struct listing *listing = NULL;
    struct image image = {0};
    write_picture(at("plain"), 10);
    assert_int_equal(file_write_atomic(at("bad.jpg"), "no picture", 10, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("list.txt"), "plain\n", 6, NULL), SIMCLR_OK);
    assert_int_equal(mkfifo(at("pipe.png"), 0600), 0);
    assert_true(listing_is_picture(at("plain")) && listing_is_picture(at("bad.jpg")));
    assert_int_equal(file_make_folder(at("folder.jpg"), NULL), SIMCLR_OK);
    assert_true(listing_is_picture(at("nothing.png")) && listing_is_picture(at("pipe.png"))); /* bad ones */
    assert_true(listing_is_picture(at("nothing.gif")));
    assert_true(!listing_is_picture(at("list.txt")) && !listing_is_picture(at("nothing")));
    assert_true(!listing_is_picture(folder) && !listing_is_picture(at("folder.jpg")));
    assert_int_equal(listing_look(at("list.txt"), NULL), SIMCLR_OK);
    assert_int_equal(listing_look(folder, NULL), SIMCLR_OK);
    assert_int_equal(listing_look(at("nothing"), NULL), SIMCLR_DATA);
    assert_int_equal(listing_add_picture(&listing, at("plain"), NULL), SIMCLR_OK);
    assert_int_equal(listing_add_picture(&listing, at("pipe.png"), NULL), SIMCLR_OK); /* a pipe is not waited for */
    assert_int_equal(listing_count(listing), 2);
    assert_int_equal(listing_read(listing, 0, &image, NULL, NULL), SIMCLR_OK);
    assert_true(listing_is_image_fault(listing_read(listing, 1, &image, NULL, NULL)));
    image_free(&image);
    listing_close(&listing);
    listing_close(&listing);
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"nothing", "pipe", "empty"};
    static const char *const said[] = {"no such data", "pipe", "no images"};
    struct listing *listing;
    struct error error;
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(file_make_folder(at("empty"), NULL), SIMCLR_OK);
    for (int i = 0; i < 3; i++) {
        const struct dataset_config config = config_of(at("%s", paths[i]), DATASET_TRAIN);
        const int status = listing_open(&listing, &config, pool, NULL, &error);
        assert_true(status == SIMCLR_DATA || status == SIMCLR_IO);
        if (!strstr(error.text, said[i])) fail_msg("%s", error.text);
        assert_null(listing);
    }
}

static int open_all(void **state)
{
    return make_folder(state) || pool_create(&pool, 2, NULL);
}

static int close_all(void **state)
{
    pool_destroy(&pool);
    return remove_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_images_keep_their_places),
        cmocka_unit_test(parts_and_other_kinds),
        cmocka_unit_test(pictures_by_name_or_by_bytes),
        cmocka_unit_test(what_is_no_set_is_refused),
    };
    return run_cases(tests, open_all, close_all);
}
