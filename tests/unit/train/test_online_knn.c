/* Which training images the online kNN looks at: a fixed tenth asks and never votes. */
#include "unit/train/run_fixture.h"

#include "train/pretrain.h"

enum { COUNT = 200 };

static struct dataset *open_synthetic(struct pool **pool)
{
    struct dataset_config config = dataset_config_default();
    struct dataset *dataset;
    config.path = "synthetic";
    config.synthetic_count = COUNT;
    config.synthetic_size = 8;
    assert_int_equal(pool_create(pool, 1, NULL), SIMCLR_OK);
    assert_int_equal(dataset_open(&dataset, &config, *pool, &(struct log){0}, NULL), SIMCLR_OK);
    return dataset;
}

/* Marks the images of a list, of which none comes twice. */
static void mark(const uint32_t *list, int64_t count, bool seen[COUNT])
{
    for (int64_t i = 0; i < count; i++) {
        assert_true(list[i] < COUNT && !seen[list[i]]);
        seen[list[i]] = true;
    }
}

static void the_held_out_tenth_is_always_the_same(void **state)
{
    (void)state;
    static const int64_t limits[] = {0, 1000, 50, 5};
    struct pool *pool;
    struct config *config;
    struct dataset *dataset = open_synthetic(&pool);
    bool tenth[COUNT] = {false};
    assert_int_equal(config_create(&config, COMMAND_PRETRAIN, NULL), SIMCLR_OK);
    for (int k = 0; k < 4; k++) {
        struct online_images images;
        config->knn_images = limits[k];
        assert_int_equal(online_images_open(&images, dataset, config, NULL), SIMCLR_OK);
        const int64_t asking = images.shared + images.extra, limit = k < 2 ? COUNT : limits[k];
        bool seen[COUNT] = {false};
        mark(images.list, images.voting + asking, seen);
        assert_int_equal(images.voting + images.shared, limit); /* the sample */
        assert_int_equal(asking, limit < 20 ? limit : 20);
        if (k == 0) mark(images.list + images.voting, asking, tenth);
        for (int64_t i = 0; i < images.voting + asking; i++)
            assert_int_equal(tenth[images.list[i]], i >= images.voting);
        online_images_close(&images);
    }
    int of_class[10] = {0};
    for (int i = 0; i < COUNT; i++) of_class[dataset_label(dataset, i)] += tenth[i];
    for (int c = 0; c < 10; c++) assert_int_equal(of_class[c], 2);

    struct online_images images;
    int moved = 0;
    config->knn_images = 0;
    config->seed += 1;
    assert_int_equal(online_images_open(&images, dataset, config, NULL), SIMCLR_OK);
    for (int64_t i = images.voting; i < COUNT; i++) moved += !tenth[images.list[i]];
    assert_true(moved > 0);
    online_images_close(&images);
    config_destroy(&config);
    dataset_close(&dataset);
    pool_destroy(&pool);
}

static void no_memory_for_the_images(void **state)
{
    (void)state;
    struct pool *pool;
    struct config *config;
    struct dataset *dataset = open_synthetic(&pool);
    assert_int_equal(config_create(&config, COMMAND_PRETRAIN, NULL), SIMCLR_OK);
    int failures = 0, status = SIMCLR_NO_MEMORY;
    for (long n = 1; status; n++, failures++) {
        struct online_images images;
        struct error error = {0};
        memory_fail_after(n);
        status = online_images_open(&images, dataset, config, &error);
        memory_fail_after(0);
        if (status) assert_true(status == SIMCLR_NO_MEMORY && strlen(error.text) > 10);
        online_images_close(&images);
    }
    assert_int_equal(failures, 6); /* five that fail and one that does not */
    config_destroy(&config);
    dataset_close(&dataset);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_held_out_tenth_is_always_the_same),
        cmocka_unit_test(no_memory_for_the_images),
    };
    return run_cases(tests, NULL, NULL);
}
