/* Batches whose rows go by groups, whole or a group at a time: the views of a batch without groups, in other places. */
#include "unit/data/data_support.h"

#include "loader/loader.h"

enum { IMAGES = 26, BATCH = 12, SIZE = 16 };

static void make_photos(const char *root)
{
    put_folder(at("%s/a", root));
    for (int i = 0; i < IMAGES; i++) put_jpeg(at("%s/a/%02d.jpg", root, i), 40 + 3 * i, 90 - 2 * i, (uint32_t)i);
}

/* ---- the rule ------------------------------------------------------------------------------------------------- */

static void check_rule(const struct grouping *grouping)
{
    const int size = grouping_size(grouping), count = grouping_count(grouping);
    int together = 0;
    bool *taken = memory_array(2 * (size_t)grouping->images, sizeof *taken);
    for (int view = 0; view < 2; view++)
        for (int image = 0; image < grouping->images; image++) {
            const int row = grouping_row(grouping, view, image);
            assert_true(row >= 0 && row < 2 * grouping->images && !taken[row]);
            taken[row] = true;
            const int group = row / (2 * size), place = row % (2 * size);
            assert_int_equal(place / size, view); /* a group's views A come before its views B */
            assert_int_equal(grouping_image(grouping, group, view, place % size), image);
            if (view == 0) assert_int_equal(group, image / size);
            if (view == 1) assert_int_equal(group, grouping->shuffled ? image % count : image / size);
            together += view == 1 && group == grouping_row(grouping, 0, image) / (2 * size);
        }
    memory_free(taken);
    /* Shuffled, as often as chance has it, where groups have a multiple of so many images as there are groups. */
    if (!grouping->shuffled) assert_int_equal(together, grouping->images);
    if (grouping->shuffled && size % count == 0) assert_int_equal(together, size);
}

static void every_view_has_its_row(void **state)
{
    (void)state;
    for (int images = 2; images <= 24; images++)
        for (int group = 1; group <= images; group++)
            for (int shuffled = 0; shuffled < 2; shuffled++)
                if (images % group == 0) check_rule(&(struct grouping){images, group, shuffled});
    check_rule(&(struct grouping){7, 0, false});
    assert_int_equal(grouping_count(&(struct grouping){7, 0, false}), 1);
    assert_int_equal(grouping_size(&(struct grouping){7, 0, false}), 7);
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

static struct loader_config plain_config(void)
{
    struct loader_config config = {.purpose = RNG_VIEW, .seed = 5, .batch = BATCH, .views = 2, .shuffle = true};
    config.policy = view_policy_cifar(SIZE);
    config.policy.crop_area_min = 0.05; /* crops of all sizes: what is decoded for two views is not what one needs */
    config.scaled_decoding = true;
    return config;
}

static struct loader *open_loader(const struct loader_config *config, struct dataset *set, struct pool *pool)
{
    struct loader *loader;
    struct error error = {0};
    if (loader_open(&loader, config, set, pool, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return loader;
}

/* A batch of the plain loader, kept. */
struct plain {
    char *views;
    uint32_t indices[BATCH];
    size_t bytes; /* of a view */
};

static struct plain keep(struct loader *loader, int64_t step, size_t bytes)
{
    const struct batch *batch;
    struct plain out = {memory_array(2 * BATCH, bytes), {0}, bytes};
    assert_int_equal(loader_next(loader, step, &batch, NULL), SIMCLR_OK);
    memcpy(out.views, batch->views, 2 * BATCH * bytes);
    memcpy(out.indices, batch->indices, sizeof out.indices);
    return out;
}

static void expect_group(const struct plain *plain, const struct grouping *grouping, int group, const char *views,
                         const uint32_t *indices)
{
    const int size = grouping_size(grouping);
    for (int row = 0; row < 2 * size; row++) {
        const int view = row / size, image = grouping_image(grouping, group, view, row % size);
        assert_memory_equal(views + (size_t)row * plain->bytes,
                            plain->views + (size_t)(view * BATCH + image) * plain->bytes, plain->bytes);
        if (indices && view == 0) assert_int_equal(indices[row], plain->indices[image]);
    }
}

static void expect_step(struct loader *loader, const struct plain *plain, const struct grouping *grouping, int64_t step)
{
    const struct batch *batch;
    const int groups = grouping_count(grouping), size = grouping_size(grouping);
    if (loader_parts(loader) == 1) {
        assert_int_equal(loader_next(loader, step, &batch, NULL), SIMCLR_OK);
        assert_int_equal(batch->count, BATCH);
        assert_memory_equal(batch->indices, plain->indices, sizeof plain->indices);
        for (int group = 0; group < groups; group++)
            expect_group(plain, grouping, group,
                         (const char *)batch->views + (size_t)group * 2 * (size_t)size * plain->bytes, NULL);
        return;
    }
    assert_int_equal(loader_parts(loader), 2 * groups - 1);
    for (int part = 0; part < 2 * groups - 1; part++) {
        const int group = part < groups ? part : 2 * groups - 2 - part;
        assert_int_equal(loader_next_part(loader, step, part, &batch, NULL), SIMCLR_OK);
        assert_int_equal(batch->count, size);
        assert_int_equal(batch->step, step);
        expect_group(plain, grouping, group, batch->views, batch->indices);
    }
    assert_int_equal(loader_next_part(loader, step, 2 * groups - 1, &batch, NULL), SIMCLR_INVALID);
    assert_int_equal(loader_next_part(loader, step, -1, &batch, NULL), SIMCLR_INVALID);
}

static void the_same_views_in_other_places(void **state)
{
    (void)state;
    static const int64_t journey[] = {0, 1, 2, 3, 4, 2, 2, 7, 0};
    make_photos("photos");
    struct dataset *set = open_set(at("photos"), DATASET_TRAIN, NOT_CACHED);
    struct pool *pool = support_pool(2);
    struct loader_config config = plain_config();
    const size_t bytes = 3 * SIZE * SIZE * view_type_bytes(config.policy.type);
    struct loader *plain = open_loader(&config, set, pool);
    assert_int_equal(loader_parts(plain), 1);
    for (int variant = 0; variant < 16; variant++) {
        config = plain_config();
        config.group = variant % 2 ? 4 : 3;
        config.group_shuffle = variant / 2 % 2;
        config.by_parts = variant / 4 % 2;
        config.workers = variant / 8 * 3;
        const struct grouping grouping = {BATCH, config.group, config.group_shuffle};
        struct loader *loader = open_loader(&config, set, pool);
        for (size_t i = 0; i < sizeof journey / sizeof *journey; i++) {
            struct plain expected = keep(plain, journey[i], bytes);
            expect_step(loader, &expected, &grouping, journey[i]);
            memory_free(expected.views);
        }
        loader_close(&loader);
    }
    loader_close(&plain);
    pool_destroy(&pool);
    dataset_close(&set);
}

static void groups_that_cannot_be_are_refused(void **state)
{
    (void)state;
    make_photos("refused");
    struct dataset *set = open_set(at("refused"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    struct loader *loader;
    struct loader_config config = plain_config();
    config.group = 5;
    assert_int_equal(loader_open(&loader, &config, set, pool, NULL), SIMCLR_INVALID);
    config.group = 4;
    config.views = 1;
    assert_int_equal(loader_open(&loader, &config, set, pool, NULL), SIMCLR_INVALID);
    config.views = 2;
    config.keep_last = true;
    assert_int_equal(loader_open(&loader, &config, set, pool, NULL), SIMCLR_INVALID);
    pool_destroy(&pool);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_view_has_its_row),
        cmocka_unit_test(the_same_views_in_other_places),
        cmocka_unit_test(groups_that_cannot_be_are_refused),
    };
    return run_cases(tests, make_folder, remove_folder);
}
